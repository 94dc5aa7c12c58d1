/* Figures of running instances: one pass over their cgroups, one dump of all links. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/instance.h"
#include "fleet/select.h"

/* Thousandths of one processor between two samples of the same instance. */
static int64_t cpu_permille(const struct instance_stats *before, const struct instance_stats *now)
{
	int64_t passed_ms = now->at_ms - before->at_ms;

	if (!before->cgroup.cpu_us.set || !now->cgroup.cpu_us.set || passed_ms <= 0)
		return -1;
	/* A restarted instance has a new cgroup, whose count begins at 0. */
	if (now->cgroup.cpu_us.value < before->cgroup.cpu_us.value)
		return -1;
	return (now->cgroup.cpu_us.value - before->cgroup.cpu_us.value) / passed_ms;
}

static int64_t cpu_since(const struct stats_sample *before, const struct instance_stats *now)
{
	for (size_t i = 0; before && i < before->count; i++)
		if (text_equal(before->items[i].name, now->name))
			return cpu_permille(&before->items[i], now);
	return -1;
}

/* 1 taken, 0 it does not run, -1. */
static int stats_take(struct host *host, const char *name, const struct link_counters *links,
	struct instance_stats *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	struct record record;
	struct cgroup cgroup;
	int result;

	*out = (struct instance_stats){.name = name, .cpu_permille = -1, .at_ms = clock_ms()};
	if (instance_find(host, name, &instance, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	if (instance_running_read(&arena, &instance, &running, err) < 0)
		return err->kind == ERROR_BUSY ? forgive(err) : -1;
	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, name), &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	result = cgroup_stats_read(&cgroup, &out->cgroup, err);
	cgroup_drop(&cgroup);
	struct error ignored;

	if (result == 0 && links && record_read(&arena, instance.dir, &record, &ignored) == 0)
		out->link = links[record.slot];
	return result < 0 ? -1 : 1;
}

/* NULL where there is no network of ours at all. */
static const struct link_counters *links_read(struct arena *arena)
{
	struct link_counters *links = arena_new_array(arena, SLOT_MAX + 1, struct link_counters);
	struct error ignored;
	AUTO(net_session_drop) struct net_session *session = net_session_open(&ignored);

	if (!session || link_counters_read_all(session, links, &ignored) < 0)
		return NULL;
	return links;
}

int instance_stats_read(struct arena *arena, struct host *host, const struct strings *names,
	const struct stats_sample *before, struct stats_sample *out, struct error *err)
{
	AUTO(arena_drop) struct arena scratch = {0};
	const struct link_counters *links = links_read(&scratch);
	struct strings all = *names;

	*out = (struct stats_sample){0};
	if (!all.count && instance_names(arena, host, &all, err) < 0)
		return -1;
	out->items = arena_new_array(arena, all.count, struct instance_stats);
	for (size_t i = 0; i < all.count; i++) {
		struct instance_stats *item = &out->items[out->count];
		int taken = stats_take(host, arena_string(arena, all.items[i]), links, item, err);

		if (taken < 0)
			return blame(err, "figures of %s", all.items[i]);
		if (!taken)
			continue;
		item->cpu_permille = cpu_since(before, item);
		out->count++;
	}
	return 0;
}
