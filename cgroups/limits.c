/* Limits: one table of what each is called on v2 and v1, and the order in which they are written. Pure.
 *
 * Conversions to v1:
 *   memory_low      memory.soft_limit_in_bytes: the nearest v1 has (reclaim takes from groups above it first), and what
 *                   OCI's "reservation" means on both; 0, no protection, is v1's default of no soft limit
 *   memory_high, memory_min, oom_group: v1 has nothing alike; refused by name
 *   swap_max        memory.memsw.limit_in_bytes = memory + swap. v1 demands memsw ≥ memory at every moment, so
 * whichever is in the way is written last. A change of memory_max alone keeps the allowance of swap. Needs a limit of
 * memory. Without swap accounting (no memsw files) any value is accepted while the host has no swap in use, as it then
 * holds by itself, and refused when it has; swap that is switched on later is not limited on such a kernel. cpu_weight
 * cpu.shares = weight × 1024 / 100, the kernel's own relation of the two (kernel/sched/core.c, cpu_weight_write_u64):
 * default meets default and ratios between cgroups stay. (Runtimes of 2020-2024 map 2…262,144 evenly on 1…10,000, which
 * makes v1's default a weight of 39.) io_weight       blkio.bfq.weight (1…1000; default 100 as on v2): the same number,
 * cut at 1000. io_max          blkio.throttle.*: on v1 it acts on direct and synchronous reads and writes only
 *
 * The order: see the compile_… functions. It is such that no write on the way is refused when the last state is legal,
 * and that a kill in between never leaves more than the larger of the old and the new limit. */
#include "cgroups/limits.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"

#define PERIOD_DEFAULT_US 100000
#define SHARES_MIN 2
#define SHARES_MAX 262144
#define SHARES_DEFAULT 1024
#define WEIGHT_MAX 10000
#define WEIGHT_DEFAULT 100
#define BFQ_WEIGHT_MAX 1000
#define MICROSECONDS_MAX (INT64_MAX / 1000)
#define KNOBS_OF_SINGLE_LIMITS 32
#define HUGETLB "hugetlb."

const struct limits_now limits_fresh = {
	.fresh = true, .memory = -1, .memory_swap = -1, .quota_us = -1, .period_us = PERIOD_DEFAULT_US};

#define LIMIT(member) #member, offsetof(struct cgroup_limits, member)

const struct limit limits_table[] = {
	{LIMIT(memory_min), CGROUP_MEMORY, REMOVABLE | PROTECTION, 0, INT64_MAX, "memory.min", NULL, 0},
	{LIMIT(memory_low), CGROUP_MEMORY, REMOVABLE | PROTECTION, 0, INT64_MAX, "memory.low",
		"memory.soft_limit_in_bytes", 0},
	{LIMIT(memory_high), CGROUP_MEMORY, REMOVABLE, 0, INT64_MAX, "memory.high", NULL, -1},
	{LIMIT(memory_max), CGROUP_MEMORY, REMOVABLE | SPECIAL_V1, 0, INT64_MAX, "memory.max", "memory.limit_in_bytes",
		-1},
	{LIMIT(swap_max), CGROUP_MEMORY, REMOVABLE | SPECIAL_V1, 0, INT64_MAX, "memory.swap.max",
		"memory.memsw.limit_in_bytes", -1},
	{LIMIT(oom_group), CGROUP_MEMORY, 0, 0, 1, "memory.oom.group", NULL, 0},
	{LIMIT(pids_max), CGROUP_PIDS, REMOVABLE, 0, INT32_MAX, "pids.max", "pids.max", -1},
	{LIMIT(cpu_weight), CGROUP_CPU, SPECIAL, 1, WEIGHT_MAX, "cpu.weight", "cpu.shares", WEIGHT_DEFAULT},
	{LIMIT(cpu_shares), CGROUP_CPU, SPECIAL, SHARES_MIN, SHARES_MAX, "cpu.weight", "cpu.shares", SHARES_DEFAULT},
	{LIMIT(cpu_idle), CGROUP_CPU, SPECIAL, 0, 1, "cpu.idle", "cpu.idle", 0},
	{LIMIT(cpu_quota_us), CGROUP_CPU, SPECIAL | REMOVABLE, 1000, MICROSECONDS_MAX, "cpu.max", "cpu.cfs_quota_us",
		-1},
	{LIMIT(cpu_period_us), CGROUP_CPU, SPECIAL, 1000, 1000000, "cpu.max", "cpu.cfs_period_us", PERIOD_DEFAULT_US},
	{LIMIT(cpu_burst_us), CGROUP_CPU, SPECIAL, 0, MICROSECONDS_MAX, "cpu.max.burst", "cpu.cfs_burst_us", 0},
	{LIMIT(io_weight), CGROUP_IO, SPECIAL, 1, WEIGHT_MAX, "io.weight", "blkio.bfq.weight", WEIGHT_DEFAULT},
	{LIMIT(block_weight), CGROUP_IO, SPECIAL, BLOCK_WEIGHT_MIN, BLOCK_WEIGHT_MAX, "io.weight", "blkio.bfq.weight",
		WEIGHT_DEFAULT},
};
const size_t limits_table_count = ARRAY_SIZE(limits_table);

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

