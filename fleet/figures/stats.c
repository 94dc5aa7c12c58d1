/* Figures of running instances: one pass over their cgroups, one dump of all links, one record for each fleet.
 *
 * Specifications are not decoded: what is needed of them (who belongs to which fleet, which limits hold) is in the
 * fleets' records and in the kernel. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/health/health.h"
#include "fleet/state/generation.h"
#include "fleet/state/instance.h"
#include "fleet/state/select.h"
#include "images/images.h"

#define FLEETS_MAX 65536

/* --- since the sample before -------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return instance_name_compare(
		((const struct instance_stats *)a)->name, ((const struct instance_stats *)b)->name);
}

static const struct instance_stats *sample_find(const struct stats_sample *sample, const char *name)
{
	const struct instance_stats key = {.name = name};

	return sample && sample->count ? bsearch(&key, sample->items, sample->count, sizeof(key), compare_names) : NULL;
}

/* A counter that is smaller than before has begun anew: nothing is known of that time. */
static struct optional by_second(struct optional before, struct optional now, int64_t passed_ms)
{
	if (!before.set || !now.set || passed_ms <= 0 || now.value < before.value)
		return (struct optional){0};
	return (struct optional){true, (int64_t)((__int128)(now.value - before.value) * 1000 / passed_ms)};
}

static struct optional link_bytes(const struct instance_stats *stats, uint64_t bytes)
{
	return (struct optional){stats->link.present, (int64_t)bytes};
}

static void rates_fill(const struct instance_stats *before, struct instance_stats *now)
{
	int64_t passed_ms = before ? now->at_ms - before->at_ms : 0;

	if (!before)
		return;
	now->cpu_permille = by_second(before->cgroup.cpu_us, now->cgroup.cpu_us, passed_ms);
	now->cpu_permille.value /= 1000;
	now->in_bytes =
		by_second(link_bytes(before, before->link.rx_bytes), link_bytes(now, now->link.rx_bytes), passed_ms);
	now->out_bytes =
		by_second(link_bytes(before, before->link.tx_bytes), link_bytes(now, now->link.tx_bytes), passed_ms);
	now->read_bytes = by_second(before->cgroup.io_read_bytes, now->cgroup.io_read_bytes, passed_ms);
	now->write_bytes = by_second(before->cgroup.io_write_bytes, now->cgroup.io_write_bytes, passed_ms);
}

/* --- one instance ------------------------------------------------------------------------------------------------- */

struct survey {
	struct host *host;
	const struct link_counters *links; /* by slot; NULL where there is no network of ours at all */
	bool counts_disk, details;
	struct cgroup parent; /* of all instances' cgroups */
};

/* 1 taken, 0 it does not run (any more), -1. */
static int stats_take(struct arena *scratch, const struct survey *survey, const char *name, struct instance_stats *out,
	struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct run run;
	struct record record;
	struct health_status health;
	struct error ignored;

	*out = (struct instance_stats){.name = name, .at_ms = clock_ms()};
	if (instance_find(survey->host, name, &instance, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	/* What cannot be read is a damaged one's: `list` says so. */
	if (instance.live < 0 || run_read(scratch, instance.live, &run, &ignored) < 0 || !run_is_alive(&run))
		return 0;
	if (cgroup_stats_read_below(&survey->parent, name, survey->details, &out->cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	out->started_ms = run.started_ms;
	out->restarts = run.restarts;
	out->monitored = survey->details && instance_is_monitored(&instance);
	out->paused = desired_read(instance.dir) == DESIRED_PAUSED;
	if (survey->links && record_read(scratch, instance.dir, &record, &ignored) == 0)
		out->link = survey->links[record.slot];
	if (survey->counts_disk)
		root_disk_used(instance.dir, &out->disk_bytes, &out->disk_limit_bytes);
	if (health_read(scratch, instance.live, &health, &ignored) == 0)
		out->health = health.state;
	return 1;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static const struct link_counters *links_read(struct arena *arena)
{
	struct link_counters *links = arena_new_array(arena, SLOT_MAX + 1, struct link_counters);
	struct error ignored;
	AUTO(net_session_drop) struct net_session *session = net_session_open(&ignored);

	if (!session || link_counters_read_all(session, links, &ignored) < 0)
		return NULL;
	return links;
}

static void fleet_names_set(struct arena *scratch, const char *fleet, int dir, struct stats_sample *sample)
{
	struct generation generation;

	generation_read(scratch, dir, &generation);
	for (size_t i = 0; i < generation.instances.count; i++) {
		struct instance_stats *item =
			(struct instance_stats *)sample_find(sample, generation.instances.items[i]);

		if (item)
			item->fleet = fleet;
	}
}

static void fleets_set(struct arena *arena, struct arena *scratch, const struct host *host, struct stats_sample *sample)
{
	struct strings fleets = {0};
	struct error ignored;

	if (dir_list(scratch, host->fleets, FLEETS_MAX, &fleets, &ignored) < 0)
		return;
	for (size_t i = 0; i < fleets.count; i++) {
		auto_fd dir = dir_open(host->fleets, fleets.items[i], &ignored);

		if (dir >= 0)
			fleet_names_set(scratch, arena_string(arena, fleets.items[i]), dir, sample);
	}
}

static int sample_take(struct arena *arena, struct arena *scratch, const struct survey *survey,
	const struct strings *names, const struct stats_sample *before, struct stats_sample *out, struct error *err)
{
	out->items = arena_new_array(arena, names->count, struct instance_stats);
	for (size_t i = 0; i < names->count; i++) {
		struct instance_stats *item = &out->items[out->count];
		int taken = stats_take(scratch, survey, arena_string(arena, names->items[i]), item, err);

		if (taken < 0)
			return blame(err, "figures of %s", names->items[i]);
		if (!taken)
			continue;
		rates_fill(sample_find(before, item->name), item);
		out->count++;
	}
	return 0;
}

int instance_stats_read(struct arena *arena, struct host *host, const struct strings *names, enum stats_depth depth,
	const struct stats_sample *before, struct stats_sample *out, struct error *err)
{
	AUTO(arena_drop) struct arena scratch = {0};
	struct survey survey = {.host = host,
		.links = links_read(&scratch),
		.counts_disk = disk_quota_state(host->lib) == DISK_QUOTA_ON,
		.details = depth == STATS_DETAILS};
	struct strings all = *names;
	int result;

	*out = (struct stats_sample){0};
	if (!all.count && instance_names(arena, host, &all, err) < 0)
		return -1;
	/* Without it nothing runs. */
	if (cgroup_open(&host->cgroups, host->cgroup_parent, &survey.parent, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	result = sample_take(arena, &scratch, &survey, &all, before, out, err);
	cgroup_drop(&survey.parent);
	if (result < 0)
		return -1;
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_names);
	fleets_set(arena, &scratch, host, out);
	return 0;
}
struct optional stats_memory_used(const struct instance_stats *stats)
{
	const struct cgroup_stats *cgroup = &stats->cgroup;

	return cgroup->memory_used_bytes.set ? cgroup->memory_used_bytes : cgroup->memory_bytes;
}

struct optional stats_memory_cache(const struct instance_stats *stats)
{
	const struct cgroup_stats *cgroup = &stats->cgroup;
	int64_t cache = cgroup->memory_bytes.value - cgroup->memory_used_bytes.value;

	/* They are read one after the other. */
	return (struct optional){cgroup->memory_bytes.set && cgroup->memory_used_bytes.set, cache > 0 ? cache : 0};
}
