/* stats: what instances use, once or again and again. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/figures.h"
#include "cli/table.h"
#include "cli/template.h"

#define INTERVAL_MS 1000

struct stats_options {
	struct table_options table;
	bool no_stream, prometheus;
	struct optional interval;
};

static const struct option stats_table[] = {
	OPTION_FLAG("no-stream", 0, "once, not again and again (the default when not on a terminal)",
		struct stats_options, no_stream),
	OPTION_DURATION(
		"interval", 'i', "TIME", "time between two samples (default: 1s)", struct stats_options, interval),
	OPTION_FLAG("prometheus", 0, "print the text format of Prometheus, once", struct stats_options, prometheus),
	TABLE_OPTIONS(struct stats_options, table),
	END_OF_OPTIONS,
};

enum {
	NAME,
	FLEET,
	CPU,
	CPU_LIMIT,
	CPU_HOST,
	MEMORY,
	LIMIT,
	MEMORY_SHARE,
	CACHE,
	PRESSURE,
	NET_IN,
	NET_OUT,
	DISK,
	PIDS,
	RESTARTS,
	HEALTH,
	SWAP,
	PEAK,
	NET_IN_ALL,
	NET_OUT_ALL,
	READ,
	WRITTEN,
	DISK_LIMIT,
	PIDS_LIMIT,
	OOM,
	CPU_SECONDS,
	THROTTLED,
	CPU_PRESSURE,
	MEMORY_PRESSURE,
	IO_PRESSURE,
	CPU_TEXT,
	MEMORY_TEXT,
	SHARE_TEXT,
	NET_TEXT,
	BLOCK_TEXT
};

#define NUMBER(title_, key_, drop_)                                                                                    \
	{                                                                                                              \
		.title = title_, .key = key_, .kind = COLUMN_NUMBER, .drop = drop_                                     \
	}
#define HIDDEN(key_)                                                                                                   \
	{                                                                                                              \
		.title = "", .key = key_, .kind = COLUMN_NUMBER, .json_only = true                                     \
	}

static const struct column stats_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[FLEET] = {.title = "", .key = "fleet", .json_only = true},
	[CPU] = NUMBER("CPU%", "cpu_percent", 0), /* of one processor */
	[CPU_LIMIT] = NUMBER("OF-LIMIT", "cpu_of_limit_percent", 3),
	[CPU_HOST] = HIDDEN("cpu_of_host_percent"),
	[MEMORY] = NUMBER("MEMORY", "memory_bytes", 0),
	[LIMIT] = NUMBER("LIMIT", "memory_limit_bytes", 7),
	[MEMORY_SHARE] = NUMBER("MEM%", "memory_percent", 10),
	[CACHE] = NUMBER("CACHE", "memory_cache_bytes", 2),
	/* cgroup v2: the share of the last ten seconds in which somebody waited for processor, memory, disk. */
	[PRESSURE] = {.title = "PRESSURE", .key = "pressure", .drop = 4},
	[NET_IN] = NUMBER("IN/S", "net_in_bytes_per_second", 9),
	[NET_OUT] = NUMBER("OUT/S", "net_out_bytes_per_second", 8),
	[DISK] = NUMBER("DISK", "disk_bytes", 5),
	[PIDS] = NUMBER("PIDS", "pids", 11),
	[RESTARTS] = NUMBER("RESTARTS", "restarts", 1),
	[HEALTH] = {.title = "HEALTH", .key = "health", .colour = figures_health_colour, .drop = 6},
	[SWAP] = HIDDEN("swap_bytes"),
	[PEAK] = HIDDEN("memory_peak_bytes"),
	[NET_IN_ALL] = HIDDEN("net_in_bytes"),
	[NET_OUT_ALL] = HIDDEN("net_out_bytes"),
	[READ] = HIDDEN("read_bytes"),
	[WRITTEN] = HIDDEN("written_bytes"),
	[DISK_LIMIT] = HIDDEN("disk_limit_bytes"),
	[PIDS_LIMIT] = HIDDEN("pids_limit"),
	[OOM] = HIDDEN("oom_kills"),
	[CPU_SECONDS] = HIDDEN("cpu_seconds"),
	[THROTTLED] = HIDDEN("cpu_throttled_seconds"),
	[CPU_PRESSURE] = HIDDEN("cpu_pressure_percent"),
	[MEMORY_PRESSURE] = HIDDEN("memory_pressure_percent"),
	[IO_PRESSURE] = HIDDEN("io_pressure_percent"),
	[CPU_TEXT] = {.title = "CPU %", .key = "CPUPerc", .format_only = true},
	[MEMORY_TEXT] = {.title = "MEM USAGE / LIMIT", .key = "MemUsage", .format_only = true},
	[SHARE_TEXT] = {.title = "MEM %", .key = "MemPerc", .format_only = true},
	[NET_TEXT] = {.title = "NET I/O", .key = "NetIO", .format_only = true},
	[BLOCK_TEXT] = {.title = "BLOCK I/O", .key = "BlockIO", .format_only = true},
};

