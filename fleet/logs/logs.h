/* An instance's log: lines of its output on disk, bounded.
 *
 * Files log, log.1 … log.<max_files - 1> in the instance's log directory, newest first, each at most max_size bytes. A
 * line is "2026-01-31T23:59:59.123Z stdout text"; output without a line break is cut into lines of LOG_LINE_MAX.
 *
 * The writer never blocks whoever reads the pipe for it and never gives up: what the disk does not take is dropped and
 * counted, whole lines only. It allocates nothing after log_open(). */
#ifndef WARREN_FLEET_LOGS_LOGS_H
#define WARREN_FLEET_LOGS_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fleet/spec.h"

#define LOG_LINE_MAX 16384
#define LOG_PREFIX_LENGTH 32 /* "2026-01-31T23:59:59.123Z stdout " */

enum log_stream_index { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

struct log_stream {
	char *bytes; /* LOG_LINE_MAX; the beginning of a line whose end has not come yet */
	size_t length;
};
struct log_writer {
	int dir, fd; /* fd -1: the file could not be opened; tried again at the next line */
	int64_t size, max_size;
	int64_t max_files;
	int64_t dropped_bytes;
	struct log_stream streams[LOG_STREAMS];
	int journal;  /* socket; then there are no files. -1: there are */
	char *fields; /* LOG_FIELDS_MAX: the journal's address, then what every line says of its instance */
	size_t fields_length;
};
#define LOG_FIELDS_MAX 1024
#define LOG_IMAGE_MAX 256

/* dir is adopted. Files beyond max_files, of a bound that was higher, are removed. Cannot fail for want of a file. */
MUST_CHECK int log_open(struct log_writer *writer, int dir, const struct logging_spec *spec, struct error *err);
#define LOG_CLOSED                                                                                                     \
	{                                                                                                              \
		.dir = -1, .fd = -1, .journal = -1                                                                     \
	}
/* The same into systemd's journal: path is that of its socket. */
struct log_identity {
	const char *name, *fleet, *image; /* the last two may be NULL */
};
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"
MUST_CHECK int log_journal_open(
	struct log_writer *writer, const struct log_identity *identity, const char *path, struct error *err);
static inline bool log_is_open(const struct log_writer *writer)
{
	return writer->dir >= 0 || writer->journal >= 0;
}
/* Another bound from now on. */
void log_bound(struct log_writer *writer, const struct logging_spec *spec);
void log_close(struct log_writer *writer);
/* Reads a non-blocking descriptor until it is empty, or for a bounded number of reads: true when there may be more. */
bool log_drain(struct log_writer *writer, enum log_stream_index stream, int fd);
/* Output that somebody else has read. */
void log_feed(struct log_writer *writer, enum log_stream_index stream, const char *bytes, size_t length);
/* Lines that have no end yet are written as they are: at the end of a run. */
void log_flush(struct log_writer *writer);
/* For logs_journal.c. The writer is made empty, with its buffers; one line without its line break: false: not taken. */
MUST_CHECK int log_memory_make(struct log_writer *writer, struct error *err);
bool log_journal_send(struct log_writer *writer, enum log_stream_index stream, const char *line, size_t length);
/* Gives memory back that a burst has used. */
void log_rest(struct log_writer *writer);

/* "2026-01-31T23:59:59.123Z"; by hand, because the C library's way reads time zone files into memory. */
void log_time_format(int64_t real_ms, char out[25]);
/* The inverse of a line's first 24 bytes: -1 when they are not a time. */
int64_t log_time_parse(const char *text, size_t length);

#endif
