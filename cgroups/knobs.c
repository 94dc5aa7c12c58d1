/* Reading and writing the kernel's small files; see knobs.h. */
#include "cgroups/knobs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define DIGITS_MAX 20

static int knob_open(int dir, const char *file, int flags)
{
	if (dir < 0 && dir != AT_FDCWD) {
		errno = ENOENT;
		return -1;
	}
	return openat(dir, file, flags | O_CLOEXEC | O_NOFOLLOW);
}

ssize_t knob_read(int dir, const char *file, char *buffer, size_t size)
{
	auto_fd fd = knob_open(dir, file, O_RDONLY);
	size_t length = 0;

	if (fd < 0)
		return -1;
	while (length < size - 1) {
		ssize_t got = read_retried(fd, buffer + length, size - 1 - length);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
		/* A file of cgroupfs is one record, which one read(2) gives whole: no second one to see its end. Those
		 * with a line for each process may go on; nobody here reads more of them than whether there is one. */
		if (dir != AT_FDCWD && buffer[length - 1] == '\n')
			break;
	}
	buffer[length] = '\0';
	return (ssize_t)length;
}

int knob_write(int dir, const char *file, const char *text)
{
	auto_fd fd = knob_open(dir, file, O_WRONLY);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write_retried(fd, text, strlen(text));
	return written < 0 ? -1 : 0;
}

bool knob_parse(const char *text, int64_t *out)
{
	char digits[DIGITS_MAX + 1];
	size_t length = strspn(text, "0123456789-");
	struct error unused;

	if (strncmp(text, "max", 3) == 0) {
		*out = -1;
		return true;
	}
	if (length == 0 || length > DIGITS_MAX)
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return number_parse(digits, INT64_MIN, INT64_MAX, out, &unused) == 0;
}

bool knob_number(int dir, const char *file, int64_t *out)
{
	char text[64];

	return knob_read(dir, file, text, sizeof(text)) > 0 && knob_parse(text, out);
}

bool keyed_number(const char *text, const char *key, int64_t *out)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return knob_parse(line + length + 1, out);
	}
	return false;
}
