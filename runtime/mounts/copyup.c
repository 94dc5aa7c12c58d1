/* The option tmpcopyup: a new tmpfs begins with what the root has at its place.
 *
 * Runs in the child, inside its namespaces, on an image that nobody changes meanwhile; bounded all the same.
 * Directories, files, links and FIFOs with owner and mode; other kinds are left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "runtime/mounts/mounts.h"

#define DEPTH_MAX 32

static int tree_copy(int from, int to, int depth, struct error *err);

static int file_copy(int from, int to, const char *name, const struct stat *status, struct error *err)
{
	auto_fd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t left = status->st_size;

	if (in < 0 || out < 0)
		return fail_errno(err, "copy up %s", name);
	while (left > 0) {
		ssize_t done = sendfile(out, in, NULL, (size_t)left);

		if (done < 0)
			return fail_errno(err, "copy up %s", name);
		if (done == 0)
			break;
		left -= done;
	}
	return 0;
}

static int link_copy(int from, int to, const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail_errno(err, "copy up %s", name);
	target[length] = '\0';
	return symlinkat(target, to, name) < 0 ? fail_errno(err, "copy up %s", name) : 0;
}

static int directory_copy(int from, int to, const char *name, int depth, struct error *err)
{
	auto_fd in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd out = -1;

	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return fail_errno(err, "copy up %s", name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return fail_errno(err, "copy up %s", name);
	return tree_copy(in, out, depth + 1, err);
}

static int owner_copy(int to, const char *name, const struct stat *status, struct error *err)
{
	if (fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "copy up %s: owner", name);
	if (!S_ISLNK(status->st_mode) && fchmodat(to, name, status->st_mode & 07777, 0) < 0)
		return fail_errno(err, "copy up %s: mode", name);
	return 0;
}

static int entry_copy(int from, int to, const char *name, int depth, struct error *err)
{
	struct stat status;
	int result;

	if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "copy up %s", name);
	if (S_ISDIR(status.st_mode))
		result = directory_copy(from, to, name, depth, err);
	else if (S_ISREG(status.st_mode))
		result = file_copy(from, to, name, &status, err);
	else if (S_ISLNK(status.st_mode))
		result = link_copy(from, to, name, err);
	else if (S_ISFIFO(status.st_mode))
		result = mkfifoat(to, name, 0600) < 0 ? fail_errno(err, "copy up %s", name) : 0;
	else
		return 0;
	return result < 0 ? -1 : owner_copy(to, name, &status, err);
}

static int entries_copy(DIR *directory, int to, int depth, struct error *err)
{
	const struct dirent *entry;

	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry_copy(dirfd(directory), to, entry->d_name, depth, err) < 0)
			return -1;
	}
	return 0;
}

static int tree_copy(int from, int to, int depth, struct error *err)
{
	int copy = fcntl(from, F_DUPFD_CLOEXEC, 3);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	int result;

	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		result = fail_errno(err, "copy up");
	} else if (!directory) {
		result = fail_errno(err, "copy up");
	} else {
		result = entries_copy(directory, to, depth, err);
	}
	if (directory)
		closedir(directory);
	else if (copy >= 0)
		close(copy);
	return result;
}

int mounts_copy_up(int from, int to, struct error *err)
{
	struct stat status;

	if (tree_copy(from, to, 0, err) < 0)
		return -1;
	/* The root of the new file system looks like the directory that it covers. */
	if (fstat(from, &status) < 0 || fchownat(to, "", status.st_uid, status.st_gid, AT_EMPTY_PATH) < 0)
		return fail_errno(err, "copy up: owner");
	return fchmodat(to, ".", status.st_mode & 07777, 0) < 0 ? fail_errno(err, "copy up: mode") : 0;
}
