/* See logs_read.h. Files are renamed while they are read: all are opened first, newest first, so that one that is
 * renamed in between is met twice rather than missed, and a second opening of the same file is noticed by its inode. */
#include "fleet/logs/logs_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FILES_MAX 1000
#define GAP_MAX 2

_Static_assert(LOG_READ_BLOCK > LOG_PREFIX_LENGTH + LOG_LINE_MAX + 1, "a line of ours fits whole");

void log_reader_drop(struct log_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++)
		fd_drop(&reader->files[i].fd);
	fd_drop(&reader->dir);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

enum found { FOUND_END, FOUND_FILE, FOUND_NONE };

struct file_list {
	struct log_file items[FILES_MAX]; /* the newest first */
	size_t count;
};

static bool is_listed(const struct file_list *list, uint64_t inode)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].inode == inode)
			return true;
	return false;
}

/* FOUND_END: it is the file `until`, or there is no room for more. -1 on failure. */
static int file_find(
	const struct log_reader *reader, const char *name, uint64_t until, struct file_list *list, struct error *err)
{
	struct stat status;
	auto_fd fd = openat(reader->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? FOUND_NONE : fail_errno(err, "open %s", name);
	if (fstat(fd, &status) < 0)
		return fail_errno(err, "stat %s", name);
	if (status.st_ino == until || list->count == FILES_MAX)
		return FOUND_END;
	if (!is_listed(list, status.st_ino))
		list->items[list->count++] = (struct log_file){.fd = take_fd(&fd), .inode = status.st_ino};
	return FOUND_FILE;
}

/* From the newest to the oldest, or to the file `until` (0: none), which is known. A rotation renames from the oldest
 * to the newest, so while one goes on a name in the middle is missing for a moment: a gap ends the list only when
 * nothing comes behind it. */
static int files_find(const struct log_reader *reader, uint64_t until, struct file_list *list, struct error *err)
{
	char name[16] = "log";
	int missing = 0;

	for (int i = 0; missing <= GAP_MAX && i < FILES_MAX; i++) {
		if (i)
			snprintf(name, sizeof(name), "log.%d", i);
		int found = file_find(reader, name, until, list, err);
		if (found < 0)
			return -1;
		if (found == FOUND_END)
			return 0;
		missing = found == FOUND_NONE ? missing + 1 : 0;
	}
	return 0;
}

/* Behind those that are there; what has been read is forgotten. */
static int files_add(struct log_reader *reader, struct error *err)
{
	AUTO(arena_drop) struct arena scratch = {0};
	struct file_list *list = arena_new(&scratch, struct file_list);
	uint64_t newest = reader->count ? reader->files[reader->count - 1].inode : 0;
	struct log_file *files;
	size_t kept = reader->count - reader->current;
	int result = files_find(reader, newest, list, err);

	files = arena_new_array(reader->arena, kept + list->count, struct log_file);
	if (kept)
		memcpy(files, reader->files + reader->current, kept * sizeof(files[0]));
	for (size_t i = 0; i < list->count; i++)
		files[kept + i] = list->items[list->count - 1 - i];
	reader->files = files;
	reader->count = kept + list->count;
	reader->current = 0;
	return result;
}

int log_reader_open(struct log_reader *reader, struct arena *arena, int dir, struct error *err)
{
	*reader = (struct log_reader){.arena = arena, .dir = dir, .at_ms = 0};
	if (files_add(reader, err) == 0)
		return 0;
	log_reader_drop(reader);
	return -1;
}

/* --- where to begin ----------------------------------------------------------------------------------------------- */

/* Sets file->at so that at most *lines lines follow, and takes those off *lines. */
static int file_tail(struct log_file *file, char *bytes, int64_t *lines, struct error *err)
{
	struct stat status;
	off_t block_end;

	if (fstat(file->fd, &status) < 0)
		return fail_errno(err, "stat the log");
	file->at = status.st_size;
	if (*lines <= 0)
		return 0;
	for (block_end = status.st_size; block_end > 0;) {
		off_t start = block_end > LOG_READ_BLOCK ? block_end - LOG_READ_BLOCK : 0;
		ssize_t got = pread(file->fd, bytes, (size_t)(block_end - start), start);

		if (got < 0)
			return fail_errno(err, "read the log");
		for (ssize_t i = got; i-- > 0;) {
			/* A line break ends the line before it; the file's last one begins no further line. */
			if (bytes[i] != '\n' || start + i + 1 == status.st_size)
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

int log_reader_tail(struct log_reader *reader, int64_t lines, struct error *err)
{
	AUTO(arena_drop) struct arena scratch = {0};
	char *bytes = arena_alloc(&scratch, LOG_READ_BLOCK);

	for (size_t i = reader->count; i-- > 0;)
		if (file_tail(&reader->files[i], bytes, &lines, err) < 0)
			return -1;
	return 0;
}

void log_reader_since(struct log_reader *reader, int64_t real_ms)
{
	for (size_t i = 0; i + 1 < reader->count; i++) {
		struct stat status;

		if (fstat(reader->files[i].fd, &status) == 0 && status.st_mtim.tv_sec * 1000 + 999 < real_ms)
			reader->files[i].at = status.st_size;
	}
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static void line_make(struct log_reader *reader, size_t length, struct log_line *line)
{
	const char *text = reader->bytes + reader->from;
	int64_t at_ms = log_time_parse(text, length);
	bool error = length >= LOG_PREFIX_LENGTH && !memcmp(text + 24, " stderr ", 8);
	bool ours = at_ms >= 0 && length >= LOG_PREFIX_LENGTH && (error || !memcmp(text + 24, " stdout ", 8));
	size_t skip = ours ? LOG_PREFIX_LENGTH : 0;

	if (ours)
		reader->at_ms = at_ms;
	*line = (struct log_line){
		.text = text + skip,
		.length = length - skip,
		.time = ours ? text : NULL,
		.at_ms = reader->at_ms,
		.stream = error ? LOG_STDERR : LOG_STDOUT,
	};
	reader->from += length;
}

/* More of the current file behind what is left. 1: there was some; 0: its end. */
static int block_fill(struct log_reader *reader, struct error *err)
{
	struct log_file *file = &reader->files[reader->current];
	size_t left = reader->to - reader->from;
	ssize_t got;

	if (!reader->bytes)
		reader->bytes = arena_alloc(reader->arena, LOG_READ_BLOCK);
	memmove(reader->bytes, reader->bytes + reader->from, left);
	reader->from = 0;
	reader->to = left;
	got = pread(file->fd, reader->bytes + left, LOG_READ_BLOCK - left, file->at);
	if (got < 0)
		return fail_errno(err, "read the log");
	file->at += got;
	reader->to += (size_t)got;
	return got > 0;
}

/* The next file, if one follows now. */
static int file_leave(struct log_reader *reader, struct error *err)
{
	struct stat status;

	if (reader->current + 1 == reader->count) {
		if (fstatat(reader->dir, "log", &status, AT_SYMLINK_NOFOLLOW) < 0 ||
			status.st_ino == reader->files[reader->current].inode)
			return 0;
		/* Rotated. What came before that is still to be read: the caller looks again. */
		return files_add(reader, err) < 0 ? -1 : 1;
	}
	fd_drop(&reader->files[reader->current].fd);
	reader->current++;
	return 1;
}

/* At the end of what the current file has. 1: look again; 0: there is nothing. */
static int end_reached(struct log_reader *reader, struct log_line *line, bool *have, struct error *err)
{
	bool last = reader->current + 1 == reader->count;

	/* Nobody completes a line in an old file. */
	if (reader->to > reader->from && (!last || reader->over)) {
		line_make(reader, reader->to - reader->from, line);
		*have = true;
		return 0;
	}
	return file_leave(reader, err);
}

int log_reader_next(struct log_reader *reader, struct log_line *line, struct error *err)
{
	if (!reader->count && files_add(reader, err) < 0)
		return -1;
	if (!reader->count)
		return 0;
	for (;;) {
		size_t left = reader->to - reader->from;
		const char *begin = left ? reader->bytes + reader->from : NULL;
		const char *end = left ? memchr(begin, '\n', left) : NULL;
		bool have = false;
		int more;

		if (end || left == LOG_READ_BLOCK) {
			line_make(reader, end ? (size_t)(end + 1 - begin) : left, line);
			return 1;
		}
		more = block_fill(reader, err);
		if (more == 0)
			more = end_reached(reader, line, &have, err);
		if (more < 0)
			return -1;
		if (have || !more)
			return have;
	}
}
