/* The figures as text that Prometheus and all that read its format take: for a textfile collector or a web server that
 * runs `warren stats --prometheus`. Version 0.0.4 of the format: a HELP and a TYPE line before the samples of a metric,
 * which stand together; base units (seconds, bytes); counters end in _total. */
#include <stdio.h>
#include <string.h>

#include "fleet/fleet.h"

struct metric {
	const char *name, *type, *help;
	int64_t divisor; /* of the figure, to base units: 1 or a power of ten */
	struct optional (*figure)(const struct instance_stats *stats);
};

#define FIGURE_OF(function, expression)                                                                                \
	static struct optional function(const struct instance_stats *stats)                                            \
	{                                                                                                              \
		return expression;                                                                                     \
	}
FIGURE_OF(cpu, stats->cgroup.cpu_us)
FIGURE_OF(cpu_user, stats->cgroup.cpu_user_us)
FIGURE_OF(cpu_system, stats->cgroup.cpu_system_us)
FIGURE_OF(cpu_limit, stats->cgroup.cpu_limit_milli)
FIGURE_OF(cpu_throttled, stats->cgroup.cpu_throttled_us)
FIGURE_OF(memory, stats_memory_used(stats))
FIGURE_OF(memory_cache, stats_memory_cache(stats))
FIGURE_OF(memory_peak, stats->cgroup.memory_peak_bytes)
FIGURE_OF(memory_limit, stats->cgroup.memory_limit_bytes)
FIGURE_OF(swap, stats->cgroup.swap_bytes)
FIGURE_OF(oom_kills, stats->cgroup.oom_kills)
FIGURE_OF(pids, stats->cgroup.pids)
FIGURE_OF(pids_limit, stats->cgroup.pids_limit)
FIGURE_OF(pids_refused, stats->cgroup.pids_refused)
FIGURE_OF(io_read, stats->cgroup.io_read_bytes)
FIGURE_OF(io_write, stats->cgroup.io_write_bytes)
FIGURE_OF(net_in, ((struct optional){stats->link.present, (int64_t)stats->link.rx_bytes}))
FIGURE_OF(net_out, ((struct optional){stats->link.present, (int64_t)stats->link.tx_bytes}))
FIGURE_OF(net_in_packets, ((struct optional){stats->link.present, (int64_t)stats->link.rx_packets}))
FIGURE_OF(net_out_packets, ((struct optional){stats->link.present, (int64_t)stats->link.tx_packets}))
FIGURE_OF(disk, stats->disk_bytes)
FIGURE_OF(disk_limit, stats->disk_limit_bytes)
FIGURE_OF(cpu_pressure, stats->cgroup.cpu_pressure_10s)
FIGURE_OF(memory_pressure, stats->cgroup.memory_pressure_10s)
FIGURE_OF(io_pressure, stats->cgroup.io_pressure_10s)
FIGURE_OF(restarts, ((struct optional){true, stats->restarts}))
FIGURE_OF(started, ((struct optional){stats->started_ms > 0, stats->started_ms}))
FIGURE_OF(healthy, ((struct optional){stats->health != HEALTH_NONE, stats->health == HEALTH_HEALTHY}))
FIGURE_OF(monitored, ((struct optional){true, stats->monitored}))

