/* Reading logs back. The files are written here, as the writer would. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/logs/logs.h"
#include "support_host.h"

static void put(struct test_host *test, const char *name, const char *text)
{
	struct error err;
	auto_fd dir = dir_create(test->host.log, "web", 0700, &err);

	ASSERT_OK(file_replace(dir, name, 0600, FILE_VOLATILE, text, strlen(text), &err));
}

static void three_files(struct test_host *test)
{
	struct instance_spec spec = test_spec(test, "web", "true");
	struct error err;

	ASSERT_OK(instance_create(&test->host, &spec, &err));
	put(test, "log.2", "2026-01-01T00:00:01.000Z stdout one\n2026-01-01T00:00:02.000Z stderr two\n");
	put(test, "log.1", "2026-01-01T00:00:03.000Z stdout three\n2026-01-01T00:00:04.000Z stdout four\n");
	put(test, "log", "2026-01-01T00:00:05.000Z stdout five\n");
}

static const char *read_with(struct test_host *test, const struct logs_options *options, bool errors)
{
	auto_fd out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const char *text;
	struct error err;

	ASSERT_OK(instance_logs(&test->host, "web", options, errors ? null : out, errors ? out : null, &err));
	cr_assert(lseek(out, 0, SEEK_SET) == 0);
	ASSERT_OK(fd_read_all(&test->arena, out, 1 << 20, &text, NULL, &err));
	return text;
}

TEST(logs_read, prints_the_oldest_first_and_keeps_streams_apart)
{
	struct test_host test;
	struct logs_options options = {0};

	test_host_open(&test);
	three_files(&test);
	cr_assert_str_eq(read_with(&test, &options, false), "one\nthree\nfour\nfive\n");
	cr_assert_str_eq(read_with(&test, &options, true), "two\n");
	options.timestamps = true;
	cr_assert_str_eq(read_with(&test, &options, true), "2026-01-01T00:00:02.000Z two\n");
	test_host_close(&test);
}

/* A rotation renames one file after the other: whoever looks in between finds a name missing. */
TEST(logs_read, a_gap_in_the_middle_of_a_rotation_hides_nothing)
{
	struct test_host test;
	struct logs_options options = {0};

	test_host_open(&test);
	three_files(&test);
	put(&test, "log.4", "2026-01-01T00:00:00.000Z stdout zero\n");
	cr_assert_str_eq(read_with(&test, &options, false), "zero\none\nthree\nfour\nfive\n");
	test_host_close(&test);
}

TEST(logs_read, counts_the_tail_over_all_files)
{
	static const char *const expected[] = {"", "five\n", "four\nfive\n", "three\nfour\nfive\n",
		"three\nfour\nfive\n", "one\nthree\nfour\nfive\n", "one\nthree\nfour\nfive\n"};
	struct test_host test;

	test_host_open(&test);
	three_files(&test);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct logs_options options = {.tail = {.set = true, .value = (int64_t)i}};

		cr_assert_str_eq(read_with(&test, &options, false), expected[i], "tail %zu: %s", i,
			read_with(&test, &options, false));
	}
	test_host_close(&test);
}

TEST(logs_read, begins_at_a_time)
{
	struct test_host test;
	struct logs_options options = {0};

	test_host_open(&test);
	three_files(&test);
	options.since_ms = (struct optional){.set = true, .value = log_time_parse("2026-01-01T00:00:03.500Z", 24)};
	cr_assert_str_eq(read_with(&test, &options, false), "four\nfive\n");
	test_host_close(&test);
}

TEST(logs_read, shows_strange_lines_as_they_are)
{
	struct test_host test;
	struct logs_options options = {0};

	test_host_open(&test);
	three_files(&test);
	put(&test, "log", "no time at all\n2026-01-01T00:00:05.000Z stdin what\nwithout end");
	const char *text = read_with(&test, &options, false);

	cr_assert(text_ends_with(text, "no time at all\n2026-01-01T00:00:05.000Z stdin what\nwithout end"), "%s", text);
	test_host_close(&test);
}

TEST(logs_read, follows_over_rotations_until_the_end)
{
	struct test_host test;
	int ends[2], status;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(
		&test, "web", "i=0; while [ $i -lt 900 ]; do i=$((i+1)); echo line $i; done; sleep 0.3; echo last");

	/* Some ten rotations, fewer than there are files. */
	spec.logging.max_size_bytes = 4096;
	spec.logging.max_files = 50;
	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	pid_t follower = fork();

	if (follower == 0) {
		struct logs_options options = {.follow = true};

		_exit(instance_logs(&test.host, "web", &options, ends[1], ends[1], &err) < 0);
	}
	close(ends[1]);
	const char *text;

	ASSERT_OK(fd_read_all(&test.arena, ends[0], 1 << 20, &text, NULL, &err));
	close(ends[0]);
	cr_assert(waitpid(follower, &status, 0) == follower && status == 0);
	for (int i = 1; i <= 900; i++) {
		const char *line = arena_format(&test.arena, "line %d\n", i);

		cr_assert(text_starts_with(text, line), "expected %sgot %.20s", line, text);
		text += strlen(line);
	}
	cr_assert_str_eq(text, "last\n");
	test_host_close(&test);
}
