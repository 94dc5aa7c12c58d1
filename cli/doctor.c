/* doctor: what this host gives to instances, what it lacks, and what to do about it. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/lines.h"
#include "cli/table.h"

#define INSTANCES_MAX 1000000
#define CELL_WIDTH 48

struct doctor_options {
	struct optional instances;
	bool json, quiet, sysctl;
};

static const struct option doctor_table[] = {
	OPTION_INTEGER("instances", 'n', "NUMBER", "judge for so many (default: those of FILE, or those that exist)",
		struct doctor_options, instances, 1, INSTANCES_MAX),
	OPTION_FLAG("quiet", 'q', "print problems only", struct doctor_options, quiet),
	OPTION_FLAG("sysctl", 0, "print the settings that are advised, as a file for /etc/sysctl.d",
		struct doctor_options, sysctl),
	OPTION_FLAG("json", 0, "print JSON", struct doctor_options, json),
	END_OF_OPTIONS,
};

static bool is_problem(const struct finding *finding)
{
	return finding->state > FINDING_NOTE;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

enum { STATE, GROUP, CHECK, FOUND, WANTED };

static const char *state_colour(const char *state)
{
	static const struct {
		enum finding_state state;
		const char *colour;
	} colours[] = {{FINDING_OK, "\033[32m"}, {FINDING_WARNING, "\033[33m"}, {FINDING_MISSING, "\033[1;31m"},
		{FINDING_UNKNOWN, "\033[35m"}};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (text_equal(state, finding_state_names[colours[i].state]))
			return colours[i].colour;
	return NULL;
}

static const struct column columns[] = {
	[STATE] = {.title = "STATE", .key = "state", .colour = state_colour},
	[GROUP] = {.title = "GROUP", .key = "group", .drop = 1},
	[CHECK] = {.title = "CHECK", .key = "check", .cut = 30},
	[FOUND] = {.title = "FOUND", .key = "found", .cut = 20},
	[WANTED] = {.title = "WANTED", .key = "wanted", .drop = 2},
};

/* Cut to the column, at a character's beginning; the whole text stands with the problems below. */
static const char *cell_cut(struct arena *arena, const char *text)
{
	size_t length = text ? strlen(text) : 0, kept = CELL_WIDTH - 1;

	if (length <= CELL_WIDTH)
		return text;
	while (kept && ((unsigned char)text[kept] & 0xC0) == 0x80)
		kept--;
	return arena_format(arena, "%.*s…", (int)kept, text);
}

static int all_print(struct arena *arena, const struct doctor_report *report, struct error *err)
{
	const struct table_options options = {0};
	struct table table;

	table_init(&table, arena, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < report->count; i++) {
		const struct finding *finding = &report->items[i];
		struct cell *row = table_row(&table);

		row[STATE].text = finding_state_names[finding->state];
		row[GROUP].text = finding->group;
		row[CHECK].text = finding->name;
		row[FOUND].text = cell_cut(arena, finding->found);
		row[WANTED].text = finding->wanted;
	}
	return table_print(&table, &options, stdout, err);
}

static void problem_print(struct arena *arena, const struct finding *finding, bool colour)
{
	const char *state = finding_state_names[finding->state];
	size_t width = terminal_width(stdout);

	lines_print(stdout, width, 2,
		arena_format(arena, "%s%s%s  %s %s: %s%s%s%s", colour ? state_colour(state) : "", state,
			colour ? "\033[0m" : "", finding->group, finding->name, finding->found,
			finding->wanted ? " (wanted: " : "", finding->wanted ? finding->wanted : "",
			finding->wanted ? ")" : ""));
	if (finding->why)
		lines_print(stdout, width, 5, arena_format(arena, "  why: %s", finding->why));
	if (finding->remedy)
		lines_print(stdout, width, 5, arena_format(arena, "  do:  %s", finding->remedy));
}

/* The worst last, where a terminal leaves off. What is only unknown for want of root is told once, by what says so. */
static void problems_print(struct arena *arena, const struct doctor_report *report, const struct doctor_options *chosen)
{
	static const enum finding_state order[] = {FINDING_UNKNOWN, FINDING_WARNING, FINDING_MISSING};
	bool colour = table_uses_colour(stdout);
	const char *between = chosen->quiet ? "" : "\n";

	for (size_t k = 0; k < ARRAY_SIZE(order); k++)
		for (size_t i = 0; i < report->count; i++)
			if (report->items[i].state == order[k] && report->items[i].remedy) {
				fputs(between, stdout);
				problem_print(arena, &report->items[i], colour);
				between = "\n";
			}
}