static const struct metric metrics[] = {
	{"cpu_seconds_total", "counter", "Processor time used by the present run.", 1000000, cpu},
	{"cpu_user_seconds_total", "counter", "Processor time used in user mode.", 1000000, cpu_user},
	{"cpu_system_seconds_total", "counter", "Processor time used in the kernel.", 1000000, cpu_system},
	{"cpu_throttled_seconds_total", "counter", "Time that its limit kept it from a processor.", 1000000,
		cpu_throttled},
	{"cpu_limit_processors", "gauge", "Processors that it may use at most.", 1000, cpu_limit},
	{"memory_bytes", "gauge", "Memory in use: anonymous, shared and the kernel's for it, without page cache.", 1,
		memory},
	{"memory_cache_bytes", "gauge", "Page cache charged to it, which the kernel gives back when it needs it.", 1,
		memory_cache},
	{"memory_peak_bytes", "gauge", "The most that was charged to it, page cache included.", 1, memory_peak},
	{"memory_limit_bytes", "gauge", "Memory that it may have at most.", 1, memory_limit},
	{"swap_bytes", "gauge", "Memory of it that was moved to swap.", 1, swap},
	{"oom_kills_total", "counter", "Processes ended for want of memory.", 1, oom_kills},
	{"pids", "gauge", "Processes and threads.", 1, pids},
	{"pids_limit", "gauge", "Processes and threads that it may have at most.", 1, pids_limit},
	{"pids_refused_total", "counter", "Processes and threads that were refused by that limit.", 1, pids_refused},
	{"io_read_bytes_total", "counter", "Bytes read from block devices.", 1, io_read},
	{"io_written_bytes_total", "counter", "Bytes written to block devices.", 1, io_write},
	{"network_receive_bytes_total", "counter", "Bytes that its link has received.", 1, net_in},
	{"network_transmit_bytes_total", "counter", "Bytes that its link has sent.", 1, net_out},
	{"network_receive_packets_total", "counter", "Packets that its link has received.", 1, net_in_packets},
	{"network_transmit_packets_total", "counter", "Packets that its link has sent.", 1, net_out_packets},
	{"disk_bytes", "gauge", "Disk space of what it has written into its root.", 1, disk},
	{"disk_limit_bytes", "gauge", "Disk space that it may have at most.", 1, disk_limit},
	{"cpu_pressure_ratio", "gauge", "Share of the last 10 s in which somebody waited for a processor.", 10000,
		cpu_pressure},
	{"memory_pressure_ratio", "gauge", "Share of the last 10 s in which somebody waited for memory.", 10000,
		memory_pressure},
	{"io_pressure_ratio", "gauge", "Share of the last 10 s in which somebody waited for a disk.", 10000,
		io_pressure},
	{"restarts_total", "counter", "Restarts by its policy since it was started.", 1, restarts},
	{"start_time_seconds", "gauge", "When the present run began, since the epoch.", 1000, started},
	{"healthy", "gauge", "1 when its health check is content, else 0; absent without a check.", 1, healthy},
	{"monitored", "gauge", "1 when its monitor lives, else 0.", 1, monitored},
};

/* The format's escapes in label values. Control characters cannot be in a name of ours. */
static void label(struct text *out, const char *name, const char *value)
{
	text_appendf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			text_append_bytes(out, "\\", 1);
		if (*value == '\n')
			text_append(out, "\\n");
		else
			text_append_bytes(out, value, 1);
	}
	text_append(out, "\"");
}

static void labels(struct text *out, const char *name, const char *fleet)
{
	label(out, "name", name);
	text_append(out, ",");
	label(out, "fleet", fleet ? fleet : "");
}

/* Exact: no binary fraction in between, no zeros at the end. */
static void number(struct text *out, int64_t value, int64_t divisor)
{
	int64_t rest = value % divisor;

	text_appendf(out, "%lld", (long long)(value / divisor));
	if (rest)
		text_append(out, ".");
	for (int64_t unit = divisor / 10; rest; unit /= 10) {
		text_appendf(out, "%d", (int)(rest / unit));
		rest %= unit;
	}
	text_append(out, "\n");
}

static void head(struct text *out, const char *name, const char *type, const char *help)
{
	text_appendf(out, "# HELP warren_instance_%s %s\n# TYPE warren_instance_%s %s\n", name, help, name, type);
}

static bool metric_has_samples(const struct metric *metric, const struct stats_sample *sample)
{
	for (size_t i = 0; i < sample->count; i++)
		if (metric->figure(&sample->items[i]).set)
			return true;
	return false;
}

static void metric_write(struct text *out, const struct metric *metric, const struct stats_sample *sample)
{
	if (!metric_has_samples(metric, sample))
		return;
	head(out, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < sample->count; i++) {
		struct optional figure = metric->figure(&sample->items[i]);

		if (!figure.set)
			continue;
		text_appendf(out, "warren_instance_%s{", metric->name);
		labels(out, sample->items[i].name, sample->items[i].fleet);
		text_append(out, "} ");
		number(out, figure.value, metric->divisor);
	}
}

static void state_write(struct text *out, const char *name, const char *fleet, enum instance_state state)
{
	text_append(out, "warren_instance_state{");
	labels(out, name, fleet);
	text_append(out, ",");
	label(out, "state", instance_state_names[state]);
	text_append(out, "} 1\n");
}

/* One series for each instance that there is, also for those that do not run: what alarms are made of. */
static void states_write(struct text *out, const struct stats_sample *sample, const struct instance_list *list)
{
	if (list->count + sample->count == 0)
		return;
	head(out, "state", "gauge", "1 for the state that it is in.");
	for (size_t i = 0; i < sample->count; i++)
		state_write(out, sample->items[i].name, sample->items[i].fleet,
			sample->items[i].paused ? INSTANCE_PAUSED : INSTANCE_RUNNING);
	for (size_t i = 0; i < list->count; i++)
		state_write(out, list->items[i].name, list->items[i].spec ? list->items[i].spec->fleet : NULL,
			list->items[i].state);
}

void stats_prometheus(struct text *out, const struct stats_sample *sample, const struct instance_list *list)
{
	states_write(out, sample, list);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		metric_write(out, &metrics[i], sample);
}
