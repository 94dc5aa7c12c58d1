/* Logs of one instance or of many as people read them: all lines in the order of their times, each behind the name of
 * its instance when there are several; then, if wanted, what is added. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/logs/logs_read.h"
#include "fleet/state/instance.h"

/* Nothing wakes a reader when a monitor is killed. */
#define LOOK_AGAIN_MS 1000
#define SINK_BYTES 65536

static const char *const colours[] = {
	"\033[36m", "\033[33m", "\033[32m", "\033[35m", "\033[34m", "\033[96m", "\033[93m", "\033[92m", "\033[95m"};
static const char colour_off[] = "\033[0m";

/* One instance. */
struct source {
	struct instance instance;
	struct log_reader reader;
	struct log_line line;
	bool has_line;	   /* `line` is read and not shown yet */
	bool ends;	   /* it has ended: what is there now is all */
	bool done;	   /* the same, and all is shown; or `until` has passed */
	const char *label; /* "site-3  | ", perhaps coloured; NULL: none */
};

struct sink {
	int fd;
	size_t used;
	char *bytes;
};

struct show {
	const struct logs_options *options;
	struct arena *arena;
	struct sink sinks[LOG_STREAMS];
	struct source *sources;
	size_t count;
	struct source **heap; /* those with a line, the earliest first */
	size_t heap_count;
	int watch;
	struct source **by_watch; /* by inotify's numbers, which begin at 1 */
	size_t watch_count;
};

static void show_drop(struct show *show)
{
	for (size_t i = 0; i < show->count; i++) {
		log_reader_drop(&show->sources[i].reader);
		instance_drop(&show->sources[i].instance);
	}
	fd_drop(&show->watch);
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

static int sink_flush(struct sink *sink, struct error *err)
{
	size_t used = sink->used;

	sink->used = 0;
	return used && write_all(sink->fd, sink->bytes, used) < 0 ? fail_errno(err, "write") : 0;
}

static int sinks_flush(struct show *show, struct error *err)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		if (sink_flush(&show->sinks[i], err) < 0)
			return -1;
	return 0;
}

static int sink_put(struct sink *sink, const char *bytes, size_t length, struct error *err)
{
	if (sink->used + length > SINK_BYTES && sink_flush(sink, err) < 0)
		return -1;
	if (length > SINK_BYTES)
		return write_all(sink->fd, bytes, length) < 0 ? fail_errno(err, "write") : 0;
	memcpy(sink->bytes + sink->used, bytes, length);
	sink->used += length;
	return 0;
}

static int line_show(struct show *show, const struct source *source, struct error *err)
{
	const struct log_line *line = &source->line;
	struct sink *sink = &show->sinks[line->stream];

	/* Both may be one terminal: the order of the lines must stay. */
	if (sink_flush(&show->sinks[1 - line->stream], err) < 0)
		return -1;
	if (source->label && sink_put(sink, source->label, strlen(source->label), err) < 0)
		return -1;
	if (line->time && show->options->timestamps && sink_put(sink, line->time, 25, err) < 0)
		return -1;
	if (sink_put(sink, line->text, line->length, err) < 0)
		return -1;
	if (source->label && line->text[line->length - 1] != '\n')
		return sink_put(sink, "\n", 1, err);
	return 0;
}

/* --- in the order of their times ---------------------------------------------------------------------------------- */

static bool comes_first(const struct source *a, const struct source *b)
{
	return a->line.at_ms != b->line.at_ms ? a->line.at_ms < b->line.at_ms : a < b;
}

static void heap_swap(struct show *show, size_t a, size_t b)
{
	struct source *kept = show->heap[a];

	show->heap[a] = show->heap[b];
	show->heap[b] = kept;
}

static void heap_sink(struct show *show, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < show->heap_count; child++)
			if (comes_first(show->heap[child], show->heap[least]))
				least = child;
		if (least == at)
			return;
		heap_swap(show, at, least);
		at = least;
	}
}

