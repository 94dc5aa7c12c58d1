/* Copies of trees: everything that a layer keeps, and nothing from outside. */
#include "images/files/copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

struct trees {
	char *path;
	int dir, from, into;
};

static void trees_open(struct trees *trees)
{
	struct error err;

	umask(022);
	trees->path = text_format("/var/tmp/warren-test-copy.XXXXXX");
	cr_assert(mkdtemp(trees->path), "mkdtemp");
	trees->dir = open(trees->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trees->from = dir_create(trees->dir, "from", 0755, &err);
	trees->into = dir_create(trees->dir, "into", 0700, &err);
	cr_assert(trees->from >= 0 && trees->into >= 0, "%s", err.text);
}

static void trees_drop(struct trees *trees)
{
	struct error err;

	fd_drop(&trees->from);
	fd_drop(&trees->into);
	fd_drop(&trees->dir);
	if (tree_remove(AT_FDCWD, trees->path, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	memory_drop(&trees->path);
}

static void put(int dir, const char *path, const char *content, mode_t mode, uid_t owner)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	cr_assert_eq(fchown(fd, owner, owner), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
}

static struct stat facts(int dir, const char *path)
{
	struct stat about;

	cr_assert_eq(fstatat(dir, path, &about, AT_SYMLINK_NOFOLLOW), 0, "%s", path);
	return about;
}

TEST(copy, keeps_owners_modes_times_links_and_what_overlayfs_says)
{
	NEEDS_ROOT();
	AUTO(trees_drop) struct trees trees;
	const struct timespec long_ago[] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};
	struct error err;
	char target[16], value[8];

	trees_open(&trees);
	mkdirat(trees.from, "d", 0750);
	put(trees.from, "d/file", "content", 04755, 33);
	linkat(trees.from, "d/file", trees.from, "other", 0);
	symlinkat("/etc/passwd", trees.from, "link");
	mknodat(trees.from, "gone", S_IFCHR, makedev(0, 0));
	mknodat(trees.from, "fifo", S_IFIFO | 0640, 0);
	fchownat(trees.from, "d", 5, 6, 0);
	auto_fd d = openat(trees.from, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fsetxattr(d, "trusted.overlay.opaque", "y", 1, 0);
	fsetxattr(d, "trusted.overlay.origin", "x", 1, 0);
	fsetxattr(d, "user.mine", "z", 1, 0);
	futimens(d, long_ago);
	fchown(trees.from, 33, 33);
	fchmod(trees.from, 01770);
	ASSERT_OK(tree_copy(trees.from, trees.into, &err));

	cr_assert_eq(facts(trees.into, "d/file").st_mode, S_IFREG | 04755);
	cr_assert_eq(facts(trees.into, "d/file").st_uid, 33);
	cr_assert_eq(facts(trees.into, "d/file").st_ino, facts(trees.into, "other").st_ino);
	cr_assert_eq(facts(trees.into, "d").st_gid, 6);
	cr_assert_eq(facts(trees.into, "d").st_mtim.tv_sec, 2000);
	cr_assert_eq(facts(trees.into, "d").st_mtim.tv_nsec, 5);
	cr_assert_eq(facts(trees.into, "gone").st_rdev, makedev(0, 0));
	cr_assert(S_ISCHR(facts(trees.into, "gone").st_mode));
	cr_assert_eq(facts(trees.into, "fifo").st_mode, S_IFIFO | 0640);
	cr_assert_eq(facts(trees.into, ".").st_mode, S_IFDIR | 01770);
	cr_assert_eq(facts(trees.into, ".").st_uid, 33);
	cr_assert_eq(readlinkat(trees.into, "link", target, sizeof(target)), 11);
	auto_fd copied = openat(trees.into, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(fgetxattr(copied, "trusted.overlay.opaque", value, sizeof(value)), 1);
	cr_assert_eq(fgetxattr(copied, "user.mine", value, sizeof(value)), 1);
	cr_assert_lt(fgetxattr(copied, "trusted.overlay.origin", value, sizeof(value)), 0, "it is of other layers");
}

TEST(copy, leaves_out_sockets_and_devices_and_keeps_holes)
{
	NEEDS_ROOT();
	AUTO(trees_drop) struct trees trees;
	struct error err;
	char byte = 0;

	trees_open(&trees);
	mknodat(trees.from, "null", S_IFCHR | 0666, makedev(1, 3));
	mknodat(trees.from, "socket", S_IFSOCK | 0666, 0);
	auto_fd hole = openat(trees.from, "hole", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(pwrite(hole, "x", 1, 64 << 20), 1);
	ASSERT_OK(tree_copy(trees.from, trees.into, &err));
	cr_assert_lt(faccessat(trees.into, "null", F_OK, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_lt(faccessat(trees.into, "socket", F_OK, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(facts(trees.into, "hole").st_size, (64 << 20) + 1);
	cr_assert_lt(facts(trees.into, "hole").st_blocks * 512, 1 << 20);
	auto_fd copied = openat(trees.into, "hole", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(pread(copied, &byte, 1, 64 << 20), 1);
	cr_assert_eq(byte, 'x');
}

TEST(copy, of_a_tree_that_is_too_deep_is_refused)
{
	NEEDS_ROOT();
	AUTO(trees_drop) struct trees trees;
	struct error err;

	trees_open(&trees);
	int level = dup(trees.from);
	for (int i = 0; i < 250; i++) {
		mkdirat(level, "d", 0755);
		int next = openat(level, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(level);
		level = next;
	}
	close(level);
	ASSERT_FAILS(tree_copy(trees.from, trees.into, &err), ERROR_USAGE, "directories deep");
}
