/* Copies of directory trees.
 *
 * The tree belongs to an instance or to an image: every name in it may be anything, and while it is walked nobody is
 * trusted to leave it alone. So all goes by descriptors, one directory at a time and never through a link; what is
 * opened for reading is asked again whether it is the plain file that it looked like. */
#include "images/files/copy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/files/first_names.h"

#define DEPTH_MAX 200	    /* two descriptors for each level */
#define ENTRIES_MAX 1048576 /* of one directory */
#define ATTRIBUTE_MAX (64 << 10)

struct copy {
	int root; /* of the copy */
	dev_t device;
	struct first_names linked; /* the paths are those in the copy */
};

/* --- attributes --------------------------------------------------------------------------------------------------- */

/* Overlayfs' other attributes are about the very layers that the tree was above. Labels are the host's business. */
static bool attribute_is_kept(const char *name)
{
	static const char *const kept[] = {
		"user.", "system.posix_acl_", "security.capability", "trusted.overlay.opaque"};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (text_starts_with(name, kept[i]))
			return true;
	return false;
}

static int attribute_copy(int from, int to, const char *name, char *value, struct error *err)
{
	ssize_t size = fgetxattr(from, name, value, ATTRIBUTE_MAX);

	if (size < 0)
		return errno == ENODATA ? 0 : fail_errno(err, "read the attribute %s", name);
	return fsetxattr(to, name, value, (size_t)size, 0) < 0 ? fail_errno(err, "set the attribute %s", name) : 0;
}

static int attributes_copy(int from, int to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	ssize_t length = flistxattr(from, NULL, 0);
	char *names, *value;

	if (length <= 0) /* a file system without any */
		return length == 0 || errno == ENOTSUP ? 0 : fail_errno(err, "list the attributes");
	names = arena_alloc(&arena, ATTRIBUTE_MAX);
	value = arena_alloc(&arena, ATTRIBUTE_MAX);
	length = flistxattr(from, names, ATTRIBUTE_MAX);
	if (length < 0)
		return fail_errno(err, "list the attributes");
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		if (attribute_is_kept(name) && attribute_copy(from, to, name, value, err) < 0)
			return -1;
	return 0;
}

