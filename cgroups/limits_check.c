/* What this host cannot do is refused by the limit's name, before anything is made. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/devices.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/limits.h"

#define UNIFIED_MAX 256

static int controller_check(
	const struct cgroup_host *host, const char *limit, enum cgroup_controller controller, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	if (host->mode != CGROUP_NONE && host->available[controller])
		return 0;
	return fail(err, ERROR_SYSTEM, "%s: no controller \"%s\": %s", limit, cgroup_controller_name(controller),
		cgroup_controller_explain(&arena, host, controller));
}

static int limit_check(const struct cgroup_host *host, const struct limit *limit, int64_t value, struct error *err)
{
	bool removes = limit->flags & REMOVABLE && value == -1;

	if ((value < limit->min && !removes) || value > limit->max)
		return fail(err, ERROR_USAGE, "%s: %lld is not within %lld and %lld%s", limit->name, (long long)value,
			(long long)limit->min, (long long)limit->max,
			limit->flags & REMOVABLE ? " (or -1: no limit)" : "");
	if (!host_is_v2(host) && !limit->v1 && (value == limit->off || value == -1))
		return 0;
	if (!host_is_v2(host) && !limit->v1 && host->mode != CGROUP_NONE)
		return fail(err, ERROR_SYSTEM, "%s: cgroup v1 has no such limit; it needs a host with cgroup v2",
			limit->name);
	return controller_check(host, limit->name, limit->controller, err);
}

/* /proc/swaps has a head line, then one line for each area in use. */
static bool swap_is_in_use(void)
{
	char text[512];
	const char *line = knob_read(AT_FDCWD, "/proc/swaps", text, sizeof(text)) > 0 ? strchr(text, '\n') : NULL;

	return line && line[1];
}

static int swap_check(const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err)
{
	if (!limits->swap_max.set || limits->swap_max.value < 0)
		return 0;
	if (!host->swap && swap_is_in_use())
		return fail(err, ERROR_SYSTEM,
			"swap_max: this kernel does not account swap (it would with swapaccount=1 at boot)");
	if (!host_is_v2(host) && limits->memory_max.set && limits->memory_max.value < 0)
		return fail(err, ERROR_SYSTEM, "swap_max: cgroup v1 limits swap only together with memory_max");
	return 0;
}

static int cpuset_check(const struct cgroup_host *host, const char *limit, const char *list, struct error *err)
{
	if (!list)
		return 0;
	if (cpulist_check(list, err) < 0)
		return blame(err, "%s", limit);
	return controller_check(host, limit, CGROUP_CPUSET, err);
}

static int rate_check(size_t index, const char *name, const struct optional *rate, struct error *err)
{
	if (!rate->set || rate->value == -1 || rate->value > 0)
		return 0;
	return fail(err, ERROR_USAGE, "io_max[%zu]: %s: %lld is not positive (or -1: no limit)", index, name,
		(long long)rate->value);
}

static int io_check(const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err)
{
	for (size_t i = 0; i < limits->io_max.count; i++) {
		const struct cgroup_io_max *io = &limits->io_max.items[i];

		if (rate_check(i, "rbps", &io->rbps, err) < 0 || rate_check(i, "wbps", &io->wbps, err) < 0 ||
			rate_check(i, "riops", &io->riops, err) < 0 || rate_check(i, "wiops", &io->wiops, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < limits->device_weights.count; i++) {
		int64_t weight = limits->device_weights.items[i].weight;

		if (weight < BLOCK_WEIGHT_MIN || weight > BLOCK_WEIGHT_MAX)
			return fail(err, ERROR_USAGE, "device_weights[%zu]: %lld is not within %d and %d", i,
				(long long)weight, BLOCK_WEIGHT_MIN, BLOCK_WEIGHT_MAX);
	}
	if (limits->device_weights.count && controller_check(host, "device_weights", CGROUP_IO, err) < 0)
		return -1;
	return limits->io_max.count ? controller_check(host, "io_max", CGROUP_IO, err) : 0;
}

/* Files that move processes or change the tree are not limits. */
static bool unified_is_limit(const char *file)
{
	static const char *const own[] = {"cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"};

	if (strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(file))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcmp(file, own[i]) == 0)
			return true;
	return unified_controller(file) != CGROUP_CONTROLLERS;
}

static int v1_files_check(const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err)
{
	for (size_t i = 0; i < limits->v1_files.count; i++) {
		const struct pair *file = &limits->v1_files.items[i];

		if (!host_is_v2(host)) {
			if (controller_check(host, file->name, unified_controller(file->name), err) < 0)
				return -1;
		} else if (strcmp(file->value, "0") != 0) {
			return fail(err, ERROR_SYSTEM,
				"%s: cgroup v2 has no such limit; it needs a host with cgroup v1", file->name);
		}
	}
	return 0;
}

static int unified_check(const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	if (limits->unified.count > UNIFIED_MAX)
		return fail(err, ERROR_USAGE, "unified: %zu files; at most %d", limits->unified.count, UNIFIED_MAX);
	for (size_t i = 0; i < limits->unified.count; i++) {
		const char *file = limits->unified.items[i].name;
		enum cgroup_controller controller = unified_controller(file);

		if (!host_is_v2(host) && !unified_on_v1(&arena, file))
			return fail(err, ERROR_SYSTEM, "unified: \"%s\" needs a host with cgroup v2", file);
		if (!unified_is_limit(file))
			return fail(err, ERROR_USAGE, "unified: \"%s\" is not a file of a controller", file);
		if (controller != CGROUP_CONTROLLERS && controller_check(host, file, controller, err) < 0)
			return blame(err, "unified");
	}
	return 0;
}

int cgroup_limits_check(const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err)
{
	for (size_t i = 0; i < limits_table_count; i++) {
		const struct optional *value = limit_value(limits, &limits_table[i]);

		if (value->set && limit_check(host, &limits_table[i], value->value, err) < 0)
			return -1;
	}
	if (swap_check(host, limits, err) < 0 || cpuset_check(host, "cpuset_cpus", limits->cpuset_cpus, err) < 0 ||
		cpuset_check(host, "cpuset_mems", limits->cpuset_mems, err) < 0 || io_check(host, limits, err) < 0 ||
		unified_check(host, limits, err) < 0 || v1_files_check(host, limits, err) < 0)
		return -1;
	if (!limits->devices.count)
		return 0;
	if (controller_check(host, "devices", CGROUP_DEVICES, err) < 0)
		return -1;
	return devices_check(limits, !host_is_v2(host), err);
}
