/* update: other limits for a container that is there.
 *
 * All or nothing, as far as the kernel lets: what this host cannot do is refused before the first write. When the
 * kernel refuses a value on the way (a limit below what is in use, a processor the parent does not have), what had been
 * written is put back (cgroups/journal.c). What cannot be read cannot be put back: on v2 the device program, which is
 * therefore the last to be replaced, and that by one call. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/container/container.h"
#include "runtime/namespaces/resctrl.h"
#include "runtime/oci/oci.h"
#include "runtime/state/state.h"

#define RESOURCES_MAX ((size_t)1 << 20)

struct updating {
	struct held held;
	struct container_cgroup cgroup;
	struct json_doc resources;
	struct oci_update wanted;
	struct cgroup_limits before;
	struct spec spec; /* read for its group of resctrl only */
	struct resctrl_change rdt;
};

static void updating_drop(struct updating *u)
{
	fd_drop(&u->rdt.dir);
	container_cgroup_drop(&u->cgroup);
	held_drop(&u->held);
}

/* --- what is wanted ----------------------------------------------------------------------------------------------- */

static int resources_read(struct updating *u, struct arena *arena, const char *path, struct error *err)
{
	const char *text;
	size_t length;

	if (strcmp(path, "-") != 0)
		return json_read(arena, AT_FDCWD, path, JSON_PLAIN, &u->resources, err);
	if (fd_read_all(arena, STDIN_FILENO, RESOURCES_MAX, &text, &length, err) < 0)
		return blame(err, "standard input");
	return json_parse(arena, "standard input", text, length, JSON_PLAIN, &u->resources, err);
}

static int wanted_get(struct updating *u, const struct container_update_options *options, struct error *err)
{
	int64_t memory_now = u->before.memory_max.set ? u->before.memory_max.value : -1;

	if (options->resources)
		return oci_update_decode(&u->held.arena, &u->resources, memory_now, &u->wanted, err);
	return oci_update_convert(&u->held.arena, &options->numbers, memory_now, &u->wanted, err);
}

static int memory_check(const struct updating *u, struct error *err)
{
	const struct optional *limit = &u->wanted.limits.memory_max;
	struct cgroup_stats stats;

	if (!u->wanted.check_memory_first || !limit->set || limit->value < 0)
		return 0;
	if (cgroup_stats_read(&u->cgroup.cgroup, &stats, err) < 0)
		return -1;
	if (stats.memory_bytes.set && stats.memory_bytes.value > limit->value)
		return fail(err, ERROR_BUSY, "memory limit %lld: %lld bytes are in use", (long long)limit->value,
			(long long)stats.memory_bytes.value);
	return 0;
}

/* --- caches and memory bandwidth ---------------------------------------------------------------------------------- */

/* A group that is made here is noted first, for the container's end: a name of none does no harm. */
static int rdt_note(struct updating *u, struct error *err)
{
	struct container *container = &u->held.container;

	if (u->spec.rdt || container->facts.own_resctrl)
		return 0;
	container->facts.own_resctrl = true;
	return state_note_facts(container->dir, &container->facts, err);
}

static int rdt_change(struct updating *u, const struct container_update_options *options, struct error *err)
{
	const struct spec_rdt wanted = {
		.cache_schema = options->cache_schema, .bandwidth_schema = options->bandwidth_schema};
	struct arena *arena = &u->held.arena;
	const struct container *container = &u->held.container;
	struct cgroup_pids pids;

	if (text_is_empty(options->cache_schema) && text_is_empty(options->bandwidth_schema))
		return 0;
	u->rdt.dir = resctrl_open(err);
	if (u->rdt.dir < 0 || container_spec(arena, container, &u->spec, err) < 0 || rdt_note(u, err) < 0 ||
		cgroup_processes(&u->cgroup.cgroup, arena, &pids, err) < 0)
		return -1;
	return resctrl_change(arena, &u->rdt, u->spec.rdt, container->facts.id, &wanted, &pids, err);
}

/* --- update ------------------------------------------------------------------------------------------------------- */

static int container_find(struct updating *u, int root, const char *id, struct error *err)
{
	const struct container *container = &u->held.container;

	if (container_hold(root, id, &u->held, err) < 0)
		return -1;
	if (container->status != CONTAINER_RUNNING && container->status != CONTAINER_CREATED)
		return fail(err, ERROR_BUSY, "container \"%s\": container not running: it is %s", id,
			container_status_names[container->status]);
	if (container_cgroup_open(container->facts.cgroup_path, &u->cgroup, err) < 0)
		return -1;
	if (!u->cgroup.has_cgroup)
		return fail(err, ERROR_SYSTEM, "container \"%s\" has no cgroup to limit", id);
	return cgroup_get(&u->cgroup.cgroup, &u->held.arena, &u->before, err);
}

static int limits_change(struct updating *u, const struct container_update_options *options, struct error *err)
{
	if (cgroup_limits_check(&u->cgroup.host, &u->wanted.limits, err) < 0 || memory_check(u, err) < 0 ||
		rdt_change(u, options, err) < 0)
		return -1;
	if (container_limits_set(&u->held.container.facts, &u->cgroup, &u->wanted.limits, err) == 0)
		return 0;
	resctrl_change_undo(&u->rdt);
	return -1;
}

int container_update(int root, const char *id, const struct container_update_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(updating_drop) struct updating u = {.held = {.container = {.dir = -1}}, .rdt = {.dir = -1}};

	/* Before the lock: standard input may take its time. */
	if (options->resources && resources_read(&u, &arena, options->resources, err) < 0)
		return -1;
	if (container_find(&u, root, id, err) < 0)
		return -1;
	if (wanted_get(&u, options, err) < 0 || limits_change(&u, options, err) < 0)
		return blame(err, "update container \"%s\"", id);
	return 0;
}
