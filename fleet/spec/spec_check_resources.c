/* What limits must mean: alone, and beside one another. */
#include "fleet/spec/spec_check.h"

#include <string.h>

#include "fleet/spec/network_mode.h"

#define MEMORY_LEAST_BYTES (INT64_C(1) << 20)
#define DISK_LEAST_BYTES (INT64_C(1) << 20)
#define CPUS_LEAST_MILLI 10 /* a quota below 1 ms in 100 ms is refused by the kernel */

static int check_least(const struct optional *value, int64_t least, const char *least_text, struct error *err)
{
	if (value->set && value->value < least)
		return fail(err, ERROR_USAGE, "less than %s", least_text);
	return 0;
}

static int check_below_memory(const struct resources_spec *resources, const struct optional *value, struct error *err)
{
	const struct optional *memory = &resources->memory_bytes;
	char part[24], whole[24];

	if (!value->set || !memory->set || value->value <= memory->value)
		return 0;
	return fail(err, ERROR_USAGE, "%s is more than \"memory\", %s", size_format(value->value, part),
		size_format(memory->value, whole));
}

int check_cpus(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_least(&spec->resources.cpus_milli, CPUS_LEAST_MILLI, "0.01", err);
}

int check_cpuset(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->resources.cpuset ? cpulist_check(spec->resources.cpuset, err) : 0;
}

int check_memory(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_least(&spec->resources.memory_bytes, MEMORY_LEAST_BYTES, "1M", err);
}

int check_memory_high(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const struct resources_spec *resources = &spec->resources;

	(void)index;
	if (check_least(&resources->memory_high_bytes, MEMORY_LEAST_BYTES, "1M", err) < 0)
		return -1;
	return check_below_memory(resources, &resources->memory_high_bytes, err);
}

int check_disk(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_least(&spec->resources.disk_bytes, DISK_LEAST_BYTES, "1M", err);
}

int check_memory_low(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_below_memory(&spec->resources, &spec->resources.memory_low_bytes, err);
}

int check_swap(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->resources.swap_bytes.set && !spec->resources.memory_bytes.set)
		return fail(err, ERROR_USAGE, "swap comes on top of memory: set \"memory\" too");
	return 0;
}

static bool is_zero(const struct optional *value)
{
	return value->set && !value->value;
}

static int check_io_limit(const struct cgroup_io_max *limit, struct error *err)
{
	if (!limit->rbps.set && !limit->wbps.set && !limit->riops.set && !limit->wiops.set)
		return fail(err, ERROR_USAGE, "%u:%u is not limited: name rbps, wbps, riops or wiops", limit->major,
			limit->minor);
	if (is_zero(&limit->rbps) || is_zero(&limit->wbps))
		return fail(err, ERROR_USAGE, "%u:%u: 0 bytes a second would stop it", limit->major, limit->minor);
	return 0;
}

static int check_rate(const struct instance_spec *spec, const struct optional *rate, struct error *err)
{
	if (rate->set && !network_is_routed(spec->network))
		return fail(err, ERROR_USAGE, "with the network \"%s\" there is no link of its own to limit",
			spec->network);
	return 0;
}

int check_egress(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_rate(spec, &spec->resources.egress_bits, err);
}

int check_ingress(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return check_rate(spec, &spec->resources.ingress_bits, err);
}

int check_io_max(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const struct resources_spec *resources = &spec->resources;

	for (*index = 0; *index < resources->io_max.count; ++*index) {
		const struct cgroup_io_max *limit = &resources->io_max.items[*index];

		if (check_io_limit(limit, err) < 0)
			return -1;
		for (size_t i = 0; i < *index; i++)
			if (resources->io_max.items[i].major == limit->major &&
				resources->io_max.items[i].minor == limit->minor)
				return fail(err, ERROR_USAGE, "%u:%u is limited twice", limit->major, limit->minor);
	}
	return 0;
}

int check_ulimits(const struct instance_spec *spec, size_t *index, struct error *err)
{
	int resource, other;

	for (*index = 0; *index < spec->ulimits.count; ++*index) {
		const struct ulimit_spec *limit = &spec->ulimits.items[*index];

		if (rlimit_parse(limit->name, &resource, err) < 0)
			return -1;
		if (limit->limit.rlim_cur > limit->limit.rlim_max)
			return fail(err, ERROR_USAGE, "%s: the soft limit is above the hard one", limit->name);
		for (size_t i = 0; i < *index; i++)
			if (rlimit_parse(spec->ulimits.items[i].name, &other, err) == 0 && other == resource)
				return fail(err, ERROR_USAGE, "%s is limited twice", limit->name);
	}
	return 0;
}
