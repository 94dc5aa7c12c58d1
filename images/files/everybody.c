/* File system ids of nobody for the length of one open: setfsuid(2) away from 0 takes the file capabilities out of the
 * effective set, and back to 0 returns them. */
#include "images/files/everybody.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/fsuid.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"

#define NOBODY 65534

int everybody_enter(struct everybody *saved, struct error *err)
{
	saved->count = getgroups(EVERYBODY_GROUPS_MAX, saved->groups);
	if (saved->count < 0)
		return fail_errno(err, "getgroups");
	if (setgroups(0, NULL) < 0) {
		saved->count = -1;
		return fail_errno(err, "setgroups");
	}
	return 0;
}

/* Giving back what the process had cannot be refused to one that could give it up. */
void everybody_leave(struct everybody *saved)
{
	int saved_errno = errno;

	if (saved->count >= 0 && setgroups((size_t)saved->count, saved->groups) < 0)
		log_warn("setgroups: %s", strerror(errno));
	saved->count = -1;
	errno = saved_errno;
}

int everybody_open(int host, const char *path, int flags)
{
	int fd, saved;

	setfsgid(NOBODY);
	setfsuid(NOBODY);
	fd = path_try_open(host, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	saved = errno;
	setfsuid(0);
	setfsgid(0);
	errno = saved;
	return fd;
}

/* Somebody who puts a key into a file that everybody may read did not mean everybody's instances to have it. */
static bool holds_a_private_key(const char *content, size_t length)
{
	static const char mark[] = "PRIVATE KEY-----";

	return memmem(content, length, mark, sizeof(mark) - 1) != NULL;
}

int everybody_read(
	struct arena *arena, int host, const char *path, size_t max, const char **content, size_t *length, mode_t *mode)
{
	struct error ignored;
	struct stat about;
	auto_fd fd = everybody_open(host, path, O_RDONLY | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode) || !(about.st_mode & 0004))
		return 0;
	if (about.st_size > (off_t)max || fd_read_all(arena, fd, max, content, length, &ignored) < 0)
		return 0;
	if (holds_a_private_key(*content, *length)) {
		log_warn("%s holds a private key that everybody may read; left out of the host image", path);
		return 0;
	}
	if (mode)
		*mode = about.st_mode & 0755;
	return 1;
}
