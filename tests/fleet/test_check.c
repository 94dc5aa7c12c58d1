/* What does not fit is found, what can be put right is, and a host at work has nothing to be found. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support_host.h"

static struct check_report checked(struct test_host *test, bool repair)
{
	struct check_report report;
	struct error err;

	ASSERT_OK(host_check(&test->arena, &test->host, repair, &report, &err));
	for (size_t i = 0; i < report.count; i++)
		fprintf(stderr, "%s %s: %s%s%s\n", report.items[i].kind, report.items[i].name, report.items[i].text,
			report.items[i].failure ? "; " : "", report.items[i].failure ? report.items[i].failure : "");
	return report;
}

/* Exactly one finding, which is repaired, and gone afterwards. */
static void expect_repaired(struct test_host *test, const char *kind, const char *name)
{
	struct check_report report = checked(test, false);

	cr_assert(report.count == 1 && report.left == 1, "%zu findings", report.count);
	cr_assert_str_eq(report.items[0].kind, kind);
	cr_assert_str_eq(report.items[0].name, name);
	report = checked(test, true);
	cr_assert(report.count == 1 && report.left == 0 && report.items[0].repaired);
	cr_assert(checked(test, false).count == 0);
}

static struct instance_spec networked(struct test_host *test, const char *name)
{
	struct instance_spec spec = test_spec(test, name, "exec sleep 1000");

	spec.network = NETWORK_DEFAULT;
	return spec;
}

TEST(check, finds_nothing_on_a_host_that_is_whole)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	cr_assert(checked(&test, false).count == 0);
	struct instance_spec spec = networked(&test, "one");

	test_run(&test, &spec);
	spec = networked(&test, "two");
	test_run(&test, &spec);
	ASSERT_OK(instance_stop(&test.host, "two", (struct optional){true, 0}, &err));
	spec = networked(&test, "three");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	cr_assert(checked(&test, false).count == 0);
	test_host_close(&test);
}

TEST(check, gives_a_new_monitor_to_one_whose_own_was_killed)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = networked(&test, "web");

	test_run(&test, &spec);
	test_kill_monitor(&test, "web");
	expect_repaired(&test, "monitor", "web");
	cr_assert(test_status(&test, "web").monitored);
	test_host_close(&test);
}

TEST(check, finishes_a_run_that_nobody_finished)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	pid_t init = test_status(&test, "web").init.pid;

	test_kill_monitor(&test, "web");
	cr_assert(kill(init, SIGKILL) == 0);
	while (kill(init, 0) == 0)
		usleep(2000);
	struct check_report report = checked(&test, true);

	cr_assert(report.count == 2 && report.left == 0, "the run and its control group: %zu", report.count);
	cr_assert(checked(&test, false).count == 0);
	test_host_close(&test);
}

TEST(check, finds_slots_that_nobody_has_and_marks_those_that_somebody_has)
{
	struct test_host test;
	struct error err;
	unsigned slot;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	ASSERT_OK(slot_take(&test.host.net, 77, &slot, &err));
	expect_repaired(&test, "slot", "77");
	slot = test_status(&test, "web").slot;
	ASSERT_OK(slot_release(&test.host.net, slot, &err));
	expect_repaired(&test, "slot", arena_format(&test.arena, "%u", slot));
	test_host_close(&test);
}

TEST(check, finds_files_and_control_groups_of_instances_that_are_not_there)
{
	struct test_host test;
	struct cgroup cgroup;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	cr_assert(mkdirat(test.host.live, "ghost", 0700) == 0);
	expect_repaired(&test, "live", "ghost");
	cr_assert(mkdirat(test.host.log, "ghost", 0700) == 0);
	expect_repaired(&test, "log", "ghost");
	cr_assert(mkdirat(test.host.instances, ".web.0123456789abcdef", 0700) == 0);
	expect_repaired(&test, "leftover", ".web.0123456789abcdef");
	const char *path = arena_format(&test.arena, "%s/ghost", test.parent);

	ASSERT_OK(
		cgroup_create(&test.host.cgroups, path, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING, &cgroup, &err));
	cgroup_drop(&cgroup);
	expect_repaired(&test, "cgroup", "ghost");
	test_host_close(&test);
}

TEST(check, leaves_processes_alone_that_no_instance_owns)
{
	struct test_host test;
	struct cgroup cgroup;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	const char *path = arena_format(&test.arena, "%s/ghost", test.parent);

	ASSERT_OK(
		cgroup_create(&test.host.cgroups, path, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING, &cgroup, &err));
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};

	ASSERT_OK(cgroup_entrance_open(&cgroup, &entrance, &err));
	cgroup_drop(&cgroup);
	int ready[2];
	char byte;

	cr_assert(pipe2(ready, O_CLOEXEC) == 0);
	pid_t pid = process_clone(0, entrance.into, NULL);

	if (pid == 0) {
		/* It goes with a test that fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cgroup_enter(&entrance, &err) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	struct check_report report = checked(&test, true);

	cr_assert(report.count == 1 && report.left == 1 && strstr(report.items[0].text, "with processes"));
	cr_assert(kill(pid, 0) == 0, "it lives");
	cr_assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	expect_repaired(&test, "cgroup", "ghost");
	test_host_close(&test);
}

TEST(check, finds_addresses_that_nobody_has_and_a_damaged_instance)
{
	struct test_host test;
	struct in_addr address;
	struct network network;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = networked(&test, "web");

	test_run(&test, &spec);
	ASSERT_OK(network_load(&test.arena, &test.host.net, NETWORK_DEFAULT, &network, &err));
	ASSERT_OK(address_take(&test.host.net, &network, (struct in_addr){0}, &address, &err));
	struct check_report report = checked(&test, false);

	cr_assert(report.count == 1);
	cr_assert_str_eq(report.items[0].kind, "addresses");
	ASSERT_OK(address_release(&test.host.net, NETWORK_DEFAULT, address, &err));
	auto_fd dir = openat(test.host.instances, "web", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_OK(file_replace(dir, "spec.json", 0600, FILE_VOLATILE, "{", 1, &err));
	fd_drop(&dir);
	report = checked(&test, true);
	cr_assert(report.count == 1 && report.left == 1);
	cr_assert_str_eq(report.items[0].kind, "instance");
	test_host_close(&test);
}

TEST(check, finds_published_ports_that_lead_to_nobody)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = networked(&test, "web");
	struct port port;

	ASSERT_OK(port_parse("127.0.0.1:18081:80", &port, &err));
	spec.ports.items = &port;
	spec.ports.count = 1;
	test_run(&test, &spec);
	cr_assert(checked(&test, false).count == 0);
	AUTO(net_session_drop) struct net_session *session = net_session_open(&err);
	struct endpoint nobody = {.slot = test_status(&test, "web").slot, .network_number = 1};
	struct port lost;

	cr_assert(session && inet_pton(AF_INET, "10.88.77.66", &nobody.address) == 1);
	ASSERT_OK(port_parse("127.0.0.1:18082:80", &lost, &err));
	ASSERT_OK(ports_publish(session, &nobody, &lost, 1, &err));
	expect_repaired(&test, "port", "10.88.77.66");
	test_host_close(&test);
}
