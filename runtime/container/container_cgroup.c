/* The cgroup of a container, whoever has made it; and what it means to have none. */
#include <stddef.h>

#include "base/cleanup.h"
#include "runtime/container/container.h"

void container_cgroup_drop(struct container_cgroup *cgroup)
{
	if (cgroup->has_cgroup)
		cgroup_drop(&cgroup->cgroup);
	if (cgroup->has_host)
		cgroup_host_drop(&cgroup->host);
	*cgroup = (struct container_cgroup){0};
}

int container_cgroup_open(const char *path, struct container_cgroup *out, struct error *err)
{
	bool absolute = path && *path == '/';

	*out = (struct container_cgroup){0};
	if ((absolute ? cgroup_host_open_at(&out->host, "/", err) : cgroup_host_open(&out->host, err)) < 0)
		return -1;
	out->has_host = true;
	if (!path)
		return 0;
	if (cgroup_open(&out->host, path + absolute, &out->cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	out->has_cgroup = true;
	return 0;
}

int container_pids(struct arena *arena, const struct container *container, struct cgroup_pids *out, struct error *err)
{
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};

	*out = (struct cgroup_pids){0};
	if (!container->facts.cgroup_path)
		return fail(err, ERROR_SYSTEM, "container \"%s\" has no cgroup to find its processes by",
			container->facts.id);
	if (container_cgroup_open(container->facts.cgroup_path, &cgroup, err) < 0)
		return -1;
	return cgroup.has_cgroup ? cgroup_processes(&cgroup.cgroup, arena, out, err) : 0;
}

/* --- without one -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	size_t offset; /* of its struct optional in struct cgroup_limits */
} limits_named[] = {
	{"memory.limit", offsetof(struct cgroup_limits, memory_max)},
	{"memory.reservation", offsetof(struct cgroup_limits, memory_low)},
	{"memory.swap", offsetof(struct cgroup_limits, swap_max)},
	{"pids.limit", offsetof(struct cgroup_limits, pids_max)},
	{"cpu.shares", offsetof(struct cgroup_limits, cpu_shares)},
	{"cpu.quota", offsetof(struct cgroup_limits, cpu_quota_us)},
	{"cpu.idle", offsetof(struct cgroup_limits, cpu_idle)},
	{"blockIO.weight", offsetof(struct cgroup_limits, block_weight)},
};

static int fail_unlimited(struct error *err, const char *key)
{
	return fail(
		err, ERROR_USAGE, "linux.resources.%s: needs a cgroup, and --cgroup-manager disabled makes none", key);
}

int container_limits_refuse(const struct cgroup_limits *limits, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits_named); i++) {
		const struct optional *value = (const struct optional *)((const char *)limits + limits_named[i].offset);

		if (value->set && value->value > 0)
			return fail_unlimited(err, limits_named[i].key);
	}
	if (limits->cpuset_cpus || limits->cpuset_mems)
		return fail_unlimited(err, limits->cpuset_cpus ? "cpu.cpus" : "cpu.mems");
	if (limits->io_max.count || limits->device_weights.count || limits->unified.count || limits->v1_files.count)
		return fail_unlimited(err, limits->unified.count    ? "unified"
					   : limits->v1_files.count ? limits->v1_files.items[0].name
								    : "blockIO");
	return 0;
}
