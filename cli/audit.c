/* audit: what an instance may do and reach, against the hardened default. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"

struct audit_options {
	struct table_options table;
	bool all;
};

static const struct option audit_table[] = {
	OPTION_FLAG("all", 'a', "also what is as it should be", struct audit_options, all),
	TABLE_OPTIONS(struct audit_options, table),
	END_OF_OPTIONS,
};

enum { NAME, VERDICT, ID, TOPIC, FOUND, WHY, COLUMNS };

static const char *verdict_colour(const char *cell)
{
	if (!strcmp(cell, "open"))
		return "\033[31m";
	return !strcmp(cell, "weak") ? "\033[33m" : "\033[32m";
}

static const struct column audit_columns[COLUMNS] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[VERDICT] = {.title = "VERDICT", .key = "verdict", .colour = verdict_colour},
	[ID] = {.title = "CIS", .key = "cis", .drop = 1},
	[TOPIC] = {.title = "WHAT", .key = "what", .cut = 16},
	[FOUND] = {.title = "FOUND", .key = "found", .cut = 16},
	[WHY] = {.title = "WHY, AND HOW TO CLOSE IT", .key = "why", .below = true},
};

struct auditing {
	struct cli *cli;
	struct table table;
	size_t unnamed;	 /* columns left out in front: 1 when people look at a single one */
	bool everything; /* what is fine as well; programs always get it */
	size_t counts[AUDIT_OPEN + 1];
};

static void row_add(struct auditing *auditing, const char *name, const struct audit_row *row)
{
	const struct cell cells[COLUMNS] = {
		[NAME].text = name,
		[VERDICT].text = audit_verdict_names[row->verdict],
		[ID].text = *row->id ? row->id : NULL,
		[TOPIC].text = row->topic,
		[FOUND].text = row->found,
		[WHY].text = row->why,
	};
	size_t skipped = auditing->unnamed;

	memcpy(table_row(&auditing->table), cells + skipped, sizeof(cells) - skipped * sizeof(cells[0]));
}

static void audit_take(struct auditing *auditing, const char *name, const struct audit *audit)
{
	for (size_t i = 0; i < audit->rows.count; i++)
		if (audit->rows.items[i].verdict != AUDIT_OK || auditing->everything)
			row_add(auditing, name, &audit->rows.items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(auditing->counts); i++)
		auditing->counts[i] += audit->counts[i];
}

static const struct network_spec *network_of(const struct fleet_file *file, const struct instance_spec *spec)
{
	for (size_t i = 0; i < file->networks.count; i++)
		if (!strcmp(file->networks.items[i].name, spec->network))
			return &file->networks.items[i];
	return NULL;
}

static int audit_file(struct auditing *auditing, const char *path, struct error *err)
{
	struct arena *arena = &auditing->cli->arena;
	struct fleet_file file;
	struct audit audit;

	if (fleet_file_read(arena, path, &file, err) < 0)
		return -1;
	for (size_t i = 0; i < file.instances.count; i++) {
		const struct instance_spec *spec = &file.instances.items[i];

		if (instance_spec_audit(arena, spec, network_of(&file, spec), &audit, err) < 0)
			return blame(err, "%s: %s", path, spec->name);
		audit_take(auditing, spec->name, &audit);
	}
	return 0;
}

static int audit_instance(struct auditing *auditing, const char *name, struct error *err)
{
	struct audit audit;

	if (cli_open(auditing->cli, err) < 0 ||
		instance_audit(&auditing->cli->arena, &auditing->cli->host, name, &audit, err) < 0)
		return -1;
	audit_take(auditing, name, &audit);
	return 0;
}

/* Names have neither dots nor slashes. */
static bool is_file(const char *operand)
{
	return strpbrk(operand, "./");
}

static void summary_print(const struct auditing *auditing)
{
	for (size_t i = 0; i < ARRAY_SIZE(auditing->counts); i++)
		printf("%s%zu %s", i ? ", " : "", auditing->counts[i], audit_verdict_names[i]);
	printf("\n");
}

static int audit_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct audit_options *chosen = options;
	bool for_people = !chosen->table.json && !chosen->table.format && !chosen->table.quiet;
	struct auditing auditing = {.cli = context,
		.everything = chosen->all || !for_people,
		.unnamed = for_people && count == 1 && !is_file(operands[0])};

	table_init(&auditing.table, &auditing.cli->arena, audit_columns + auditing.unnamed, COLUMNS - auditing.unnamed);
	for (size_t i = 0; i < count; i++)
		if ((is_file(operands[i]) ? audit_file : audit_instance)(&auditing, operands[i], err) < 0)
			return -1;
	if ((auditing.table.row_count || !for_people) && table_print(&auditing.table, &chosen->table, stdout, err) < 0)
		return -1;
	if (for_people)
		summary_print(&auditing);
	return auditing.counts[AUDIT_OPEN] ? 1 : 0;
}

const struct command audit_command = {
	.name = "audit",
	.operands = "NAME|FILE…",
	.summary = "what an instance may do and reach, against the hardened default; status 1 when a wall is missing",
	.example = "warren audit blog\nwarren audit --all web.json",
	.options = audit_table,
	.options_size = sizeof(struct audit_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = audit_run,
};
