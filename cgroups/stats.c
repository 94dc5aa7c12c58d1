/* Figures of one cgroup, in one pass over its files.
 *
 * memory_used_bytes is what would not go away if the kernel dropped its caches of files: anonymous memory, tmpfs and
 * shared memory, and the kernel's own memory on the cgroup's behalf.
 *   v2: memory.stat anon + shmem + kernel + sock
 *   v1: memory.stat total_rss + total_shmem (children included), and memory.kmem.usage_in_bytes
 * A sum, not "current less file": the two are counted apart and their difference can fall below zero.
 *
 * v1's limit is hierarchical_memory_limit, the smallest of the cgroup's and its parents'; v2's is the cgroup's own.
 * A file that does not exist, or a controller that is not enabled, leaves its figure unset. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/limits.h"
#include "cgroups/tree.h"

#define NANOSECONDS_PER_US 1000

static void set(struct optional *out, int64_t value)
{
	*out = (struct optional){.set = true, .value = value};
}

/* One key of a text with "key value" lines, or with key NULL a file's only number; divided on the way. */
struct figure {
	size_t offset; /* of its struct optional in struct cgroup_stats */
	const char *key;
	int64_t divisor;
};

/* A file and the figures that are in it. detail: not read when thousands are asked for what a table shows. bill: what
 * an account of use is made of. */
struct source {
	enum cgroup_controller controller;
	const char *file;
	const struct figure *figures;
	size_t count;
	bool detail, bill;
};

#define FIGURE(member, ...)                                                                                            \
	{                                                                                                              \
		offsetof(struct cgroup_stats, member), __VA_ARGS__                                                     \
	}
#define DETAIL(controller_, file_, ...)                                                                                \
	{                                                                                                              \
		.controller = controller_, .file = file_, .figures = (const struct figure[]){__VA_ARGS__},             \
		.count = sizeof((const struct figure[]){__VA_ARGS__}) / sizeof(struct figure), .detail = true          \
	}
#define SOURCE(controller_, file_, ...)                                                                                \
	{                                                                                                              \
		.controller = controller_, .file = file_, .figures = (const struct figure[]){__VA_ARGS__},             \
		.count = sizeof((const struct figure[]){__VA_ARGS__}) / sizeof(struct figure)                          \
	}
#define BILL(controller_, file_, detail_, ...)                                                                         \
	{                                                                                                              \
		.controller = controller_, .file = file_, .figures = (const struct figure[]){__VA_ARGS__},             \
		.count = sizeof((const struct figure[]){__VA_ARGS__}) / sizeof(struct figure), .detail = detail_,      \
		.bill = true                                                                                           \
	}

static const struct source v2_sources[] = {
	BILL(CGROUP_MEMORY, "memory.current", false, FIGURE(memory_bytes, NULL, 1)),
	BILL(CGROUP_MEMORY, "memory.peak", true, FIGURE(memory_peak_bytes, NULL, 1)),
	BILL(CGROUP_MEMORY, "memory.max", false, FIGURE(memory_limit_bytes, NULL, 1)),
	DETAIL(CGROUP_MEMORY, "memory.swap.current", FIGURE(swap_bytes, NULL, 1)),
	DETAIL(CGROUP_MEMORY, "memory.events", FIGURE(oom_kills, "oom_kill", 1)),
	SOURCE(CGROUP_PIDS, "pids.current", FIGURE(pids, NULL, 1)),
	DETAIL(CGROUP_PIDS, "pids.max", FIGURE(pids_limit, NULL, 1)),
	DETAIL(CGROUP_PIDS, "pids.events", FIGURE(pids_refused, "max", 1)),
	BILL(CGROUP_CPU, "cpu.stat", false, FIGURE(cpu_us, "usage_usec", 1), FIGURE(cpu_user_us, "user_usec", 1),
		FIGURE(cpu_system_us, "system_usec", 1), FIGURE(cpu_periods, "nr_periods", 1),
		FIGURE(cpu_throttled_periods, "nr_throttled", 1), FIGURE(cpu_throttled_us, "throttled_usec", 1)),
};

