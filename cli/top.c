/* top: what instances use, live on a terminal; the same list once where there is none. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/figures.h"
#include "cli/screen.h"
#include "cli/top_view.h"

#define INTERVAL_MS 2000
#define FIRST_INTERVAL_MS 300 /* what is reckoned by the second needs two samples; nobody likes to wait */

struct top_options {
	struct optional interval;
	const char *sort;
	bool once, fleets;
};

static const struct option top_table[] = {
	OPTION_DURATION(
		"interval", 'i', "TIME", "time between two samples (default: 2s)", struct top_options, interval),
	OPTION_TEXT("sort", 's', "KEY", "cpu, memory, name, pids, network, disk or restarts (default: cpu)",
		struct top_options, sort),
	OPTION_FLAG("fleets", 0, "sums for each fleet", struct top_options, fleets),
	OPTION_FLAG("once", '1', "one list, as when the output is no terminal", struct top_options, once),
	END_OF_OPTIONS,
};

/* --- samples: the one before is needed for the next --------------------------------------------------------------- */

struct samples {
	struct cli *cli;
	struct strings patterns;
	struct arena arenas[2];
	struct stats_sample items[2];
	int now;
};

static void samples_drop(struct samples *samples)
{
	arena_drop(&samples->arenas[0]);
	arena_drop(&samples->arenas[1]);
}

static int sample_next(struct samples *samples, struct error *err)
{
	int next = !samples->now;
	struct arena *arena = &samples->arenas[next];
	struct strings names = {0}, none = {0};

	arena_drop(arena);
	if (samples->patterns.count &&
		instance_select(arena, &samples->cli->host, &samples->patterns, &none, &names, err) < 0)
		return -1;
	samples->now = next;
	/* A pattern that nothing matches any more does not mean all. */
	if (samples->patterns.count && !names.count) {
		samples->items[next] = (struct stats_sample){0};
		return 0;
	}
	return instance_stats_read(
		arena, &samples->cli->host, &names, STATS_PLAIN, &samples->items[!next], &samples->items[next], err);
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

static struct optional meminfo(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	long long kib;

	if (!at || sscanf(at + strlen(key), " %lld", &kib) != 1)
		return (struct optional){0};
	return (struct optional){true, kib * 1024};
}

static struct top_host host_look(struct arena *arena)
{
	struct top_host host = {.processors_milli = figures_host_milli()};
	time_t now = time(NULL);
	struct tm parts;
	char text[16];
	const char *memory;
	struct error ignored;

	localtime_r(&now, &parts);
	strftime(text, sizeof(text), "%H:%M:%S", &parts);
	host.time = arena_string(arena, text);
	if (file_read(arena, AT_FDCWD, "/proc/meminfo", 65536, &memory, NULL, &ignored) < 0)
		return host;
	host.memory_bytes = meminfo(memory, "MemTotal:");
	host.memory_available_bytes = meminfo(memory, "MemAvailable:");
	return host;
}

/* --- live --------------------------------------------------------------------------------------------------------- */

static void draw(const struct screen *screen, struct top_view *view, const struct samples *samples)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text frame = {0};
	struct top_host host = host_look(&arena);

	view->rows = screen->rows;
	view->columns = screen->columns;
	top_view_draw(&arena, view, &samples->items[samples->now], &host, &frame);
	screen_draw(screen, &frame);
}

static int live_run(
	struct samples *samples, struct top_view *view, struct screen *screen, int64_t interval_ms, struct error *err)
{
	int64_t due_ms = clock_ms() + (interval_ms < FIRST_INTERVAL_MS ? interval_ms : FIRST_INTERVAL_MS);
	int key = 0;

	if (sample_next(samples, err) < 0)
		return -1;
	for (;;) {
		draw(screen, view, samples);
		switch (screen_wait(screen, view->paused ? interval_ms : due_ms - clock_ms(), &key)) {
		case SCREEN_END:
			return 0;
		case SCREEN_RESIZED:
			break;
		case SCREEN_KEY:
			if (!top_view_key(view, key))
				return 0;
			break;
		case SCREEN_TIME:
			if (!view->paused && sample_next(samples, err) < 0)
				return -1;
			due_ms = clock_ms() + interval_ms;
			break;
		}
	}
}

static int live(struct samples *samples, struct top_view *view, int64_t interval_ms, struct error *err)
{
	AUTO(screen_close) struct screen screen = SCREEN_CLOSED;

	if (screen_open(&screen, err) < 0)
		return -1;
	return live_run(samples, view, &screen, interval_ms, err);
}

static int once(struct samples *samples, const struct top_view *view, int64_t interval_ms, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	if (sample_next(samples, err) < 0)
		return -1;
	poll(NULL, 0, (int)interval_ms);
	if (sample_next(samples, err) < 0)
		return -1;
	top_view_list(&arena, view, &samples->items[samples->now], stdout);
	return 0;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int sort_parse(const char *text, enum top_sort *out, struct error *err)
{
	static const char *const names[] = {"cpu", "memory", "name", "pids", "network", "disk", "restarts"};

	for (int i = 0; i < TOP_SORTS; i++)
		if (!strcmp(text, names[i])) {
			*out = (enum top_sort)i;
			return 0;
		}
	return fail(
		err, ERROR_USAGE, "--sort \"%s\": must be cpu, memory, name, pids, network, disk or restarts", text);
}

static int top_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct top_options *chosen = options;
	AUTO(samples_drop) struct samples samples = {.cli = cli};
	int64_t interval_ms = chosen->interval.set ? chosen->interval.value : INTERVAL_MS;
	bool is_live = !chosen->once && screen_is_possible();
	struct top_view view;

	top_view_init(&view);
	view.by_fleet = chosen->fleets;
	if (interval_ms < 100)
		return fail(err, ERROR_USAGE, "--interval: must be at least 100ms");
	if (chosen->sort && sort_parse(chosen->sort, &view.sort, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		strings_add(&cli->arena, &samples.patterns, operands[i]);
	if (cli_open(cli, err) < 0)
		return -1;
	if (!is_live)
		return once(&samples, &view, chosen->interval.set ? interval_ms : FIRST_INTERVAL_MS, err);
	return live(&samples, &view, interval_ms, err);
}

const struct command top_command = {
	.name = "top",
	.operands = "[options] [NAME…]",
	.summary = "show live which instances use most",
	.example = "warren top\nwarren top --once --sort memory 'site-*'",
	.options = top_table,
	.options_size = sizeof(struct top_options),
	.operands_max = SIZE_MAX,
	.run = top_run,
};
