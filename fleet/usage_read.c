/* What all have used: running ones are added up to this moment first. */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/select.h"
#include "fleet/usage.h"

#define LEDGERS_MAX 1048576

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

static void running_note(struct host *host, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	struct error ignored;

	if (instance_find(host, name, &instance, &ignored) == 0 &&
		instance_running_read(&arena, &instance, &running, &ignored) == 0)
		usage_note(&instance, &running.run, false);
}

static int names_compare(const void *a, const void *b)
{
	return instance_name_compare(*(const char *const *)a, *(const char *const *)b);
}

static int ledgers_list(
	struct arena *arena, struct host *host, const struct strings *patterns, struct strings *out, struct error *err)
{
	struct strings all = {0};
	auto_fd dir = dir_create(host->lib, USAGE_DIRECTORY, 0700, err);

	*out = (struct strings){0};
	if (dir < 0 || dir_list(arena, dir, LEDGERS_MAX, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		if (is_asked_for(patterns, all.items[i]))
			strings_add(arena, out, all.items[i]);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), names_compare);
	return 0;
}

static bool instance_exists(const struct host *host, const char *name)
{
	return faccessat(host->instances, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct rows {
	struct usage_list *list;
	size_t room;
};

static void row_add(struct arena *arena, struct rows *rows, const struct usage_row *row)
{
	struct usage_list *list = rows->list;

	if (list->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 64;
		struct usage_row *items = arena_new_array(arena, room, struct usage_row);

		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		rows->room = room;
	}
	list->items[list->count++] = *row;
}

static int ledger_rows(struct arena *arena, struct host *host, const char *name, const char *month, struct rows *rows,
	struct error *err)
{
	struct usage_ledger ledger;
	auto_fd dir = usage_open(host, name, false, err);

	if (dir < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	usage_load(arena, dir, &ledger);
	for (size_t i = 0; i < ledger.months.count; i++) {
		struct usage_row row = {
			.name = name, .exists = instance_exists(host, name), .usage = ledger.months.items[i]};

		if (!month || text_equal(row.usage.month, month))
			row_add(arena, rows, &row);
	}
	return 0;
}

int usage_read(struct arena *arena, struct host *host, const struct strings *patterns, const char *month,
	struct usage_list *out, struct error *err)
{
	struct rows rows = {.list = out};
	struct strings names;

	*out = (struct usage_list){0};
	if (instance_names(arena, host, &names, err) < 0)
		return -1;
	host_network_lend(host);
	for (size_t i = 0; i < names.count; i++)
		if (is_asked_for(patterns, names.items[i]))
			running_note(host, names.items[i]);
	host_network_return(host);
	if (ledgers_list(arena, host, patterns, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (ledger_rows(arena, host, names.items[i], month, &rows, err) < 0)
			return -1;
	return 0;
}

int usage_prune(struct host *host, const struct strings *patterns, size_t *count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;

	*count = 0;
	if (ledgers_list(&arena, host, patterns, &names, err) < 0)
		return -1;
	auto_fd parent = dir_open(host->lib, USAGE_DIRECTORY, err);

	for (size_t i = 0; parent >= 0 && i < names.count; i++) {
		/* Its lock is held: nobody writes what is about to go. */
		auto_fd dir = usage_open(host, names.items[i], false, err);

		if (dir < 0 && err->kind != ERROR_MISSING)
			return -1;
		if (dir < 0 || instance_exists(host, names.items[i]))
			continue;
		if (tree_remove(parent, names.items[i], err) < 0)
			return -1;
		++*count;
	}
	return parent < 0 ? -1 : 0;
}
