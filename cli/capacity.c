/* capacity: how many more fit, what is promised, and who could do with less. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/figures.h"
#include "cli/lines.h"
#include "cli/table.h"

#define SYSCTLS_SHOWN 100 /* those that are enough for more are not worth a line */

struct capacity_options {
	bool json, all;
	const char *like;
	struct optional memory, pids, disk, cpus;
};

static int cpus_option(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct optional *out = member;

	(void)arena;
	out->set = true;
	return cpus_parse(value, &out->value, err);
}

static const struct option capacity_table[] = {
	OPTION_TEXT("like", 0, "NAME", "one more as this one (default: the average of those that run)",
		struct capacity_options, like),
	OPTION_SIZE("memory", 'm', "SIZE", "memory that one more takes", struct capacity_options, memory),
	OPTION_CUSTOM("cpus", 0, "NUMBER", "processors that it takes", struct capacity_options, cpus, cpus_option),
	OPTION_INTEGER("pids", 0, "NUMBER", "processes that it has", struct capacity_options, pids, 1, 4194304),
	OPTION_SIZE("disk", 0, "SIZE", "disk space that it takes", struct capacity_options, disk),
	OPTION_FLAG(
		"all", 'a', "all settings of the kernel, also those with plenty of room", struct capacity_options, all),
	OPTION_FLAG("json", 0, "print JSON", struct capacity_options, json),
	END_OF_OPTIONS,
};

/* --- for people --------------------------------------------------------------------------------------------------- */

static struct cell amount(struct arena *arena, const struct capacity_bound *bound, int64_t value)
{
	struct optional figure = {true, value};

	if (!strcmp(bound->unit, "bytes"))
		return cell_bytes(arena, figure);
	return !strcmp(bound->unit, "milli") ? cell_decimal(arena, figure, 3) : cell_count(arena, figure);
}

static bool is_worth_a_line(const struct capacity_bound *bound, bool all)
{
	return all || (bound->fits >= 0 && bound->fits < SYSCTLS_SHOWN);
}

static int bounds_print(
	struct arena *arena, const struct capacity *capacity, bool settings, bool all, struct error *err)
{
	const struct column columns[] = {
		{.title = settings ? "SETTING" : "RESOURCE", .key = ""},
		{.title = "HAVE", .key = "", .kind = COLUMN_NUMBER},
		{.title = "TAKEN", .key = "", .kind = COLUMN_NUMBER},
		{.title = "ONE-MORE", .key = "", .kind = COLUMN_NUMBER},
		{.title = "FIT", .key = "", .kind = COLUMN_NUMBER},
	};
	struct table table;

	table_init(&table, arena, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < capacity->bounds.count; i++) {
		const struct capacity_bound *bound = &capacity->bounds.items[i];

		if ((bound->basis == CAPACITY_SETTING) != settings || (settings && !is_worth_a_line(bound, all)))
			continue;
		struct cell *row = table_row(&table);

		row[0].text = bound->resource;
		row[1] = amount(arena, bound, bound->have);
		row[2] = amount(arena, bound, bound->taken);
		row[3] = amount(arena, bound, bound->each);
		row[4].text = bound->fits < 0 ? "any" : arena_format(arena, "%lld", (long long)bound->fits);
	}
	if (!table.row_count)
		return 0;
	if (settings)
		printf("\nSettings to raise for more busy instances (warren doctor says how):\n");
	return table_print(&table, &(struct table_options){0}, stdout, err);
}

static const char *count_text(struct arena *arena, int64_t fits)
{
	return fits < 0 ? "any number" : arena_format(arena, "%lld", (long long)fits);
}

static void fits_print(struct arena *arena, const struct capacity *capacity)
{
	int64_t used = capacity->fits[CAPACITY_USED], promised = capacity->fits[CAPACITY_PROMISED];
	const char *filled = "";

	if (promised >= 0 && promised < used)
		filled = arena_format(arena, ", and %s if all fill their limits (%s)", count_text(arena, promised),
			capacity->first[CAPACITY_PROMISED]);
	printf("\n");
	lines_print(stdout, terminal_width(stdout), 2,
		arena_format(arena, "Like %s, %s more fit by what is used (first short: %s)%s.",
			capacity->like ? capacity->like : "the average", count_text(arena, used),
			capacity->first[CAPACITY_USED], filled));
}

