/* Why an instance has ended, kept over its restarts: the last ten ends, each with what its log said before.
 *
 * One line of JSON each, appended to instances/<name>/ends.log by whoever writes exit.json (monitor.lock is held or
 * nobody can take it). The file is rewritten with the last ten when it has grown; a line that a power cut has torn is
 * passed over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/logs/logs_read.h"
#include "fleet/monitor/finish.h"
#include "fleet/state/instance.h"

#define ENDS_FILE "ends.log"
#define ENDS_KEPT 10
#define ENDS_FILE_BYTES (128 << 10)
#define ENDS_READ_MAX (1 << 20)
#define LOG_LINES 20
#define LOG_TEXT_MAX 200

/* --- the record --------------------------------------------------------------------------------------------------- */

/* The words of enum end_reason: see record.c. */
static const struct field end_fields[] = {
	ENUM("reason", struct end_report, reason, end_reason_words, REQUIRED),
	INTEGER("status", struct end_report, status, 0, 255, REQUIRED),
	INTEGER("at_ms", struct end_report, at_ms, 0, INT64_MAX, REQUIRED),
	INTEGER("lived_ms", struct end_report, lived_ms, 0, INT64_MAX, 0),
	INTEGER("oom_kills", struct end_report, oom_kills, 0, INT64_MAX, 0),
	INTEGER("restarts", struct end_report, restarts, 0, INT64_MAX, 0),
	STRING("detail", struct end_report, detail, 0),
	STRINGS("log", struct end_report, log, 0),
	END_OF_FIELDS,
};

static bool was_asked_for(const struct exit_record *exit)
{
	return exit->reason == END_STOPPED || exit->reason == END_KILLED || exit->reason == END_REBOOT ||
	       exit->reason == END_RESTART || (exit->reason == END_EXITED && exit->status == 0);
}

/* "2026-01-31T23:59:59.123Z stderr text", the text perhaps cut. */
static const char *line_keep(struct arena *arena, const struct log_line *line)
{
	size_t length = line->length;
	bool cut = length > LOG_TEXT_MAX;

	while (length && (line->text[length - 1] == '\n' || line->text[length - 1] == '\r'))
		length--;
	return arena_format(arena, "%.24s %s %.*s%s", line->time, line->stream == LOG_STDERR ? "stderr" : "stdout",
		(int)(cut ? LOG_TEXT_MAX : length), line->text, cut ? "…" : "");
}

/* The last lines that this run wrote; none when it keeps no log. */
static void log_collect(struct arena *arena, const struct instance *instance, int64_t since_ms, struct strings *out)
{
	int dir = openat(instance->host->log, instance->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct log_reader reader;
	struct log_line line;
	struct error ignored;

	if (dir < 0 || log_reader_open(&reader, arena, dir, &ignored) < 0)
		return;
	reader.over = true;
	if (log_reader_tail(&reader, LOG_LINES, &ignored) == 0)
		while (log_reader_next(&reader, &line, &ignored) == 1)
			if (line.time && line.at_ms >= since_ms)
				strings_add(arena, out, line_keep(arena, &line));
	log_reader_drop(&reader);
}

static char *line_make(struct instance *instance, const struct run *run, const struct exit_record *exit, size_t *length)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct end_report end = {
		.reason = exit->reason,
		.status = exit->status,
		.at_ms = exit->at_ms,
		.lived_ms = run->started_ms && exit->at_ms > run->started_ms ? exit->at_ms - run->started_ms : 0,
		.oom_kills = exit->oom_kills,
		.restarts = run->restarts,
		.detail = exit->detail,
	};

	if (!was_asked_for(exit))
		log_collect(&arena, instance, run->started_ms, &end.log);
	encode_object(encoder, NULL, end_fields, &end);
	return encoder_take(encoder, length);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* Where the last `count` lines begin. */
static size_t lines_behind(const char *text, size_t length, size_t count)
{
	size_t at = length;

	while (at) {
		if (at < length && text[at - 1] == '\n' && --count == 0)
			return at;
		at--;
	}
	return 0;
}

/* The last nine, and this one. */
static int file_shorten(int dir, const char *line, size_t length, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text all = {0};
	const char *old;
	size_t old_length, begin;

	if (file_read(&arena, dir, ENDS_FILE, ENDS_READ_MAX, &old, &old_length, err) < 0)
		old_length = 0; /* too large or unreadable: begun anew */
	begin = old_length ? lines_behind(old, old_length, ENDS_KEPT - 1) : 0;
	if (old_length)
		text_append_bytes(&all, old + begin, old_length - begin);
	if (old_length && old[old_length - 1] != '\n')
		text_append(&all, "\n");
	text_append_bytes(&all, line, length);
	text_append(&all, "\n");
	return file_replace(dir, ENDS_FILE, 0600, FILE_ORDERED, text_string(&all), all.length, err);
}

static bool ends_in_line_break(int fd, off_t size)
{
	char last;

	return size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

static int line_append(int dir, const char *line, size_t length, struct error *err)
{
	auto_fd fd = openat(dir, ENDS_FILE, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return fail_errno(err, "open %s", ENDS_FILE);
	if (status.st_size + (off_t)length > ENDS_FILE_BYTES)
		return file_shorten(dir, line, length, err);
	AUTO(text_drop) struct text whole = {0};

	if (!ends_in_line_break(fd, status.st_size))
		text_append(&whole, "\n");
	text_append_bytes(&whole, line, length);
	text_append(&whole, "\n");
	return write_all(fd, whole.data, whole.length) < 0 ? fail_errno(err, "write %s", ENDS_FILE) : 0;
}

void ends_note(struct instance *instance, const struct run *run, const struct exit_record *exit)
{
	size_t length;
	auto_free char *line = line_make(instance, run, exit, &length);
	struct error err;

	if (line_append(instance->dir, line, length, &err) < 0)
		log_debug("%s: %s", instance->name, err.text);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool line_read(struct arena *arena, const char *line, size_t length, struct end_report *out)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct error ignored;

	*out = (struct end_report){0};
	return json_parse(arena, ENDS_FILE, line, length, JSON_PLAIN, &doc, &ignored) == 0 &&
	       decode_object(&decoder, doc.root, end_fields, out, &ignored) == 0;
}

static void lines_read(struct arena *arena, const char *text, size_t length, struct end_list *out)
{
	const char *end = text + length, *next;

	for (text += lines_behind(text, length, ENDS_KEPT); text < end && out->count < ENDS_KEPT; text = next) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		stop = stop ? stop : end;
		next = stop + 1;
		if (stop > text && line_read(arena, text, (size_t)(stop - text), &out->items[out->count]))
			out->count++;
	}
}

int instance_ends_read(
	struct arena *arena, struct host *host, const char *name, struct end_list *out, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	const char *text;
	size_t length;

	*out = (struct end_list){.items = arena_new_array(arena, ENDS_KEPT, struct end_report)};
	if (instance_find(host, name, &instance, err) < 0)
		return -1;
	if (file_read(arena, instance.dir, ENDS_FILE, ENDS_READ_MAX, &text, &length, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : blame(err, "ends of %s", name);
	lines_read(arena, text, length, out);
	return 0;
}
