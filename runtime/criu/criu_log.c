/* The end of CRIU's log, for the one line that we say when it fails. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/criu/criu.h"

#define TAIL 16384
#define LINES 3

/* "(00.123456)     42: Error (criu/mount.c:644): mnt: …" → from "Error" on. NULL: a line of another kind. */
static char *error_in(char *line)
{
	char *error = strstr(line, "Error (");

	return error && error - line < 64 ? error : NULL;
}

static size_t tail_read(int fd, char *text)
{
	struct stat status;
	off_t from = 0;
	ssize_t length;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	if (status.st_size > TAIL - 1)
		from = status.st_size - (TAIL - 1);
	length = pread(fd, text, TAIL - 1, from);
	return length > 0 ? (size_t)length : 0;
}

static void printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

/* The first errors of a chain say what was wrong, those after them who gave up because of it. */
void criu_log_errors(int dir, const char *name, char *out, size_t size)
{
	static char text[TAIL];
	auto_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *rest = text, *line;
	size_t used = 0;
	int lines = 0;

	*out = '\0';
	text[fd < 0 ? 0 : tail_read(fd, text)] = '\0';
	while ((line = strsep(&rest, "\n")) && lines < LINES && used < size) {
		char *error = error_in(line);

		if (!error)
			continue;
		printable(error);
		used += (size_t)snprintf(out + used, size - used, "%s%s", lines++ ? "; " : "", error);
	}
}