/* The owner first: chown(2) takes set-id bits and capabilities away. */
static int facts_copy(int from, int to, const struct stat *about, struct error *err)
{
	const struct timespec times[] = {about->st_atim, about->st_mtim};

	if (fchown(to, about->st_uid, about->st_gid) < 0 || fchmod(to, about->st_mode & 07777) < 0)
		return fail_errno(err, "set owner and mode");
	if (attributes_copy(from, to, err) < 0)
		return -1;
	return futimens(to, times) < 0 ? fail_errno(err, "set the times") : 0;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int range_copy(int from, int to, off_t begin, off_t end, struct error *err)
{
	char buffer[64 << 10];

	while (begin < end) {
		size_t wanted = (size_t)(end - begin) < sizeof(buffer) ? (size_t)(end - begin) : sizeof(buffer);
		ssize_t got = pread(from, buffer, wanted, begin);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(err, "read");
		if (got == 0) /* shorter than it was */
			return 0;
		if (pwrite(to, buffer, (size_t)got, begin) != got)
			return fail_errno(err, "write");
		begin += got;
	}
	return 0;
}

/* What is no hole is found by lseek(2). */
int content_copy(int from, int to, off_t size, struct error *err)
{
	off_t begin = 0, end;

	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	if (ftruncate(to, size) < 0)
		return fail_errno(err, "set the size");
	while (begin < size && (begin = lseek(from, begin, SEEK_DATA)) >= 0) {
		end = lseek(from, begin, SEEK_HOLE);
		if (end < 0)
			break;
		if (range_copy(from, to, begin, end, err) < 0)
			return -1;
		begin = end;
	}
	return begin < 0 && errno != ENXIO ? fail_errno(err, "find the data") : 0;
}

static int file_copy(int dir, const char *name, int into, const struct stat *about, struct error *err)
{
	auto_fd from = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_fd to = -1;
	struct stat opened;

	if (from < 0 || fstat(from, &opened) < 0)
		return fail_errno(err, "open");
	if (!S_ISREG(opened.st_mode) || opened.st_ino != about->st_ino)
		return fail(err, ERROR_BUSY, "it was exchanged meanwhile");
	to = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return fail_errno(err, "make it");
	if (content_copy(from, to, opened.st_size, err) < 0)
		return -1;
	return facts_copy(from, to, &opened, err);
}

/* --- hard links --------------------------------------------------------------------------------------------------- */

/* 1: made as one more name of a file that is there already. The way to that leads through directories that we made. */
static int link_again(
	struct copy *copy, int into, const char *name, const struct stat *about, const char *path, struct error *err)
{
	const char *first;

	if (about->st_nlink < 2 || S_ISDIR(about->st_mode))
		return 0;
	first = first_name_see(&copy->linked, about->st_dev, about->st_ino, path);
	if (!first)
		return 0;
	return linkat(copy->root, first, into, name, 0) < 0 ? fail_errno(err, "link it to %s", first) : 1;
}

/* --- all kinds ---------------------------------------------------------------------------------------------------- */

static int symlink_copy(int dir, const char *name, int into, const struct stat *about, struct error *err)
{
	const struct timespec times[] = {about->st_atim, about->st_mtim};
	char target[PATH_MAX];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail_errno(err, "readlink");
	target[length] = '\0';
	if (symlinkat(target, into, name) < 0 ||
		fchownat(into, name, about->st_uid, about->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		utimensat(into, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "make the link");
	return 0;
}

/* FIFOs, and overlayfs' whiteouts, which are devices 0:0. */
static int node_copy(int into, const char *name, const struct stat *about, struct error *err)
{
	if (!S_ISFIFO(about->st_mode) && !(S_ISCHR(about->st_mode) && about->st_rdev == makedev(0, 0)))
		return 0;
	if (mknodat(into, name, about->st_mode, about->st_rdev) < 0 ||
		fchownat(into, name, about->st_uid, about->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(into, name, about->st_mode & 07777, 0) < 0)
		return fail_errno(err, "make it");
	return 0;
}

static int level_copy(struct copy *copy, int from, int into, const char *path, unsigned depth, struct error *err);

static int directory_copy(struct copy *copy, int dir, const char *name, int into, const struct stat *about,
	const char *path, unsigned depth, struct error *err)
{
	auto_fd from = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd to = -1;

	if (from < 0)
		return fail_errno(err, "open");
	if (mkdirat(into, name, 0700) < 0)
		return fail_errno(err, "make the directory");
	to = openat(into, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return fail_errno(err, "open the copy");
	if (about->st_dev == copy->device && level_copy(copy, from, to, path, depth + 1, err) < 0)
		return -1;
	return facts_copy(from, to, about, err);
}

static int entry_copy(
	struct copy *copy, int dir, const char *name, int into, const char *path, unsigned depth, struct error *err)
{
	struct stat about;
	int linked;

	if (fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "stat");
	linked = link_again(copy, into, name, &about, path, err);
	if (linked)
		return linked < 0 ? -1 : 0;
	switch (about.st_mode & S_IFMT) {
	case S_IFREG:
		return file_copy(dir, name, into, &about, err);
	case S_IFDIR:
		return directory_copy(copy, dir, name, into, &about, path, depth, err);
	case S_IFLNK:
		return symlink_copy(dir, name, into, &about, err);
	default:
		return node_copy(into, name, &about, err);
	}
}

static int level_copy(struct copy *copy, int from, int into, const char *path, unsigned depth, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;

	if (depth == DEPTH_MAX)
		return fail(err, ERROR_USAGE, "%s: more than %d directories deep", path, DEPTH_MAX);
	if (dir_list(&arena, from, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *below = arena_format(&arena, "%s%s%s", path, *path ? "/" : "", names.items[i]);

		if (entry_copy(copy, from, names.items[i], into, below, depth, err) < 0)
			return depth ? -1 : blame(err, "copy %s", below);
	}
	return 0;
}

int tree_copy(int from, int into, struct error *err)
{
	struct copy copy = {.root = into};
	struct stat about;
	int result;

	if (fstat(from, &about) < 0)
		return fail_errno(err, "stat what is to be copied");
	copy.device = about.st_dev;
	result = level_copy(&copy, from, into, "", 0, err);
	first_names_drop(&copy.linked);
	return result < 0 ? -1 : facts_copy(from, into, &about, err);
}
