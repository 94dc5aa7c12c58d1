#include "base/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base/path.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

static size_t mount_count(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	size_t lines = 0;
	int letter;

	while ((letter = fgetc(mounts)) != EOF)
		lines += letter == '\n';
	fclose(mounts);
	return lines;
}

TEST(mount, a_new_file_system_is_in_nobodys_table)
{
	const struct mount_option options[] = {{"size", "1m", -1}, {"mode", "0700", -1}};
	size_t before = mount_count();
	struct error err;
	struct stat status;
	struct statvfs fs;
	auto_fd mount = -1, file = -1;

	NEEDS_ROOT();
	mount = filesystem_mount("tmpfs", "tmpfs", options, 2, MOUNT_ATTR_NOEXEC, &err);
	cr_assert_geq(mount, 0, "%s", err.text);
	cr_assert_eq(mount_count(), before);
	cr_assert(fcntl(mount, F_GETFD) & FD_CLOEXEC);
	fstat(mount, &status);
	cr_assert_eq(status.st_mode & 07777, 0700);
	fstatvfs(mount, &fs);
	cr_assert(fs.f_flag & ST_NOEXEC);
	file = openat(mount, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(file, 0);
}

TEST(mount, options_may_be_flags_and_descriptors)
{
	const struct mount_option flag[] = {{"ro", NULL, -1}};
	struct error err;
	auto_fd mount = -1, target = -1;
	struct mount_option not_taken[] = {{"fd", NULL, 0}};

	NEEDS_ROOT();
	mount = filesystem_mount("tmpfs", NULL, flag, 1, 0, &err);
	cr_assert_geq(mount, 0, "%s", err.text);
	cr_assert_eq(mkdirat(mount, "x", 0700), -1);
	cr_assert_eq(errno, EROFS);
	target = open("/dev/null", O_RDONLY | O_CLOEXEC);
	not_taken[0].fd = target;
	ASSERT_FAILS(filesystem_mount("tmpfs", NULL, not_taken, 1, 0, &err), ERROR_SYSTEM,
		"mount tmpfs: tmpfs: Unknown parameter 'fd': option fd: Invalid argument");
}

TEST(mount, errors_carry_the_kernels_own_words)
{
	const struct mount_option wrong[] = {{"size", "much", -1}}, none[] = {{"lowerdir", "/nowhere:/elsewhere", -1}};
	struct error err;

	NEEDS_ROOT();
	ASSERT_FAILS(filesystem_mount("tmpfs", NULL, wrong, 1, 0, &err), ERROR_SYSTEM,
		"mount tmpfs: tmpfs: Bad value for 'size': option size=much: Invalid argument");
	ASSERT_FAILS(
		filesystem_mount("nosuchfs", NULL, NULL, 0, 0, &err), ERROR_SYSTEM, "mount nosuchfs: No such device");
	cr_assert_lt(filesystem_mount("overlay", NULL, none, 1, 0, &err), 0);
	cr_assert(strstr(err.text, "mount overlay: ") && strstr(err.text, "No such file or directory"), "%s", err.text);
}

TEST(mount, a_clone_can_be_made_read_only_without_touching_the_original)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd clone = -1, named = -1;

	NEEDS_ROOT();
	clone = mount_clone(scratch.fd, "", false, &err);
	cr_assert_geq(clone, 0, "%s", err.text);
	ASSERT_OK(mount_change(clone, false, MOUNT_ATTR_RDONLY, 0, -1, &err));
	cr_assert_eq(mkdirat(clone, "x", 0700), -1);
	cr_assert_eq(errno, EROFS);
	cr_assert_eq(mkdirat(scratch.fd, "x", 0700), 0);
	ASSERT_OK(mount_change(clone, true, 0, MOUNT_ATTR_RDONLY, -1, &err));
	cr_assert_eq(mkdirat(clone, "y", 0700), 0);
	named = mount_clone(scratch.fd, "x", true, &err);
	cr_assert_geq(named, 0, "%s", err.text);
	ASSERT_FAILS(mount_clone(scratch.fd, "none", false, &err), ERROR_SYSTEM,
		"clone the mount of none: No such file or directory");
	ASSERT_FAILS(mount_change(scratch.fd, false, 1ULL << 40, 0, -1, &err), ERROR_SYSTEM,
		"change the flags of a mount: Invalid argument");
	ASSERT_FAILS(mount_change(clone, false, 0, 0, scratch.fd, &err), ERROR_SYSTEM,
		"map the ids of a mount: Invalid argument");
}

