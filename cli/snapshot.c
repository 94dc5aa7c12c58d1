/* clone, and `warren snapshot …`: states of an instance's root. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cli/group.h"
#include "cli/table.h"
#include "images/images.h"

/* --- snapshot ----------------------------------------------------------------------------------------------------- */

static int create_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options, (void)count;
	return cli_open(cli, err) < 0 ? -1 : instance_snapshot(&cli->host, operands[0], operands[1], err);
}

static int restore_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options, (void)count;
	return cli_open(cli, err) < 0 ? -1 : instance_restore(&cli->host, operands[0], operands[1], err);
}

static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options;
	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 1; i < count; i++)
		if (instance_snapshot_remove(&cli->host, operands[0], operands[i], err) < 0)
			return -1;
	return 0;
}

enum { NAME, AGE, LAYERS };

static const struct column snapshot_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[AGE] = {.title = "AGE", .key = "created_ms", .kind = COLUMN_NUMBER},
	[LAYERS] = {.title = "LAYERS", .key = "layers", .kind = COLUMN_NUMBER},
};

struct snapshot_options {
	struct table_options table;
};
static const struct option list_table[] = {TABLE_OPTIONS(struct snapshot_options, table), END_OF_OPTIONS};

static void snapshot_row(struct table *table, const struct snapshot *snapshot)
{
	struct cell *row = table_row(table);
	int64_t age_ms = clock_real_ms() - snapshot->created_ms;
	char buffer[24];

	row[NAME].text = snapshot->name;
	row[AGE] = (struct cell){.text = arena_string(table->arena, duration_format(age_ms > 0 ? age_ms : 0, buffer)),
		.value = arena_format(table->arena, "%jd", (intmax_t)snapshot->created_ms)};
	row[LAYERS].text = arena_format(table->arena, "%zu", snapshot->layers);
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct snapshot_options *chosen = options;
	struct snapshot_list list;
	struct table table;

	(void)count;
	if (cli_open(cli, err) < 0 || instance_snapshots(&cli->host, operands[0], &cli->arena, &list, err) < 0)
		return -1;
	table_init(&table, &cli->arena, snapshot_columns, ARRAY_SIZE(snapshot_columns));
	for (size_t i = 0; i < list.count; i++)
		snapshot_row(&table, &list.items[i]);
	return table_print(&table, &chosen->table, stdout, err);
}

static const struct command snapshot_create_command = {
	.name = "create",
	.operands = "INSTANCE NAME",
	.summary = "keep an instance's root as it is now, under a name",
	.example = "warren snapshot create blog before-update",
	.options = options_none,
	.operands_min = 2,
	.operands_max = 2,
	.run = create_run,
};

static const struct command snapshot_list_command = {
	.name = "list",
	.alias = "ls",
	.operands = "[options] INSTANCE",
	.summary = "list the snapshots of an instance",
	.example = "warren snapshot list blog",
	.options = list_table,
	.options_size = sizeof(struct snapshot_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = list_run,
};

static const struct command snapshot_restore_command = {
	.name = "restore",
	.operands = "INSTANCE NAME",
	.summary = "go back: what a stopped instance wrote since is deleted",
	.example = "warren snapshot restore blog before-update",
	.options = options_none,
	.operands_min = 2,
	.operands_max = 2,
	.run = restore_run,
};

static const struct command snapshot_rm_command = {
	.name = "rm",
	.operands = "INSTANCE NAME…",
	.summary = "remove snapshots",
	.example = "warren snapshot rm blog before-update",
	.options = options_none,
	.operands_min = 2,
	.operands_max = SIZE_MAX,
	.run = rm_run,
};

static const struct command *const snapshot_members[] = {
	&snapshot_create_command,
	&snapshot_list_command,
	&snapshot_restore_command,
	&snapshot_rm_command,
	NULL,
};

const struct command snapshot_command = {
	GROUP_COMMAND,
	.name = "snapshot",
	.summary = "keep, list and bring back states of an instance's root",
	.example = "warren snapshot create blog before-update\nwarren snapshot list blog",
	.members = snapshot_members,
	.purpose = "named states of an instance's root",
};

/* --- clone -------------------------------------------------------------------------------------------------------- */

struct clone_words {
	const char *snapshot;
	struct strings publish;
};

static const struct option clone_table[] = {
	OPTION_TEXT("snapshot", 0, "NAME", "as it was then, not as it is now", struct clone_words, snapshot),
	OPTION_TEXTS("publish", 'p', "[IP:]PORT:PORT[/PROTOCOL]", "in place of the ports of the first",
		struct clone_words, publish),
	END_OF_OPTIONS,
};

static int clone_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct clone_words *words = options;
	struct port *ports = arena_new_array(&cli->arena, words->publish.count, struct port);
	const struct clone_options clone = {
		.name = operands[1], .snapshot = words->snapshot, .ports = ports, .port_count = words->publish.count};

	(void)count;
	for (size_t i = 0; i < words->publish.count; i++)
		if (port_parse(words->publish.items[i], &ports[i], err) < 0)
			return blame(err, "--publish");
	if (cli_open(cli, err) < 0 || instance_clone(&cli->host, operands[0], &clone, err) < 0)
		return -1;
	printf("%s\n", operands[1]);
	return 0;
}

const struct command clone_command = {
	.name = "clone",
	.operands = "[options] INSTANCE NEW_NAME",
	.summary = "make a second instance with the root of a first, sharing it",
	.example = "warren clone blog blog-test -p 8091:80",
	.options = clone_table,
	.options_size = sizeof(struct clone_words),
	.operands_min = 2,
	.operands_max = 2,
	.run = clone_run,
};
