/* One parent for the control groups of all instances, whoever asks. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/instance.h"
#include "support_host.h"

static int open_with(const struct test_host *test, const char *parent, struct host *out, struct error *err)
{
	return host_open(&(struct host_options){.root = test->directory, .cgroup_parent = parent}, out, err);
}

TEST(host_cgroups, are_found_by_later_commands_that_do_not_name_the_parent)
{
	struct test_host test;
	struct host host;
	struct error err;

	test_host_open(&test);
	ASSERT_OK(open_with(&test, NULL, &host, &err));
	cr_assert_str_eq(host.cgroup_parent, test.parent);
	host_close(&host);
	test_host_close(&test);
}

TEST(host_cgroups, move_only_while_nothing_runs)
{
	struct test_host test;
	auto_free char *absolute = NULL;
	struct host host;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	ASSERT_FAILS(open_with(&test, "warren/elsewhere", &host, &err), ERROR_BUSY, "/warren/elsewhere is wanted, but");
	cr_assert(strstr(err.text, test.parent), "%s", err.text);
	absolute = text_format("/%s", test.parent);
	ASSERT_OK(open_with(&test, absolute, &host, &err));
	host_close(&host);
	ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	ASSERT_OK(open_with(&test, "warren/elsewhere", &host, &err));
	host_close(&host);
	test_host_close(&test);
}

TEST(host_cgroups, of_bad_names_are_refused)
{
	static const char *const names[] = {"", "/", "..", "a//b", "/a/../b", "a/", "a\nb"};
	struct test_host test;
	struct host host;
	struct error err;

	test_host_open(&test);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ASSERT_FAILS(open_with(&test, names[i], &host, &err), ERROR_USAGE, "--cgroup-parent");
	test_host_close(&test);
}

/* The unit below which the instances were was stopped: what is left begins at the default again. */
TEST(host_cgroups, begin_at_the_default_when_their_base_is_gone)
{
	struct test_host test;
	struct host host;
	struct error err;
	static const char record[] = "/warren-gone-base\nwarren\n";

	SKIP_UNLESS(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0, "needs cgroup v2");
	test_host_open(&test);
	ASSERT_OK(file_replace(test.host.run, "cgroup", 0600, FILE_VOLATILE, record, strlen(record), &err));
	ASSERT_OK(open_with(&test, NULL, &host, &err));
	cr_assert_str_eq(host.cgroup_parent, "warren");
	cr_assert(faccessat(host.run, "cgroup", F_OK, 0) < 0);
	host_close(&host);
	test_host_close(&test);
}

TEST(host_cgroups, of_monitors_are_not_those_of_an_instance_with_that_name)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	struct instance_spec named = test_spec(&test, "monitors", "exec sleep 1000");

	test_run(&test, &spec);
	test_run(&test, &named);
	ASSERT_OK(instance_stop(&test.host, "monitors", (struct optional){.set = true, .value = 0}, &err));
	cr_assert(test_status(&test, "web").monitor > 0);
	test_host_close(&test);
}

/* A command as a service with Delegate=yes starts it: its exit status. */
static int run_delegated(const struct test_host *test, const struct cgroup *unit, const struct instance_spec *spec)
{
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};
	struct start_options options = {0};
	struct host host;
	struct error err = {0};
	int status = -1;
	auto_fd pidfd = -1;
	pid_t pid;

	ASSERT_OK(cgroup_entrance_open(unit, &entrance, &err));
	pid = process_clone(0, entrance.into, &pidfd);
	cr_assert(pid >= 0);
	if (pid == 0) {
		status = open_with(test, "delegated", &host, &err) < 0 || instance_create(&host, spec, &err) < 0 ||
			 instance_start(&host, spec->name, &options, &err) < 0;
		if (status)
			fprintf(stderr, "%s\n", err.text);
		_exit(status);
	}
	ASSERT_OK(process_reap(pidfd, &status, &err));
	return status;
}

TEST(host_cgroups, in_a_delegated_part_of_the_tree_are_found_from_outside)
{
	AUTO(cgroup_drop) struct cgroup unit = {.unified = -1};
	struct test_host test;
	struct host host;
	struct error err;

	SKIP_UNLESS(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0, "needs cgroup v2");
	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	auto_free char *path = text_format("warren/test-unit-%d", getpid());
	auto_free char *limit = text_format("%s/warren/web/pids.max", path);
	auto_free char *monitors = text_format("%s/warren/_monitors/cgroup.procs", path);

	ASSERT_OK(cgroup_create(
		&test.host.cgroups, path, &(struct cgroup_limits){0}, CGROUP_ALL_CONTROLLERS, &unit, &err));
	cr_assert(run_delegated(&test, &unit, &spec) == 0);
	ASSERT_OK(open_with(&test, NULL, &host, &err));
	cr_assert(faccessat(test.host.cgroups.unified, limit, F_OK, 0) == 0, "%s", limit);
	cr_assert(faccessat(test.host.cgroups.unified, monitors, F_OK, 0) == 0, "%s", monitors);
	ASSERT_FAILS(open_with(&test, test.parent, &(struct host){0}, &err), ERROR_BUSY, "is wanted, but");
	ASSERT_OK(instance_pause(&host, "web", true, &err));
	ASSERT_OK(instance_remove(&host, "web", true, &err));
	cr_assert(faccessat(test.host.cgroups.unified, limit, F_OK, 0) < 0);
	host_close(&host);
	ASSERT_OK(cgroup_remove(&test.host.cgroups, path, TEST_TIMEOUT_MS, false, &err));
	test_host_close(&test);
}
