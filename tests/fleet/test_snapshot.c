/* Snapshots, restoring and clones of instances that run and that do not. */
#include "base/cleanup.h"
#include "images/images.h"
#include "support_host.h"

static void run_to_end(struct test_host *test, const char *name)
{
	struct error err;
	int status;

	ASSERT_OK(instance_start(&test->host, name, &(struct start_options){0}, &err));
	ASSERT_OK(instance_wait(&test->host, name, &status, &err));
	cr_assert_eq(status, 0);
	test_await_state(test, name, INSTANCE_STOPPED);
}

static size_t log_lines(struct test_host *test, const char *name)
{
	size_t count = 0;

	for (const char *at = test_logs(test, name); (at = strstr(at, "mark\n")); at++)
		count++;
	return count;
}

TEST(snapshot, a_stopped_instance_goes_back_and_its_clone_goes_its_own_way, .timeout = SLOWLY(60))
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	/* Each start finds what all before it wrote. */
	struct instance_spec spec = test_spec(&test, "one", "echo mark >> /root/marks; cat /root/marks");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	run_to_end(&test, "one");
	cr_assert_eq(log_lines(&test, "one"), 1);
	ASSERT_OK(instance_snapshot(&test.host, "one", "early", &err));
	run_to_end(&test, "one");
	cr_assert_eq(log_lines(&test, "one"), 1 + 2);
	ASSERT_OK(instance_clone(&test.host, "one", &(struct clone_options){.name = "two"}, &err));
	run_to_end(&test, "two");
	cr_assert_eq(log_lines(&test, "two"), 3);
	ASSERT_OK(instance_restore(&test.host, "one", "early", &err));
	run_to_end(&test, "one");
	cr_assert_eq(log_lines(&test, "one"), 3 + 2);
	ASSERT_OK(
		instance_clone(&test.host, "one", &(struct clone_options){.name = "three", .snapshot = "early"}, &err));
	run_to_end(&test, "three");
	cr_assert_eq(log_lines(&test, "three"), 2);
	cr_assert_neq(test_status(&test, "one").slot, test_status(&test, "three").slot);
	ASSERT_FAILS(instance_clone(&test.host, "one", &(struct clone_options){.name = "two"}, &err), ERROR_BUSY,
		"the name two is taken");
	ASSERT_OK(instance_snapshot_remove(&test.host, "one", "early", &err));
	ASSERT_FAILS(instance_restore(&test.host, "one", "early", &err), ERROR_MISSING, "no snapshot \"early\"");
	test_host_close(&test);
}

TEST(snapshot, a_running_instance_runs_on_and_cannot_go_back_before_it_is_stopped, .timeout = SLOWLY(60))
{
	struct test_host test;
	struct snapshot_list list;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "one", "echo mark >> /root/marks; cat /root/marks; echo ready; exec sleep 1000");
	test_run(&test, &spec);
	test_await_log(&test, "one", "ready\n");
	ASSERT_OK(instance_snapshot(&test.host, "one", "early", &err));
	ASSERT_OK(instance_clone(&test.host, "one", &(struct clone_options){.name = "two"}, &err));
	cr_assert_eq(test_status(&test, "one").state, INSTANCE_RUNNING, "not frozen any more");
	ASSERT_OK(instance_snapshots(&test.host, "one", &test.arena, &list, &err));
	cr_assert_eq(list.count, 1, "that of the clone is gone");
	ASSERT_FAILS(instance_restore(&test.host, "one", "early", &err), ERROR_BUSY, "one is running; stop it first");
	ASSERT_OK(instance_start(&test.host, "two", &(struct start_options){0}, &err));
	test_await_log(&test, "two", "ready\n");
	cr_assert_eq(log_lines(&test, "two"), 2);
	test_host_close(&test);
}