int64_t weight_to_shares(int64_t weight)
{
	return clamp((weight * SHARES_DEFAULT + WEIGHT_DEFAULT / 2) / WEIGHT_DEFAULT, SHARES_MIN, SHARES_MAX);
}

int64_t shares_to_weight(int64_t shares)
{
	return clamp((shares * WEIGHT_DEFAULT + SHARES_DEFAULT / 2) / SHARES_DEFAULT, 1, WEIGHT_MAX);
}

int64_t block_weight_to_io_weight(int64_t weight)
{
	return 1 + (weight - BLOCK_WEIGHT_MIN) * (WEIGHT_MAX - 1) / (BLOCK_WEIGHT_MAX - BLOCK_WEIGHT_MIN);
}

int64_t v1_bytes(int64_t value)
{
	/* PAGE_COUNTER_MAX pages, for pages of up to 64 KiB. */
	return value >= INT64_MAX - 65535 ? -1 : value;
}

const struct optional *limit_value(const struct cgroup_limits *limits, const struct limit *limit)
{
	return (const struct optional *)((const char *)limits + limit->offset);
}

/* --- files of v2, by their names --------------------------------------------------------------------------- */

enum cgroup_controller unified_controller(const char *file)
{
	char prefix[16] = "";
	size_t length = strcspn(file, ".");

	if (length < sizeof(prefix))
		memcpy(prefix, file, length);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (strcmp(prefix, cgroup_controller_name((enum cgroup_controller)c)) == 0)
			return (enum cgroup_controller)c;
	return CGROUP_CONTROLLERS;
}

const char *unified_on_v1(struct arena *arena, const char *file)
{
	const char *size, *end;

	if (strcmp(file, "rdma.max") == 0)
		return file;
	if (!text_starts_with(file, HUGETLB))
		return NULL;
	size = file + strlen(HUGETLB);
	end = strchr(size, '.');
	if (!end || end == size || strcmp(end, ".max") != 0)
		return NULL;
	return arena_format(arena, "%.*s.limit_in_bytes", (int)(end - file), file);
}

/* --- limits → writes ---------------------------------------------------------------------------------------------- */

struct compiler {
	const struct cgroup_host *host;
	const struct cgroup_limits *limits;
	const struct limits_now *now;
	struct arena *arena;
	struct knobs *out;
	bool v2;
};

static struct knob *emit(
	struct compiler *c, const char *limit, enum cgroup_controller controller, const char *file, const char *text)
{
	struct knob *knob = &c->out->items[c->out->count++];

	*knob = (struct knob){.limit = limit, .controller = controller, .file = file, .text = text};
	return knob;
}

static const char *number(struct compiler *c, int64_t value)
{
	return arena_format(c->arena, "%lld", (long long)value);
}

static const char *number_or_max(struct compiler *c, int64_t value)
{
	return value < 0 ? "max" : number(c, value);
}

