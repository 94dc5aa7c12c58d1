/* Why instances have ended, kept over their restarts. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/instance.h"
#include "support_host.h"

static struct end_list ends_of(struct test_host *test)
{
	struct end_list ends;
	struct error err;

	ASSERT_OK(instance_ends_read(&test->arena, &test->host, "web", &ends, &err));
	return ends;
}

TEST(ends, a_crash_is_kept_with_what_was_said_before)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "web", "echo starting; echo cannot open /etc/x >&2; sleep 0.05; exit 3");

	test_run(&test, &spec);
	ASSERT_OK(instance_wait(&test.host, "web", &status, &err));
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct end_list ends = ends_of(&test);

	cr_assert(ends.count == 1 && ends.items[0].reason == END_EXITED && ends.items[0].status == 3);
	cr_assert(ends.items[0].lived_ms >= 50 && ends.items[0].at_ms > 0 && ends.items[0].oom_kills == 0);
	cr_assert(ends.items[0].log.count == 2, "%zu lines", ends.items[0].log.count);
	cr_assert_str_eq(ends.items[0].log.items[0] + 24, " stdout starting");
	cr_assert_str_eq(ends.items[0].log.items[1] + 24, " stderr cannot open /etc/x");
	/* The next run's end says nothing of this one. */
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	ends = ends_of(&test);
	cr_assert(ends.count == 2 && ends.items[0].status == 3);
	test_host_close(&test);
}

TEST(ends, one_that_was_asked_for_needs_no_log)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "echo up; exec sleep 1000");

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){true, 0}, &err));
	struct end_list ends = ends_of(&test);

	cr_assert(ends.count == 1 && ends.items[0].log.count == 0);
	cr_assert(ends.items[0].reason == END_STOPPED || ends.items[0].reason == END_KILLED);
	test_host_close(&test);
}

TEST(ends, only_the_last_ten_are_kept_and_the_file_is_bounded)
{
	struct test_host test;
	struct stat status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web",
		"i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789; done; exit "
		"1");

	spec.restart = (struct restart_spec){.policy = RESTART_ON_FAILURE,
		.delay_ms = 1,
		.max_delay_ms = 1,
		.max_retries = {.set = true, .value = 12}};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct end_list ends = ends_of(&test);

	cr_assert(ends.count == 10 && ends.items[9].restarts == 12 && ends.items[0].restarts == 3,
		"%zu ends, %lld to %lld", ends.count, (long long)ends.items[0].restarts,
		(long long)ends.items[9].restarts);
	cr_assert(ends.items[9].log.count <= 20 && ends.items[9].log.count > 0);
	auto_fd dir = openat(test.host.instances, "web", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fstatat(dir, "ends.log", &status, 0) == 0 && status.st_size < 192 << 10);
	fd_drop(&dir);
	test_host_close(&test);
}

/* Straight into the file, so that it grows beyond its bound. */
TEST(ends, a_file_that_has_grown_is_rewritten_and_a_torn_line_passed_over)
{
	AUTO(text_drop) struct text big = {0};
	struct test_host test;
	struct stat status;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exit 7");

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	auto_fd dir = openat(test.host.instances, "web", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 40; i++) {
		text_appendf(&big, "{\"reason\":\"exited\",\"status\":%d,\"at_ms\":%d,\"detail\":\"", i, i);
		for (int j = 0; j < 400; j++)
			text_append(&big, "0123456789");
		text_append(&big, "\"}\n");
	}
	text_append(&big, "{\"reason\":\"exi");
	ASSERT_OK(file_replace(dir, "ends.log", 0600, FILE_VOLATILE, text_string(&big), big.length, &err));
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	test_await_state(&test, "web", INSTANCE_STOPPED);
	cr_assert(fstatat(dir, "ends.log", &status, 0) == 0 && status.st_size < 64 << 10, "%lld bytes",
		(long long)status.st_size);
	struct end_list ends = ends_of(&test);

	cr_assert(ends.count >= 9 && ends.items[ends.count - 1].status == 7, "%zu ends", ends.count);
	fd_drop(&dir);
	test_host_close(&test);
}

TEST(ends, say_out_of_memory)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec tail /dev/zero");

	spec.resources.memory_bytes = (struct optional){.set = true, .value = 16 << 20};
	spec.resources.swap_bytes = (struct optional){.set = true, .value = 0};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct end_list ends = ends_of(&test);

	cr_assert(ends.count == 1 && ends.items[0].reason == END_OUT_OF_MEMORY && ends.items[0].oom_kills > 0);
	test_host_close(&test);
}
