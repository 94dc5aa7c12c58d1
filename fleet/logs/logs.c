/* The writer; see logs.h. Lines go out with writev(2) straight from the buffer they were read into. */
#include "fleet/logs/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"

#define BATCH_LINES 64
#define READS_PER_DRAIN 64
#define FILES_LIMIT 10000

/* --- time --------------------------------------------------------------------------------------------------------- */

/* Days since 1970-01-01 ↔ year, month, day in the Gregorian calendar, with years that begin in March, so that the leap
 * day is a year's last. An era is 400 years, 146,097 days. */
static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t shifted = days + 719468, era = shifted / 146097, of_era = shifted % 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
	*month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t march_year = month <= 2 ? year - 1 : year, era = march_year / 400, of_era = march_year % 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void log_time_format(int64_t real_ms, char out[25])
{
	int64_t seconds = real_ms / 1000, of_day = seconds % 86400;
	int year, month, day;

	date_from_days(seconds / 86400, &year, &month, &day);
	snprintf(out, 25, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year % 10000, month, day, (int)(of_day / 3600),
		(int)(of_day / 60 % 60), (int)(of_day % 60), (int)(real_ms % 1000));
}

int64_t log_time_parse(const char *text, size_t length)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	int value[7] = {0}, part = 0;

	if (length < sizeof(form) - 1)
		return -1;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (form[i] == 'd' ? !digit : text[i] != form[i])
			return -1;
		if (digit)
			value[part] = value[part] * 10 + (text[i] - '0');
		else
			part++;
	}
	return ((days_from_date(value[0], value[1], value[2]) * 24 + value[3]) * 60 + value[4]) * 60000 +
	       value[5] * 1000 + value[6];
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void file_name(char out[16], int64_t number)
{
	if (number == 0)
		snprintf(out, 16, "log");
	else
		snprintf(out, 16, "log.%lld", (long long)number);
}

