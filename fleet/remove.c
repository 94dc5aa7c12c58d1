/* Removing and renaming: the instance's directory is renamed away first, so that its name is free and what is left of
 * it is swept up by whoever comes next, should we be killed half-way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/instance.h"
#include "fleet/monitor.h"
#include "fleet/stop.h"

#define ENTRIES_MAX 65536
#define MONITORS_TIMEOUT_MS 1000

/* --- remove --------------------------------------------------------------------------------------------------------
 */

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
	struct error err;

	if (record->network) {
		AUTO(net_session_drop) struct net_session *session = net_session_open(&err);

		/* ENOENT: there is no table, because nothing with a network has been started yet. */
		if ((!session || ports_unpublish_address(session, record->address, &err) < 0) && err.errnum != ENOENT)
			keep_first(first, &err);
		if (hosts_remove(&host->net, record->network, record->address, &err) < 0)
			keep_first(first, &err);
		if (address_release(&host->net, record->network, record->address, &err) < 0)
			keep_first(first, &err);
	}
	if (slot_release(&host->net, record->slot, &err) < 0)
		keep_first(first, &err);
}

static void files_remove(struct instance *instance, const char *path, struct error *first)
{
	struct host *host = instance->host;
	const struct {
		int dir;
		const char *name;
	} trees[] = {{host->live, instance->name}, {host->log, instance->name}, {host->instances, path}};
	struct error err;

	if (root_remove(instance->dir, &err) < 0)
		keep_first(first, &err);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (tree_remove(trees[i].dir, trees[i].name, &err) < 0)
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
static void cgroups_remove(struct host *host, struct error *first)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *monitors = instance_cgroup_path(&arena, host, MONITORS_CGROUP);
	struct strings others = {0};
	struct error err;

	if (has_instances(host))
		return;
	if (cgroup_remove(&host->cgroups, monitors, MONITORS_TIMEOUT_MS, false, &err) < 0 ||
		cgroup_children(&host->cgroups, host->cgroup_parent, &arena, &others, &err) < 0) {
		log_debug("%s", err.text);
		return;
	}
	if (!others.count && cgroup_remove(&host->cgroups, host->cgroup_parent, 0, false, &err) < 0)
		keep_first(first, &err);
}

int instance_discard(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = instance->host;
	struct run none = {0};
	struct error first = {0}, later;
	struct record record;
	bool known = record_read(&arena, instance->dir, &record, &later) == 0;
	char path[96];

	if (run_release(instance, &none, &later) < 0)
		keep_first(&first, &later);
	if (name_give_up(instance, path, err) < 0)
		return -1;
	if (known)
		claims_release(host, &record, &first);
	files_remove(instance, path, &first);
	if (!known && host_recover_slots(host, &later) < 0)
		keep_first(&first, &later);
	if (net_host_down_if_unused(&host->net, &later) < 0)
		keep_first(&first, &later);
	cgroups_remove(host, &first);
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

static bool is_running(struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct error ignored;

	return instance_running_read(&arena, instance, &running, &ignored) == 0 || instance_is_monitored(instance);
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
	if (is_running(&instance)) {
		if (!force)
			return fail(err, ERROR_BUSY, "%s is running; stop it first, or use --force", name);
		if (instance_stop_held(&instance, (struct optional){.set = true, .value = 0}, err) < 0)
			return -1;
	}
	return instance_discard(&instance, err);
}

/* --- rename --------------------------------------------------------------------------------------------------------
 */

static int directory_rename(int dir, const char *name, const char *new_name, struct error *err)
{
	if (renameat2(dir, name, dir, new_name, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return 0;
	return fail_errno(err, "rename %s to %s", name, new_name);
}

static int fleet_check(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;

	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, err) < 0)
		return -1;
	if (spec.fleet)
		return fail(err, ERROR_BUSY, "%s belongs to the fleet %s; its name stands in the fleet's file",
			instance->name, spec.fleet);
	return 0;
}

int instance_rename(struct host *host, const char *name, const char *new_name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (name_check("instance name", new_name, err) < 0 || instance_take(host, name, &instance, err) < 0 ||
		fleet_check(&instance, err) < 0)
		return -1;
	if (is_running(&instance))
		return fail(err, ERROR_BUSY, "%s is running; stop it first", name);
	/* Leftovers of an instance that once had the new name would be taken for its own. */
	if (tree_remove(host->live, new_name, err) < 0)
		return blame(err, "rename %s", name);
	if (renameat2(host->instances, name, host->instances, new_name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? fail(err, ERROR_BUSY, "the name %s is taken by another instance", new_name)
				       : fail_errno(err, "rename %s to %s", name, new_name);
	/* The claim is made; live and log directories follow. Killed here: a new run makes them anew. */
	if (directory_rename(host->live, name, new_name, err) < 0 ||
		directory_rename(host->log, name, new_name, err) < 0)
		return blame(err, "rename %s", name);
	return 0;
}
