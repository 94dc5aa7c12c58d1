#include "base/file.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

static void put(int dir, const char *name, const char *content, size_t length)
{
	struct error err;

	ASSERT_OK(file_replace(dir, name, 0644, FILE_VOLATILE, content, length, &err));
}

TEST(file, reads_a_regular_file_whole)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;
	size_t length;

	put(scratch.fd, "a", "hello\n", 6);
	ASSERT_OK(file_read(&arena, scratch.fd, "a", 100, &content, NULL, &err));
	cr_assert_str_eq(content, "hello\n");
	put(scratch.fd, "empty", "", 0);
	ASSERT_OK(file_read(&arena, scratch.fd, "empty", 0, &content, &length, &err));
	cr_assert_eq(length, 0);
	cr_assert_str_eq(content, "");
}

TEST(file, reads_files_of_the_kernel_that_do_not_say_their_size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	const char *content;

	ASSERT_OK(file_read(&arena, AT_FDCWD, "/proc/self/status", 1 << 20, &content, NULL, &err));
	cr_assert(text_starts_with(content, "Name:"));
	ASSERT_OK(file_read(&arena, AT_FDCWD, "/proc/kallsyms", 64 << 20, &content, NULL, &err));
	cr_assert(strlen(content) > 100000, "%zu", strlen(content));
}

TEST(file, refuses_more_than_the_bound_and_takes_the_bound_itself)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;
	char large[10000];

	memset(large, 'x', sizeof(large));
	put(scratch.fd, "large", large, sizeof(large));
	ASSERT_OK(file_read(&arena, scratch.fd, "large", sizeof(large), &content, NULL, &err));
	cr_assert_eq(strlen(content), sizeof(large));
	ASSERT_FAILS(file_read(&arena, scratch.fd, "large", sizeof(large) - 1, &content, NULL, &err), ERROR_USAGE,
		"large: larger than 9999 bytes");
	ASSERT_FAILS(file_read(&arena, AT_FDCWD, "/proc/self/status", 10, &content, NULL, &err), ERROR_USAGE,
		"/proc/self/status: larger than 10 bytes");
}

TEST(file, with_a_nul_inside_needs_somebody_who_takes_its_length)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;
	size_t length;

	put(scratch.fd, "nul", "a\0b", 3);
	ASSERT_FAILS(
		file_read(&arena, scratch.fd, "nul", 100, &content, NULL, &err), ERROR_USAGE, "nul: holds a NUL byte");
	ASSERT_OK(file_read(&arena, scratch.fd, "nul", 100, &content, &length, &err));
	cr_assert_eq(length, 3);
	cr_assert_eq(memcmp(content, "a\0b", 4), 0);
}

/* ioctl_fiemap: whether the first extent has blocks already; -1: this file system does not say. */
static int has_blocks(int dir, const char *name)
{
	/* The answer's one extent lies behind the question. */
	_Alignas(struct fiemap) char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)] = {0};
	struct fiemap *map = (struct fiemap *)room;
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_extent_count = 1;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return -1;
	return map->fm_mapped_extents == 1 && !(map->fm_extents[0].fe_flags & FIEMAP_EXTENT_DELALLOC);
}

/* What the journal orders: a name that was given after its content had blocks. */
TEST(file, ordered_ones_have_blocks_when_they_get_their_name)
{
	SCRATCH(scratch);
	struct error err;
	char content[4096];

	memset(content, 'x', sizeof(content));
	ASSERT_OK(file_replace(scratch.fd, "later", 0600, FILE_VOLATILE, content, sizeof(content), &err));
	ASSERT_OK(file_replace(scratch.fd, "now", 0600, FILE_ORDERED, content, sizeof(content), &err));
	SKIP_UNLESS(has_blocks(scratch.fd, "later") == 0, "needs a file system that allocates late (ext4)");
	cr_assert_eq(has_blocks(scratch.fd, "now"), 1);
}

TEST(file, what_is_no_regular_file_is_refused_without_hanging)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;

	mkfifoat(scratch.fd, "fifo", 0600);
	ASSERT_FAILS(file_read(&arena, scratch.fd, "fifo", 9, &content, NULL, &err), ERROR_USAGE,
		"fifo: not a regular file");
	ASSERT_FAILS(file_read(&arena, scratch.fd, ".", 9, &content, NULL, &err), ERROR_USAGE, "not a regular file");
	ASSERT_FAILS(file_read(&arena, AT_FDCWD, "/dev/zero", 9, &content, NULL, &err), ERROR_USAGE,
		"/dev/zero: not a regular file");
}

