/* Reading mountinfo line by line. */
#include "base/mountinfo.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define TABLE_MAX ((size_t)64 << 20)
/* Two paths of 4,096 bytes with every byte escaped, and a page of options; what is longer still is passed over. */
#define LINE_MAX_BYTES 65536

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Space, tab, line feed and backslash are written as \ooo. In place. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* The words up to the end or until there is room for no more: how many there were. */
static size_t words_split(char *text, char **words, size_t room)
{
	size_t count = 0;

	while (count < room && (words[count] = strsep(&text, " ")))
		count++;
	return count;
}

/* 36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda rw,errors=continue */
bool mountinfo_parse(char *line, struct mountinfo *out)
{
	char *separator = strstr(line, " - "), *of_mount[6], *of_file_system[3];
	struct error ignored;
	uint64_t id;

	if (!separator)
		return false;
	*separator = '\0';
	if (words_split(line, of_mount, ARRAY_SIZE(of_mount)) < ARRAY_SIZE(of_mount) ||
		words_split(separator + 3, of_file_system, ARRAY_SIZE(of_file_system)) < ARRAY_SIZE(of_file_system) ||
		number_parse_u64(of_mount[0], UINT64_MAX, &id, &ignored) < 0)
		return false;
	unescape(of_mount[3]);
	unescape(of_mount[4]);
	unescape(of_file_system[2]);
	*out = (struct mountinfo){.id = id,
		.device = of_mount[2],
		.root = of_mount[3],
		.point = of_mount[4],
		.flags = of_mount[5],
		.type = of_file_system[0],
		.options = of_file_system[2]};
	return true;
}

struct reading {
	char buffer[LINE_MAX_BYTES + 1];
	size_t used;
	bool passing_over; /* the rest of a line that is too long */
	bool (*visit)(void *context, const struct mountinfo *mount);
	void *context;
};

/* Shows the whole lines of the buffer and keeps the beginning of the next. False: enough was seen. */
static bool lines_show(struct reading *reading)
{
	char *line = reading->buffer, *end;
	struct mountinfo mount;

	reading->buffer[reading->used] = '\0';
	while ((end = strchr(line, '\n'))) {
		bool whole = !reading->passing_over;

		*end = '\0';
		reading->passing_over = false;
		if (whole && mountinfo_parse(line, &mount) && !reading->visit(reading->context, &mount))
			return false;
		line = end + 1;
	}
	reading->used = strlen(line);
	if (reading->used == LINE_MAX_BYTES) {
		reading->passing_over = true;
		reading->used = 0;
	}
	memmove(reading->buffer, line, reading->used);
	return true;
}

/* Leaves the buffer as it is: its pages are not touched before they are needed. */
static void reading_start(
	struct reading *reading, bool (*visit)(void *context, const struct mountinfo *mount), void *context)
{
	reading->used = 0;
	reading->passing_over = false;
	reading->visit = visit;
	reading->context = context;
}

/* 1: enough was seen; 0: that was all. */
static int table_read(int fd, struct reading *reading, struct error *err)
{
	size_t total = 0;
	ssize_t got;

	while ((got = read_retried(fd, reading->buffer + reading->used, LINE_MAX_BYTES - reading->used)) > 0) {
		total += (size_t)got;
		if (total > TABLE_MAX)
			return fail(err, ERROR_SYSTEM, "mountinfo: larger than %zu bytes", TABLE_MAX);
		reading->used += (size_t)got;
		if (!lines_show(reading))
			return 1;
	}
	return got < 0 ? fail_errno(err, "read mountinfo") : 0;
}

static int table_open(int proc, struct error *err)
{
	const char *path = proc == AT_FDCWD ? "/proc/self/mountinfo" : "mountinfo";
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail_errno(err, "open %s", path) : fd;
}

int mountinfo_each(
	int proc, bool (*visit)(void *context, const struct mountinfo *mount), void *context, struct error *err)
{
	auto_fd fd = table_open(proc, err);
	struct reading reading;

	reading_start(&reading, visit, context);
	return fd < 0 || table_read(fd, &reading, err) < 0 ? -1 : 0;
}

int mountinfo_each_own(
	bool (*visit)(void *context, const struct mountinfo *mount), void *context, bool *goes_on, struct error *err)
{
	auto_fd fd = table_open(AT_FDCWD, err);
	struct reading reading;
	int enough;
	char byte;

	if (fd < 0)
		return -1;
	reading_start(&reading, visit, context);
	enough = table_read(fd, &reading, err);
	/* A line is the least that the kernel writes, however little is asked for. */
	*goes_on = enough > 0 && read_retried(fd, &byte, 1) > 0;
	return enough < 0 ? -1 : 0;
}