static void file_open(struct log_writer *writer)
{
	struct stat status;

	writer->fd =
		openat(writer->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	writer->size = 0;
	if (writer->fd >= 0 && fstat(writer->fd, &status) == 0)
		writer->size = status.st_size;
}

static void files_rotate(struct log_writer *writer)
{
	char from[16], to[16];

	fd_drop(&writer->fd);
	if (writer->max_files == 1)
		unlinkat(writer->dir, "log", 0);
	for (int64_t i = writer->max_files - 1; i > 0; i--) {
		file_name(from, i - 1);
		file_name(to, i);
		renameat(writer->dir, from, writer->dir, to);
	}
	file_open(writer);
}

static void files_trim(struct log_writer *writer)
{
	char name[16];

	for (int64_t i = writer->max_files; i < FILES_LIMIT; i++) {
		file_name(name, i);
		if (unlinkat(writer->dir, name, 0) < 0)
			return;
	}
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct batch {
	struct iovec parts[BATCH_LINES * 3];
	int count;
	int64_t bytes;
	char prefix[LOG_PREFIX_LENGTH + 1];
	enum log_stream_index stream;
};

static void batch_begin(struct batch *batch, enum log_stream_index stream)
{
	log_time_format(clock_real_ms(), batch->prefix);
	memcpy(batch->prefix + 24, stream == LOG_STDOUT ? " stdout " : " stderr ", 9);
	batch->stream = stream;
	batch->count = 0;
	batch->bytes = 0;
}

static void batch_add_part(struct batch *batch, const char *bytes, size_t length)
{
	batch->parts[batch->count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
	batch->bytes += (int64_t)length;
}

/* All of it or nothing: a line cut in its middle would be taken for another stream's. */
static void batch_write(struct log_writer *writer, struct batch *batch)
{
	ssize_t written = -1;

	if (batch->count == 0)
		return;
	if (writer->fd < 0)
		file_open(writer);
	if (writer->fd >= 0)
		written = writev(writer->fd, batch->parts, batch->count);
	if (written == batch->bytes) {
		writer->size += written;
	} else {
		writer->dropped_bytes += batch->bytes;
		if (written > 0 && ftruncate(writer->fd, writer->size) < 0)
			writer->size += written;
	}
	batch->count = 0;
	batch->bytes = 0;
}

static void line_write(
	struct log_writer *writer, struct batch *batch, const char *line, size_t length, bool add_line_break)
{
	int64_t size = LOG_PREFIX_LENGTH + (int64_t)length + add_line_break;

	if (writer->journal >= 0) {
		if (!log_journal_send(writer, batch->stream, line, length - !add_line_break))
			writer->dropped_bytes += (int64_t)length;
		return;
	}
	if (size > writer->max_size) {
		writer->dropped_bytes += size;
		return;
	}
	if (batch->count + 3 > BATCH_LINES * 3 || writer->size + batch->bytes + size > writer->max_size)
		batch_write(writer, batch);
	if (writer->size + size > writer->max_size)
		files_rotate(writer);
	batch_add_part(batch, batch->prefix, LOG_PREFIX_LENGTH);
	batch_add_part(batch, line, length);
	if (add_line_break)
		batch_add_part(batch, "\n", 1);
}

/* Writes the whole lines of what was read and moves the rest to the front. */
static void stream_consume(struct log_writer *writer, enum log_stream_index index)
{
	struct log_stream *stream = &writer->streams[index];
	struct batch batch;
	size_t at = 0;
	char *end;

	batch_begin(&batch, index);
	while ((end = memchr(stream->bytes + at, '\n', stream->length - at))) {
		size_t length = (size_t)(end - stream->bytes) + 1 - at;

		line_write(writer, &batch, stream->bytes + at, length, false);
		at += length;
	}
	if (at == 0 && stream->length == LOG_LINE_MAX) {
		line_write(writer, &batch, stream->bytes, stream->length, true);
		at = stream->length;
	}
	batch_write(writer, &batch);
	stream->length -= at;
	memmove(stream->bytes, stream->bytes + at, stream->length);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

int log_memory_make(struct log_writer *writer, struct error *err)
{
	/* Pages of its own, so that log_rest() can give them back. */
	char *memory = mmap(NULL, (size_t)LOG_LINE_MAX * LOG_STREAMS + LOG_FIELDS_MAX, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*writer = (struct log_writer)LOG_CLOSED;
	if (memory == MAP_FAILED)
		return fail_errno(err, "memory for the log");
	for (int i = 0; i < LOG_STREAMS; i++)
		writer->streams[i].bytes = memory + (size_t)i * LOG_LINE_MAX;
	writer->fields = memory + (size_t)LOG_LINE_MAX * LOG_STREAMS;
	return 0;
}

void log_bound(struct log_writer *writer, const struct logging_spec *spec)
{
	writer->max_size = spec->max_size_bytes;
	writer->max_files = spec->max_files;
	if (writer->dir >= 0)
		files_trim(writer);
}

int log_open(struct log_writer *writer, int dir, const struct logging_spec *spec, struct error *err)
{
	if (log_memory_make(writer, err) < 0) {
		close(dir);
		return -1;
	}
	writer->dir = dir;
	log_bound(writer, spec);
	file_open(writer);
	return 0;
}

void log_close(struct log_writer *writer)
{
	if (writer->streams[0].bytes) {
		log_flush(writer);
		munmap(writer->streams[0].bytes, (size_t)LOG_LINE_MAX * LOG_STREAMS + LOG_FIELDS_MAX);
	}
	fd_drop(&writer->journal);
	fd_drop(&writer->fd);
	fd_drop(&writer->dir);
	*writer = (struct log_writer)LOG_CLOSED;
}

bool log_drain(struct log_writer *writer, enum log_stream_index index, int fd)
{
	struct log_stream *stream = &writer->streams[index];

	for (int reads = 0; reads < READS_PER_DRAIN; reads++) {
		ssize_t length = read(fd, stream->bytes + stream->length, LOG_LINE_MAX - stream->length);

		if (length <= 0)
			return length < 0 && errno == EINTR;
		stream->length += (size_t)length;
		stream_consume(writer, index);
	}
	return true;
}

void log_feed(struct log_writer *writer, enum log_stream_index index, const char *bytes, size_t length)
{
	struct log_stream *stream = &writer->streams[index];

	while (length) {
		size_t room = LOG_LINE_MAX - stream->length, part = length < room ? length : room;

		memcpy(stream->bytes + stream->length, bytes, part);
		stream->length += part;
		bytes += part;
		length -= part;
		stream_consume(writer, index);
	}
}

void log_flush(struct log_writer *writer)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		struct log_stream *stream = &writer->streams[i];
		struct batch batch;

		if (!stream->length)
			continue;
		batch_begin(&batch, (enum log_stream_index)i);
		line_write(writer, &batch, stream->bytes, stream->length, true);
		batch_write(writer, &batch);
		stream->length = 0;
	}
}

void log_rest(struct log_writer *writer)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		if (writer->streams[i].bytes && !writer->streams[i].length)
			madvise(writer->streams[i].bytes, LOG_LINE_MAX, MADV_DONTNEED);
}