TEST(file, absent_is_an_error_kind_of_its_own)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;

	ASSERT_FAILS(file_read(&arena, scratch.fd, "none", 9, &content, NULL, &err), ERROR_MISSING,
		"open none: No such file or directory");
	ASSERT_FAILS(file_write(scratch.fd, "none", "x", &err), ERROR_MISSING, "open none: No such file");
}

TEST(file, write_goes_into_an_existing_file_in_one_call)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	const char *content;

	put(scratch.fd, "knob", "", 0);
	ASSERT_OK(file_write(scratch.fd, "knob", "max", &err));
	ASSERT_OK(file_writef(scratch.fd, "knob", &err, "%d %d", 50000, 100000));
	ASSERT_OK(file_read(&arena, scratch.fd, "knob", 100, &content, NULL, &err));
	cr_assert_str_eq(content, "50000 100000");
	ASSERT_FAILS(file_write(AT_FDCWD, "/proc/self/oom_score_adj", "lots", &err), ERROR_SYSTEM,
		"write \"lots\" to /proc/self/oom_score_adj: Invalid argument");
}

TEST(file, replace_sets_content_and_mode_whatever_the_umask_is)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct stat status;
	struct strings names;
	const char *content;

	umask(0777);
	ASSERT_OK(file_replace(scratch.fd, "record", 0640, FILE_DURABLE, "one", 3, &err));
	ASSERT_OK(file_replace(scratch.fd, "record", 0604, FILE_VOLATILE, "two", 3, &err));
	umask(022);
	fstatat(scratch.fd, "record", &status, 0);
	cr_assert_eq(status.st_mode & 07777, 0604);
	ASSERT_OK(file_read(&arena, scratch.fd, "record", 100, &content, NULL, &err));
	cr_assert_str_eq(content, "two");
	ASSERT_OK(dir_list(&arena, scratch.fd, 10, &names, &err));
	cr_assert_eq(names.count, 1, "a temporary file was left");
}

TEST(file, replace_works_below_a_directory_and_replaces_a_link_itself)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct stat status;
	const char *content;

	mkdirat(scratch.fd, "sub", 0755);
	put(scratch.fd, "victim", "safe", 4);
	symlinkat("../victim", scratch.fd, "sub/link");
	ASSERT_OK(file_replace(scratch.fd, "sub/link", 0600, FILE_DURABLE, "new", 3, &err));
	fstatat(scratch.fd, "sub/link", &status, AT_SYMLINK_NOFOLLOW);
	cr_assert(S_ISREG(status.st_mode));
	ASSERT_OK(file_read(&arena, scratch.fd, "victim", 9, &content, NULL, &err));
	cr_assert_str_eq(content, "safe");
	ASSERT_OK(file_replace(
		AT_FDCWD, arena_format(&arena, "%s/sub/abs", scratch.path), 0600, FILE_VOLATILE, "x", 1, &err));
}

TEST(file, what_killed_replacements_left_is_removed_and_nothing_else)
{
	static const char *const kept[] = {"record", ".record", ".record.0123abcd", "record.0123abcd~", ".0123abcd~",
		".record.0123abcx~", ".record.123abcd~"};
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct strings names;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		put(scratch.fd, kept[i], "x", 1);
	put(scratch.fd, ".record.0123abcd~", "x", 1);
	put(scratch.fd, ".a.b.json.ffffffff~", "x", 1);
	ASSERT_OK(file_leftovers_remove(scratch.fd, &err));
	ASSERT_OK(dir_list(&arena, scratch.fd, 20, &names, &err));
	cr_assert_eq(names.count, ARRAY_SIZE(kept));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		cr_assert(strings_contain(&names, kept[i]), "%s was removed", kept[i]);
}

TEST(file, replace_that_fails_leaves_the_old_file_and_nothing_else)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct strings names;

	mkdirat(scratch.fd, "taken", 0755);
	ASSERT_FAILS(file_replace(scratch.fd, "taken", 0600, FILE_VOLATILE, "x", 1, &err), ERROR_SYSTEM,
		"write taken: Is a directory");
	ASSERT_OK(dir_list(&arena, scratch.fd, 10, &names, &err));
	cr_assert_eq(names.count, 1);
	ASSERT_FAILS(file_replace(scratch.fd, "no/file", 0600, FILE_VOLATILE, "x", 1, &err), ERROR_SYSTEM,
		"write no/file: No such file or directory");
	ASSERT_FAILS(file_replace(AT_FDCWD, "/dev/full/x", 0600, FILE_VOLATILE, "x", 1, &err), ERROR_SYSTEM,
		"Not a directory");
}

TEST(file, write_all_says_when_the_disk_is_full)
{
	auto_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_eq(write_all(full, "x", 1), -1);
	cr_assert_eq(errno, ENOSPC);
	cr_assert_eq(write_all(full, "x", 0), 0);
}