static size_t settings_count(const struct doctor_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += is_problem(&report->items[i]) && report->items[i].setting;
	return count;
}

static void summary_print(struct arena *arena, const struct doctor_report *report)
{
	const size_t *counts = report->counts;
	size_t width = terminal_width(stdout);

	fputc('\n', stdout);
	lines_print(stdout, width, 2,
		arena_format(arena, "Judged for %lld instance%s: %zu missing, %zu warning%s, %zu unknown, %zu ok.",
			(long long)report->instances, report->instances == 1 ? "" : "s", counts[FINDING_MISSING],
			counts[FINDING_WARNING], counts[FINDING_WARNING] == 1 ? "" : "s", counts[FINDING_UNKNOWN],
			counts[FINDING_OK] + counts[FINDING_NOTE]));
	if (settings_count(report))
		lines_print(stdout, width, 2,
			arena_format(arena,
				"All sysctl lines at once: warren doctor -n %lld --sysctl > "
				"/etc/sysctl.d/60-warren.conf && sysctl --system",
				(long long)report->instances));
}

static int report_print(
	struct arena *arena, const struct doctor_report *report, const struct doctor_options *chosen, struct error *err)
{
	if (!chosen->quiet && all_print(arena, report, err) < 0)
		return -1;
	problems_print(arena, report, chosen);
	if (!chosen->quiet)
		summary_print(arena, report);
	return 0;
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void finding_encode(struct encoder *encoder, const struct finding *finding)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "group", finding->group);
	encode_string(encoder, "name", finding->name);
	encode_string(encoder, "state", finding_state_names[finding->state]);
	encode_string(encoder, "found", finding->found);
	encode_string(encoder, "wanted", finding->wanted);
	encode_string(encoder, "why", finding->why);
	encode_string(encoder, "remedy", finding->remedy);
	encode_string(encoder, "setting", finding->setting);
	encode_object_end(encoder);
}

static void report_encode(const struct doctor_report *report, bool problems_only)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "version", WARREN_VERSION);
	encode_string(encoder, "kernel", kernel_release());
	encode_integer(encoder, "instances", report->instances);
	encode_object_begin(encoder, "counts");
	for (size_t state = 0; state < FINDING_STATES; state++)
		encode_integer(encoder, finding_state_names[state], (int64_t)report->counts[state]);
	encode_object_end(encoder);
	encode_array_begin(encoder, "findings");
	for (size_t i = 0; i < report->count; i++)
		if (!problems_only || is_problem(&report->items[i]))
			finding_encode(encoder, &report->items[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
	encoder_print(encoder, stdout);
}

/* Notes too: they harden. */
static void settings_print(const struct doctor_report *report)
{
	printf("# What `warren doctor` advises for %lld instances.\n", (long long)report->instances);
	for (size_t i = 0; i < report->count; i++)
		if (report->items[i].setting)
			printf("\n# %s\n%s\n", report->items[i].why, report->items[i].setting);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int doctor_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct doctor_options *chosen = options;
	struct doctor_request request = {.where = cli->where, .instances = chosen->instances};
	struct doctor_report report;
	struct fleet_file file = {0};

	if (chosen->json + chosen->sysctl > 1)
		return fail(err, ERROR_USAGE, "only one of --json and --sysctl can be given");
	if (count && fleet_file_read(&cli->arena, operands[0], &file, err) < 0)
		return -1;
	request.fleet = count ? &file : NULL;
	host_examine(&cli->arena, &request, &report);
	if (chosen->json)
		report_encode(&report, chosen->quiet);
	else if (chosen->sysctl)
		settings_print(&report);
	else if (report_print(&cli->arena, &report, chosen, err) < 0)
		return -1;
	return report.counts[FINDING_MISSING] ? 1 : 0;
}

const struct command doctor_command = {
	.name = "doctor",
	.operands = "[options] [FILE]",
	.summary = "show what this host has and lacks for instances, and what to do about it",
	.example = "warren doctor -q\nwarren doctor --instances 500\nwarren doctor examples/web.json",
	.options = doctor_table,
	.options_size = sizeof(struct doctor_options),
	.operands_max = 1,
	.run = doctor_run,
};
