/* events: what happened to instances, and what happens. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/lines.h"

struct events_options {
	bool follow, json;
	struct optional since, until;
	struct strings filters;
};

static const struct option events_table[] = {
	OPTION_FLAG("follow", 'f', "go on with what happens from now (or from --since) on, until --until",
		struct events_options, follow),
	OPTION_CUSTOM("since", 0, "TIME", "from then on: 10m ago, now, 2026-01-31T23:59:59Z, or seconds since 1970",
		struct events_options, since, moment_parse),
	OPTION_CUSTOM(
		"until", 0, "TIME", "up to then; in the future: +10m", struct events_options, until, moment_parse),
	OPTION_TEXTS("filter", 0, "KEY=PATTERN",
		"event, name, fleet or reason, as in event=die; several of one key: any", struct events_options,
		filters),
	OPTION_FLAG("json", 0, "print each as a line of JSON", struct events_options, json),
	END_OF_OPTIONS,
};

/* The line begins with its time as people read it. */
static void time_append(struct text *out, const char *line)
{
	static const char key[] = "{\"time\":\"";

	if (!strncmp(line, key, strlen(key)))
		text_appendf(out, "%.24s ", line + strlen(key));
}

static bool print_json(void *context, const struct event *event, const char *line)
{
	(void)context, (void)event;
	return puts(line) >= 0 && fflush(stdout) == 0;
}

static bool print_plain(void *context, const struct event *event, const char *line)
{
	AUTO(text_drop) struct text out = {0};

	(void)context;
	time_append(&out, line);
	text_appendf(&out, "%-7s %s", event_kind_names[event->kind], event->name ? event->name : "host");
	if (event->fleet && strcmp(event->fleet, event->name ? event->name : "") != 0)
		text_appendf(&out, " fleet=%s", event->fleet);
	if (event->reason)
		text_appendf(&out, " reason=%s", event->reason);
	if (event->status.set)
		text_appendf(&out, " status=%lld", (long long)event->status.value);
	if (event->restarts.set)
		text_appendf(&out, " restarts=%lld", (long long)event->restarts.value);
	if (event->detail)
		text_appendf(&out, " %s", event->detail);
	lines_print(stdout, terminal_width(stdout), 4, text_string(&out));
	return !ferror(stdout) && fflush(stdout) == 0;
}

static int events_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct events_options *chosen = options;
	struct events_request request = {
		.follow = chosen->follow,
		.since_ms = chosen->since,
		.until_ms = chosen->until,
		.filters = chosen->filters,
		.each = chosen->json ? print_json : print_plain,
	};

	/* As with docker and journalctl: who follows wants what comes. */
	if (chosen->follow && !chosen->since.set)
		request.since_ms = (struct optional){true, clock_real_ms()};
	for (size_t i = 0; i < count; i++)
		strings_add(&cli->arena, &request.filters, arena_format(&cli->arena, "name=%s", operands[i]));
	return cli_open(cli, err) < 0 ? -1 : events_read(&cli->host, &request, err);
}

const struct command events_command = {
	.name = "events",
	.operands = "[options] [NAME…]",
	.summary = "show what happened to instances: starts, ends and why, changes",
	.example = "warren events --since 1h --filter event=die --filter event=oom\nwarren events -f --json 'site-*'",
	.options = events_table,
	.options_size = sizeof(struct events_options),
	.operands_max = SIZE_MAX,
	.run = events_run,
};
