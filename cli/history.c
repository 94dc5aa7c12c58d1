/* history, diff, rollback: the generations of a fleet. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/deploy.h"
#include "cli/plan_text.h"
#include "cli/table.h"

/* --- history ------------------------------------------------------------------------------------------------------ */

struct history_options {
	struct table_options table;
};

static const struct option history_table[] = {
	TABLE_OPTIONS(struct history_options, table),
	END_OF_OPTIONS,
};

enum { GENERATION, APPLIED, STATE, INSTANCES, FROM, COLUMNS };

static const char *state_colour(const char *cell)
{
	return *cell == 'u' ? "\033[33m" : NULL;
}

static const struct column history_columns[COLUMNS] = {
	[GENERATION] = {.title = "GENERATION", .key = "generation", .kind = COLUMN_NUMBER},
	[APPLIED] = {.title = "APPLIED", .key = "applied"},
	[STATE] = {.title = "STATE", .key = "state", .colour = state_colour},
	[INSTANCES] = {.title = "INSTANCES", .key = "instances", .kind = COLUMN_NUMBER},
	[FROM] = {.title = "FROM", .key = "from", .cut = 20, .keep_end = true},
};

static const char *time_text(struct arena *arena, int64_t real_ms, bool for_programs)
{
	time_t seconds = real_ms / 1000;
	struct tm local;
	char text[64];

	if (!localtime_r(&seconds, &local) ||
		!(for_programs ? strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &local)
			       : strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local)))
		return "";
	return arena_string(arena, text);
}

static void generation_row(struct arena *arena, struct table *table, const struct fleet_generation *generation)
{
	struct cell *cells = table_row(table);

	cells[GENERATION].text = arena_format(arena, "%" PRId64, generation->number);
	cells[APPLIED].text = time_text(arena, generation->applied_ms, false);
	cells[APPLIED].value = time_text(arena, generation->applied_ms, true);
	cells[STATE].text = generation->complete ? "complete" : "unfinished";
	cells[INSTANCES].text = arena_format(arena, "%" PRId64, generation->instances);
	cells[FROM].text = generation->rollback_of
				   ? arena_format(arena, "rollback to %" PRId64, generation->rollback_of)
				   : generation->path;
}

static int history_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct history_options *chosen = options;
	struct cli *cli = context;
	struct fleet_history history;
	struct table table;

	(void)count;
	if (deploy_open_for_reading(cli, err) < 0 ||
		fleet_history_read(&cli->arena, &cli->host, operands[0], &history, err) < 0)
		return -1;
	table_init(&table, &cli->arena, history_columns, COLUMNS);
	for (size_t i = 0; i < history.count; i++)
		generation_row(&cli->arena, &table, &history.items[i]);
	return table_print(&table, &chosen->table, stdout, err);
}

const struct command history_command = {
	.name = "history",
	.operands = "[options] FLEET",
	.summary = "list the generations of a fleet that are kept: what was applied, and when",
	.example = "warren history web",
	.options = history_table,
	.options_size = sizeof(struct history_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = history_run,
};

/* --- diff --------------------------------------------------------------------------------------------------------- */

struct diff_options {
	bool json;
};

static const struct option diff_table[] = {
	OPTION_FLAG("json", 0, "print JSON", struct diff_options, json),
	END_OF_OPTIONS,
};

static int number_operand(const char *text, int64_t *out, struct error *err)
{
	return number_parse(text, 1, INT32_MAX, out, err) < 0 ? blame(err, "generation \"%s\"", text) : 0;
}

static int diff_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct diff_options *chosen = options;
	const struct plan_text how = {.json = chosen->json, .nothing = "no difference"};
	struct cli *cli = context;
	struct fleet_file from, to;
	struct fleet_plan plan;
	int64_t a, b = 0;

	if (count == 1)
		return instance_diff(cli, operands, chosen->json, err);
	if (number_operand(operands[1], &a, err) < 0 || (count > 2 && number_operand(operands[2], &b, err) < 0) ||
		deploy_open_for_reading(cli, err) < 0 ||
		fleet_generation_read(&cli->arena, &cli->host, operands[0], a, &from, err) < 0 ||
		fleet_generation_read(&cli->arena, &cli->host, operands[0], b, &to, err) < 0 ||
		fleet_compare(&cli->arena, &from, &to, &plan, err) < 0)
		return -1;
	plan_print(&cli->arena, &plan, &how, stdout);
	return 0;
}

const struct command diff_command = {
	.name = "diff",
	.operands = "[options] NAME | FLEET GENERATION [GENERATION]",
	.summary = "show what an instance has changed in its root, or what changed from one generation of a fleet to "
		   "another",
	.example = "warren diff blog\nwarren diff web 3\nwarren diff web 3 5",
	.options = diff_table,
	.options_size = sizeof(struct diff_options),
	.operands_min = 1,
	.operands_max = 3,
	.run = diff_run,
};

/* --- rollback ----------------------------------------------------------------------------------------------------- */

static const struct option rollback_table[] = {
	PARALLEL_OPTION,
	OPTION_FLAG("quiet", 'q', "print failures only", struct deploy_options, quiet),
	PULL_OPTION(struct deploy_options, pull),
	DRY_RUN_OPTION,
	END_OF_OPTIONS,
};

/* The last one that came to its end before the present one. */
static int generation_before(struct cli *cli, const char *fleet, int64_t *out, struct error *err)
{
	struct fleet_history history;

	if (fleet_history_read(&cli->arena, &cli->host, fleet, &history, err) < 0)
		return -1;
	for (size_t i = history.count; i-- > 0;)
		if (i + 1 < history.count && history.items[i].complete) {
			*out = history.items[i].number;
			return 0;
		}
	return fail(err, ERROR_MISSING, "%s has no earlier generation that was applied to its end", fleet);
}

static int rollback_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct deploy_options *chosen = options;
	struct cli *cli = context;
	struct fleet_file file;
	int64_t number = 0;

	if ((count > 1 && number_operand(operands[1], &number, err) < 0) ||
		(chosen->dry_run ? deploy_open_for_reading(cli, err) : cli_open(cli, err)) < 0 ||
		(count < 2 && generation_before(cli, operands[0], &number, err) < 0) ||
		fleet_rollback_read(&cli->arena, &cli->host, operands[0], number, !chosen->dry_run, &file, err) < 0)
		return -1;
	if (chosen->dry_run)
		return deploy_plan(cli, &file, false, false, false, err) < 0 ? -1 : 0;
	return deploy_apply(cli, &file, chosen, number, err);
}

const struct command rollback_command = {
	.name = "rollback",
	.operands = "[options] FLEET [GENERATION]",
	.summary = "apply an earlier generation of a fleet again (default: the last complete one before the present)",
	.example = "warren rollback web\nwarren rollback web 3",
	.options = rollback_table,
	.options_size = sizeof(struct deploy_options),
	.operands_min = 1,
	.operands_max = 2,
	.run = rollback_run,
};