/* v1's "no limit" is -1, but for pids. */
static const char *plain_text(struct compiler *c, const struct limit *limit, int64_t value)
{
	if (limit->flags & PROTECTION && value <= 0)
		return c->v2 ? "0" : "-1";
	return c->v2 || limit->controller == CGROUP_PIDS ? number_or_max(c, value) : number(c, value);
}

static void compile_plain(struct compiler *c, const struct limit *limit, int64_t value)
{
	const char *text = plain_text(c, limit, value);

	if (c->v2 && limit->v2 && strcmp(limit->v2, "memory.swap.max") == 0 && !c->host->swap)
		return;
	if (c->v2 || limit->v1)
		emit(c, limit->name, limit->controller, c->v2 ? limit->v2 : limit->v1, text);
}

static void compile_table(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits_table); i++) {
		const struct limit *limit = &limits_table[i];
		const struct optional *value = limit_value(c->limits, limit);

		if (value->set && !(limit->flags & SPECIAL || (limit->flags & SPECIAL_V1 && !c->v2)))
			compile_plain(c, limit, value->value);
	}
}

static int64_t sum_or_unlimited(int64_t a, int64_t b)
{
	int64_t sum;

	return a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum) ? -1 : sum;
}

/* The new memsw; -2: it stays as it is. */
static int64_t memory_swap_wanted(const struct compiler *c)
{
	const struct limits_now *now = c->now;
	int64_t memory = c->limits->memory_max.set ? c->limits->memory_max.value : now->memory;

	if (!c->host->swap)
		return -2;
	if (c->limits->swap_max.set)
		return sum_or_unlimited(memory, c->limits->swap_max.value);
	if (!c->limits->memory_max.set || now->memory_swap < 0)
		return -2;
	return sum_or_unlimited(memory, now->memory < 0 ? -1 : now->memory_swap - now->memory);
}