static int waste_print(struct arena *arena, const struct capacity *capacity, struct error *err)
{
	static const struct column columns[] = {
		{.title = "COULD-DO-WITH-LESS", .key = ""},
		{.title = "LIMIT", .key = "", .kind = COLUMN_NUMBER},
		{.title = "USED", .key = "", .kind = COLUMN_NUMBER},
		{.title = "PEAK", .key = "", .kind = COLUMN_NUMBER},
		{.title = "OF-LIMIT", .key = "", .kind = COLUMN_NUMBER},
		{.title = "SUGGESTED", .key = "", .kind = COLUMN_NUMBER},
	};
	struct table table;
	char buffer[24];

	if (!capacity->waste.count)
		return 0;
	printf("\n");
	table_init(&table, arena, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < capacity->waste.count; i++) {
		const struct capacity_waste *waste = &capacity->waste.items[i];
		struct optional limit = {true, waste->limit_bytes}, used = {true, waste->used_bytes},
				peak = {waste->peak_bytes > 0, waste->peak_bytes};
		struct cell *row = table_row(&table);

		row[0].text = waste->name;
		row[1] = cell_bytes(arena, limit);
		row[2] = cell_bytes(arena, used);
		row[3] = cell_bytes(arena, peak);
		row[4].text = arena_format(
			arena, "%lld%%", (long long)figures_share(peak.set ? peak : used, limit).value / 10);
		row[5] = cell_bytes(arena, (struct optional){true, waste->suggested_bytes});
	}
	if (table_print(&table, &(struct table_options){0}, stdout, err) < 0)
		return -1;
	lines_print(stdout, terminal_width(stdout), 2,
		arena_format(arena,
			"Smaller limits would take %s back: warren set NAME --memory SIZE, or \"memory\" in the "
			"fleet's file.",
			size_format(capacity->waste_bytes, buffer)));
	return 0;
}

/* --- for scripts -------------------------------------------------------------------------------------------------- */

static const char *const basis_names[] = {
	[CAPACITY_USED] = "used", [CAPACITY_PROMISED] = "promised", [CAPACITY_SETTING] = "settings"};

static void fits_encode(struct encoder *encoder, const struct capacity *capacity)
{
	encode_object_begin(encoder, "fits");
	for (int basis = 0; basis <= CAPACITY_SETTING; basis++)
		if (capacity->fits[basis] >= 0)
			encode_integer(encoder, basis_names[basis], capacity->fits[basis]);
	encode_object_end(encoder);
	encode_object_begin(encoder, "first_short");
	for (int basis = 0; basis <= CAPACITY_SETTING; basis++)
		encode_string(encoder, basis_names[basis], capacity->first[basis]);
	encode_object_end(encoder);
}

static void bounds_encode(struct encoder *encoder, const struct capacity *capacity)
{
	encode_array_begin(encoder, "bounds");
	for (size_t i = 0; i < capacity->bounds.count; i++) {
		const struct capacity_bound *bound = &capacity->bounds.items[i];

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "resource", bound->resource);
		encode_string(encoder, "unit", *bound->unit ? bound->unit : NULL);
		encode_integer(encoder, "have", bound->have);
		encode_integer(encoder, "taken", bound->taken);
		encode_integer(encoder, "each", bound->each);
		if (bound->fits >= 0)
			encode_integer(encoder, "fits", bound->fits);
		encode_string(encoder, "basis", basis_names[bound->basis]);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void waste_encode(struct encoder *encoder, const struct capacity *capacity)
{
	encode_array_begin(encoder, "overprovisioned");
	for (size_t i = 0; i < capacity->waste.count; i++) {
		const struct capacity_waste *waste = &capacity->waste.items[i];

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "name", waste->name);
		encode_integer(encoder, "limit_bytes", waste->limit_bytes);
		encode_integer(encoder, "used_bytes", waste->used_bytes);
		if (waste->peak_bytes)
			encode_integer(encoder, "peak_bytes", waste->peak_bytes);
		encode_integer(encoder, "suggested_bytes", waste->suggested_bytes);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void capacity_json(const struct capacity *capacity)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "like", capacity->like);
	encode_integer(encoder, "running", (int64_t)capacity->running);
	fits_encode(encoder, capacity);
	bounds_encode(encoder, capacity);
	waste_encode(encoder, capacity);
	encode_integer(encoder, "overprovisioned_bytes", capacity->waste_bytes);
	encode_object_end(encoder);
	encoder_print(encoder, stdout);
}

static int capacity_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct capacity_options *chosen = options;
	struct capacity_request request = {
		.like = chosen->like,
		.memory_bytes = chosen->memory,
		.cpus_milli = chosen->cpus,
		.pids = chosen->pids,
		.disk_bytes = chosen->disk,
	};
	struct capacity capacity;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_capacity(&cli->arena, &cli->host, &request, &capacity, err) < 0)
		return -1;
	if (chosen->json) {
		capacity_json(&capacity);
		return 0;
	}
	if (bounds_print(&cli->arena, &capacity, false, chosen->all, err) < 0)
		return -1;
	fits_print(&cli->arena, &capacity);
	if (bounds_print(&cli->arena, &capacity, true, chosen->all, err) < 0)
		return -1;
	return waste_print(&cli->arena, &capacity, err);
}

const struct command capacity_command = {
	.name = "capacity",
	.operands = "[options]",
	.summary = "show how many more instances fit on this host, and whose limits are larger than needed",
	.example = "warren capacity\nwarren capacity --like site-1\nwarren capacity --memory 64M --cpus 0.05",
	.options = capacity_table,
	.options_size = sizeof(struct capacity_options),
	.run = capacity_run,
};
