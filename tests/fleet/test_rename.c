/* Giving an instance another name. */
#include "support_host.h"

TEST(rename, keeps_its_files_log_and_place)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "old", "cat /root/mark 2>/dev/null; echo here > /root/mark");

	test_run(&test, &spec);
	ASSERT_OK(instance_wait(&test.host, "old", &status, &err));
	test_await_state(&test, "old", INSTANCE_STOPPED);
	struct instance_status before = test_status(&test, "old");

	ASSERT_OK(instance_rename(&test.host, "old", "new", &err));
	ASSERT_FAILS(instance_start(&test.host, "old", &(struct start_options){0}, &err), ERROR_MISSING,
		"no instance \"old\"");
	ASSERT_OK(instance_start(&test.host, "new", &(struct start_options){0}, &err));
	ASSERT_OK(instance_wait(&test.host, "new", &status, &err));
	test_await_log(&test, "new", "here\n");
	struct instance_status after = test_status(&test, "new");

	cr_assert(after.slot == before.slot && after.created_ms == before.created_ms);
	cr_assert_str_eq(after.spec->name, "new");
	test_host_close(&test);
}

TEST(rename, onto_a_running_instance_touches_nothing_of_it)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec one = test_spec(&test, "one", "echo one; exec sleep 1000"),
			     two = test_spec(&test, "two", "true");

	test_run(&test, &one);
	test_await_log(&test, "one", "one\n");
	ASSERT_OK(instance_create(&test.host, &two, &err));
	ASSERT_FAILS(instance_rename(&test.host, "two", "one", &err), ERROR_BUSY,
		"the name one is taken by another instance");
	ASSERT_FAILS(instance_rename(&test.host, "two", "Two", &err), ERROR_USAGE, "instance name");
	cr_assert(test_status(&test, "one").state == INSTANCE_RUNNING && test_status(&test, "one").monitored);
	cr_assert(strstr(test_logs(&test, "one"), "one\n"));
	cr_assert(test_status(&test, "two").state == INSTANCE_CREATED);
	test_host_close(&test);
}