/* memsw ≥ memory at every moment: a growing memsw first, a shrinking one last. */
static int compile_memory_v1(struct compiler *c, struct error *err)
{
	const struct optional *memory = &c->limits->memory_max, *swap = &c->limits->swap_max;
	int64_t both = memory_swap_wanted(c);
	bool grows = both == -1 || (c->now->memory_swap >= 0 && both >= c->now->memory_swap);
	const char *name = swap->set ? "swap_max" : "memory_max";

	if (c->host->swap && swap->set && swap->value >= 0 && (memory->set ? memory->value : c->now->memory) < 0)
		return fail(err, ERROR_SYSTEM, "swap_max: cgroup v1 limits swap only together with memory_max");
	if (both != -2 && grows)
		emit(c, name, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", number(c, both));
	if (memory->set)
		emit(c, "memory_max", CGROUP_MEMORY, "memory.limit_in_bytes", number(c, memory->value));
	if (both != -2 && !grows)
		emit(c, name, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", number(c, both));
	return 0;
}

/* The kernel refuses a weight while cpu.idle is 1, and cpu.idle sets the weight: so 0 goes first, and 1 alone. */
static void compile_share(struct compiler *c)
{
	const struct cgroup_limits *limits = c->limits;
	bool by_weight = limits->cpu_weight.set;
	int64_t value = by_weight ? limits->cpu_weight.value : limits->cpu_shares.value;

	if (limits->cpu_idle.set && (limits->cpu_idle.value || !c->now->fresh))
		emit(c, "cpu_idle", CGROUP_CPU, "cpu.idle", number(c, limits->cpu_idle.value));
	if ((limits->cpu_idle.set && limits->cpu_idle.value) || !(by_weight || limits->cpu_shares.set))
		return;
	if (c->v2)
		value = by_weight ? value : shares_to_weight(value);
	else
		value = by_weight ? weight_to_shares(value) : value;
	emit(c, by_weight ? "cpu_weight" : "cpu_shares", CGROUP_CPU, c->v2 ? "cpu.weight" : "cpu.shares",
		number(c, value));
}

static void compile_bandwidth_v2(struct compiler *c)
{
	const struct optional *quota = &c->limits->cpu_quota_us, *period = &c->limits->cpu_period_us;
	const char *first = number_or_max(c, quota->set ? quota->value : c->now->quota_us);

	if (period->set)
		first = arena_format(c->arena, "%s %lld", first, (long long)period->value);
	if (quota->set || period->set)
		emit(c, quota->set ? "cpu_quota_us" : "cpu_period_us", CGROUP_CPU, "cpu.max", first);
}

/* v1 refuses a quota / period above the parent's, in between as well: a longer period goes before its quota (the ratio
 * falls on the way), a shorter one after it. */
static void compile_bandwidth_v1(struct compiler *c)
{
	const struct optional *quota = &c->limits->cpu_quota_us, *period = &c->limits->cpu_period_us;
	bool longer = period->set && period->value >= c->now->period_us;

	if (longer)
		emit(c, "cpu_period_us", CGROUP_CPU, "cpu.cfs_period_us", number(c, period->value));
	if (quota->set)
		emit(c, "cpu_quota_us", CGROUP_CPU, "cpu.cfs_quota_us", number(c, quota->value));
	if (period->set && !longer)
		emit(c, "cpu_period_us", CGROUP_CPU, "cpu.cfs_period_us", number(c, period->value));
}

/* A burst may not exceed the quota: it goes after it, and an old one must not be in the way of a smaller quota. */
static void compile_bandwidth(struct compiler *c)
{
	const struct optional *burst = &c->limits->cpu_burst_us;
	const char *file = c->v2 ? "cpu.max.burst" : "cpu.cfs_burst_us";

	if (burst->set && !c->now->fresh)
		emit(c, "cpu_burst_us", CGROUP_CPU, file, "0");
	if (c->v2)
		compile_bandwidth_v2(c);
	else
		compile_bandwidth_v1(c);
	if (burst->set && burst->value > 0)
		emit(c, "cpu_burst_us", CGROUP_CPU, file, number(c, burst->value));
}

static void compile_cpuset(struct compiler *c)
{
	if (c->limits->cpuset_cpus)
		emit(c, "cpuset_cpus", CGROUP_CPUSET, "cpuset.cpus", c->limits->cpuset_cpus);
	if (c->limits->cpuset_mems)
		emit(c, "cpuset_mems", CGROUP_CPUSET, "cpuset.mems", c->limits->cpuset_mems);
}

/* v2 has two files: io.weight for the kernel's own cost model and, once it is loaded, BFQ's own. Which of the two
 * counts is decided by each disk. */
static void emit_weight(struct compiler *c, const char *limit, int64_t for_model, int64_t for_bfq)
{
	struct knob *knob = emit(
		c, limit, CGROUP_IO, c->v2 ? "io.weight" : "blkio.bfq.weight", number(c, c->v2 ? for_model : for_bfq));

	knob->or_file = c->v2 ? "io.bfq.weight" : "blkio.weight";
	knob->or_text = number(c, c->v2 ? for_bfq : clamp(for_bfq, BLOCK_WEIGHT_MIN, BLOCK_WEIGHT_MAX));
	knob->both = c->v2;
}

static void compile_device_weight(struct compiler *c, const struct cgroup_io_device_weight *device)
{
	const char *bfq = arena_format(c->arena, "%u:%u %lld", device->major, device->minor, (long long)device->weight);
	const char *model = arena_format(c->arena, "%u:%u %lld", device->major, device->minor,
		(long long)block_weight_to_io_weight(device->weight));
	struct knob *knob = emit(
		c, "device_weights", CGROUP_IO, c->v2 ? "io.weight" : "blkio.bfq.weight_device", c->v2 ? model : bfq);

	knob->or_file = c->v2 ? "io.bfq.weight" : "blkio.weight_device";
	knob->or_text = bfq;
	knob->both = c->v2;
}

static void compile_io_weight(struct compiler *c)
{
	const struct optional *weight = &c->limits->io_weight, *block = &c->limits->block_weight;

	if (weight->set)
		emit_weight(c, "io_weight", weight->value, clamp(weight->value, 1, BFQ_WEIGHT_MAX));
	else if (block->set)
		emit_weight(c, "block_weight", block_weight_to_io_weight(block->value), block->value);
	for (size_t i = 0; i < c->limits->device_weights.count; i++)
		compile_device_weight(c, &c->limits->device_weights.items[i]);
}

/* The four rates of a device with their names on both versions. */
static const struct {
	size_t offset;
	const char *v2, *v1;
} rates[] = {
	{offsetof(struct cgroup_io_max, rbps), "rbps", "blkio.throttle.read_bps_device"},
	{offsetof(struct cgroup_io_max, wbps), "wbps", "blkio.throttle.write_bps_device"},
	{offsetof(struct cgroup_io_max, riops), "riops", "blkio.throttle.read_iops_device"},
	{offsetof(struct cgroup_io_max, wiops), "wiops", "blkio.throttle.write_iops_device"},
};

static const struct optional *rate_value(const struct cgroup_io_max *io, size_t index)
{
	return (const struct optional *)((const char *)io + rates[index].offset);
}

static void compile_io_device(struct compiler *c, const struct cgroup_io_max *io)
{
	const char *line = arena_format(c->arena, "%u:%u", io->major, io->minor);
	const char *device = line;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct optional *rate = rate_value(io, i);

		if (!rate->set)
			continue;
		if (c->v2)
			line = arena_format(c->arena, "%s %s=%s", line, rates[i].v2, number_or_max(c, rate->value));
		else
			emit(c, "io_max", CGROUP_IO, rates[i].v1,
				arena_format(
					c->arena, "%s %lld", device, (long long)(rate->value < 0 ? 0 : rate->value)));
	}
	if (c->v2 && line != device)
		emit(c, "io_max", CGROUP_IO, "io.max", line);
}

/* "No limit" is a number in a file of v1's hugetlb. */
static void compile_files(struct compiler *c)
{
	const struct pairs *unified = &c->limits->unified, *v1 = &c->limits->v1_files;

	for (size_t i = 0; i < unified->count; i++) {
		const char *file = unified->items[i].name, *value = unified->items[i].value;
		bool number = !c->v2 && text_starts_with(file, HUGETLB) && strcmp(value, "max") == 0;

		emit(c, "unified", unified_controller(file), c->v2 ? file : unified_on_v1(c->arena, file),
			number ? "-1" : value);
	}
	for (size_t i = 0; !c->v2 && i < v1->count; i++)
		emit(c, v1->items[i].name, unified_controller(v1->items[i].name), v1->items[i].name,
			v1->items[i].value);
}

int limits_compile(const struct cgroup_host *host, const struct cgroup_limits *limits, const struct limits_now *now,
	struct arena *arena, struct knobs *out, struct error *err)
{
	size_t capacity = KNOBS_OF_SINGLE_LIMITS + ARRAY_SIZE(rates) * limits->io_max.count +
			  limits->device_weights.count + limits->unified.count + limits->v1_files.count;
	struct compiler c = {host, limits, now, arena, out, host_is_v2(host)};

	*out = (struct knobs){.items = arena_new_array(arena, capacity, struct knob)};
	compile_table(&c);
	if (!c.v2 && compile_memory_v1(&c, err) < 0)
		return -1;
	compile_share(&c);
	compile_bandwidth(&c);
	compile_cpuset(&c);
	compile_io_weight(&c);
	for (size_t i = 0; i < limits->io_max.count; i++)
		compile_io_device(&c, &limits->io_max.items[i]);
	compile_files(&c);
	return 0;
}

unsigned limits_controllers(
	const struct cgroup_host *host, const struct cgroup_limits *limits, const struct knobs *knobs)
{
	unsigned needed = !host_is_v2(host) && limits->devices.count ? 1U << CGROUP_DEVICES : 0;

	for (size_t i = 0; i < knobs->count; i++)
		if (knobs->items[i].controller != CGROUP_CONTROLLERS)
			needed |= 1U << knobs->items[i].controller;
	return needed;
}
