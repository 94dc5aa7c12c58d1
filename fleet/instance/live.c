/* See live.h. One row for each part of a running instance that can change; a later row that fails takes the earlier
 * ones back. The kernel is asked what it has, not the record: whatever somebody wrote by hand is put right as well. */
#include "fleet/instance/live.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/instance/limit_drift.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/attachment.h"
#include "fleet/network/listeners.h"
#include "fleet/network/published.h"
#include "fleet/network/republish.h"

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* A limit that is there and not said is taken away. */
static void limits_lift(const struct cgroup_limits *in_kernel, struct cgroup_limits *wanted)
{
	static const size_t members[] = {offsetof(struct cgroup_limits, memory_max),
		offsetof(struct cgroup_limits, memory_high), offsetof(struct cgroup_limits, swap_max),
		offsetof(struct cgroup_limits, pids_max), offsetof(struct cgroup_limits, cpu_quota_us)};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct optional *now = (const struct optional *)((const char *)in_kernel + members[i]);
		struct optional *next = (struct optional *)((char *)wanted + members[i]);

		if (now->set && !next->set)
			*next = (struct optional){true, -1};
	}
}

/* Weights and guarantees have no "max": back to what the kernel begins with. */
static void weights_reset(const struct cgroup_limits *in_kernel, struct cgroup_limits *wanted)
{
	if (in_kernel->memory_low.set && in_kernel->memory_low.value > 0 && !wanted->memory_low.set)
		wanted->memory_low = (struct optional){true, 0};
	if (in_kernel->cpu_weight.set && in_kernel->cpu_weight.value != 100 && !wanted->cpu_weight.set)
		wanted->cpu_weight = (struct optional){true, 100};
	if (in_kernel->io_weight.set && in_kernel->io_weight.value != 100 && !wanted->io_weight.set)
		wanted->io_weight = (struct optional){true, 100};
}

static const struct cgroup_io_max *io_find(const struct cgroup_limits *limits, const struct cgroup_io_max *device)
{
	for (size_t i = 0; i < limits->io_max.count; i++)
		if (limits->io_max.items[i].major == device->major && limits->io_max.items[i].minor == device->minor)
			return &limits->io_max.items[i];
	return NULL;
}

static void rate_lift(const struct optional *now, struct optional *next)
{
	if (now->set && now->value >= 0 && !next->set)
		*next = (struct optional){true, -1};
}

/* The same for what each disk may be asked for. */
static void io_lift(struct arena *arena, const struct cgroup_limits *in_kernel, struct cgroup_limits *wanted)
{
	size_t count = 0;
	struct cgroup_io_max *items =
		arena_new_array(arena, in_kernel->io_max.count + wanted->io_max.count, struct cgroup_io_max);

	for (size_t i = 0; i < wanted->io_max.count; i++)
		items[count++] = wanted->io_max.items[i];
	for (size_t i = 0; i < in_kernel->io_max.count; i++) {
		const struct cgroup_io_max *now = &in_kernel->io_max.items[i], *said = io_find(wanted, now);
		struct cgroup_io_max *next = said ? &items[said - wanted->io_max.items] : &items[count];

		if (!said)
			items[count++] = (struct cgroup_io_max){.major = now->major, .minor = now->minor};
		rate_lift(&now->rbps, &next->rbps);
		rate_lift(&now->wbps, &next->wbps);
		rate_lift(&now->riops, &next->riops);
		rate_lift(&now->wiops, &next->wiops);
	}
	wanted->io_max.items = items;
	wanted->io_max.count = count;
}

/* A kernel may take a value and mean another one. */
static int limits_verify(
	struct arena *arena, struct cgroup *cgroup, const struct cgroup_limits *said, struct error *err)
{
	struct cgroup_limits in_kernel;
	struct limit_drift found;

	if (cgroup_get(cgroup, arena, &in_kernel, err) < 0)
		return -1;
	for (size_t i = 0; i < limit_drift_rows; i++)
		if (limit_drifts(&in_kernel, said, i, arena, &found))
			return fail(err, ERROR_SYSTEM, "%s: the kernel has %s instead of %s", found.key,
				found.from ? found.from : "no limit", found.to ? found.to : "none");
	return 0;
}

