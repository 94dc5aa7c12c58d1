/* Limits → properties of the unit (systemd.resource-control(5)).
 *
 * systemd keeps these in its own files and writes them to the cgroup again whenever it sees fit (daemon-reload, a
 * change of a neighbour), so a limit that is not among them may be lost. That is why those that came as `unified` are
 * read back into limits first. */
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"
#include "cgroups/limits.h"
#include "cgroups/systemd.h"

#define INFINITY_TEXT "18446744073709551615" /* UINT64_MAX is systemd's "no limit" */
#define PERIOD_DEFAULT_US 100000
#define SECOND_US 1000000
#define PERCENT_US 10000 /* of a second */
#define CPUS_MAX 8192

/* --- unified ------------------------------------------------------------------------------------------------------ */

/* "max", "123", "123\n" */
static bool value_read(const char *text, int64_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (text[digits] && strcmp(text, "max") != 0 && strcmp(text + digits, "\n") != 0)
		return false;
	return knob_parse(text, out);
}

static void single_take(const struct pair *file, struct cgroup_limits *limits)
{
	int64_t value;

	for (size_t i = 0; i < limits_table_count; i++) {
		const struct limit *limit = &limits_table[i];

		if (limit->flags & SPECIAL || !limit->v2 || strcmp(limit->v2, file->name) != 0)
			continue;
		if (value_read(file->value, &value))
			*(struct optional *)((char *)limits + limit->offset) = (struct optional){true, value};
	}
}

/* "50000 100000", "max" */
static void bandwidth_take(const char *text, struct cgroup_limits *limits)
{
	const char *second = strchr(text, ' ');
	int64_t quota, period;

	if (!knob_parse(text, &quota))
		return;
	limits->cpu_quota_us = (struct optional){true, quota};
	if (second && value_read(second + 1, &period))
		limits->cpu_period_us = (struct optional){true, period};
}

static void number_take(const char *text, struct optional *out)
{
	int64_t value;

	if (value_read(text, &value))
		*out = (struct optional){true, value};
}

static void unified_take(const struct pair *file, struct cgroup_limits *limits)
{
	const char *text = file->value;

	if (strcmp(file->name, "cpu.max") == 0)
		bandwidth_take(text, limits);
	else if (strcmp(file->name, "cpu.weight") == 0)
		number_take(text, &limits->cpu_weight);
	else if (strcmp(file->name, "cpu.idle") == 0)
		number_take(text, &limits->cpu_idle);
	else if (strcmp(file->name, "io.weight") == 0)
		number_take(text_starts_with(text, "default ") ? text + strlen("default ") : text, &limits->io_weight);
	else if (strcmp(file->name, "cpuset.cpus") == 0)
		limits->cpuset_cpus = text;
	else if (strcmp(file->name, "cpuset.mems") == 0)
		limits->cpuset_mems = text;
	else
		single_take(file, limits);
}

/* --- single numbers ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;	 /* of its struct optional */
	const char *off; /* what -1 becomes */
} numbers[] = {
	{"MemoryMax", offsetof(struct cgroup_limits, memory_max), INFINITY_TEXT},
	{"MemoryHigh", offsetof(struct cgroup_limits, memory_high), INFINITY_TEXT},
	{"MemoryLow", offsetof(struct cgroup_limits, memory_low), "0"},
	{"MemoryMin", offsetof(struct cgroup_limits, memory_min), "0"},
	{"MemorySwapMax", offsetof(struct cgroup_limits, swap_max), INFINITY_TEXT},
	{"TasksMax", offsetof(struct cgroup_limits, pids_max), INFINITY_TEXT},
	{"CPUWeight", offsetof(struct cgroup_limits, cpu_weight), NULL},
	{"CPUQuotaPeriodUSec", offsetof(struct cgroup_limits, cpu_period_us), NULL},
	{"IOWeight", offsetof(struct cgroup_limits, io_weight), NULL},
};

static const char *natural_text(struct arena *arena, uint64_t value)
{
	return arena_format(arena, "%llu", (unsigned long long)value);
}

static void numbers_add(struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct optional *value = (const struct optional *)((const char *)limits + numbers[i].offset);

		if (value->set && (value->value >= 0 || numbers[i].off))
			systemd_property_set(arena, list, numbers[i].name, "t",
				value->value < 0 ? numbers[i].off : natural_text(arena, (uint64_t)value->value), 0);
	}
}

/* --- processors --------------------------------------------------------------------------------------------------- */

/* Microseconds in a second, whole percents: systemd writes "CPUQuota=33%" into its own file. Up, so that nobody gets
 * less than he was given. */
static uint64_t quota_per_second(int64_t quota_us, int64_t period_us)
{
	uint64_t product;

	if (quota_us < 0 || __builtin_mul_overflow((uint64_t)quota_us, (uint64_t)SECOND_US, &product))
		return UINT64_MAX;
	product = product / (uint64_t)period_us + (product % (uint64_t)period_us != 0);
	return (product + PERCENT_US - 1) / PERCENT_US * PERCENT_US;
}

