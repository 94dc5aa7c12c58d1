/* What all have used: running ones are added up to this moment first. */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/figures/usage.h"
#include "fleet/state/select.h"

int usage_month_check(const char *text, struct error *err)
{
	unsigned year, month;
	char rest;

	if (strlen(text) == 7 && sscanf(text, "%4u-%2u%c", &year, &month, &rest) == 2 && text[4] == '-' &&
		year >= 1970 && month >= 1 && month <= 12)
		return 0;
	return fail(err, ERROR_USAGE, "\"%s\": must be a month as in 2026-11", text);
}

static bool is_asked_for(const struct strings *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], name, 0) == 0)
			return true;
	return patterns->count == 0;
}

static bool instance_exists(const struct host *host, const char *name)
{
	return faccessat(host->instances, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of one that was removed meanwhile the figures are in the file of those that are gone, which is read later; what is
 * removed between the two is in both, under one id. */
static int ledger_lines(
	struct arena *arena, struct host *host, const char *name, struct usage_lines *lines, struct error *err)
{
	AUTO(arena_drop) struct arena of_run = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct usage_ledger ledger;
	struct running running;
	struct error not_running;

	if (instance_find(host, name, &instance, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	bool runs = instance_running_read(&of_run, &instance, &running, &not_running) == 0;

	if (usage_follow(arena, &instance, runs ? &running.run : NULL, &ledger, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	for (size_t i = 0; i < ledger.months.count; i++)
		usage_lines_add(arena, lines,
			&(struct usage_line){.name = name, .id = ledger.id, .usage = ledger.months.items[i]});
	return 0;
}

static int ledgers_read(struct arena *arena, struct host *host, const struct strings *patterns,
	struct usage_lines *lines, struct error *err)
{
	struct strings names;

	if (instance_names(arena, host, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (is_asked_for(patterns, names.items[i]) && ledger_lines(arena, host, names.items[i], lines, err) < 0)
			return -1;
	return 0;
}

static void rows_fill(struct arena *arena, struct host *host, const struct usage_lines *lines,
	const struct strings *patterns, const char *month, struct usage_list *out)
{
	out->items = arena_new_array(arena, lines->all.count, struct usage_row);
	for (size_t i = 0; i < lines->all.count; i++) {
		const struct usage_line *line = &lines->all.items[i];

		if (!is_asked_for(patterns, line->name) || (month && !text_equal(line->usage.month, month)))
			continue;
		out->items[out->count++] = (struct usage_row){
			.name = line->name, .exists = instance_exists(host, line->name), .usage = line->usage};
	}
}

int usage_read(struct arena *arena, struct host *host, const struct strings *patterns, const char *month,
	struct usage_list *out, struct error *err)
{
	struct usage_lines lines = {0};
	int result;

	*out = (struct usage_list){0};
	host_network_lend(host);
	result = ledgers_read(arena, host, patterns, &lines, err);
	host_network_return(host);
	if (result < 0 || usage_removed_read(arena, host, &lines, err) < 0)
		return -1;
	usage_lines_sum(&lines);
	rows_fill(arena, host, &lines, patterns, month, out);
	return 0;
}

struct forgetting {
	const struct host *host;
	const struct strings *patterns;
};

static bool is_gone_and_asked_for(void *context, const char *name)
{
	const struct forgetting *forgetting = context;

	return is_asked_for(forgetting->patterns, name) && !instance_exists(forgetting->host, name);
}

int usage_prune(struct host *host, const struct strings *patterns, size_t *count, struct error *err)
{
	struct forgetting forgetting = {.host = host, .patterns = patterns};

	return usage_removed_forget(host, is_gone_and_asked_for, &forgetting, count, err);
}
