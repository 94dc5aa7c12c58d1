/* Tables of mounts: the parser, and reading no more than is asked for. */
#include "base/mountinfo.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

TEST(mountinfo, takes_a_line_apart_and_undoes_its_escapes)
{
	char line[] = "36 35 98:0 /a\\040b /mnt/with\\134and\\011tab rw,noatime master:1 shared:2 - ext4 /dev/sda "
		      "rw,x=\\040y";
	struct mountinfo mount;

	cr_assert(mountinfo_parse(line, &mount));
	cr_assert_eq(mount.id, 36);
	cr_assert_str_eq(mount.device, "98:0");
	cr_assert_str_eq(mount.root, "/a b");
	cr_assert_str_eq(mount.point, "/mnt/with\\and\ttab");
	cr_assert_str_eq(mount.flags, "rw,noatime");
	cr_assert_str_eq(mount.type, "ext4");
	cr_assert_str_eq(mount.options, "rw,x= y");
}

TEST(mountinfo, an_empty_source_is_a_word_too)
{
	char line[] = "36 35 0:7 / /mnt rw - tmpfs  rw,size=1m";
	struct mountinfo mount;

	cr_assert(mountinfo_parse(line, &mount));
	cr_assert_str_eq(mount.options, "rw,size=1m");
}

TEST(mountinfo, refuses_what_is_no_line_of_it)
{
	static const char *const lines[] = {"", "31 23 - cgroup", "31 23 0:7 / /mnt rw",
		"x 35 0:7 / /mnt rw - tmpfs t rw", "36 35 0:7 / /mnt rw - tmpfs t"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char line[64];
		struct mountinfo mount;

		snprintf(line, sizeof(line), "%s", lines[i]);
		cr_assert(!mountinfo_parse(line, &mount), "%s", lines[i]);
	}
}

struct seen {
	size_t count, until;
	char last[32];
};

static bool see(void *context, const struct mountinfo *mount)
{
	struct seen *seen = context;

	snprintf(seen->last, sizeof(seen->last), "%s", mount->point);
	return ++seen->count != seen->until;
}

/* A directory that plays /proc/PID. */
static void table_write(int dir, size_t count, size_t long_line)
{
	auto_fd fd = openat(dir, "mountinfo", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	static char point[70000];

	memset(point, 'x', sizeof(point) - 1);
	for (size_t i = 0; i < count; i++)
		cr_assert(dprintf(fd, "%zu 1 0:7 / /%.*s%zu rw - tmpfs none rw\n", i + 1,
				  i == long_line ? (int)sizeof(point) - 1 : 0, point, i) > 0);
}

TEST(mountinfo, ends_when_enough_was_seen)
{
	SCRATCH(scratch);
	struct seen seen = {.until = 3};
	struct error err;

	table_write(scratch.fd, 5000, SIZE_MAX);
	ASSERT_OK(mountinfo_each(scratch.fd, see, &seen, &err));
	cr_assert_eq(seen.count, 3);
	cr_assert_str_eq(seen.last, "/2");
}

TEST(mountinfo, a_table_of_many_pages_is_seen_whole)
{
	SCRATCH(scratch);
	struct seen seen = {0};
	struct error err;

	table_write(scratch.fd, 5000, SIZE_MAX);
	ASSERT_OK(mountinfo_each(scratch.fd, see, &seen, &err));
	cr_assert_eq(seen.count, 5000);
	cr_assert_str_eq(seen.last, "/4999");
}

TEST(mountinfo, a_line_that_is_too_long_is_passed_over_and_the_next_is_not)
{
	SCRATCH(scratch);
	struct seen seen = {0};
	struct error err;

	table_write(scratch.fd, 4, 1);
	ASSERT_OK(mountinfo_each(scratch.fd, see, &seen, &err));
	cr_assert_eq(seen.count, 3);
	cr_assert_str_eq(seen.last, "/3");
}

TEST(mountinfo, our_own_begins_with_what_all_else_lies_on)
{
	struct seen seen = {.until = 1};
	struct error err;

	ASSERT_OK(mountinfo_each(AT_FDCWD, see, &seen, &err));
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(seen.last[0], '/');
}
