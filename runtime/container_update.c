/* update: other limits for a container that is there.
 *
 * All or nothing, as far as the kernel lets: what this host cannot do is refused before the first write. When the
 * kernel refuses a value on the way (a limit below what is in use, a processor the parent does not have), the limits
 * that were to change get the values back that were read before. What cannot be read cannot be put back: on v2 the
 * device program, which is therefore the last to be replaced, and that by one call. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/container.h"
#include "runtime/oci.h"

#define RESOURCES_MAX ((size_t)1 << 20)
#define PERIOD_DEFAULT_US 100000
#define UNIFIED_TEXT_MAX 16384

struct updating {
	struct held held;
	struct container_cgroup cgroup;
	struct json_doc resources;
	struct oci_update wanted;
	struct cgroup_limits before;
	struct pairs unified_before;
};

static void updating_drop(struct updating *u)
{
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
	return oci_update_convert(&options->numbers, memory_now, &u->wanted, err);
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

/* --- what there was ----------------------------------------------------------------------------------------------- */

/* The limits that are single values, and what each is where nobody has set it. */
#define REMOVED (-1)
static const struct {
	size_t offset;
	int64_t unset;
} singles[] = {
	{offsetof(struct cgroup_limits, memory_max), REMOVED},
	{offsetof(struct cgroup_limits, memory_low), REMOVED},
	{offsetof(struct cgroup_limits, swap_max), REMOVED},
	{offsetof(struct cgroup_limits, pids_max), REMOVED},
	{offsetof(struct cgroup_limits, cpu_quota_us), REMOVED},
	{offsetof(struct cgroup_limits, cpu_period_us), PERIOD_DEFAULT_US},
	{offsetof(struct cgroup_limits, cpu_shares), 1024},
	{offsetof(struct cgroup_limits, cpu_burst_us), 0},
	{offsetof(struct cgroup_limits, cpu_idle), 0},
	{offsetof(struct cgroup_limits, io_weight), 100},
};

static struct optional *single(struct cgroup_limits *limits, size_t index)
{
	return (struct optional *)((char *)limits + singles[index].offset);
}

static const struct cgroup_io_max *io_of_device(const struct cgroup_limits *limits, const struct cgroup_io_max *device)
{
	static const struct cgroup_io_max none;

	for (size_t i = 0; i < limits->io_max.count; i++) {
		if (limits->io_max.items[i].major == device->major && limits->io_max.items[i].minor == device->minor)
			return &limits->io_max.items[i];
	}
	return &none;
}

static struct optional rate_back(const struct optional *wanted, const struct optional *before)
{
	if (!wanted->set)
		return (struct optional){0};
	return before->set ? *before : (struct optional){true, REMOVED};
}

static void io_back(struct arena *arena, const struct updating *u, struct cgroup_limits *back)
{
	const struct cgroup_limits *wanted = &u->wanted.limits;

	back->io_max.items = arena_new_array(arena, wanted->io_max.count, struct cgroup_io_max);
	back->io_max.count = wanted->io_max.count;
	for (size_t i = 0; i < wanted->io_max.count; i++) {
		const struct cgroup_io_max *item = &wanted->io_max.items[i], *old = io_of_device(&u->before, item);

		back->io_max.items[i] = (struct cgroup_io_max){
			.major = item->major,
			.minor = item->minor,
			.rbps = rate_back(&item->rbps, &old->rbps),
			.wbps = rate_back(&item->wbps, &old->wbps),
			.riops = rate_back(&item->riops, &old->riops),
			.wiops = rate_back(&item->wiops, &old->wiops),
		};
	}
}

/* v1 changes the limit of memory and that of both together; and a weight has no meaning beside cpu.idle. */
static void singles_entangle(const struct updating *u, struct cgroup_limits *wanted, struct cgroup_limits *before)
{
	if (u->cgroup.cgroup.unified < 0 && (wanted->memory_max.set || wanted->swap_max.set))
		wanted->memory_max = wanted->swap_max = (struct optional){true, 0};
	if (wanted->cpu_shares.set || wanted->cpu_idle.set)
		wanted->cpu_shares = wanted->cpu_idle = (struct optional){true, 0};
	if (before->cpu_idle.set && before->cpu_idle.value)
		wanted->cpu_shares = before->cpu_weight = (struct optional){0};
}