/* docker's words. */
static const struct template_alias stats_aliases[] = {{"Container", "name"}, {"ID", "name"}, {NULL, NULL}};

static const char *shown(const struct cell *cell)
{
	return cell->text ? cell->text : "-";
}

static struct cell two(struct arena *arena, const struct cell *one, const struct cell *other)
{
	return (struct cell){.text = arena_format(arena, "%s / %s", shown(one), shown(other))};
}

/* What only a template asks for; the row is filled. */
static void docker_cells(struct arena *arena, struct cell *row)
{
	row[CPU_TEXT].text = arena_format(arena, "%s%%", shown(&row[CPU]));
	row[MEMORY_TEXT] = two(arena, &row[MEMORY], &row[LIMIT]);
	row[SHARE_TEXT].text = arena_format(arena, "%s%%", shown(&row[MEMORY_SHARE]));
	row[NET_TEXT] = two(arena, &row[NET_IN_ALL], &row[NET_OUT_ALL]);
	row[BLOCK_TEXT] = two(arena, &row[READ], &row[WRITTEN]);
}

static void stats_row(struct table *table, const struct instance_stats *stats)
{
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	const struct cgroup_stats *cgroup = &stats->cgroup;
	struct optional used = stats_memory_used(stats);

	row[NAME].text = stats->name;
	row[FLEET].text = stats->fleet;
	row[CPU] = cell_decimal(arena, stats->cpu_permille, 1);
	row[CPU_LIMIT] = cell_decimal(arena, figures_share(stats->cpu_permille, cgroup->cpu_limit_milli), 1);
	row[CPU_HOST] = cell_decimal(arena, figures_share(stats->cpu_permille, figures_host_milli()), 1);
	row[MEMORY] = cell_bytes(arena, used);
	row[LIMIT] = cell_bytes(arena, cgroup->memory_limit_bytes);
	row[MEMORY_SHARE] = cell_decimal(arena, figures_share(used, cgroup->memory_limit_bytes), 1);
	row[CACHE] = cell_bytes(arena, stats_memory_cache(stats));
	row[PRESSURE].text = figures_pressure(arena, cgroup);
	row[NET_IN] = cell_bytes(arena, stats->in_bytes);
	row[NET_OUT] = cell_bytes(arena, stats->out_bytes);
	row[DISK] = cell_bytes_of(arena, stats->disk_bytes, stats->disk_limit_bytes);
	row[PIDS] = cell_count(arena, cgroup->pids);
	row[RESTARTS] = cell_count(arena, (struct optional){true, stats->restarts});
	row[HEALTH].text = stats->health == HEALTH_NONE ? NULL : health_state_names[stats->health];
	row[SWAP] = cell_bytes(arena, cgroup->swap_bytes);
	row[PEAK] = cell_bytes(arena, cgroup->memory_peak_bytes);
	row[NET_IN_ALL] = cell_bytes(arena, (struct optional){stats->link.present, (int64_t)stats->link.rx_bytes});
	row[NET_OUT_ALL] = cell_bytes(arena, (struct optional){stats->link.present, (int64_t)stats->link.tx_bytes});
	row[READ] = cell_bytes(arena, cgroup->io_read_bytes);
	row[WRITTEN] = cell_bytes(arena, cgroup->io_write_bytes);
	row[DISK_LIMIT] = cell_bytes(arena, stats->disk_limit_bytes);
	row[PIDS_LIMIT] = cell_count(arena, cgroup->pids_limit);
	row[OOM] = cell_count(arena, cgroup->oom_kills);
	row[CPU_SECONDS] = cell_decimal(arena, cgroup->cpu_us, 6);
	row[THROTTLED] = cell_decimal(arena, cgroup->cpu_throttled_us, 6);
	row[CPU_PRESSURE] = cell_decimal(arena, cgroup->cpu_pressure_10s, 2);
	row[MEMORY_PRESSURE] = cell_decimal(arena, cgroup->memory_pressure_10s, 2);
	row[IO_PRESSURE] = cell_decimal(arena, cgroup->io_pressure_10s, 2);
	docker_cells(arena, row);
}

