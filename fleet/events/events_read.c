/* Reading events: the file that was put aside, the present one, and then, if wanted, what is added.
 *
 * A line counts when its end is there. While we follow, the file may be put aside under us: then it is read to its end,
 * and once more at the next wake-up, for a writer that had opened it before. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/suggest.h"
#include "fleet/events/events.h"

#define BLOCK 65536

/* --- filters ------------------------------------------------------------------------------------------------------ */

enum filter_key { FILTER_EVENT, FILTER_NAME, FILTER_FLEET, FILTER_REASON, FILTER_KEYS };
static const char *const filter_names[] = {"event", "name", "fleet", "reason", NULL};

static const char *filter_value(const struct event *event, enum filter_key key)
{
	const char *const values[] = {[FILTER_EVENT] = event_kind_names[event->kind],
		[FILTER_NAME] = event->name,
		[FILTER_FLEET] = event->fleet,
		[FILTER_REASON] = event->reason};

	return values[key] ? values[key] : "";
}

static bool filter_is_for(const char *filter, enum filter_key key)
{
	size_t length = strlen(filter_names[key]);

	return !strncmp(filter, filter_names[key], length) && filter[length] == '=';
}

/* Those of one key are alternatives, and each key that is there must be met. */
static bool is_wanted(const struct strings *filters, const struct event *event)
{
	for (int key = 0; key < FILTER_KEYS; key++) {
		bool asked = false, met = false;

		for (size_t i = 0; i < filters->count && !met; i++) {
			if (!filter_is_for(filters->items[i], key))
				continue;
			asked = true;
			met = fnmatch(strchr(filters->items[i], '=') + 1, filter_value(event, key), 0) == 0;
		}
		if (asked && !met)
			return false;
	}
	return true;
}

static bool is_event_kind(const char *word)
{
	for (size_t i = 0; event_kind_names[i]; i++)
		if (!strcmp(event_kind_names[i], word))
			return true;
	return strpbrk(word, "*?[") != NULL;
}

static int filter_check(const char *filter, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *equals = strchr(filter, '='), *guess;
	bool known = false;

	for (int key = 0; key < FILTER_KEYS; key++)
		known = known || filter_is_for(filter, key);
	if (!equals || !known)
		return fail(err, ERROR_USAGE, "filter \"%s\": must be event=, name=, fleet= or reason= and a pattern",
			filter);
	if (!filter_is_for(filter, FILTER_EVENT) || is_event_kind(equals + 1))
		return 0;
	guess = suggest_from(equals + 1, event_kind_names);
	return fail(err, ERROR_USAGE, "filter \"%s\": no such event%s%s%s", filter, guess ? "; did you mean \"" : "",
		guess ? guess : "", guess ? "\"?" : "");
}

/* --- one file ----------------------------------------------------------------------------------------------------- */

struct reading {
	const struct events_request *request;
	int dir, file, aside; /* aside: put aside while we followed; -1 */
	off_t at, aside_at;
	bool over;
};

static void line_give(struct reading *reading, const char *line, size_t length)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct events_request *request = reading->request;
	struct event event;

	if (!event_parse(&arena, line, length, &event))
		return;
	if (request->until_ms.set && event.at_ms > request->until_ms.value)
		return;
	if ((request->since_ms.set && event.at_ms < request->since_ms.value) || !is_wanted(&request->filters, &event))
		return;
	if (!request->each(request->context, &event, arena_bytes(&arena, line, length)))
		reading->over = true;
}

