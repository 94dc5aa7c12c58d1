/* Reading logs: one instance's lines in order, over rotations. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_LOGS_LOGS_READ_H
#define WARREN_FLEET_LOGS_LOGS_READ_H

#include "base/arena.h"
#include "fleet/logs/logs.h"

struct log_line {
	const char *text; /* valid until the next call; with its line break, but for a last line that has none */
	size_t length;
	const char *time; /* 24 bytes; NULL: the line was not written by us, and is shown as it is */
	int64_t at_ms;	  /* of such a line: the one before's */
	enum log_stream_index stream;
};

struct log_file {
	int fd;
	int64_t at; /* read up to here */
	uint64_t inode;
};

struct log_reader {
	struct arena *arena;
	int dir;
	struct log_file *files; /* the oldest first; those before `current` are closed */
	size_t count, current;
	bool over; /* no line will be added: a last one without end counts */
	int64_t at_ms;
	char *bytes; /* LOG_READ_BLOCK of the current file, from `from` to `to` not given yet */
	size_t from, to;
};
#define LOG_READ_BLOCK 32768

/* dir is adopted. All files are opened at once, so that a rotation meanwhile loses nothing. */
MUST_CHECK int log_reader_open(struct log_reader *reader, struct arena *arena, int dir, struct error *err);
void log_reader_drop(struct log_reader *reader);
/* Before the first line: only the last so many. */
MUST_CHECK int log_reader_tail(struct log_reader *reader, int64_t lines, struct error *err);
/* Before the first line: files that were not written to since then are left out. Lines are not looked at. */
void log_reader_since(struct log_reader *reader, int64_t real_ms);
/* 1: a line; 0: none, until more is written. Finds the files that a rotation has made. */
MUST_CHECK int log_reader_next(struct log_reader *reader, struct log_line *line, struct error *err);

#endif
