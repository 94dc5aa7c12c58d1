#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/text.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

static bool exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void touch(int dir, const char *path)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
}

TEST(dir, create_makes_one_level_with_exactly_that_mode)
{
	SCRATCH(scratch);
	struct error err;
	struct stat status;
	auto_fd first = -1, again = -1;

	umask(0777);
	first = dir_create(scratch.fd, "a", 0750, &err);
	umask(022);
	cr_assert_geq(first, 0, "%s", err.text);
	fstat(first, &status);
	cr_assert_eq(status.st_mode & 07777, 0750);
	again = dir_create(scratch.fd, "a", 0700, &err);
	cr_assert_geq(again, 0);
	fstat(again, &status);
	cr_assert_eq(status.st_mode & 07777, 0750, "an existing directory keeps its mode");
	ASSERT_FAILS(dir_create(scratch.fd, "x/y", 0700, &err), ERROR_MISSING,
		"make directory x/y: No such file or directory");
}

TEST(dir, create_refuses_links_files_and_directories_of_others)
{
	SCRATCH(scratch);
	struct error err;

	NEEDS_ROOT();
	symlinkat("/", scratch.fd, "link");
	touch(scratch.fd, "file");
	mkdirat(scratch.fd, "theirs", 0777);
	fchownat(scratch.fd, "theirs", 1000, 1000, 0);
	ASSERT_FAILS(dir_create(scratch.fd, "link", 0700, &err), ERROR_SYSTEM, "open directory link: ");
	ASSERT_FAILS(dir_create(scratch.fd, "file", 0700, &err), ERROR_SYSTEM, "open directory file: Not a directory");
	ASSERT_FAILS(dir_create(scratch.fd, "theirs", 0700, &err), ERROR_SYSTEM,
		"directory theirs belongs to user 1000, not to us");
}

TEST(dir, create_all_makes_every_level)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct stat status;
	const char *path = arena_format(&arena, "%s/a//b/c/", scratch.path);
	auto_fd fd = dir_create_all(path, 0700, &err), again = -1;

	cr_assert_geq(fd, 0, "%s", err.text);
	fstat(fd, &status);
	cr_assert_eq(status.st_mode & 07777, 0700);
	fstatat(scratch.fd, "a/b", &status, 0);
	cr_assert_eq(status.st_mode & 07777, 0755);
	again = dir_create_all(path, 0700, &err);
	cr_assert_geq(again, 0);
	ASSERT_FAILS(dir_create_all("relative/path", 0700, &err), ERROR_USAGE,
		"directory relative/path: not an absolute path");
	touch(scratch.fd, "a/file");
	ASSERT_FAILS(dir_create_all(arena_format(&arena, "%s/a/file/x", scratch.path), 0700, &err), ERROR_SYSTEM,
		"open directory file: Not a directory");
}

TEST(dir, open_does_not_make_anything)
{
	SCRATCH(scratch);
	struct error err;

	ASSERT_FAILS(
		dir_open(scratch.fd, "none", &err), ERROR_MISSING, "open directory none: No such file or directory");
	cr_assert_not(exists(scratch.fd, "none"));
}

TEST(dir, list_is_sorted_complete_and_bounded)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;
	struct strings names;

	ASSERT_OK(dir_list(&arena, scratch.fd, 0, &names, &err));
	cr_assert_eq(names.count, 0);
	touch(scratch.fd, "b");
	touch(scratch.fd, "a");
	touch(scratch.fd, ".hidden");
	for (int i = 0; i < 2; i++) { /* twice: the position of the caller's descriptor plays no part */
		ASSERT_OK(dir_list(&arena, scratch.fd, 3, &names, &err));
		cr_assert_eq(names.count, 3);
		cr_assert_str_eq(names.items[0], ".hidden");
		cr_assert_str_eq(names.items[2], "b");
	}
	ASSERT_FAILS(dir_list(&arena, scratch.fd, 2, &names, &err), ERROR_USAGE, "more than 2 entries");
}