static const struct source v1_sources[] = {
	BILL(CGROUP_MEMORY, "memory.usage_in_bytes", false, FIGURE(memory_bytes, NULL, 1)),
	BILL(CGROUP_MEMORY, "memory.max_usage_in_bytes", true, FIGURE(memory_peak_bytes, NULL, 1)),
	DETAIL(CGROUP_MEMORY, "memory.oom_control", FIGURE(oom_kills, "oom_kill", 1)),
	SOURCE(CGROUP_PIDS, "pids.current", FIGURE(pids, NULL, 1)),
	DETAIL(CGROUP_PIDS, "pids.max", FIGURE(pids_limit, NULL, 1)),
	DETAIL(CGROUP_PIDS, "pids.events", FIGURE(pids_refused, "max", 1)),
	BILL(CGROUP_CPUACCT, "cpuacct.usage", false, FIGURE(cpu_us, NULL, NANOSECONDS_PER_US)),
	DETAIL(CGROUP_CPUACCT, "cpuacct.usage_user", FIGURE(cpu_user_us, NULL, NANOSECONDS_PER_US)),
	DETAIL(CGROUP_CPUACCT, "cpuacct.usage_sys", FIGURE(cpu_system_us, NULL, NANOSECONDS_PER_US)),
	DETAIL(CGROUP_CPU, "cpu.stat", FIGURE(cpu_periods, "nr_periods", 1),
		FIGURE(cpu_throttled_periods, "nr_throttled", 1),
		FIGURE(cpu_throttled_us, "throttled_time", NANOSECONDS_PER_US)),
};

static void figure_take(const struct figure *figure, const char *text, struct cgroup_stats *out)
{
	int64_t value;

	if (!(figure->key ? keyed_number(text, figure->key, &value) : knob_parse(text, &value)) || value < 0)
		return;
	set((struct optional *)((char *)out + figure->offset), value / figure->divisor);
}

/* Whose files: the cgroup's own, or those of one directly below it, which is never opened. */
struct place {
	const struct cgroup *cgroup;
	const char *below; /* NULL: the cgroup itself */
	bool details, bill;
};

static ssize_t place_read(
	const struct place *place, enum cgroup_controller controller, const char *file, char *buffer, size_t size)
{
	char path[CGROUP_PATH_MAX + 64];
	int dir = cgroup_directory(place->cgroup, controller);

	if (!place->below)
		return knob_read(dir, file, buffer, size);
	snprintf(path, sizeof(path), "%s/%s", place->below, file);
	return knob_read(dir, path, buffer, size);
}

static bool place_number(const struct place *place, enum cgroup_controller controller, const char *file, int64_t *out)
{
	char text[64];

	return place_read(place, controller, file, text, sizeof(text)) > 0 && knob_parse(text, out);
}

/* Gives how many of the files could be read. */
static size_t sources_read(
	const struct place *place, const struct source *sources, size_t count, struct cgroup_stats *out)
{
	char text[KNOB_SIZE];
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if ((sources[i].detail && !place->details) || (place->bill && !sources[i].bill))
			continue;
		if (place_read(place, sources[i].controller, sources[i].file, text, sizeof(text)) < 0)
			continue;
		found++;
		for (size_t j = 0; j < sources[i].count; j++)
			figure_take(&sources[i].figures[j], text, out);
	}
	return found;
}

static int64_t sum_of_keys(const char *text, const char *const *keys)
{
	int64_t sum = 0, value;

	for (; *keys; keys++)
		if (keyed_number(text, *keys, &value) && value > 0)
			sum += value;
	return sum;
}

static void memory_detail_v2(const struct place *place, struct cgroup_stats *out)
{
	static const char *const used[] = {"anon", "shmem", "kernel", "sock", NULL};
	char text[KNOB_SIZE];

	if (place_read(place, CGROUP_MEMORY, "memory.stat", text, sizeof(text)) > 0)
		set(&out->memory_used_bytes, sum_of_keys(text, used));
}

static void memory_detail_v1(const struct place *place, struct cgroup_stats *out)
{
	static const char *const used[] = {"total_rss", "total_shmem", NULL};
	char text[KNOB_SIZE];
	int64_t kernel, value;

	if (place_read(place, CGROUP_MEMORY, "memory.stat", text, sizeof(text)) <= 0)
		return;
	if (!place_number(place, CGROUP_MEMORY, "memory.kmem.usage_in_bytes", &kernel))
		kernel = 0; /* CONFIG_MEMCG_KMEM off, or cgroup.memory=nokmem */
	set(&out->memory_used_bytes, sum_of_keys(text, used) + kernel);
	if (keyed_number(text, "total_swap", &value))
		set(&out->swap_bytes, value);
	if (keyed_number(text, "hierarchical_memory_limit", &value) && v1_bytes(value) >= 0)
		set(&out->memory_limit_bytes, value);
}

static int64_t number_after(const char *line, const char *end, const char *key)
{
	const char *at = strstr(line, key);
	int64_t value;

	return at && at < end && knob_parse(at + strlen(key), &value) && value > 0 ? value : 0;
}

/* Adds up over devices: v2 "8:0 rbytes=1 wbytes=2 …" in a line, v1 "8:0 Read 1" and "8:0 Write 2" in two. */
static void io_read(const struct place *place, struct cgroup_stats *out)
{
	bool v2 = place->cgroup->unified >= 0;
	const char *file = v2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive";
	const char *read_key = v2 ? " rbytes=" : " Read ", *write_key = v2 ? " wbytes=" : " Write ";
	char text[KNOB_SIZE];

	if (place_read(place, CGROUP_IO, file, text, sizeof(text)) < 0)
		return;
	set(&out->io_read_bytes, 0);
	set(&out->io_write_bytes, 0);
	for (const char *line = text; *line;) {
		const char *end = line + strcspn(line, "\n");

		out->io_read_bytes.value += number_after(line, end, read_key);
		out->io_write_bytes.value += number_after(line, end, write_key);
		line = *end ? end + 1 : end;
	}
}

