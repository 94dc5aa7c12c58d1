/* usage: what instances have used, month by month. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"

#define MS_PER_HOUR 3600000
#define KIB_PER_GIB (1 << 20)

struct usage_options {
	struct table_options table;
	const char *month;
	bool csv, prune;
};

static const struct option usage_table[] = {
	OPTION_TEXT("month", 'm', "MONTH", "as in 2026-11, or all (default: this one)", struct usage_options, month),
	OPTION_FLAG("csv", 0, "print comma separated values, sizes in bytes", struct usage_options, csv),
	OPTION_FLAG("prune", 0, "forget instances that are gone, after printing what they used", struct usage_options,
		prune),
	TABLE_OPTIONS(struct usage_options, table),
	END_OF_OPTIONS,
};

enum { NAME, MONTH, CPU, RESERVED, USED, HOURS, TRAFFIC, EXISTS = TRAFFIC + TRAFFIC_COUNTERS };

#define HIDDEN_TRAFFIC(counter, name)                                                                                  \
	[TRAFFIC + (counter)] = {.title = "", .key = name, .kind = COLUMN_NUMBER, .json_only = true}

static const struct column usage_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[MONTH] = {.title = "MONTH", .key = "month"},
	[CPU] = {.title = "CPU-S", .key = "cpu_seconds", .kind = COLUMN_NUMBER},
	[RESERVED] = {.title = "GB-HOURS", .key = "memory_gb_hours", .kind = COLUMN_NUMBER},
	[USED] = {.title = "USED-GB-H", .key = "memory_used_gb_hours", .kind = COLUMN_NUMBER},
	[HOURS] = {.title = "HOURS", .key = "run_hours", .kind = COLUMN_NUMBER},
	[TRAFFIC + LINK_IN_BYTES] = {.title = "NET-IN", .key = "net_in_bytes", .kind = COLUMN_NUMBER},
	[TRAFFIC + LINK_OUT_BYTES] = {.title = "NET-OUT", .key = "net_out_bytes", .kind = COLUMN_NUMBER},
	HIDDEN_TRAFFIC(LINK_IN_PACKETS, "net_in_packets"),
	HIDDEN_TRAFFIC(LINK_OUT_PACKETS, "net_out_packets"),
	HIDDEN_TRAFFIC(OUTSIDE_IN_BYTES, "outside_in_bytes"),
	HIDDEN_TRAFFIC(OUTSIDE_OUT_BYTES, "outside_out_bytes"),
	HIDDEN_TRAFFIC(OUTSIDE_IN_PACKETS, "outside_in_packets"),
	HIDDEN_TRAFFIC(OUTSIDE_OUT_PACKETS, "outside_out_packets"),
	[EXISTS] = {.title = "", .key = "exists", .json_only = true},
};

/* whole.fraction of value / unit, in so many digits; unit × 10^digits fits. */
static const char *fixed(struct arena *arena, int64_t value, int64_t unit, int digits)
{
	int64_t scale = 1;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	int64_t scaled = (int64_t)(((__int128)value * scale + unit / 2) / unit);

	return arena_format(arena, "%lld.%0*lld", (long long)(scaled / scale), digits, (long long)(scaled % scale));
}

static void bytes_cell(struct arena *arena, struct cell *cell, int64_t bytes)
{
	char buffer[24];

	cell->text = arena_string(arena, size_format(bytes, buffer));
	cell->value = arena_format(arena, "%lld", (long long)bytes);
}

static void usage_row(struct table *table, const struct usage_row *usage)
{
	static const int64_t gib_hour = (int64_t)KIB_PER_GIB * MS_PER_HOUR;
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	const struct usage_month *month = &usage->usage;

	row[NAME].text = usage->name;
	row[MONTH].text = month->month;
	row[CPU].text = fixed(arena, month->cpu_us, 1000000, 3);
	row[RESERVED].text = fixed(arena, month->reserved_kib_ms, gib_hour, 4);
	row[USED].text = fixed(arena, month->used_kib_ms, gib_hour, 4);
	row[HOURS].text = fixed(arena, month->run_ms, MS_PER_HOUR, 3);
	for (size_t i = 0; i < TRAFFIC_COUNTERS; i++)
		bytes_cell(arena, &row[TRAFFIC + i], month->traffic[i]);
	row[EXISTS].text = usage->exists ? "yes" : "no";
}

/* Names and months hold neither commas nor quotes. */
static void print_csv(const struct table *table)
{
	for (size_t c = 0; c < table->column_count; c++)
		printf("%s%s", c ? "," : "", table->columns[c].key);
	putchar('\n');
	for (size_t r = 0; r < table->row_count; r++)
		for (size_t c = 0; c < table->column_count; c++) {
			const struct cell *cell = &table->cells[r * table->column_count + c];

			printf("%s%s%s", c ? "," : "", cell->value ? cell->value : cell->text,
				c + 1 == table->column_count ? "\n" : "");
		}
}

static const char *month_now(struct arena *arena)
{
	time_t now = time(NULL);
	struct tm parts;
	char month[16];

	gmtime_r(&now, &parts);
	strftime(month, sizeof(month), "%Y-%m", &parts);
	return arena_string(arena, month);
}

static int month_choose(struct arena *arena, const char *asked, const char **month, struct error *err)
{
	*month = !asked ? month_now(arena) : !strcmp(asked, "all") ? NULL : asked;
	return *month && usage_month_check(*month, err) < 0 ? blame(err, "--month") : 0;
}

static int usage_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct usage_options *chosen = options;
	struct strings patterns = {0};
	struct usage_list list;
	struct table table;
	const char *month;
	size_t pruned;

	if (month_choose(&cli->arena, chosen->month, &month, err) < 0)
		return -1;
	if (chosen->csv && (chosen->table.json || chosen->table.format || chosen->table.quiet))
		return fail(err, ERROR_USAGE, "--csv excludes --json, --format and --quiet");
	for (size_t i = 0; i < count; i++)
		strings_add(&cli->arena, &patterns, operands[i]);
	if (cli_open(cli, err) < 0 || usage_read(&cli->arena, &cli->host, &patterns, month, &list, err) < 0)
		return -1;
	table_init(&table, &cli->arena, usage_columns, ARRAY_SIZE(usage_columns));
	for (size_t i = 0; i < list.count; i++)
		usage_row(&table, &list.items[i]);
	if (chosen->csv)
		print_csv(&table);
	else if (table_print(&table, &chosen->table, stdout, err) < 0)
		return -1;
	return chosen->prune ? usage_prune(&cli->host, &patterns, &pruned, err) : 0;
}

const struct command usage_command = {
	.name = "usage",
	.operands = "[options] [NAME…]",
	.summary = "show what instances have used this month: processor, memory, network",
	.example = "warren usage\nwarren usage --month 2026-11 --csv > november.csv",
	.options = usage_table,
	.options_size = sizeof(struct usage_options),
	.operands_max = SIZE_MAX,
	.run = usage_run,
};
