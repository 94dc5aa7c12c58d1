/* Network namespaces that somebody else made, by path.
 *
 * Whoever may put another file in the place of the one that is named chooses the network of the instance, the host's
 * included. So the way there must belong to root alone: no directory of it is anybody else's, and none may be written
 * by others. It is opened once; from then on only the descriptor counts. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "netns/netns.h"

static int directory_check(const char *directory, struct error *err)
{
	struct stat about;

	if (lstat(directory, &about) < 0)
		return fail_errno(err, "%s", directory);
	if (about.st_uid != 0)
		return fail(err, ERROR_USAGE,
			"%s belongs to user %u, who could put another namespace there; only root may", directory,
			about.st_uid);
	if (about.st_mode & (S_IWGRP | S_IWOTH))
		return fail(err, ERROR_USAGE,
			"%s may be written by others than root, who could put another namespace there", directory);
	return 0;
}

/* Every directory from the root down to the one that holds the file. */
static int way_check(const char *directory, struct error *err)
{
	char prefix[PATH_MAX];

	for (const char *slash = directory; slash; slash = strchr(slash + 1, '/')) {
		size_t length = slash == directory ? 1 : (size_t)(slash - directory);

		snprintf(prefix, sizeof(prefix), "%.*s", (int)length, directory);
		if (directory_check(prefix, err) < 0)
			return -1;
	}
	return directory_check(directory, err);
}

static int way_open(const char *path, struct error *err)
{
	auto_free char *directory = text_format("%.*s", (int)(path_base(path) - path), path);
	auto_free char *whole = realpath(directory, NULL);
	int dir;

	if (!whole)
		return fail_errno(err, "%s", directory);
	if (way_check(whole, err) < 0)
		return -1;
	dir = open(whole, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? fail_errno(err, "open %s", whole) : dir;
}

static bool is_own(int netns)
{
	struct stat own, other;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(netns, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

static int kind_check(int netns, struct error *err)
{
	struct statfs about;

	if (fstatfs(netns, &about) < 0)
		return fail_errno(err, "examine it");
	if (about.f_type != NSFS_MAGIC || ioctl(netns, NS_GET_NSTYPE) != CLONE_NEWNET)
		return fail(
			err, ERROR_USAGE, "is no network namespace; ip netns add NAME makes one at /run/netns/NAME");
	if (is_own(netns))
		return fail(err, ERROR_USAGE, "is the host's own network; say \"host\" if that is meant");
	return 0;
}

static int netns_open_checked(const char *path, struct error *err)
{
	auto_fd dir = -1, netns = -1;

	if (path_check_absolute("network namespace", path, err) < 0)
		return -1;
	dir = way_open(path, err);
	if (dir < 0)
		return -1;
	/* Not blocking: a FIFO without a writer would hold us up before it is found to be none. */
	netns = openat(dir, path_base(path), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (netns < 0)
		return errno == ENOENT
			       ? fail(err, ERROR_MISSING, "no such file; ip netns add NAME makes /run/netns/NAME")
			       : fail_errno(err, "open it");
	return kind_check(netns, err) < 0 ? -1 : take_fd(&netns);
}

int netns_open(const char *path, struct error *err)
{
	int netns = netns_open_checked(path, err);

	return netns < 0 ? blame(err, "ns:%s", path) : netns;
}
