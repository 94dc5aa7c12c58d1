/* One parent for the control groups of all instances, whoever asks. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/instance.h"
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
