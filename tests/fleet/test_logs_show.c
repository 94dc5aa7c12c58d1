/* Logs of several instances at once. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/logs/logs.h"
#include "support_host.h"

static void put(struct test_host *test, const char *name, const char *file, const char *text)
{
	struct error err;
	auto_fd dir = dir_create(test->host.log, name, 0700, &err);

	ASSERT_OK(file_replace(dir, file, 0600, FILE_VOLATILE, text, strlen(text), &err));
}

static void create(struct test_host *test, const char *name)
{
	struct instance_spec spec = test_spec(test, name, "true");
	struct error err;

	ASSERT_OK(instance_create(&test->host, &spec, &err));
}

static void three_instances(struct test_host *test)
{
	create(test, "a");
	create(test, "front");
	create(test, "quiet");
	put(test, "a", "log.1", "2026-01-01T00:00:01.000Z stdout a1\n2026-01-01T00:00:04.000Z stdout a4\n");
	put(test, "a", "log", "2026-01-01T00:00:04.000Z stderr a4b\n2026-01-01T00:00:06.000Z stdout a6\n");
	put(test, "front", "log",
		"2026-01-01T00:00:02.000Z stdout f2\nstrange\n2026-01-01T00:00:05.000Z stdout f5\nunended");
}

static struct strings names_of(struct test_host *test, const char *first, const char *second, const char *third)
{
	struct strings names = {0};

	strings_add(&test->arena, &names, first);
	strings_add(&test->arena, &names, second);
	if (third)
		strings_add(&test->arena, &names, third);
	return names;
}

static const char *shown(struct test_host *test, const struct strings *names, const struct logs_options *options)
{
	auto_fd out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const char *text;
	struct error err;

	ASSERT_OK(instances_logs(&test->host, names, options, out, out, &err));
	cr_assert(lseek(out, 0, SEEK_SET) == 0);
	ASSERT_OK(fd_read_all(&test->arena, out, 1 << 20, &text, NULL, &err));
	return text;
}

TEST(logs_show, interleaves_several_in_the_order_of_their_times)
{
	struct test_host test;
	struct logs_options options = {.names = true};

	test_host_open(&test);
	three_instances(&test);
	struct strings names = names_of(&test, "a", "front", "quiet");

	cr_assert_str_eq(shown(&test, &names, &options), "a     | a1\n"
							 "front | f2\n"
							 "front | strange\n"
							 "a     | a4\n"
							 "a     | a4b\n"
							 "front | f5\n"
							 "front | unended\n"
							 "a     | a6\n");
	options.names = false;
	options.timestamps = true;
	options.since_ms = (struct optional){true, log_time_parse("2026-01-01T00:00:04.000Z", 24)};
	options.until_ms = (struct optional){true, log_time_parse("2026-01-01T00:00:05.500Z", 24)};
	cr_assert_str_eq(shown(&test, &names, &options), "strange\n"
							 "2026-01-01T00:00:04.000Z a4\n"
							 "2026-01-01T00:00:04.000Z a4b\n"
							 "2026-01-01T00:00:05.000Z f5\n"
							 "unended");
	test_host_close(&test);
}

TEST(logs_show, the_tail_is_of_each)
{
	struct test_host test;
	struct logs_options options = {.names = true, .tail = {true, 1}};

	test_host_open(&test);
	three_instances(&test);
	put(&test, "front", "log", "2026-01-01T00:00:02.000Z stdout f2\n2026-01-01T00:00:05.000Z stdout f5\n");
	struct strings names = names_of(&test, "a", "front", "quiet");

	cr_assert_str_eq(shown(&test, &names, &options), "front | f5\na     | a6\n");
	test_host_close(&test);
}

TEST(logs_show, one_without_a_log_is_passed_over_among_several)
{
	struct test_host test;
	struct logs_options options = {.names = true};
	struct error err;

	test_host_open(&test);
	create(&test, "a");
	put(&test, "a", "log", "2026-01-01T00:00:01.000Z stdout a1\n");
	struct instance_spec spec = test_spec(&test, "mute", "true");

	spec.logging.driver = LOG_DRIVER_NONE;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	struct strings names = names_of(&test, "a", "mute", NULL);

	cr_assert_str_eq(shown(&test, &names, &options), "a | a1\n");
	ASSERT_FAILS(instance_logs(&test.host, "mute", &options, 1, 2, &err), ERROR_USAGE, "mute keeps no log");
	spec.logging.driver = LOG_DRIVER_JOURNALD;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	ASSERT_FAILS(
		instance_logs(&test.host, "mute", &options, 1, 2, &err), ERROR_USAGE, "journalctl CONTAINER_NAME=mute");
	ASSERT_FAILS(instance_logs(&test.host, "nonesuch", &options, 1, 2, &err), ERROR_MISSING, "nonesuch");
	test_host_close(&test);
}

TEST(logs_show, follows_several_until_the_last_has_ended)
{
	struct test_host test;
	int ends[2], status;
	struct error err;

	test_host_open(&test);
	/* The second ends when the first has. */
	struct instance_spec one = test_spec(&test, "one", "echo one; sleep 0.2; echo end of one"),
			     two = test_spec(&test, "two",
				     "echo two; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo end of two");
	struct strings names = names_of(&test, "one", "two", NULL);

	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	test_run(&test, &one);
	test_run(&test, &two);
	pid_t follower = fork();

	if (follower == 0) {
		struct logs_options options = {.follow = true, .names = true};

		_exit(instances_logs(&test.host, &names, &options, ends[1], ends[1], &err) < 0);
	}
	close(ends[1]);
	test_await_state(&test, "one", INSTANCE_STOPPED);
	struct exec_options touch = {0};

	strings_add(&test.arena, &touch.args, "/bin/busybox");
	strings_add(&test.arena, &touch.args, "touch");
	strings_add(&test.arena, &touch.args, "/tmp/go");
	ASSERT_OK(instance_exec(&test.host, "two", &touch, &status, &err));
	const char *text;

	ASSERT_OK(fd_read_all(&test.arena, ends[0], 1 << 20, &text, NULL, &err));
	close(ends[0]);
	cr_assert(waitpid(follower, &status, 0) == follower && status == 0);
	cr_assert(strstr(text, "one | one\n") && strstr(text, "two | two\n"), "%s", text);
	const char *end = strstr(text, "one | end of one\n");

	cr_assert(end && strstr(end, "two | end of two\n"), "%s", text);
	test_host_close(&test);
}

TEST(logs_show, following_ends_at_a_time)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	struct logs_options options = {.follow = true, .until_ms = {true, clock_real_ms() + 100}};

	test_run(&test, &spec);
	ASSERT_OK(instance_logs(&test.host, "web", &options, 1, 2, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	test_host_close(&test);
}