static void cpu_add(struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits)
{
	int64_t period = limits->cpu_period_us.set && limits->cpu_period_us.value > 0 ? limits->cpu_period_us.value
										      : PERIOD_DEFAULT_US;

	if (limits->cpu_quota_us.set)
		systemd_property_set(arena, list, "CPUQuotaPerSecUSec", "t",
			natural_text(arena, quota_per_second(limits->cpu_quota_us.value, period)), 0);
	if (limits->cpu_shares.set && !limits->cpu_weight.set)
		systemd_property_set(arena, list, "CPUWeight", "t",
			natural_text(arena, (uint64_t)shares_to_weight(limits->cpu_shares.value)), 0);
	/* A weight of 0 is systemd's word for cpu.idle. */
	if (limits->cpu_idle.set && limits->cpu_idle.value)
		systemd_property_set(arena, list, "CPUWeight", "t", "0", 252);
}

/* "0-3,7" → a bit for each, in bytes from the lowest on. */
static int mask_fill(
	const char *cpus, struct arena *arena, uint8_t mask[CPUS_MAX / 8], size_t *bytes, struct error *err)
{
	struct strings ranges = strings_split(arena, cpus, ',');

	for (size_t i = 0; i < ranges.count; i++) {
		struct strings ends = strings_split(arena, ranges.items[i], '-');
		int64_t first, last;

		if (number_parse(ends.items[0], 0, CPUS_MAX - 1, &first, err) < 0 ||
			number_parse(ends.items[ends.count - 1], first, CPUS_MAX - 1, &last, err) < 0)
			return -1;
		for (int64_t bit = first; bit <= last; bit++)
			mask[bit / 8] |= (uint8_t)(1U << bit % 8);
		if (*bytes < (size_t)last / 8 + 1)
			*bytes = (size_t)last / 8 + 1;
	}
	return 0;
}

static int mask_add(
	struct arena *arena, struct systemd_properties *list, const char *name, const char *cpus, struct error *err)
{
	struct systemd_property property = {.name = name, .type = "ay"};
	uint8_t mask[CPUS_MAX / 8] = {0};
	size_t bytes = 0;

	if (!cpus)
		return 0;
	if (*cpus && (cpulist_check(cpus, err) < 0 || mask_fill(cpus, arena, mask, &bytes, err) < 0))
		return blame(err, "%s \"%.200s\"", name, cpus);
	for (size_t i = 0; i < bytes; i++)
		strings_add(arena, &property.values, arena_format(arena, "%u", mask[i]));
	systemd_property_put(arena, list, &property);
	return 0;
}

/* --- disks -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} rates[] = {
	{"IOReadBandwidthMax", offsetof(struct cgroup_io_max, rbps)},
	{"IOWriteBandwidthMax", offsetof(struct cgroup_io_max, wbps)},
	{"IOReadIOPSMax", offsetof(struct cgroup_io_max, riops)},
	{"IOWriteIOPSMax", offsetof(struct cgroup_io_max, wiops)},
};

/* systemd writes both files of the kernel and knows one unit, that of io.weight. */
static void weights_add(struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits)
{
	struct systemd_property property = {.name = "IODeviceWeight", .type = "a(st)"};

	if (limits->block_weight.set && !limits->io_weight.set)
		systemd_property_set(arena, list, "IOWeight", "t",
			natural_text(arena, (uint64_t)block_weight_to_io_weight(limits->block_weight.value)), 0);
	for (size_t i = 0; i < limits->device_weights.count; i++) {
		const struct cgroup_io_device_weight *device = &limits->device_weights.items[i];

		strings_add(
			arena, &property.values, arena_format(arena, "/dev/block/%u:%u", device->major, device->minor));
		strings_add(arena, &property.values,
			natural_text(arena, (uint64_t)block_weight_to_io_weight(device->weight)));
	}
	if (property.values.count)
		systemd_property_put(arena, list, &property);
}

static void rates_add(struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(rates); kind++) {
		struct systemd_property property = {.name = rates[kind].name, .type = "a(st)"};

		for (size_t i = 0; i < limits->io_max.count; i++) {
			const struct cgroup_io_max *io = &limits->io_max.items[i];
			const struct optional *rate = (const struct optional *)((const char *)io + rates[kind].offset);

			if (!rate->set)
				continue;
			strings_add(
				arena, &property.values, arena_format(arena, "/dev/block/%u:%u", io->major, io->minor));
			strings_add(arena, &property.values,
				rate->value < 0 ? INFINITY_TEXT : natural_text(arena, (uint64_t)rate->value));
		}
		if (property.values.count)
			systemd_property_put(arena, list, &property);
	}
}

int systemd_properties_add_limits(
	struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits, struct error *err)
{
	struct cgroup_limits all = *limits;

	for (size_t i = 0; i < limits->unified.count; i++)
		unified_take(&limits->unified.items[i], &all);
	numbers_add(arena, list, &all);
	cpu_add(arena, list, &all);
	weights_add(arena, list, &all);
	rates_add(arena, list, &all);
	/* Where a scope has it, systemd writes memory.oom.group by it. */
	if (all.oom_group.set)
		systemd_property_set(arena, list, "OOMPolicy", "s", all.oom_group.value ? "kill" : "continue", 253);
	if (mask_add(arena, list, "AllowedCPUs", all.cpuset_cpus, err) < 0)
		return -1;
	return mask_add(arena, list, "AllowedMemoryNodes", all.cpuset_mems, err);
}