TEST(mount, a_clone_has_other_attributes_from_its_beginning)
{
	static const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	static const struct mount_attr wrong = {.attr_set = 1ULL << 40};
	SCRATCH(scratch);
	auto_fd clone = -1, named = -1;

	NEEDS_ROOT();
	cr_assert_eq(mkdirat(scratch.fd, "x", 0700), 0);
	clone = mount_clone_changed(scratch.fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only);
	cr_assert_geq(clone, 0, "%m");
	cr_assert(fcntl(clone, F_GETFD) & FD_CLOEXEC);
	cr_assert(mkdirat(clone, "y", 0700) < 0 && errno == EROFS);
	named = mount_clone_changed(scratch.fd, "x", 0, &read_only);
	cr_assert(named >= 0 && mkdirat(named, "y", 0700) < 0 && errno == EROFS);
	cr_assert_eq(mkdirat(scratch.fd, "y", 0700), 0);
	cr_assert(mount_clone_changed(scratch.fd, "none", 0, &read_only) < 0 && errno == ENOENT);
	cr_assert(mount_clone_changed(scratch.fd, "x", 0, &wrong) < 0 && errno == EINVAL);
}

/* Only in a child: the context stays open, as it is said. */
static int mount_before_exec(void)
{
	struct error err;
	int mount;
	struct statvfs fs;

	if (fds_close_all_but(NULL, 0) < 0)
		return 4;
	mount = filesystem_mount_before_exec("tmpfs", NULL, NULL, 0, MOUNT_ATTR_NOEXEC, &err);
	if (mount < 0 || fstatvfs(mount, &fs) < 0 || !(fs.f_flag & ST_NOEXEC))
		return 1;
	for (int fd = 3; fd <= mount; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			return 2;
	return filesystem_mount_before_exec("nosuchfs", NULL, NULL, 0, 0, &err) < 0 ? 0 : 3;
}

TEST(mount, what_a_mount_leaves_open_goes_with_the_exec)
{
	pid_t child;
	int status;

	NEEDS_ROOT();
	child = fork();
	if (child == 0)
		_exit(mount_before_exec());
	waitpid(child, &status, 0);
	cr_assert_eq(WEXITSTATUS(status), 0);
}

/* 0, or the number of the step that went wrong. */
static int attach_steps(struct scratch *scratch)
{
	struct error err;
	auto_fd first = filesystem_mount("tmpfs", NULL, NULL, 0, 0, &err);
	auto_fd second = filesystem_mount("tmpfs", NULL, NULL, 0, 0, &err);
	auto_fd top = -1, place = -1;
	struct stat outside, inside;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	/* Only now: a descriptor from before leads into the old namespace. */
	top = open(scratch->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	place = openat(top, "place", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mount_attach(first, place, "", &err) < 0)
		return 2;
	if (mount_attach(second, top, "named", &err) < 0)
		return 3;
	if (fstatat(top, "named", &inside, 0) < 0 || fstat(top, &outside) < 0)
		return 4;
	if (inside.st_dev == outside.st_dev)
		return 5;
	if (mount_attach(second, top, "none", &err) == 0 ||
		strcmp(err.text, "attach a mount on none: No such file or directory"))
		return 6;
	return 0;
}

TEST(mount, attaches_on_a_descriptor_and_on_a_name)
{
	SCRATCH(scratch);
	int status;
	pid_t child;

	NEEDS_ROOT();
	mkdirat(scratch.fd, "place", 0755);
	mkdirat(scratch.fd, "named", 0755);
	child = fork();
	if (child == 0)
		_exit(attach_steps(&scratch));
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0, "step %d", WEXITSTATUS(status));
}
