/* Reading logs: the files from the oldest to the newest, then, if wanted, what is added.
 *
 * Files may be rotated while they are read: all are opened first, newest first, so that one that is renamed in between
 * is read twice rather than missed, and a second opening of the same file is noticed by its inode. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "fleet/instance.h"
#include "fleet/logs.h"

#define FILES_MAX 1000
#define GAP_MAX 2
#define BLOCK 65536
/* Nothing wakes a reader when a monitor is killed. */
#define LOOK_AGAIN_MS 1000

struct log_file {
	int fd;
	off_t at; /* read up to here */
	ino_t inode;
};

struct reading {
	const struct logs_options *options;
	int out, errout;
	int dir;
	struct log_file files[FILES_MAX]; /* newest first */
	size_t count;
	char bytes[BLOCK + 1];
};

static void reading_drop(struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++)
		fd_drop(&reading->files[i].fd);
	fd_drop(&reading->dir);
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

static const char stdout_word[] = " stdout ", stderr_word[] = " stderr ";

static int line_print(const struct reading *reading, const char *line, size_t length, struct error *err)
{
	int64_t at_ms = log_time_parse(line, length);
	size_t skip = LOG_PREFIX_LENGTH;
	int fd = reading->out;

	/* Not written by us: shown as it is. */
	if (at_ms < 0 || length < LOG_PREFIX_LENGTH)
		skip = 0;
	else if (!memcmp(line + 24, stderr_word, 8))
		fd = reading->errout;
	else if (memcmp(line + 24, stdout_word, 8) != 0)
		skip = 0;
	if (skip && reading->options->since_ms.set && at_ms < reading->options->since_ms.value)
		return 0;
	if (skip && reading->options->timestamps && write_all(fd, line, 25) < 0)
		return fail_errno(err, "write");
	return write_all(fd, line + skip, length - skip) < 0 ? fail_errno(err, "write") : 0;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

enum found { FOUND_END, FOUND_FILE, FOUND_NONE };

/* FOUND_END: it is the file `until`, or there is no room for more. One that is open already is not opened twice. -1 on
 * failure. */
static int file_add(struct reading *reading, const char *name, ino_t until, struct error *err)
{
	struct stat status;
	auto_fd fd = openat(reading->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? FOUND_NONE : fail_errno(err, "open %s", name);
	if (fstat(fd, &status) < 0)
		return fail_errno(err, "stat %s", name);
	if (until && status.st_ino == until)
		return FOUND_END;
	for (size_t i = 0; i < reading->count; i++)
		if (reading->files[i].inode == status.st_ino)
			return FOUND_FILE;
	if (reading->count == FILES_MAX)
		return FOUND_END;
	reading->files[reading->count++] = (struct log_file){.fd = take_fd(&fd), .inode = status.st_ino};
	return FOUND_FILE;
}

/* From the newest to the oldest, or to the file `until` (0: none), which was read before. A rotation renames from the
 * oldest to the newest, so while one goes on a name in the middle is missing for a moment: a gap ends the list only
 * when nothing comes behind it. */
static int files_open(struct reading *reading, ino_t until, struct error *err)
{
	char name[16] = "log";
	int missing = 0;

	for (int i = 0; missing <= GAP_MAX && i < FILES_MAX; i++) {
		if (i)
			snprintf(name, sizeof(name), "log.%d", i);
		int found = file_add(reading, name, until, err);
		if (found < 0)
			return -1;
		if (found == FOUND_END)
			return 0;
		missing = found == FOUND_NONE ? missing + 1 : 0;
	}
	return 0;
}

/* Prints the whole lines from file->at on; a last line without end only when `rest`. */
static int file_print(struct reading *reading, struct log_file *file, bool rest, struct error *err)
{
	for (;;) {
		ssize_t got = pread(file->fd, reading->bytes, BLOCK, file->at);
		char *at = reading->bytes, *end;

		if (got < 0)
			return fail_errno(err, "read the log");
		if (got == 0)
			return 0;
		while ((end = memchr(at, '\n', (size_t)(reading->bytes + got - at)))) {
			if (line_print(reading, at, (size_t)(end + 1 - at), err) < 0)
				return -1;
			at = end + 1;
		}
		if (at == reading->bytes) {
			if (!rest && got < BLOCK)
				return 0;
			if (line_print(reading, at, (size_t)got, err) < 0)
				return -1;
			at += got;
		}
		file->at += at - reading->bytes;
	}
}

/* --- tail --------------------------------------------------------------------------------------------------------- */

/* Sets file->at so that at most *lines lines follow, and takes those off *lines. */
static int file_tail(struct reading *reading, struct log_file *file, int64_t *lines, struct error *err)
{
	struct stat status;
	off_t block_end;

	if (fstat(file->fd, &status) < 0)
		return fail_errno(err, "stat the log");
	file->at = status.st_size;
	for (block_end = status.st_size; block_end > 0;) {
		off_t start = block_end > BLOCK ? block_end - BLOCK : 0;
		ssize_t got = pread(file->fd, reading->bytes, (size_t)(block_end - start), start);

		if (got < 0)
			return fail_errno(err, "read the log");
		for (ssize_t i = got; i-- > 0;) {
			/* A line break ends the line before it; the file's last one begins no further line. */
			if (reading->bytes[i] != '\n' || start + i + 1 == status.st_size)
				continue;
			if (--*lines <= 0) {
				file->at = start + i + 1;
				*lines = 0;
				return 0;
			}
		}
		block_end = start;
	}
	/* All of it; its first line has no line break before it. */
	file->at = 0;
	if (status.st_size > 0)
		--*lines;
	return 0;
}

static int tail_find(struct reading *reading, struct error *err)
{
	int64_t lines = reading->options->tail.value;
	struct stat status;

	if (!reading->options->tail.set)
		return 0;
	for (size_t i = 0; i < reading->count; i++) {
		struct log_file *file = &reading->files[i];

		if (lines > 0) {
			if (file_tail(reading, file, &lines, err) < 0)
				return -1;
		} else {
			if (fstat(file->fd, &status) < 0)
				return fail_errno(err, "stat the log");
			file->at = status.st_size;
		}
	}
	return 0;
}

/* --- following ---------------------------------------------------------------------------------------------------- */

/* What is new in the newest file; when it was rotated, its end and then the files after it. */
static int print_new(struct reading *reading, struct error *err)
{
	size_t before = reading->count;
	struct stat status;

	if (reading->count && file_print(reading, &reading->files[0], false, err) < 0)
		return -1;
	if (fstatat(reading->dir, "log", &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		(reading->count && reading->files[0].inode == status.st_ino))
		return 0;
	/* What came between the look above and the rotation. */
	if (reading->count && file_print(reading, &reading->files[0], true, err) < 0)
		return -1;
	if (files_open(reading, reading->count ? reading->files[0].inode : 0, err) < 0)
		return -1;
	/* Those added stand behind the old ones, newest first. */
	for (size_t i = reading->count; i-- > before;)
		if (file_print(reading, &reading->files[i], false, err) < 0)
			return -1;
	if (reading->count == before)
		return 0;
	struct log_file newest = reading->files[before];

	for (size_t i = 0; i < reading->count; i++)
		if (i != before)
			fd_drop(&reading->files[i].fd);
	reading->files[0] = newest;
	reading->count = 1;
	return 0;
}

static bool is_over(const struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance now = *instance;
	struct running running;
	struct error ignored;

	return !instance_is_monitored(&now) && instance_running_read(&arena, &now, &running, &ignored) < 0;
}

static int watch_add(int watch, int dir, uint32_t events, struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return inotify_add_watch(watch, path, events) < 0 ? fail_errno(err, "watch the log") : 0;
}

static int follow(struct reading *reading, const struct instance *instance, struct error *err)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[4096];

	if (watch < 0)
		return fail_errno(err, "inotify_init1");
	if (watch_add(watch, reading->dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO, err) < 0 ||
		(instance->live >= 0 && watch_add(watch, instance->live, IN_DELETE, err) < 0))
		return -1;
	for (;;) {
		/* Asked before the look, so that the last lines of one that ends meanwhile are seen. */
		bool over = is_over(instance);
		struct pollfd change = {.fd = watch, .events = POLLIN};

		if (print_new(reading, err) < 0)
			return -1;
		if (over)
			return reading->count ? file_print(reading, &reading->files[0], true, err) : 0;
		if (poll(&change, 1, LOOK_AGAIN_MS) < 0 && errno != EINTR)
			return fail_errno(err, "poll");
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
}

/* --- public ------------------------------------------------------------------------------------------------------- */

static int driver_check(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error ignored;

	/* One that is damaged may have a log all the same. */
	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, &ignored) < 0 ||
		text_equal(spec.logging.driver, "file"))
		return 0;
	return fail(err, ERROR_USAGE, "%s keeps no log (\"logging\": {\"driver\": \"%s\"})", instance->name,
		spec.logging.driver);
}

static int logs_print(struct reading *reading, const struct instance *instance, struct error *err)
{
	reading->dir = dir_create(instance->host->log, instance->name, 0700, err);
	if (reading->dir < 0 || files_open(reading, 0, err) < 0 || tail_find(reading, err) < 0)
		return -1;
	for (size_t i = reading->count; i-- > 0;)
		if (file_print(reading, &reading->files[i], i > 0 || !reading->options->follow, err) < 0)
			return -1;
	return reading->options->follow ? follow(reading, instance, err) : 0;
}

int instance_logs(
	struct host *host, const char *name, const struct logs_options *options, int out, int errout, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reading *reading = arena_new(&arena, struct reading);
	auto_instance instance = INSTANCE_EMPTY;
	int result;

	reading->options = options;
	reading->out = out;
	reading->errout = errout;
	reading->dir = -1;
	if (instance_find(host, name, &instance, err) < 0 || driver_check(&instance, err) < 0)
		return -1;
	result = logs_print(reading, &instance, err);
	reading_drop(reading);
	return result < 0 ? blame(err, "logs of %s", name) : 0;
}
