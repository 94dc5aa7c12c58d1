/* Files of the host that a specification points to. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fleet/file/source.h"
#include "fleet/spec.h"
#include "tests/test.h"

struct scratch {
	char directory[32];
	char *path;
};

static struct scratch scratch_make(const char *content, size_t length)
{
	struct scratch scratch = {.directory = "/tmp/warren-test-XXXXXX"};

	cr_assert(mkdtemp(scratch.directory));
	scratch.path = text_format("%s/source", scratch.directory);
	auto_fd fd = open(scratch.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, content, length) == (ssize_t)length);
	return scratch;
}

static void scratch_drop(struct scratch *scratch)
{
	unlink(scratch->path);
	rmdir(scratch->directory);
	free(scratch->path);
}

TEST(source, reads_a_file_whole)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make("a\0b", 3);
	AUTO(arena_drop) struct arena arena = {0};
	const char *content;
	struct error err;
	size_t length;

	ASSERT_OK(source_check(scratch.path, &err));
	ASSERT_OK(source_read(&arena, scratch.path, &content, &length, &err));
	cr_assert(length == 3 && !memcmp(content, "a\0b", 3));
}

TEST(source, takes_a_mebibyte_and_not_one_byte_more)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make("", 0);
	struct error err;

	cr_assert(truncate(scratch.path, 1 << 20) == 0);
	ASSERT_OK(source_check(scratch.path, &err));
	cr_assert(truncate(scratch.path, (1 << 20) + 1) == 0);
	ASSERT_FAILS(source_check(scratch.path, &err), ERROR_USAGE, "/source: larger than 1048576 bytes");
}

TEST(source, is_not_held_up_by_what_is_no_file)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make("", 0);
	struct error err;

	unlink(scratch.path);
	ASSERT_FAILS(source_check(scratch.path, &err), ERROR_MISSING, "/source: no such file");
	cr_assert(mkfifo(scratch.path, 0600) == 0);
	ASSERT_FAILS(source_check(scratch.path, &err), ERROR_USAGE, "/source: not a regular file");
	ASSERT_FAILS(source_check("/dev/zero", &err), ERROR_USAGE, "/dev/zero: not a regular file");
	ASSERT_FAILS(source_check(scratch.directory, &err), ERROR_USAGE, ": not a regular file");
}

static void env_expect(const char *content, size_t length, const char *message)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make(content, length);
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *expected = text_format("%s%s", scratch.path, message);
	struct pairs pairs = {0};
	struct error err;

	ASSERT_FAILS(env_file_read(&arena, scratch.path, &pairs, &err), ERROR_USAGE, expected);
}

TEST(source, reads_environment_files_as_compose_does)
{
	static const char text[] = "# comment\n\nA=1\r\nB = x=y \"z\"\nA=2\nC=";
	AUTO(scratch_drop) struct scratch scratch = scratch_make(text, strlen(text));
	AUTO(arena_drop) struct arena arena = {0};
	struct pairs pairs = {0};
	struct error err;

	ASSERT_OK(env_file_read(&arena, scratch.path, &pairs, &err));
	cr_assert(pairs.count == 3);
	cr_assert_str_eq(pairs_get(&pairs, "A"), "2");
	cr_assert_str_eq(pairs_get(&pairs, "B "), " x=y \"z\"");
	cr_assert_str_eq(pairs_get(&pairs, "C"), "");
}

TEST(source, refuses_environment_files_by_line)
{
	env_expect("A=1\nB\n", 6, ":2: expected NAME=VALUE");
	env_expect("A=1\n=B\n", 7, ":2: expected NAME=VALUE");
	env_expect("A=1\n\n\nB=\001\n", 10, ":4: line \"B=?\": control characters are not allowed (found 0x01)");
	env_expect("A=1\0\n", 5, ": a NUL byte is not text");
}