static void heap_add(struct show *show, struct source *source)
{
	size_t at = show->heap_count++;

	show->heap[at] = source;
	while (at && comes_first(show->heap[at], show->heap[(at - 1) / 2])) {
		heap_swap(show, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

/* The source's next line that is asked for: 1, or 0: none now. */
static int source_advance(const struct show *show, struct source *source, struct error *err)
{
	const struct logs_options *options = show->options;

	source->has_line = false;
	while (!source->done) {
		int result = log_reader_next(&source->reader, &source->line, err);

		if (result <= 0)
			return result;
		if (options->until_ms.set && source->line.at_ms > options->until_ms.value) {
			source->done = true;
			return 0;
		}
		if (options->since_ms.set && source->line.time && source->line.at_ms < options->since_ms.value)
			continue;
		source->has_line = true;
		return 1;
	}
	return 0;
}

static int source_offer(struct show *show, struct source *source, struct error *err)
{
	int result;

	if (source->has_line)
		return 0;
	result = source_advance(show, source, err);
	if (result == 1)
		heap_add(show, source);
	return result < 0 ? -1 : 0;
}

/* All lines that there are now. */
static int lines_show(struct show *show, struct error *err)
{
	while (show->heap_count) {
		struct source *source = show->heap[0];
		int result;

		if (line_show(show, source, err) < 0)
			return -1;
		result = source_advance(show, source, err);
		if (result < 0)
			return -1;
		if (result == 0)
			show->heap[0] = show->heap[--show->heap_count];
		heap_sink(show, 0);
	}
	return sinks_flush(show, err);
}

static int all_show(struct show *show, struct error *err)
{
	for (size_t i = 0; i < show->count; i++)
		if (source_offer(show, &show->sources[i], err) < 0)
			return -1;
	return lines_show(show, err);
}

/* --- following ---------------------------------------------------------------------------------------------------- */

static bool is_over(const struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance now = *instance;
	struct running running;
	struct error ignored;

	return !instance_is_monitored(&now) && instance_running_read(&arena, &now, &running, &ignored) < 0;
}

static int watch_add(struct show *show, struct source *source, int dir, uint32_t events, struct error *err)
{
	char path[64];
	int number;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	number = inotify_add_watch(show->watch, path, events);
	if (number < 0)
		return fail_errno(err, "watch the log of %s", source->instance.name);
	if ((size_t)number < show->watch_count)
		show->by_watch[number] = source;
	return 0;
}

static int watches_make(struct show *show, struct error *err)
{
	show->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (show->watch < 0)
		return fail_errno(err, "inotify_init1");
	show->watch_count = 2 * show->count + 1;
	show->by_watch = arena_new_array(show->arena, show->watch_count, struct source *);
	for (size_t i = 0; i < show->count; i++) {
		struct source *source = &show->sources[i];

		if (watch_add(show, source, source->reader.dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO, err) < 0)
			return -1;
		if (source->instance.live >= 0 && watch_add(show, source, source->instance.live, IN_DELETE, err) < 0)
			return -1;
	}
	return 0;
}

/* Those that have ended, to their last byte. Asked before the look, so that no line of them is missed. */
static int ended_collect(struct show *show, size_t *open, struct error *err)
{
	for (size_t i = 0; i < show->count; i++)
		show->sources[i].ends = !show->sources[i].done && is_over(&show->sources[i].instance);
	if (all_show(show, err) < 0)
		return -1;
	*open = 0;
	for (size_t i = 0; i < show->count; i++) {
		struct source *source = &show->sources[i];

		source->reader.over |= source->ends;
		if (source->ends && source_offer(show, source, err) < 0)
			return -1;
		*open += !source->done && !source->ends;
	}
	if (lines_show(show, err) < 0)
		return -1;
	for (size_t i = 0; i < show->count; i++)
		show->sources[i].done |= show->sources[i].ends;
	return 0;
}

/* Offers the lines of those whose files have changed; *ended: a record was deleted. */
static int changes_take(struct show *show, bool *ended, struct error *err)
{
	char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t length;

	while ((length = read(show->watch, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const struct inotify_event *)(events + at);

			*ended |= (event->mask & (IN_DELETE | IN_Q_OVERFLOW)) != 0;
			if (event->wd > 0 && (size_t)event->wd < show->watch_count &&
				source_offer(show, show->by_watch[event->wd], err) < 0)
				return -1;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	return 0;
}

static int64_t follow_deadline_ms(const struct show *show)
{
	if (!show->options->until_ms.set)
		return INT64_MAX;
	return clock_ms() + show->options->until_ms.value - clock_real_ms();
}

static int follow(struct show *show, struct error *err)
{
	int64_t deadline_ms = follow_deadline_ms(show), look_ms = 0;
	size_t open = show->count;
	bool ended = true;

	while (open && clock_ms() < deadline_ms) {
		struct pollfd change = {.fd = show->watch, .events = POLLIN};
		int64_t next_ms = look_ms + LOOK_AGAIN_MS;

		if (ended || clock_ms() >= next_ms) {
			look_ms = clock_ms();
			ended = false;
			if (ended_collect(show, &open, err) < 0)
				return -1;
			continue;
		}
		if (poll(&change, 1, clock_poll_ms(next_ms < deadline_ms ? next_ms : deadline_ms)) < 0 &&
			errno != EINTR)
			return fail_errno(err, "poll");
		if (change.revents && (changes_take(show, &ended, err) < 0 || lines_show(show, err) < 0))
			return -1;
	}
	return 0;
}

/* --- which, and how ----------------------------------------------------------------------------------------------- */

/* NULL: it has a log of ours. */
static const char *other_driver(struct arena *arena, const struct instance *instance)
{
	struct instance_spec spec;
	struct error ignored;

	/* One that is damaged may have a log all the same. */
	if (instance_spec_load(arena, instance->dir, instance->name, &spec, &ignored) < 0 ||
		text_equal(spec.logging.driver, LOG_DRIVER_FILE))
		return NULL;
	return spec.logging.driver;
}

static int fail_other(const struct instance *instance, const char *driver, struct error *err)
{
	if (text_equal(driver, LOG_DRIVER_JOURNALD))
		return fail(err, ERROR_USAGE, "the log of %s is in the journal: journalctl CONTAINER_NAME=%s",
			instance->name, instance->name);
	return fail(err, ERROR_USAGE, "%s keeps no log (\"logging\": {\"driver\": \"%s\"})", instance->name, driver);
}

static const char *label_make(const struct show *show, const char *name, size_t number, int width)
{
	if (!show->options->colour)
		return arena_format(show->arena, "%-*s | ", width, name);
	return arena_format(show->arena, "%s%-*s |%s ", colours[number % ARRAY_SIZE(colours)], width, name, colour_off);
}

static int source_open(struct show *show, struct host *host, const char *name, struct error *err)
{
	struct source *source = &show->sources[show->count];
	const char *driver;

	*source = (struct source){.instance = INSTANCE_EMPTY, .reader = {.dir = -1}};
	if (instance_find(host, name, &source->instance, err) < 0)
		return -1;
	driver = other_driver(show->arena, &source->instance);
	if (driver) {
		instance_drop(&source->instance);
		return fail_other(&source->instance, driver, err);
	}
	auto_fd dir = dir_create(host->log, name, 0700, err);
	show->count++;
	if (dir < 0 || log_reader_open(&source->reader, show->arena, take_fd(&dir), err) < 0)
		return -1;
	source->reader.over = !show->options->follow;
	if (show->options->since_ms.set)
		log_reader_since(&source->reader, show->options->since_ms.value);
	return show->options->tail.set ? log_reader_tail(&source->reader, show->options->tail.value, err) : 0;
}

/* Of several, one that has no log or has just been removed is no reason to show nothing. */
static int sources_open(struct show *show, struct host *host, const struct strings *names, struct error *err)
{
	int width = 0;

	for (size_t i = 0; i < names->count; i++) {
		size_t before = show->count;

		if (source_open(show, host, names->items[i], err) == 0)
			continue;
		if (names->count == 1 || (err->kind != ERROR_USAGE && err->kind != ERROR_MISSING))
			return blame(err, "logs of %s", names->items[i]);
		if (err->kind == ERROR_USAGE)
			log_warn("%s", err->text);
		show->count = before;
		forgive(err);
	}
	for (size_t i = 0; i < show->count; i++)
		if ((int)strlen(show->sources[i].instance.name) > width)
			width = (int)strlen(show->sources[i].instance.name);
	for (size_t i = 0; show->options->names && i < show->count; i++)
		show->sources[i].label = label_make(show, show->sources[i].instance.name, i, width);
	return 0;
}

/* Some descriptors for each instance. */
static void descriptors_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Watched before it is read, so that nothing comes in between unseen. */
static int show_run(struct show *show, struct host *host, const struct strings *names, struct error *err)
{
	if (sources_open(show, host, names, err) < 0 || (show->options->follow && watches_make(show, err) < 0) ||
		all_show(show, err) < 0)
		return -1;
	return show->options->follow ? follow(show, err) : 0;
}

int instances_logs(struct host *host, const struct strings *names, const struct logs_options *options, int out,
	int errout, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct show show = {
		.options = options,
		.arena = &arena,
		.sinks = {{.fd = out, .bytes = arena_alloc(&arena, SINK_BYTES)},
			{.fd = errout, .bytes = arena_alloc(&arena, SINK_BYTES)}},
		.sources = arena_new_array(&arena, names->count, struct source),
		.heap = arena_new_array(&arena, names->count, struct source *),
		.watch = -1,
	};
	int result;

	if (names->count > 100)
		descriptors_allow();
	result = show_run(&show, host, names, err);
	show_drop(&show);
	return result;
}

int instance_logs(
	struct host *host, const char *name, const struct logs_options *options, int out, int errout, struct error *err)
{
	const char *items[] = {name, NULL};
	struct strings names = {.items = items, .count = 1};

	return instances_logs(host, &names, options, out, errout, err);
}