static bool sample_has(const struct stats_sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->count; i++)
		if (text_equal(sample->items[i].name, name))
			return true;
	return false;
}

/* Those that run are in the sample; only the others are looked at one by one. */
static int others_list(struct cli *cli, const struct strings *names, const struct stats_sample *sample,
	struct instance_list *out, struct error *err)
{
	struct strings none = {0}, all = *names;

	if (!names->count && instance_select(&cli->arena, &cli->host, &none, &none, &all, err) < 0)
		return -1;
	out->items = arena_new_array(&cli->arena, all.count, struct instance_status);
	out->count = 0;
	for (size_t i = 0; i < all.count; i++) {
		if (sample_has(sample, all.items[i]))
			continue;
		if (instance_status_read(&cli->arena, &cli->host, all.items[i], &out->items[out->count], err) == 0)
			out->count++;
		else if (err->kind != ERROR_MISSING)
			return -1;
	}
	*err = (struct error){0};
	return 0;
}

static int prometheus_print(struct cli *cli, const struct strings *names, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	struct stats_sample sample;
	struct instance_list others;

	if (instance_stats_read(&cli->arena, &cli->host, names, STATS_DETAILS, NULL, &sample, err) < 0 ||
		others_list(cli, names, &sample, &others, err) < 0)
		return -1;
	stats_prometheus(&text, &sample, &others);
	fputs(text_string(&text), stdout);
	return 0;
}

/* One sample and its table; `before` gives the processor figures their base. */
static int sample_print(struct cli *cli, struct arena *arena, const struct stats_options *chosen,
	const struct strings *names, const struct stats_sample *before, struct stats_sample *sample, bool print,
	struct error *err)
{
	/* Only scripts see the rest. */
	enum stats_depth depth = chosen->table.json || chosen->table.format ? STATS_DETAILS : STATS_PLAIN;
	struct table table;

	if (instance_stats_read(arena, &cli->host, names, depth, before, sample, err) < 0)
		return -1;
	if (!print)
		return 0;
	table_init(&table, arena, stats_columns, ARRAY_SIZE(stats_columns));
	table.aliases = stats_aliases;
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
	/* A pattern that matches nothing does not mean all. */
	if (count && !names.count)
		return 0;
	if (chosen->prometheus)
		return cli_open(cli, err) < 0 ? -1 : prometheus_print(cli, &names, err);
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
	.summary = "show what instances use: processor, memory, network, disk, processes",
	.example =
		"warren stats --no-stream\nwarren stats --prometheus > /var/lib/prometheus/node-exporter/warren.prom",
	.options = stats_table,
	.options_size = sizeof(struct stats_options),
	.operands_max = SIZE_MAX,
	.run = stats_run,
};