static int limits_change(
	struct arena *arena, struct cgroup *cgroup, const struct resources_spec *resources, struct error *err)
{
	struct cgroup_limits said, wanted, in_kernel;
	struct cgroup_journal journal = {0};
	int result;

	resources_limits(resources, &said);
	wanted = said;
	if (cgroup_get(cgroup, arena, &in_kernel, err) < 0)
		return -1;
	limits_lift(&in_kernel, &wanted);
	weights_reset(&in_kernel, &wanted);
	io_lift(arena, &in_kernel, &wanted);
	result = cgroup_change(cgroup, &wanted, &journal, err);
	if (result == 0 && limits_verify(arena, cgroup, &said, err) < 0) {
		cgroup_journal_undo(&journal);
		result = -1;
	}
	cgroup_journal_drop(&journal);
	return result;
}

static int limits_apply(struct instance *instance, const struct instance_spec *to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = instance_cgroup_path(&arena, instance->host, instance->name);
	struct cgroup cgroup;
	int result;

	if (cgroup_open(&instance->host->cgroups, path, &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	result = limits_change(&arena, &cgroup, &to->resources, err);
	cgroup_drop(&cgroup);
	return result;
}

/* --- its link ----------------------------------------------------------------------------------------------------- */

int live_link_read(
	struct arena *arena, const struct instance *instance, struct run *run, struct record *record, struct error *err)
{
	if (instance->live < 0 || run_read(arena, instance->live, run, err) < 0)
		return forgive(err);
	if (record_read(arena, instance->dir, record, err) < 0)
		return -1;
	return record->network != NULL;
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static int ports_apply(struct instance *instance, const struct instance_spec *to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct port ports[INSTANCE_PORTS_MAX];
	size_t count = to->ports.count;
	struct record record;
	struct run run;
	int linked = live_link_read(&arena, instance, &run, &record, err);

	if (linked <= 0)
		return linked;
	if (count > INSTANCE_PORTS_MAX)
		return fail(err, ERROR_USAGE, "%zu ports; at most %d can be published", count, INSTANCE_PORTS_MAX);
	if (host_network_up(instance->host, err) < 0)
		return -1;
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	struct endpoint endpoint = record_endpoint(&record);
	if (!session)
		return -1;
	if (count)
		memcpy(ports, to->ports.items, count * sizeof(ports[0]));
	const struct published published = {.host = instance->host,
		.session = session,
		.endpoint = &endpoint,
		.ports = ports,
		.count = count,
		.weight = (unsigned)to->weight};
	if (published_change(&published, run.ports, run.port_count, err) < 0)
		return -1;
	return run_ports_write(instance->live, ports, count, err);
}

/* --- all parts ---------------------------------------------------------------------------------------------------- */

static const struct {
	unsigned part;
	const char *name;
	int (*apply)(struct instance *instance, const struct instance_spec *to, struct error *err);
} rows[] = {
	{LIVE_LIMITS, "limits", limits_apply},
	{LIVE_PORTS, "ports", ports_apply},
	{LIVE_RATES, "rates", live_rates_apply},
	{LIVE_NAMES, "aliases", instance_names_set},
};

static void undo(struct instance *instance, const struct instance_spec *from, unsigned parts, size_t done)
{
	struct error err;

	while (done-- > 0)
		if ((parts & rows[done].part) && rows[done].apply(instance, from, &err) < 0)
			log_warn("%s: put its %s back: %s", instance->name, rows[done].name, err.text);
}

int live_apply(struct instance *instance, const struct instance_spec *from, const struct instance_spec *to,
	unsigned parts, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((parts & rows[i].part) && rows[i].apply(instance, to, err) < 0) {
			undo(instance, from, parts, i);
			return blame(err, "%s", rows[i].name);
		}
	return 0;
}

void live_tell(struct instance *instance, unsigned parts)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	struct run run;

	if ((parts & LIVE_MONITOR) && instance->live >= 0 && run_read(&arena, instance->live, &run, &ignored) == 0)
		monitor_kick(&run);
}
