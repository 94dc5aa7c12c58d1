/* Finding a program of our own that stands beside this one: a helper with libraries that the others shall not carry.
 *
 * It is found in the directory of our own program file or in the directory for such programs that belongs to it, and
 * given as a descriptor to execute, so that neither PATH nor a name in the working directory nor a rename in between
 * can put another one in its place. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"

static int own_directory_open(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length <= 0)
		return -1;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -1;
	slash[slash == path] = '\0';
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int companion_check(int fd, const char *program, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail_errno(err, "%s", program);
	if (!S_ISREG(status.st_mode) || !(status.st_mode & S_IXUSR))
		return fail(err, ERROR_SYSTEM, "%s: is not a program", program);
	if ((status.st_uid != 0 && status.st_uid != geteuid()) || status.st_mode & (S_IWGRP | S_IWOTH))
		return fail(err, ERROR_SYSTEM, "%s: must belong to root or to uid %u and be writable by nobody else",
			program, geteuid());
	return 0;
}

int companion_open(const char *program, const char *libexec, struct error *err)
{
	static const char *const places[] = {"", "../libexec/warren/"};
	auto_free char *installed = text_format("%s/%s", libexec, program);
	auto_fd directory = own_directory_open(), fd = -1;

	for (size_t i = 0; directory >= 0 && fd < 0 && i < ARRAY_SIZE(places); i++) {
		auto_free char *place = text_format("%s%s", places[i], program);

		fd = openat(directory, place, O_PATH | O_CLOEXEC);
	}
	if (fd < 0)
		fd = open(installed, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail(
			err, ERROR_MISSING, "the program %s is neither beside this one nor in %s", program, libexec);
	return companion_check(fd, program, err) < 0 ? -1 : take_fd(&fd);
}