static void cpu_limit_take(int64_t quota_us, int64_t period_us, struct cgroup_stats *out)
{
	if (quota_us > 0 && period_us > 0 && quota_us < INT64_MAX / 1000)
		set(&out->cpu_limit_milli, quota_us * 1000 / period_us);
}

/* v2 "50000 100000" or "max 100000"; v1 a file each, quota -1 for none. */
static void cpu_limit_read(const struct place *place, struct cgroup_stats *out)
{
	int64_t quota_us = -1, period_us = -1;
	char text[64];

	if (place->cgroup->unified < 0) {
		if (place_number(place, CGROUP_CPU, "cpu.cfs_quota_us", &quota_us) && quota_us > 0 &&
			place_number(place, CGROUP_CPU, "cpu.cfs_period_us", &period_us))
			cpu_limit_take(quota_us, period_us, out);
		return;
	}
	if (place_read(place, CGROUP_CPU, "cpu.max", text, sizeof(text)) > 0 && strchr(text, ' ') &&
		knob_parse(text, &quota_us) && knob_parse(strchr(text, ' ') + 1, &period_us))
		cpu_limit_take(quota_us, period_us, out);
}

/* "some avg10=12.34 avg60=…": 1234. Kernels with pressure switched off say EOPNOTSUPP. */
static void pressure_read(const struct place *place, const char *file, struct optional *out)
{
	char text[256];
	unsigned whole, hundredths;

	if (place_read(place, CGROUP_MEMORY, file, text, sizeof(text)) > 0 &&
		sscanf(text, "some avg10=%3u.%2u", &whole, &hundredths) == 2)
		set(out, (int64_t)whole * 100 + hundredths);
}

/* A removed cgroup's directory still opens but holds nothing; any other has procs, wherever it is. */
static bool is_gone(const struct place *place)
{
	char text[8];
	int dir = cgroup_any_directory(place->cgroup);

	if (!place->below)
		return dir >= 0 && faccessat(dir, "cgroup.procs", F_OK, 0) < 0;
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		if (place_read(place, i, "cgroup.procs", text, sizeof(text)) >= 0)
			return false;
	return true;
}

static int place_stats(const struct place *place, struct cgroup_stats *out, struct error *err)
{
	bool v2 = place->cgroup->unified >= 0;
	size_t found;

	*out = (struct cgroup_stats){0};
	found = v2 ? sources_read(place, v2_sources, ARRAY_SIZE(v2_sources), out)
		   : sources_read(place, v1_sources, ARRAY_SIZE(v1_sources), out);
	if (!found && is_gone(place))
		return fail(err, ERROR_MISSING, "cgroup %s%s%s is gone", place->cgroup->path, place->below ? "/" : "",
			place->below ? place->below : "");
	(v2 ? memory_detail_v2 : memory_detail_v1)(place, out);
	if (place->bill)
		return 0;
	io_read(place, out);
	cpu_limit_read(place, out);
	if (!v2)
		return 0;
	pressure_read(place, "memory.pressure", &out->memory_pressure_10s);
	pressure_read(place, "cpu.pressure", &out->cpu_pressure_10s);
	pressure_read(place, "io.pressure", &out->io_pressure_10s);
	return 0;
}

int cgroup_stats_read(const struct cgroup *cgroup, struct cgroup_stats *out, struct error *err)
{
	const struct place place = {.cgroup = cgroup, .details = true};

	return place_stats(&place, out, err);
}

int cgroup_bill_read(const struct cgroup *cgroup, struct cgroup_stats *out, struct error *err)
{
	const struct place place = {.cgroup = cgroup, .details = true, .bill = true};

	return place_stats(&place, out, err);
}

int cgroup_stats_read_below(
	const struct cgroup *cgroup, const char *name, bool details, struct cgroup_stats *out, struct error *err)
{
	const struct place place = {.cgroup = cgroup, .below = name, .details = details};

	return place_stats(&place, out, err);
}

int64_t cgroup_oom_kills(const struct cgroup *cgroup)
{
	const char *file = cgroup->unified >= 0 ? "memory.events" : "memory.oom_control";
	char text[512];
	int64_t kills;

	if (knob_read(cgroup_directory(cgroup, CGROUP_MEMORY), file, text, sizeof(text)) <= 0)
		return 0;
	return keyed_number(text, "oom_kill", &kills) ? kills : 0;
}
