/* check: what does not fit, and putting it right. */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"

struct check_options {
	struct table_options table;
	bool repair;
};

static const struct option check_table[] = {
	OPTION_FLAG("repair", 0, "put right what can be without a decision of yours", struct check_options, repair),
	TABLE_OPTIONS(struct check_options, table),
	END_OF_OPTIONS,
};

enum { NAME, KIND, FINDING, REPAIRED };

static const struct column check_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[KIND] = {.title = "KIND", .key = "kind"},
	[FINDING] = {.title = "FINDING", .key = "finding"},
	[REPAIRED] = {.title = "REPAIRED", .key = "repaired"},
};

static const char *repaired_text(const struct check_finding *finding)
{
	if (finding->repaired)
		return "yes";
	return finding->failure ? finding->failure : "no";
}

static int check_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct check_options *chosen = options;
	struct check_report report;
	struct table table;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_check(&cli->arena, &cli->host, chosen->repair, &report, err) < 0)
		return -1;
	table_init(&table, &cli->arena, check_columns, ARRAY_SIZE(check_columns));
	for (size_t i = 0; i < report.count; i++) {
		struct cell *row = table_row(&table);

		row[NAME].text = report.items[i].name;
		row[KIND].text = report.items[i].kind;
		row[FINDING].text = report.items[i].text;
		row[REPAIRED].text = repaired_text(&report.items[i]);
	}
	if ((report.count || chosen->table.json) && table_print(&table, &chosen->table, stdout, err) < 0)
		return -1;
	return report.left ? 1 : 0;
}

const struct command check_command = {
	.name = "check",
	.operands = "[options]",
	.summary = "compare the records with the kernel; silent, and status 0, when nothing is left over",
	.example = "warren check\nwarren check --repair",
	.options = check_table,
	.options_size = sizeof(struct check_options),
	.run = check_run,
};