/* after: what the kernel has now; a limit that it does not show cannot have been changed. */
static void singles_back(const struct updating *u, struct cgroup_limits *after, struct cgroup_limits *back)
{
	struct cgroup_limits wanted = u->wanted.limits, before = u->before;
	bool weight_on_v2;

	singles_entangle(u, &wanted, &before);
	weight_on_v2 = wanted.cpu_shares.set && before.cpu_weight.set && !before.cpu_shares.set;
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++) {
		if (!single(&wanted, i)->set)
			continue;
		if (single(&before, i)->set)
			*single(back, i) = *single(&before, i);
		else if (singles[i].unset == REMOVED || single(after, i)->set)
			*single(back, i) = (struct optional){true, singles[i].unset};
	}
	if (weight_on_v2)
		back->cpu_weight = before.cpu_weight;
}

static void lists_back(const struct updating *u, struct cgroup_limits *back)
{
	static struct cgroup_device_rule everything = {
		.allow = true, .type = 'a', .major = -1, .minor = -1, .access = 7};
	const struct cgroup_limits *wanted = &u->wanted.limits;

	back->cpuset_cpus = wanted->cpuset_cpus ? u->before.cpuset_cpus : NULL;
	back->cpuset_mems = wanted->cpuset_mems ? u->before.cpuset_mems : NULL;
	back->unified = u->unified_before;
	if (!wanted->devices.count || u->cgroup.cgroup.unified >= 0)
		return;
	back->devices.items = u->before.devices.count ? u->before.devices.items : &everything;
	back->devices.count = u->before.devices.count ? u->before.devices.count : 1;
}

/* On v2 an empty list means the parent's, which is no value of a limit. */
static void cpuset_empty(const struct updating *u, const char *wanted, const char *before, const char *file)
{
	if (!wanted || before || u->cgroup.cgroup.unified < 0)
		return;
	auto_fd fd = openat(u->cgroup.cgroup.unified, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && write_all(fd, "\n", 1) < 0)
		log_warn("put %s back: %s", file, strerror(errno));
}

static void put_back(struct updating *u)
{
	struct cgroup_limits after, back = {0};
	struct arena *arena = &u->held.arena;
	struct error err;

	if (cgroup_get(&u->cgroup.cgroup, arena, &after, &err) < 0) {
		log_warn("%s", err.text);
		return;
	}
	singles_back(u, &after, &back);
	io_back(arena, u, &back);
	lists_back(u, &back);
	if (container_limits_set(&u->held.container.facts, &u->cgroup, &back, &err) < 0)
		log_warn("put back what had been changed: %s", err.text);
	cpuset_empty(u, u->wanted.limits.cpuset_cpus, u->before.cpuset_cpus, "cpuset.cpus");
	cpuset_empty(u, u->wanted.limits.cpuset_mems, u->before.cpuset_mems, "cpuset.mems");
}

/* The files of `unified` as they are. Their names are checked. What is only written (memory.reclaim) has no before. */
static void unified_note(struct updating *u)
{
	const struct pairs *wanted = &u->wanted.limits.unified;
	struct arena *arena = &u->held.arena;

	for (size_t i = 0; i < wanted->count; i++) {
		const char *file = wanted->items[i].name, *text;
		struct error ignored;

		if (file_read(arena, u->cgroup.cgroup.unified, file, UNIFIED_TEXT_MAX, &text, NULL, &ignored) == 0)
			pairs_set(arena, &u->unified_before, file, text);
	}
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

static int limits_change(struct updating *u, struct error *err)
{
	if (cgroup_limits_check(&u->cgroup.host, &u->wanted.limits, err) < 0 || memory_check(u, err) < 0)
		return -1;
	unified_note(u);
	if (container_limits_set(&u->held.container.facts, &u->cgroup, &u->wanted.limits, err) == 0)
		return 0;
	put_back(u);
	return -1;
}

int container_update(int root, const char *id, const struct container_update_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(updating_drop) struct updating u = {.held = {.container = {.dir = -1}}};

	/* Before the lock: standard input may take its time. */
	if (options->resources && resources_read(&u, &arena, options->resources, err) < 0)
		return -1;
	if (container_find(&u, root, id, err) < 0)
		return -1;
	if (wanted_get(&u, options, err) < 0 || limits_change(&u, err) < 0)
		return blame(err, "update container \"%s\"", id);
	return 0;
}
