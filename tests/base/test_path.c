#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/text.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

/* A root inside the scratch directory, beside a directory that stands for the host. */
struct jail {
	struct scratch scratch;
	int root;
};

static struct jail jail_make(void)
{
	struct jail jail = {.scratch = scratch_make()};

	mkdirat(jail.scratch.fd, "root", 0755);
	mkdirat(jail.scratch.fd, "host", 0755);
	jail.root = openat(jail.scratch.fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return jail;
}

static void jail_drop(struct jail *jail)
{
	fd_drop(&jail->root);
	scratch_drop(&jail->scratch);
}

#define JAIL(name) AUTO(jail_drop) struct jail name = jail_make()

static bool same_file(int fd, int dir, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dir, path, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static bool host_is_empty(const struct jail *jail)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;
	struct error err;
	auto_fd host = openat(jail->scratch.fd, "host", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir_list(&arena, host, 100, &names, &err) == 0 && names.count == 0;
}

TEST(path, links_and_dots_stay_inside_the_root)
{
	JAIL(jail);
	struct error err;
	auto_fd file = openat(jail.root, "secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), up = -1, absolute = -1;

	cr_assert_geq(file, 0);
	symlinkat("/secret", jail.root, "absolute");
	up = path_open(jail.root, "../../../../secret", O_RDONLY, 0, &err);
	cr_assert(up >= 0 && same_file(up, jail.root, "secret"), "%s", err.text);
	absolute = path_open(jail.root, "/absolute", O_RDONLY, 0, &err);
	cr_assert(absolute >= 0 && same_file(absolute, jail.root, "secret"), "%s", err.text);
	cr_assert(fcntl(up, F_GETFD) & FD_CLOEXEC);
}

TEST(path, absent_says_so)
{
	JAIL(jail);
	struct error err;

	ASSERT_FAILS(path_open(jail.root, "etc/passwd", O_RDONLY, 0, &err), ERROR_MISSING,
		"open etc/passwd: No such file or directory");
	errno = 0;
	cr_assert_eq(path_try_open(jail.root, "etc/passwd", O_RDONLY, 0), -1);
	cr_assert_eq(errno, ENOENT);
}

TEST(path, magic_links_are_refused)
{
	auto_fd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct error err;

	ASSERT_FAILS(path_open(proc, "self/exe", O_RDONLY, 0, &err), ERROR_SYSTEM,
		"open self/exe: Too many levels of symbolic links");
}

TEST(path, make_dirs_makes_what_is_missing_and_takes_what_is_there)
{
	JAIL(jail);
	struct error err;
	struct stat status;
	auto_fd made = path_make_dirs(jail.root, "/a/b//c", 0750, &err), again = -1, root = -1;

	cr_assert_geq(made, 0, "%s", err.text);
	cr_assert(same_file(made, jail.root, "a/b/c"));
	fstat(made, &status);
	cr_assert_eq(status.st_mode & 07777, 0750);
	cr_assert(fcntl(made, F_GETFL) & O_PATH);
	again = path_make_dirs(jail.root, "a/b/c/", 0750, &err);
	cr_assert(same_file(again, jail.root, "a/b/c"));
	root = path_make_dirs(jail.root, "/", 0750, &err);
	cr_assert(same_file(root, jail.root, "."));
}

TEST(path, make_dirs_goes_through_links_inside_the_root_only)
{
	JAIL(jail);
	struct error err;
	auto_fd through = -1, host = -1, up = -1;

	mkdirat(jail.root, "real", 0755);
	symlinkat("/real", jail.root, "link");
	through = path_make_dirs(jail.root, "link/x/y", 0755, &err);
	cr_assert(through >= 0 && same_file(through, jail.root, "real/x/y"), "%s", err.text);
	symlinkat("../host", jail.root, "escape");
	up = path_make_dirs(jail.root, "escape/z", 0755, &err);
	cr_assert(up >= 0 && same_file(up, jail.root, "host/z"), "%s", err.text);
	symlinkat("../../../../../../../../tmp", jail.root, "far");
	host = path_make_dirs(jail.root, "far/w", 0755, &err);
	cr_assert(host >= 0 && same_file(host, jail.root, "tmp/w"), "%s", err.text);
	cr_assert(host_is_empty(&jail));
}

TEST(path, make_dirs_makes_the_target_of_a_dangling_link_inside)
{
	JAIL(jail);
	struct error err;
	auto_fd made = -1, last = -1;

	mkdirat(jail.root, "var", 0755);
	symlinkat("/run", jail.root, "var/run");
	symlinkat("lock", jail.root, "var/lck");
	made = path_make_dirs(jail.root, "var/run/app/data", 0755, &err);
	cr_assert(made >= 0 && same_file(made, jail.root, "run/app/data"), "%s", err.text);
	last = path_make_dirs(jail.root, "var/lck", 0755, &err);
	cr_assert(last >= 0 && same_file(last, jail.root, "var/lock"), "%s", err.text);
}

TEST(path, make_dirs_gives_up_on_circles_and_files)
{
	JAIL(jail);
	struct error err;
	auto_fd file = openat(jail.root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(file, 0);
	symlinkat("b/x", jail.root, "a");
	symlinkat("a/y", jail.root, "b");
	ASSERT_FAILS(path_make_dirs(jail.root, "a/z", 0755, &err), ERROR_SYSTEM,
		"make directory a/z: Too many levels of symbolic links");
	ASSERT_FAILS(
		path_make_dirs(jail.root, "file", 0755, &err), ERROR_SYSTEM, "make directory file: Not a directory");
	ASSERT_FAILS(path_make_dirs(jail.root, "file/x", 0755, &err), ERROR_SYSTEM, "Not a directory");
	symlinkat("file", jail.root, "to-file");
	ASSERT_FAILS(path_make_dirs(jail.root, "to-file", 0755, &err), ERROR_SYSTEM, "Not a directory");
}

TEST(path, make_file_makes_an_empty_file_and_its_parents)
{
	JAIL(jail);
	struct error err;
	struct stat status;
	auto_fd made = path_make_file(jail.root, "/etc/app/conf", 0640, &err), again = -1, directory = -1, linked = -1;

	cr_assert_geq(made, 0, "%s", err.text);
	fstat(made, &status);
	cr_assert(S_ISREG(status.st_mode) && (status.st_mode & 07777) == 0640 && status.st_size == 0);
	cr_assert(fstatat(jail.root, "etc/app", &status, 0) == 0 && (status.st_mode & 07777) == 0755);
	cr_assert(same_file(made, jail.root, "etc/app/conf"));
	again = path_make_file(jail.root, "etc/app/conf", 0640, &err);
	cr_assert(same_file(again, jail.root, "etc/app/conf"));
	directory = path_make_file(jail.root, "etc/app", 0640, &err);
	cr_assert(same_file(directory, jail.root, "etc/app"), "what is there is taken, whatever it is");
	symlinkat("../run/resolv.conf", jail.root, "etc/resolv.conf");
	linked = path_make_file(jail.root, "etc/resolv.conf", 0644, &err);
	cr_assert(linked >= 0 && same_file(linked, jail.root, "run/resolv.conf"), "%s", err.text);
	cr_assert(host_is_empty(&jail));
}

TEST(path, absolute_ones_of_ours_are_clean)
{
	static const char *const right[] = {"/", "/srv", "/srv/a b", "/srv/..a", "/srv/...", "/srv/.a"};
	static const char *const unclean[] = {"/srv/", "//srv", "/srv//a", "/./a", "/a/..", "/a/../b", "/..", "//"};
	struct error err;
	char path[PATH_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		ASSERT_OK(path_check_absolute("source", right[i], &err));
	for (size_t i = 0; i < ARRAY_SIZE(unclean); i++)
		ASSERT_FAILS(path_check_absolute("source", unclean[i], &err), ERROR_USAGE,
			"must not contain \".\", \"..\", \"//\" or a slash at the end");
	ASSERT_FAILS(
		path_check_absolute("source", "srv", &err), ERROR_USAGE, "source \"srv\": must be an absolute path");
	ASSERT_FAILS(path_check_absolute("source", "", &err), ERROR_USAGE, "source \"\": must be an absolute path");
	ASSERT_FAILS(path_check_absolute("source", "/a\nb", &err), ERROR_USAGE, "control characters are not allowed");
	memset(path, 'a', PATH_MAX);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ASSERT_FAILS(path_check_absolute("source", path, &err), ERROR_USAGE, "longer than 4095 bytes");
	path[PATH_MAX - 1] = '\0';
	ASSERT_OK(path_check_absolute("source", path, &err));
}

TEST(path, is_under_goes_by_components)
{
	cr_assert(path_is_under("/srv", "/srv"));
	cr_assert(path_is_under("/srv/a", "/srv"));
	cr_assert(path_is_under("/srv", "/"));
	cr_assert(path_is_under("/", "/"));
	cr_assert_not(path_is_under("/srv2", "/srv"));
	cr_assert_not(path_is_under("/srv", "/srv/a"));
	cr_assert_not(path_is_under("/", "/srv"));
}

TEST(path, base_is_the_last_part)
{
	cr_assert_str_eq(path_base("/srv/web"), "web");
	cr_assert_str_eq(path_base("web"), "web");
	cr_assert_str_eq(path_base("/"), "");
}
