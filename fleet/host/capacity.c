/* What the host has, what is taken of it, and what one more takes: from the figures of those that run and the kernel's
 * own. */
#include "fleet/host/capacity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "fleet/host/doctor.h"
#include "fleet/state/instance.h"
#include "fleet/state/select.h"

#define PROC_MAX 65536

/* --- the host ----------------------------------------------------------------------------------------------------- */

/* "" when it is not there. */
static const char *proc_text(struct arena *arena, const char *path)
{
	struct error ignored;
	const char *text;

	return file_read(arena, AT_FDCWD, path, PROC_MAX, &text, NULL, &ignored) < 0 ? "" : text;
}

static int64_t meminfo_bytes(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	long long kib = 0;

	return at && sscanf(at + strlen(label), " %lld", &kib) == 1 ? kib * 1024 : 0;
}

static void disk_facts(const struct host *host, struct capacity_facts *out)
{
	struct statvfs disk;

	if (fstatvfs(host->lib, &disk) < 0)
		return;
	out->disk_bytes = (int64_t)(disk.f_blocks * disk.f_frsize);
	out->disk_free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
}

/* What cannot be read stays 0, and bounds nothing. */
static void host_facts(const struct host *host, struct capacity_facts *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *memory = proc_text(&arena, "/proc/meminfo");
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	out->processors_milli = processors > 0 ? (int64_t)processors * 1000 : 0;
	out->memory_bytes = meminfo_bytes(memory, "MemTotal:");
	out->memory_free_bytes = meminfo_bytes(memory, "MemAvailable:");
	disk_facts(host, out);
	if (sscanf(proc_text(&arena, "/proc/sys/kernel/pid_max"), "%" SCNd64, &out->pid_max) != 1 ||
		sscanf(proc_text(&arena, "/proc/loadavg"), "%*s %*s %*s %*d/%" SCNd64, &out->pids_now) != 1)
		out->pid_max = 0;
	if (sscanf(proc_text(&arena, "/proc/sys/fs/file-nr"), "%" SCNd64 " %*d %" SCNd64, &out->files_open,
		    &out->files_max) != 2)
		out->files_max = 0;
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

/* Over the whole of its run: what it takes in this second says little. */
static int64_t cpu_average_milli(const struct instance_stats *stats)
{
	int64_t run_ms = clock_real_ms() - stats->started_ms;

	if (!stats->cgroup.cpu_us.set || run_ms < 1)
		return 0;
	return stats->cgroup.cpu_us.value / run_ms;
}

static int64_t value_or_zero(struct optional value)
{
	return value.set ? value.value : 0;
}

static struct capacity_need need_of(const struct instance_stats *stats)
{
	return (struct capacity_need){
		.memory_bytes = value_or_zero(stats_memory_used(stats)),
		.cpu_milli = cpu_average_milli(stats),
		.pids = value_or_zero(stats->cgroup.pids),
		.disk_bytes = value_or_zero(stats->disk_bytes),
		.memory_limit_bytes = stats->cgroup.memory_limit_bytes,
		.cpu_limit_milli = stats->cgroup.cpu_limit_milli,
		.disk_limit_bytes = stats->disk_limit_bytes,
	};
}

static struct optional optional_sum(struct optional sum, struct optional more)
{
	return more.set ? (struct optional){true, sum.value + more.value} : sum;
}

static struct optional optional_mean(struct optional sum, int64_t count)
{
	return (struct optional){sum.set, sum.value / count};
}

static struct capacity_need need_sum(const struct stats_sample *sample)
{
	struct capacity_need sum = {0};

	for (size_t i = 0; i < sample->count; i++) {
		struct capacity_need one = need_of(&sample->items[i]);

		sum.memory_bytes += one.memory_bytes;
		sum.cpu_milli += one.cpu_milli;
		sum.pids += one.pids;
		sum.disk_bytes += one.disk_bytes;
		sum.memory_limit_bytes = optional_sum(sum.memory_limit_bytes, one.memory_limit_bytes);
		sum.cpu_limit_milli = optional_sum(sum.cpu_limit_milli, one.cpu_limit_milli);
		sum.disk_limit_bytes = optional_sum(sum.disk_limit_bytes, one.disk_limit_bytes);
	}
	return sum;
}

static struct capacity_need need_mean(const struct capacity_need *sum, int64_t count)
{
	return (struct capacity_need){
		.memory_bytes = sum->memory_bytes / count,
		.cpu_milli = sum->cpu_milli / count,
		.pids = sum->pids / count,
		.disk_bytes = sum->disk_bytes / count,
		.memory_limit_bytes = optional_mean(sum->memory_limit_bytes, count),
		.cpu_limit_milli = optional_mean(sum->cpu_limit_milli, count),
		.disk_limit_bytes = optional_mean(sum->disk_limit_bytes, count),
	};
}

static bool request_says_enough(const struct capacity_request *request)
{
	return request->memory_bytes.set;
}

static int need_find(const struct stats_sample *sample, const struct capacity_need *sum,
	const struct capacity_request *request, struct capacity_need *out, struct error *err)
{
	*out = (struct capacity_need){.pids = 16};
	if (request->like) {
		for (size_t i = 0; i < sample->count; i++)
			if (text_equal(sample->items[i].name, request->like)) {
				*out = need_of(&sample->items[i]);
				return 0;
			}
		return fail(err, ERROR_BUSY, "%s does not run: nothing is known of what it uses", request->like);
	}
	if (sample->count)
		*out = need_mean(sum, (int64_t)sample->count);
	else if (!request_says_enough(request))
		return fail(err, ERROR_BUSY,
			"no instance runs: say what one takes, as in --memory 64M --cpus 0.1, or start one");
	return 0;
}

static void need_override(struct capacity_need *need, const struct capacity_request *request)
{
	if (request->memory_bytes.set) {
		need->memory_bytes = request->memory_bytes.value;
		need->memory_limit_bytes = request->memory_bytes;
	}
	if (request->cpus_milli.set) {
		need->cpu_milli = request->cpus_milli.value;
		need->cpu_limit_milli = request->cpus_milli;
	}
	if (request->pids.set)
		need->pids = request->pids.value;
	if (request->disk_bytes.set) {
		need->disk_bytes = request->disk_bytes.value;
		need->disk_limit_bytes = request->disk_bytes;
	}
}

/* --- bounds that follow from settings ----------------------------------------------------------------------------- */

static void sysctl_bounds(struct arena *arena, int64_t instances, struct capacity *out)
{
	struct limit_room room;

	for (size_t i = 0; limit_room_read(i, &room); i++) {
		if (room.enough < 0)
			continue;
		capacity_bound_add(arena, out,
			&(struct capacity_bound){.resource = arena_string(arena, room.name),
				.have = room.value,
				.taken = room.base + room.each * instances,
				.each = room.each,
				.unit = "",
				.basis = CAPACITY_SETTING,
				.fits = room.enough > instances ? room.enough - instances : 0});
	}
}

/* --- who could do with less --------------------------------------------------------------------------------------- */

static void waste_find(struct arena *arena, const struct stats_sample *sample, struct capacity *out)
{
	out->waste.items = arena_new_array(arena, sample->count + 1, struct capacity_waste);
	for (size_t i = 0; i < sample->count; i++) {
		const struct instance_stats *stats = &sample->items[i];
		struct capacity_waste waste = {
			.name = stats->name,
			.limit_bytes = value_or_zero(stats->cgroup.memory_limit_bytes),
			.used_bytes = value_or_zero(stats_memory_used(stats)),
			.peak_bytes = value_or_zero(stats->cgroup.memory_peak_bytes),
		};

		waste.suggested_bytes = capacity_suggest(waste.limit_bytes, waste.used_bytes, waste.peak_bytes);
		if (!waste.suggested_bytes)
			continue;
		out->waste.items[out->waste.count++] = waste;
		out->waste_bytes += waste.limit_bytes - waste.suggested_bytes;
	}
}

int host_capacity(struct arena *arena, struct host *host, const struct capacity_request *request, struct capacity *out,
	struct error *err)
{
	struct capacity_facts facts = {0};
	struct capacity_need need, sum;
	struct stats_sample sample;
	struct strings names;

	*out = (struct capacity){.like = request->like};
	if (request->like) {
		auto_instance instance = INSTANCE_EMPTY;

		if (instance_find(host, request->like, &instance, err) < 0)
			return -1;
	}
	if (instance_names(arena, host, &names, err) < 0 ||
		instance_stats_read(arena, host, &(struct strings){0}, STATS_DETAILS, NULL, &sample, err) < 0)
		return -1;
	sum = need_sum(&sample);
	if (need_find(&sample, &sum, request, &need, err) < 0)
		return -1;
	need_override(&need, request);
	host_facts(host, &facts);
	facts.cpu_used_milli = sum.cpu_milli;
	facts.memory_promised_bytes = value_or_zero(sum.memory_limit_bytes);
	facts.cpu_promised_milli = value_or_zero(sum.cpu_limit_milli);
	facts.slots_taken = (int64_t)names.count;
	out->running = sample.count;
	out->processors_milli = facts.processors_milli;
	out->memory_bytes = facts.memory_bytes;
	capacity_reckon(arena, &facts, &need, out);
	sysctl_bounds(arena, (int64_t)names.count, out);
	capacity_conclude(out);
	waste_find(arena, &sample, out);
	return 0;
}
