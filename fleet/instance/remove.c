/* Removing: the instance's directory is renamed away first, so that its name is free and what is left of
 * it is swept up by whoever comes next, should we be killed half-way. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/events/events.h"
#include "fleet/figures/usage.h"
#include "fleet/instance/create.h"
#include "fleet/instance/recover_ports.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/stop.h"
#include "fleet/monitor/finish.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/addresses.h"
#include "fleet/network/claims.h"
#include "fleet/state/image.h"
#include "images/images.h"

#define ENTRIES_MAX 65536
#define MONITORS_TIMEOUT_MS 1000

static int name_give_up(struct instance *instance, char path[96], struct error *err)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return fail_errno(err, "getrandom");
	snprintf(path, 96, ".%s.%016llx", instance->name, (unsigned long long)random);
	if (renameat(instance->host->instances, instance->name, instance->host->instances, path) < 0)
		return fail_errno(err, "rename instances/%s", instance->name);
	return 0;
}

static void keep_first(struct error *first, const struct error *next)
{
	if (first->kind == ERROR_NONE)
		*first = *next;
}

/* Elements and names that lead to it, should its run have ended unseen; then address and slot, in this order: a slot
 * that somebody else has means to the sweeper that the address went before it. */
static void claims_release(struct host *host, const struct record *record, struct error *first)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;
	struct error err;

	if (record->network) {
		AUTO(net_session_drop) struct net_session *own = NULL;
		struct net_session *session = host_network(host, &own, &err);
		const struct endpoint endpoint = record_endpoint(record);

		/* ENOENT: there is no table, because nothing with a network has been started yet. */
		if ((!session || ports_unpublish_all(session, &endpoint, &err) < 0) && err.errnum != ENOENT)
			keep_first(first, &err);
		if (session && balance_leave_all(&host->net, session, &endpoint, &err) < 0)
			keep_first(first, &err);
		if (session && endpoint_police(&host->net, session, record->slot, 0, &err) < 0)
			keep_first(first, &err);
		if (hosts_remove(&host->net, record->network, &endpoint, &err) < 0)
			keep_first(first, &err);
		if (addresses_release(host, record, NULL, &hold, &err) < 0)
			keep_first(first, &err);
	}
	/* Whoever takes the host's network down waits for these with the slots held. */
	lease_hold_drop(&hold);
	if (slot_release(&host->net, record->slot, &err) < 0)
		keep_first(first, &err);
}

/* What is found by the instance's name goes while the name is still taken: a moment later somebody may make a new one.
 * Without the name nobody would find what could not be removed. */
static int named_remove(struct instance *instance, struct error *err)
{
	const int dirs[] = {instance->host->live, instance->host->log};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (tree_remove(dirs[i], instance->name, err) < 0)
			return -1;
	return 0;
}

/* Those that the image asked for and nobody named. An instance of a fleet finds them again when it is made anew. */
static void anonymous_volumes_remove(struct instance *instance, const struct instance_spec *spec, struct error *first)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config image;
	struct error err;

	if (spec->fleet || !spec->image || !strcmp(spec->image, IMAGE_HOST) ||
		instance_image_read(instance->host->lib, instance->dir, spec, &arena, &image, &err) < 0)
		return;
	for (size_t i = 0; i < image.volumes.count; i++)
		if (text_starts_with(image.volumes.items[i].value, VOLUME_ANONYMOUS) &&
			volume_delete(instance->host->lib, image.volumes.items[i].value, &err) < 0)
			keep_first(first, &err);
}

static void files_remove(struct instance *instance, const char *path, struct error *first)
{
	struct error err;

	if (root_remove(instance->dir, &err) < 0)
		keep_first(first, &err);
	if (tree_remove(instance->host->instances, path, &err) < 0)
		keep_first(first, &err);
}

static bool has_instances(const struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings entries = {0};
	struct error ignored;

	return dir_list(&arena, host->instances, ENTRIES_MAX, &entries, &ignored) < 0 || entries.count > 0;
}

/* After the last instance: the monitors' cgroup (whose last member may be ending just now) and the one above it, should
 * it hold nobody else's. */
static void cgroups_remove(struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *monitors = instance_cgroup_path(&arena, host, MONITORS_CGROUP);
	struct error err;

	if (has_instances(host))
		return;
	if (cgroup_remove(&host->cgroups, monitors, MONITORS_TIMEOUT_MS, false, &err) < 0)
		log_debug("%s", err.text);
	cgroup_remove_empty(&host->cgroups, host->cgroup_parent);
}

int instance_discard(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = instance->host;
	struct run none = {0};
	struct error first = {0}, kept = {0}, later;
	struct record record;
	struct instance_spec spec;
	bool specified = instance_spec_load(&arena, instance->dir, instance->name, &spec, &later) == 0;
	bool known = record_read(&arena, instance->dir, &record, &later) == 0;
	char path[96];

	if (run_release(instance, &none, &later) < 0)
		keep_first(&first, &later);
	if (named_remove(instance, err) < 0 || name_give_up(instance, path, err) < 0)
		return blame(err, "remove %s", instance->name);
	if (known)
		claims_release(host, &record, &kept);
	if (specified)
		anonymous_volumes_remove(instance, &spec, &first);
	usage_retire(host, specified && spec.remove ? USAGE_REMOVED : instance->name, instance->dir, false);
	/* Only its record says what could not be given back: it waits for the next who looks for leftovers. */
	if (kept.kind == ERROR_NONE)
		files_remove(instance, path, &first);
	else
		keep_first(&first, &kept);
	if (!known && (host_recover_all(host, NULL, &later) < 0 || host_recover_ports(host, &later) < 0))
		keep_first(&first, &later);
	if (net_host_down_if_unused(&host->net, &later) < 0)
		keep_first(&first, &later);
	cgroups_remove(host);
	event_write(host,
		&(struct event){.kind = EVENT_REMOVE, .name = instance->name, .fleet = specified ? spec.fleet : NULL});
	if (first.kind == ERROR_NONE)
		return 0;
	*err = first;
	return blame(err, "remove %s", instance->name);
}

static int protection_check(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error damage;

	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, &damage) == 0 && spec.protect)
		return fail(err, ERROR_BUSY, "%s is protected (\"protect\": true); it is not removed", instance->name);
	return 0;
}

void host_clean(struct host *host)
{
	struct error err;

	host_sweep(host);
	if (has_instances(host))
		return;
	if (net_host_down_if_unused(&host->net, &err) < 0)
		log_warn("remove leftovers: %s", err.text);
	cgroups_remove(host);
}

int instance_remove(struct host *host, const char *name, bool force, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct error repair = {0};

	host_sweep(host);
	if (instance_take_as_is(host, name, &instance, err) < 0 || protection_check(&instance, err) < 0)
		return -1;
	if (instance_repair(&instance, &repair) < 0)
		log_warn("%s", repair.text);
	if (instance_is_up(&instance)) {
		if (!force)
			return fail(err, ERROR_BUSY, "%s is running; stop it first, or use --force", name);
		if (instance_stop_held(&instance, (struct optional){.set = true, .value = 0}, STOP_TO_REMOVE, err) < 0)
			return -1;
	}
	return instance_discard(&instance, err);
}
