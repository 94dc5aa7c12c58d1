/* stats: what instances use, once or again and again. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"

#define INTERVAL_MS 1000

struct stats_options {
	struct table_options table;
	bool no_stream;
	struct optional interval;
};

static const struct option stats_table[] = {
	OPTION_FLAG("no-stream", 0, "once, not again and again (the default when not on a terminal)",
		struct stats_options, no_stream),
	OPTION_DURATION(
		"interval", 'i', "TIME", "time between two samples (default: 1s)", struct stats_options, interval),
	TABLE_OPTIONS(struct stats_options, table),
	END_OF_OPTIONS,
};

enum {
	NAME,
	CPU,
	MEMORY,
	LIMIT,
	CACHE,
	PIDS,
	NET_IN,
	NET_OUT,
	READ,
	WRITTEN,
	OOM,
	CPU_PRESSURE,
	MEMORY_PRESSURE,
	IO_PRESSURE
};

static const struct column stats_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[CPU] = {.title = "CPU%", .key = "cpu_percent", .kind = COLUMN_NUMBER},
	[MEMORY] = {.title = "MEMORY", .key = "memory_bytes", .kind = COLUMN_NUMBER},
	[LIMIT] = {.title = "LIMIT", .key = "memory_limit_bytes", .kind = COLUMN_NUMBER},
	[CACHE] = {.title = "CACHE", .key = "memory_cache_bytes", .kind = COLUMN_NUMBER},
	[PIDS] = {.title = "PIDS", .key = "pids", .kind = COLUMN_NUMBER},
	[NET_IN] = {.title = "NET-IN", .key = "net_in_bytes", .kind = COLUMN_NUMBER},
	[NET_OUT] = {.title = "NET-OUT", .key = "net_out_bytes", .kind = COLUMN_NUMBER},
	[READ] = {.title = "READ", .key = "read_bytes", .kind = COLUMN_NUMBER},
	[WRITTEN] = {.title = "WRITTEN", .key = "written_bytes", .kind = COLUMN_NUMBER},
	[OOM] = {.title = "OOM-KILLS", .key = "oom_kills", .kind = COLUMN_NUMBER},
	/* cgroup v2: the share of the last ten seconds in which somebody waited. */
	[CPU_PRESSURE] = {.title = "", .key = "cpu_pressure_percent", .kind = COLUMN_NUMBER, .json_only = true},
	[MEMORY_PRESSURE] = {.title = "", .key = "memory_pressure_percent", .kind = COLUMN_NUMBER, .json_only = true},
	[IO_PRESSURE] = {.title = "", .key = "io_pressure_percent", .kind = COLUMN_NUMBER, .json_only = true},
};

static void bytes_cell(struct arena *arena, struct cell *cell, struct optional bytes)
{
	char buffer[24];

	if (!bytes.set)
		return;
	cell->text = arena_string(arena, size_format(bytes.value, buffer));
	cell->value = arena_format(arena, "%lld", (long long)bytes.value);
}

static void count_cell(struct arena *arena, struct cell *cell, struct optional count)
{
	if (count.set)
		cell->text = arena_format(arena, "%lld", (long long)count.value);
}

static void hundredths_cell(struct arena *arena, struct cell *cell, struct optional hundredths)
{
	if (hundredths.set)
		cell->text = arena_format(
			arena, "%lld.%02lld", (long long)hundredths.value / 100, (long long)hundredths.value % 100);
}

static struct optional link_bytes(const struct link_counters *link, uint64_t bytes)
{
	return (struct optional){link->present, (int64_t)bytes};
}

static void stats_row(struct table *table, const struct instance_stats *stats)
{
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	const struct cgroup_stats *cgroup = &stats->cgroup;
	struct optional used = cgroup->memory_used_bytes.set ? cgroup->memory_used_bytes : cgroup->memory_bytes;
	struct optional cache = {cgroup->memory_bytes.set && cgroup->memory_used_bytes.set,
		cgroup->memory_bytes.value - cgroup->memory_used_bytes.value};

	row[NAME].text = stats->name;
	if (stats->cpu_permille >= 0)
		row[CPU].text = arena_format(
			arena, "%lld.%lld", (long long)stats->cpu_permille / 10, (long long)stats->cpu_permille % 10);
	bytes_cell(arena, &row[MEMORY], used);
	bytes_cell(arena, &row[LIMIT], cgroup->memory_limit_bytes);
	bytes_cell(arena, &row[CACHE], cache);
	count_cell(arena, &row[PIDS], cgroup->pids);
	bytes_cell(arena, &row[NET_IN], link_bytes(&stats->link, stats->link.rx_bytes));
	bytes_cell(arena, &row[NET_OUT], link_bytes(&stats->link, stats->link.tx_bytes));
	bytes_cell(arena, &row[READ], cgroup->io_read_bytes);
	bytes_cell(arena, &row[WRITTEN], cgroup->io_write_bytes);
	count_cell(arena, &row[OOM], cgroup->oom_kills);
	hundredths_cell(arena, &row[CPU_PRESSURE], cgroup->cpu_pressure_10s);
	hundredths_cell(arena, &row[MEMORY_PRESSURE], cgroup->memory_pressure_10s);
	hundredths_cell(arena, &row[IO_PRESSURE], cgroup->io_pressure_10s);
}

/* One sample and its table; `before` gives the processor figures their base. */
static int sample_print(struct cli *cli, struct arena *arena, const struct stats_options *chosen,
	const struct strings *names, const struct stats_sample *before, struct stats_sample *sample, bool print,
	struct error *err)
{
	struct table table;

	if (instance_stats_read(arena, &cli->host, names, before, sample, err) < 0)
		return -1;
	if (!print)
		return 0;
	table_init(&table, arena, stats_columns, ARRAY_SIZE(stats_columns));
	for (size_t i = 0; i < sample->count; i++)
		stats_row(&table, &sample->items[i]);
	return table_print(&table, &chosen->table, stdout, err);
}

static int stats_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct stats_options *chosen = options;
	struct selection selection = {.all = !count};
	struct strings names = {0};
	int wait_ms = chosen->interval.set ? (int)chosen->interval.value : INTERVAL_MS;
	bool stream = !chosen->no_stream && isatty(STDOUT_FILENO) && !chosen->table.json && !chosen->table.quiet;
	/* Two arenas in turn: the sample before must outlive the table of this one, and nothing may pile up. */
	AUTO(arena_drop) struct arena even = {0};
	AUTO(arena_drop) struct arena odd = {0};
	struct stats_sample samples[2] = {0};

	if (count && cli_select(cli, &selection, count, operands, &names, err) < 0)
		return -1;
	if (cli_open(cli, err) < 0 || sample_print(cli, &even, chosen, &names, NULL, &samples[0], false, err) < 0)
		return -1;
	for (size_t round = 1;; round++) {
		struct arena *arena = round % 2 ? &odd : &even;

		poll(NULL, 0, wait_ms);
		arena_drop(arena);
		if (stream)
			fputs("\033[H\033[2J", stdout);
		if (sample_print(
			    cli, arena, chosen, &names, &samples[(round + 1) % 2], &samples[round % 2], true, err) < 0)
			return -1;
		if (fflush(stdout) != 0 || !stream)
			return 0;
	}
}

const struct command stats_command = {
	.name = "stats",
	.operands = "[options] [NAME…]",
	.summary = "show processor, memory, process and network figures",
	.example = "warren stats --no-stream",
	.options = stats_table,
	.options_size = sizeof(struct stats_options),
	.operands_max = SIZE_MAX,
	.run = stats_run,
};