/* Lines from *at on; *at is behind the last whole one afterwards. */
static int file_read_lines(struct reading *reading, int file, off_t *at, struct error *err)
{
	char bytes[BLOCK];
	ssize_t got = 0;

	while (!reading->over && (got = pread(file, bytes, sizeof(bytes), *at)) > 0) {
		const char *line = bytes, *end = bytes + got, *stop;

		for (; !reading->over && (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1)
			line_give(reading, line, (size_t)(stop - line));
		if (line == bytes && (size_t)got < sizeof(bytes))
			return 0; /* its end is being written */
		*at += line == bytes ? got : line - bytes;
	}
	return !reading->over && got < 0 ? fail_errno(err, "read the events") : 0;
}

static int log_open_read(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool files_are_same(int a, int b)
{
	struct stat one, other;

	return a >= 0 && b >= 0 && fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino;
}

/* The newer one is opened first: put aside in between, it is the same file twice rather than none. */
static int past_read(struct reading *reading, struct error *err)
{
	off_t at = 0;

	reading->file = log_open_read(reading->dir, EVENTS_FILE);
	auto_fd old = log_open_read(reading->dir, EVENTS_FILE_OLD);

	if (old >= 0 && !files_are_same(old, reading->file) && file_read_lines(reading, old, &at, err) < 0)
		return -1;
	return reading->file < 0 ? 0 : file_read_lines(reading, reading->file, &reading->at, err);
}

/* --- what comes --------------------------------------------------------------------------------------------------- */

static int new_read(struct reading *reading, struct error *err)
{
	if (reading->aside >= 0 && file_read_lines(reading, reading->aside, &reading->aside_at, err) < 0)
		return -1;
	if (reading->file >= 0 && file_read_lines(reading, reading->file, &reading->at, err) < 0)
		return -1;
	auto_fd now = log_open_read(reading->dir, EVENTS_FILE);

	if (now < 0 || files_are_same(now, reading->file))
		return 0;
	fd_drop(&reading->aside);
	reading->aside = take_fd(&reading->file);
	reading->aside_at = reading->at;
	reading->file = take_fd(&now);
	reading->at = 0;
	return file_read_lines(reading, reading->file, &reading->at, err);
}

static int watch_open(int dir, struct error *err)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	if (watch < 0)
		return fail_errno(err, "inotify_init1");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return fail_errno(err, "watch the events");
	return take_fd(&watch);
}

/* 1: something was written; 0: the time is over or a signal came. */
static int change_await(const struct reading *reading, int watch, struct error *err)
{
	struct pollfd change = {.fd = watch, .events = POLLIN};
	const struct optional *until_ms = &reading->request->until_ms;
	char events[4096];
	int ready;

	do {
		int64_t left_ms = until_ms->set ? until_ms->value - clock_real_ms() : 3600000;

		if (left_ms < 0)
			return 0;
		ready = poll(&change, 1, left_ms > 3600000 ? 3600000 : (int)left_ms);
	} while (ready == 0);
	if (ready < 0)
		return errno == EINTR ? 0 : fail_errno(err, "wait for events");
	return read(watch, events, sizeof(events)) < 0 && errno != EAGAIN ? fail_errno(err, "wait for events") : 1;
}

static int reading_run(struct reading *reading, struct error *err)
{
	auto_fd watch = reading->request->follow ? watch_open(reading->dir, err) : -1;
	int changed = 1;

	if ((reading->request->follow && watch < 0) || past_read(reading, err) < 0)
		return -1;
	while (reading->request->follow && !reading->over && changed > 0) {
		changed = change_await(reading, watch, err);
		if (changed < 0 || (changed && new_read(reading, err) < 0))
			return -1;
	}
	return 0;
}

int events_read(struct host *host, const struct events_request *request, struct error *err)
{
	struct reading reading = {.request = request, .file = -1, .aside = -1};
	int result;

	for (size_t i = 0; i < request->filters.count; i++)
		if (filter_check(request->filters.items[i], err) < 0)
			return -1;
	auto_fd dir = dir_create(host->run, EVENTS_DIRECTORY, 0700, err);

	if (dir < 0)
		return -1;
	reading.dir = dir;
	result = reading_run(&reading, err);
	fd_drop(&reading.file);
	fd_drop(&reading.aside);
	return result;
}