TEST(tree, remove_takes_files_links_and_directories)
{
	SCRATCH(scratch);
	struct error err;

	mkdirat(scratch.fd, "t", 0755);
	mkdirat(scratch.fd, "t/sub", 0755);
	touch(scratch.fd, "t/sub/file");
	mkfifoat(scratch.fd, "t/fifo", 0600);
	symlinkat("/nowhere", scratch.fd, "t/dangling");
	touch(scratch.fd, "single");
	ASSERT_OK(tree_remove(scratch.fd, "t", &err));
	cr_assert_not(exists(scratch.fd, "t"));
	ASSERT_OK(tree_remove(scratch.fd, "single", &err));
	cr_assert_not(exists(scratch.fd, "single"));
	ASSERT_OK(tree_remove(scratch.fd, "absent", &err));
}

TEST(tree, remove_never_follows_a_link)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct error err;

	mkdirat(scratch.fd, "victim", 0755);
	touch(scratch.fd, "victim/precious");
	mkdirat(scratch.fd, "t", 0755);
	symlinkat("../victim", scratch.fd, "t/relative");
	symlinkat(arena_format(&arena, "%s/victim", scratch.path), scratch.fd, "t/absolute");
	symlinkat("victim", scratch.fd, "top");
	ASSERT_OK(tree_remove(scratch.fd, "t", &err));
	ASSERT_OK(tree_remove(scratch.fd, "top", &err));
	cr_assert(exists(scratch.fd, "victim/precious"));
	cr_assert_not(exists(scratch.fd, "top"));
}

TEST(tree, remove_copes_with_directories_nobody_may_enter)
{
	SCRATCH(scratch);
	struct error err;

	NEEDS_ROOT();
	mkdirat(scratch.fd, "t", 0755);
	mkdirat(scratch.fd, "t/closed", 0755);
	touch(scratch.fd, "t/closed/file");
	fchmodat(scratch.fd, "t/closed", 0, 0);
	fchmodat(scratch.fd, "t", 0, 0);
	ASSERT_OK(tree_remove(scratch.fd, "t", &err));
	cr_assert_not(exists(scratch.fd, "t"));
}

/* A chain of directories, deeper than any path could name, with a file at each level. */
static void make_deep(int top, int levels)
{
	auto_fd dir = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next;

		cr_assert_eq(mkdirat(dir, "d", 0755), 0);
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_drop(&dir);
		dir = next;
		touch(dir, "file");
	}
}

TEST(tree, remove_copes_with_any_depth_on_few_descriptors)
{
	const struct rlimit few = {200, 200};
	SCRATCH(scratch);
	struct error err;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	mkdirat(scratch.fd, "t", 0755);
	mkdirat(scratch.fd, "t/.deeper.0~", 0755); /* a name the removal would like to use itself */
	{
		auto_fd top = openat(scratch.fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		make_deep(top, 5000);
	}
	ASSERT_OK(tree_remove(scratch.fd, "t", &err));
	cr_assert_not(exists(scratch.fd, "t"));
}

/* In a mount namespace of its own: a bind mount of the same file system, which st_dev would not show. */
static int remove_with_a_mount_inside(struct scratch *scratch, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *from = arena_format(&arena, "%s/victim", scratch->path);
	const char *to = arena_format(&arena, "%s/t/sub", scratch->path);

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount(from, to, NULL, MS_BIND, NULL) < 0 || chdir(scratch->path) < 0)
		return 2;
	return tree_remove(AT_FDCWD, "t", err) == 0 ? 0 : 1;
}

TEST(tree, remove_never_crosses_a_mount)
{
	SCRATCH(scratch);
	struct error err;
	int status;
	pid_t child;

	NEEDS_ROOT();
	mkdirat(scratch.fd, "victim", 0755);
	touch(scratch.fd, "victim/precious");
	mkdirat(scratch.fd, "t", 0755);
	mkdirat(scratch.fd, "t/sub", 0755);
	child = fork();
	if (child == 0) {
		status = remove_with_a_mount_inside(&scratch, &err);
		if (status == 1 && (err.kind != ERROR_BUSY || strcmp(err.text, "remove t: something is mounted in it")))
			status = 3;
		_exit(status);
	}
	waitpid(child, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x", status);
	cr_assert(exists(scratch.fd, "victim/precious"));
}
