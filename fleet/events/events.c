/* Events: one line of JSON each, appended by whoever does the thing.
 *
 * O_APPEND and one write(2) keep lines of a thousand monitors whole. Nobody holds the file open: a monitor lives for
 * months and would write into a file that was put aside long ago. When it is full, whoever notices renames it, and it
 * replaces the one before: at most two files, on tmpfs. */
#include "fleet/events/events.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "fleet/logs/logs.h"

#define DETAIL_MAX 1024

const char *const event_kind_names[] = {"create", "start", "restart", "stop", "kill", "die", "oom", "health", "pause",
	"resume", "sleep", "wake", "update", "rename", "remove", "apply", "down", "rollback", "boot", NULL};

/* --- one line ----------------------------------------------------------------------------------------------------- */

/* The file's own form, which is what users read. */
struct event_line {
	const char *time;
	int64_t time_ms;
	enum event_kind kind;
	const char *name, *fleet, *reason, *detail;
	struct optional status, restarts;
};

static const struct field line_fields[] = {
	STRING("time", struct event_line, time, 0),
	INTEGER("time_ms", struct event_line, time_ms, 1, INT64_MAX, REQUIRED),
	ENUM("event", struct event_line, kind, event_kind_names, REQUIRED),
	STRING("name", struct event_line, name, 0),
	STRING("fleet", struct event_line, fleet, 0),
	STRING("reason", struct event_line, reason, 0),
	OPTIONAL("status", struct event_line, status, 0, INT64_MAX, 0),
	OPTIONAL("restarts", struct event_line, restarts, 0, INT64_MAX, 0),
	STRING("detail", struct event_line, detail, 0),
	END_OF_FIELDS,
};

bool event_parse(struct arena *arena, const char *line, size_t length, struct event *out)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct event_line read = {0};
	struct error ignored;

	if (json_parse(arena, "event", line, length, JSON_PLAIN, &doc, &ignored) < 0 ||
		decode_object(&decoder, doc.root, line_fields, &read, &ignored) < 0)
		return false;
	*out = (struct event){
		.kind = read.kind,
		.name = read.name,
		.fleet = read.fleet,
		.reason = read.reason,
		.detail = read.detail,
		.status = read.status,
		.restarts = read.restarts,
		.at_ms = read.time_ms,
	};
	return true;
}

/* Cut where a character ends, so that the line is as long as it may be and still UTF-8. */
static const char *detail_cut(struct arena *arena, const char *detail)
{
	size_t length = 0, step;

	if (!detail || strlen(detail) <= DETAIL_MAX)
		return detail;
	while ((step = utf8_length(detail + length, DETAIL_MAX + 4)) && length + step <= DETAIL_MAX)
		length += step;
	return arena_bytes(arena, detail, length);
}

static char *line_make(const struct event *event, size_t *length)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	char time[25];
	struct event_line line = {
		.time = time,
		.time_ms = event->at_ms ? event->at_ms : clock_real_ms(),
		.kind = event->kind,
		.name = event->name,
		.fleet = event->fleet,
		.reason = event->reason,
		.detail = detail_cut(&arena, event->detail),
		.status = event->status,
		.restarts = event->restarts,
	};

	log_time_format(line.time_ms, time);
	encode_object(encoder, NULL, line_fields, &line);
	auto_free char *text = encoder_take(encoder, length);

	++*length;
	return text_format("%s\n", text);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int log_append_open(const struct host *host)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int file = openat(host->run, EVENTS_DIRECTORY "/" EVENTS_FILE, flags, 0600);
	struct error ignored;

	if (file >= 0 || errno != ENOENT)
		return file;
	auto_fd made = dir_create(host->run, EVENTS_DIRECTORY, 0700, &ignored);

	return made < 0 ? -1 : openat(made, EVENTS_FILE, flags, 0600);
}

/* Of many who find it full one renames it; the others find a short one under the lock, or do not wait for the lock. */
static void log_rotate(const struct host *host)
{
	struct error ignored;
	auto_fd dir = dir_open(host->run, EVENTS_DIRECTORY, &ignored);
	auto_fd lock = dir < 0 ? -1 : lock_file(dir, EVENTS_LOCK, 0, &ignored);
	auto_fd file = lock < 0 ? -1 : openat(dir, EVENTS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (file >= 0 && lseek(file, 0, SEEK_END) >= EVENTS_FILE_BYTES &&
		renameat(dir, EVENTS_FILE, dir, EVENTS_FILE_OLD) < 0)
		log_debug("events: %s", strerror(errno));
}

void event_write(const struct host *host, const struct event *event)
{
	int saved = errno;
	size_t length;
	auto_free char *line = line_make(event, &length);
	auto_fd file = log_append_open(host);

	if (file < 0 || length > EVENTS_LINE_MAX || write(file, line, length) < 0)
		log_debug("an event is lost: %s", strerror(errno));
	/* Appending moves the offset to the file's end. */
	else if (lseek(file, 0, SEEK_CUR) >= EVENTS_FILE_BYTES)
		log_rotate(host);
	errno = saved;
}

/* --- of an instance ----------------------------------------------------------------------------------------------- */

static const char *fleet_of(struct arena *arena, const struct instance *instance)
{
	struct instance_spec spec;
	struct error ignored;

	return instance_spec_load(arena, instance->dir, instance->name, &spec, &ignored) < 0 ? NULL : spec.fleet;
}

void instance_event(const struct instance *instance, enum event_kind kind, const char *reason, const char *detail)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct event event = {.kind = kind,
		.name = instance->name,
		.fleet = fleet_of(&arena, instance),
		.reason = reason,
		.detail = detail};

	event_write(instance->host, &event);
}

void instance_event_end(const struct instance *instance, const struct exit_record *exit)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct event event = {.kind = EVENT_OOM, .name = instance->name, .fleet = fleet_of(&arena, instance)};

	if (exit->reason == END_OUT_OF_MEMORY)
		event_write(instance->host, &event);
	event.kind = EVENT_DIE;
	event.reason = end_reason_words[exit->reason];
	event.status = (struct optional){true, exit->status};
	event.restarts = (struct optional){exit->restarts > 0, exit->restarts};
	event.detail = exit->detail;
	event.at_ms = exit->at_ms;
	event_write(instance->host, &event);
}
