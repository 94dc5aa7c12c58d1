/* HOME for a program whose specification names none: docker leaves it to the runtime, and what runs as a user of the
 * image (node, postgres) wants to write there.
 *
 * The file belongs to whoever made the image. So it is opened inside the root only, must be a regular one (a FIFO would
 * block, a device do what devices do), is read by the piece and only so far, and nothing but the path is taken from it:
 * ids are numbers and are never looked up. No user database of the C library is asked: that would load what the image
 * calls libraries. */
#include "runtime/process/home.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"

#define READ_MAX (1024 * 1024)

enum { FIELD_UID = 2, FIELD_HOME = 5, FIELDS = 7 }; /* passwd(5) */

/* The parts of one line, which it cuts; false: there are not as many. */
static bool line_split(char *line, char *fields[FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&line, ":");
		if (!fields[i])
			return false;
	}
	return true;
}

/* True when it is the user's line: the search is over, whatever stands there. */
static bool line_take(char *line, const char *uid, char *home)
{
	char *fields[FIELDS];

	if (!line_split(line, fields) || strcmp(fields[FIELD_UID], uid) != 0)
		return false;
	if (*fields[FIELD_HOME] == '/' && strlen(fields[FIELD_HOME]) < HOME_SIZE)
		strcpy(home, fields[FIELD_HOME]);
	return true;
}

/* Takes the whole lines out of data (length bytes) and returns how much of a line is left at its beginning; -1: found.
 * A line that is longer than there is room for is given up: its rest has too few fields, or is nobody's. */
static ssize_t lines_take(char *data, size_t length, size_t size, const char *uid, char *home)
{
	char *begin = data, *end;

	while ((end = memchr(begin, '\n', length - (size_t)(begin - data))) != NULL) {
		*end = '\0';
		if (line_take(begin, uid, home))
			return -1;
		begin = end + 1;
	}
	length -= (size_t)(begin - data);
	memmove(data, begin, length);
	return length == size ? 0 : (ssize_t)length;
}

void home_read(int fd, uid_t uid, char *home)
{
	char data[4096], wanted[16];
	size_t total = 0;
	ssize_t kept = 0, got;

	snprintf(wanted, sizeof(wanted), "%u", uid);
	while (total < READ_MAX && (got = read_retried(fd, data + kept, sizeof(data) - 1 - (size_t)kept)) > 0) {
		total += (size_t)got;
		kept = lines_take(data, (size_t)(kept + got), sizeof(data) - 1, wanted, home);
		if (kept < 0)
			return;
	}
	data[kept] = '\0'; /* a last line without its end */
	(void)line_take(data, wanted, home);
}

void home_find(uid_t uid, char *home)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	auto_fd fd = path_openat2(AT_FDCWD, "/etc/passwd", &how);
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		home_read(fd, uid, home);
}
