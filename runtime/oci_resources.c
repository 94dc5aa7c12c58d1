/* `linux.resources` → struct cgroup_limits, which counts in the units of cgroup v2: of a config.json, and of an update,
 * which comes as the same JSON or as single numbers. A zero says nothing: engines written in Go send it for what is
 * not set. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/oci.h"
#include "runtime/runtime.h"

/* --- memory
 * ----------------------------------------------------------------------------------------------------------- */

/* What all parts are decoded for. The rows of the object `resources` reach it from its first member. */
struct oci_resources {
	struct cgroup_limits *limits;
	int64_t memory_now; /* of the container that is updated: its limit, -1 without one */
	bool check_memory_first;
	struct pairs files; /* of cgroup v2: what comes from keys that have no limit of ours, then `unified` */
	struct pairs unified;
	char refused;
};

struct oci_memory {
	struct optional limit, reservation, swap;
	bool check_before_update;
	char refused;
};

static const struct field memory_fields[] = {
	OPTIONAL("limit", struct oci_memory, limit, -1, INT64_MAX, 0),
	OPTIONAL("reservation", struct oci_memory, reservation, -1, INT64_MAX, 0),
	OPTIONAL("swap", struct oci_memory, swap, -1, INT64_MAX, 0),
	CUSTOM("disableOOMKiller", struct oci_memory, refused, oci_decode_refused, 0),
	BOOL("checkBeforeUpdate", struct oci_memory, check_before_update, 0),
	CUSTOM("kernel", struct oci_memory, refused, oci_decode_refused, 0),
	CUSTOM("kernelTCP", struct oci_memory, refused, oci_decode_refused, 0),
	CUSTOM("swappiness", struct oci_memory, refused, oci_decode_refused, 0),
	END_OF_FIELDS,
};

static bool is_given(const struct optional *value)
{
	return value->set && value->value != 0;
}

/* OCI's swap is memory and swap together (as v1's memsw); ours is swap alone. */
static int swap_convert(const struct oci_memory *from, struct oci_resources *resources, struct error *err)
{
	const struct optional *limit = &from->limit, *swap = &from->swap;
	struct cgroup_limits *limits = resources->limits;
	int64_t memory = is_given(limit) ? limit->value : resources->memory_now;

	if (!is_given(swap)) {
		if (limit->set && limit->value == -1)
			limits->swap_max = (struct optional){true, -1};
		return 0;
	}
	if (swap->value == -1) {
		limits->swap_max = (struct optional){true, -1};
		return 0;
	}
	if (memory == -1)
		return fail(err, ERROR_USAGE, "swap %lld: is memory and swap together and needs a memory limit",
			(long long)swap->value);
	if (swap->value < memory)
		return fail(err, ERROR_USAGE,
			"swap %lld: is memory and swap together and cannot be below the limit %lld",
			(long long)swap->value, (long long)memory);
	limits->swap_max = (struct optional){true, swap->value - memory};
	return 0;
}

static int memory_convert(const struct oci_memory *from, struct oci_resources *resources, struct error *err)
{
	if (is_given(&from->limit))
		resources->limits->memory_max = from->limit;
	if (is_given(&from->reservation))
		resources->limits->memory_low = from->reservation;
	resources->check_memory_first = from->check_before_update;
	return swap_convert(from, resources, err);
}

static int memory_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_memory from = {0};

	if (decode_object(decoder, node, memory_fields, &from, err) < 0)
		return -1;
	return memory_convert(&from, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- cpu, pids
 * -------------------------------------------------------------------------------------------------------- */

struct oci_cpu {
	struct optional shares, quota, period, burst, idle;
	const char *cpus, *mems;
	char refused;
};

#define CPU_SHARES_MAX 262144
#define CPU_PERIOD_MAX_US 1000000

static const struct field cpu_fields[] = {
	OPTIONAL("shares", struct oci_cpu, shares, 0, CPU_SHARES_MAX, 0),
	OPTIONAL("quota", struct oci_cpu, quota, -1, INT64_MAX, 0),
	OPTIONAL("period", struct oci_cpu, period, 0, CPU_PERIOD_MAX_US, 0),
	OPTIONAL("burst", struct oci_cpu, burst, 0, INT64_MAX, 0),
	OPTIONAL("idle", struct oci_cpu, idle, 0, 1, 0),
	STRING("cpus", struct oci_cpu, cpus, 0),
	STRING("mems", struct oci_cpu, mems, 0),
	CUSTOM("realtimeRuntime", struct oci_cpu, refused, oci_decode_refused, 0),
	CUSTOM("realtimePeriod", struct oci_cpu, refused, oci_decode_refused, 0),
	END_OF_FIELDS,
};

static int list_take(const char *key, const char *list, const char **out, struct error *err)
{
	if (text_is_empty(list))
		return 0;
	if (cpulist_check(list, err) < 0)
		return blame(err, "%s", key);
	*out = list;
	return 0;
}

static int cpu_convert(const struct oci_cpu *from, struct cgroup_limits *limits, struct error *err)
{
	if (is_given(&from->shares))
		limits->cpu_shares = from->shares;
	if (is_given(&from->quota))
		limits->cpu_quota_us = from->quota;
	if (is_given(&from->period))
		limits->cpu_period_us = from->period;
	if (is_given(&from->burst))
		limits->cpu_burst_us = from->burst;
	limits->cpu_idle = from->idle;
	if (list_take("cpus", from->cpus, &limits->cpuset_cpus, err) < 0)
		return -1;
	return list_take("mems", from->mems, &limits->cpuset_mems, err);
}

static int cpu_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct oci_cpu from = {0};

	if (decode_object(decoder, node, cpu_fields, &from, err) < 0)
		return -1;
	return cpu_convert(&from, resources->limits, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

struct oci_pids {
	int64_t limit;
};
static const struct field pids_fields[] = {
	INTEGER("limit", struct oci_pids, limit, -1, INT64_MAX, REQUIRED),
	END_OF_FIELDS,
};

static int pids_convert(int64_t limit, struct cgroup_limits *limits, struct error *err)
{
	if (limit == 0)
		return fail(err, ERROR_USAGE, "limit 0: not even the first process could start; -1 means no limit");
	limits->pids_max = (struct optional){true, limit};
	return 0;
}

static int pids_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct oci_pids from = {0};

	if (decode_object(decoder, node, pids_fields, &from, err) < 0)
		return -1;
	return pids_convert(from.limit, resources->limits, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- block devices
 * ------------------------------------------------------------------------------------------------------ */

#define BLOCK_WEIGHT_MIN 10
#define BLOCK_WEIGHT_MAX 1000
#define IO_WEIGHT_MAX 10000
#define DEVICE_MAJOR_MAX 4095
#define DEVICE_MINOR_MAX 1048575

struct oci_throttle {
	uint32_t major, minor;
	uint64_t rate;
};
struct oci_device_weight {
	uint32_t major, minor;
	struct optional weight;
	char refused;
};
struct oci_block {
	struct optional weight;
	LIST_OF(struct oci_device_weight) weights;
	LIST_OF(struct oci_throttle) rbps, wbps, riops, wiops;
	char refused;
};

static const struct field throttle_fields[] = {
	INTEGER("major", struct oci_throttle, major, 0, DEVICE_MAJOR_MAX, REQUIRED),
	INTEGER("minor", struct oci_throttle, minor, 0, DEVICE_MINOR_MAX, REQUIRED),
	UINT64("rate", struct oci_throttle, rate, REQUIRED),
	END_OF_FIELDS,
};
static const struct field weight_fields[] = {
	INTEGER("major", struct oci_device_weight, major, 0, DEVICE_MAJOR_MAX, REQUIRED),
	INTEGER("minor", struct oci_device_weight, minor, 0, DEVICE_MINOR_MAX, REQUIRED),
	OPTIONAL("weight", struct oci_device_weight, weight, 0, BLOCK_WEIGHT_MAX, 0),
	CUSTOM("leafWeight", struct oci_device_weight, refused, oci_decode_refused, 0),
	END_OF_FIELDS,
};
static const struct field block_fields[] = {
	OPTIONAL("weight", struct oci_block, weight, 0, BLOCK_WEIGHT_MAX, 0),
	CUSTOM("leafWeight", struct oci_block, refused, oci_decode_refused, 0),
	LIST("weightDevice", struct oci_block, weights, weight_fields, 0),
	LIST("throttleReadBpsDevice", struct oci_block, rbps, throttle_fields, 0),
	LIST("throttleWriteBpsDevice", struct oci_block, wbps, throttle_fields, 0),
	LIST("throttleReadIOPSDevice", struct oci_block, riops, throttle_fields, 0),
	LIST("throttleWriteIOPSDevice", struct oci_block, wiops, throttle_fields, 0),
	END_OF_FIELDS,
};

static struct cgroup_io_max *io_max_for(struct cgroup_limits *limits, const struct oci_throttle *device)
{
	struct cgroup_io_max *row;

	for (size_t i = 0; i < limits->io_max.count; i++) {
		row = &limits->io_max.items[i];
		if (row->major == device->major && row->minor == device->minor)
			return row;
	}
	row = &limits->io_max.items[limits->io_max.count++];
	*row = (struct cgroup_io_max){.major = device->major, .minor = device->minor};
	return row;
}

static void throttles_convert(
	const struct oci_throttle *items, size_t count, size_t offset, struct cgroup_limits *limits)
{
	for (size_t i = 0; i < count; i++) {
		char *row = (char *)io_max_for(limits, &items[i]);
		int64_t rate = items[i].rate > INT64_MAX ? INT64_MAX : (int64_t)items[i].rate;

		*(struct optional *)(row + offset) = (struct optional){true, rate};
	}
}

/* 10 … 1,000 onto 1 … 10,000, ends onto ends. */
static int weight_scale(int64_t weight, int64_t *out, struct error *err)
{
	if (weight < BLOCK_WEIGHT_MIN || weight > BLOCK_WEIGHT_MAX)
		return fail(err, ERROR_USAGE, "weight %lld: must be between %d and %d", (long long)weight,
			BLOCK_WEIGHT_MIN, BLOCK_WEIGHT_MAX);
	*out = 1 + (weight - BLOCK_WEIGHT_MIN) * (IO_WEIGHT_MAX - 1) / (BLOCK_WEIGHT_MAX - BLOCK_WEIGHT_MIN);
	return 0;
}

static int block_weight_convert(int64_t weight, struct cgroup_limits *limits, struct error *err)
{
	limits->io_weight.set = true;
	return weight_scale(weight, &limits->io_weight.value, err);
}

/* A further line of a file of cgroup v2 that takes several. */
static void file_add_line(struct arena *arena, struct pairs *files, const char *file, const char *line)
{
	const char *before = pairs_get(files, file);

	pairs_set(arena, files, file, before ? arena_format(arena, "%s\n%s", before, line) : line);
}

static int device_weights_convert(
	struct arena *arena, const struct oci_block *from, struct pairs *files, struct error *err)
{
	for (size_t i = 0; i < from->weights.count; i++) {
		const struct oci_device_weight *device = &from->weights.items[i];
		int64_t weight;

		if (!is_given(&device->weight))
			continue;
		if (weight_scale(device->weight.value, &weight, err) < 0)
			return blame(err, "weightDevice[%zu]", i);
		file_add_line(arena, files, "io.weight",
			arena_format(arena, "%u:%u %lld", device->major, device->minor, (long long)weight));
	}
	return 0;
}

static int block_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct cgroup_limits *limits = resources->limits;
	struct oci_block from = {0};

	if (decode_object(decoder, node, block_fields, &from, err) < 0)
		return -1;
	if (is_given(&from.weight) && block_weight_convert(from.weight.value, limits, err) < 0)
		return decode_blame(decoder, node, err);
	if (device_weights_convert(decoder->arena, &from, &resources->files, err) < 0)
		return decode_blame(decoder, node, err);
	limits->io_max.items = arena_new_array(decoder->arena,
		from.rbps.count + from.wbps.count + from.riops.count + from.wiops.count, struct cgroup_io_max);
	throttles_convert(from.rbps.items, from.rbps.count, offsetof(struct cgroup_io_max, rbps), limits);
	throttles_convert(from.wbps.items, from.wbps.count, offsetof(struct cgroup_io_max, wbps), limits);
	throttles_convert(from.riops.items, from.riops.count, offsetof(struct cgroup_io_max, riops), limits);
	throttles_convert(from.wiops.items, from.wiops.count, offsetof(struct cgroup_io_max, wiops), limits);
	return 0;
}

/* --- devices
 * ------------------------------------------------------------------------------------------------------------ */

struct oci_device_rule {
	bool allow;
	const char *type, *access;
	int64_t major, minor;
};
static const struct field device_fields[] = {
	BOOL("allow", struct oci_device_rule, allow, REQUIRED),
	STRING("type", struct oci_device_rule, type, 0),
	INTEGER("major", struct oci_device_rule, major, -1, DEVICE_MAJOR_MAX, 0),
	INTEGER("minor", struct oci_device_rule, minor, -1, DEVICE_MINOR_MAX, 0),
	STRING("access", struct oci_device_rule, access, 0),
	END_OF_FIELDS,
};

#define ANY_ACCESS (CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE | CGROUP_DEVICE_MKNOD)

static int access_parse(const char *text, unsigned *out, struct error *err)
{
	static const char letters[] = "rwm";

	*out = text_is_empty(text) ? ANY_ACCESS : 0;
	for (; text && *text; text++) {
		const char *letter = strchr(letters, *text);

		if (!letter)
			return fail(err, ERROR_USAGE, "access: '%c' is none of r, w, m", *text);
		*out |= 1u << (letter - letters);
	}
	return 0;
}

static int device_rule_convert(const struct oci_device_rule *from, struct cgroup_device_rule *rule, struct error *err)
{
	const char *type = text_is_empty(from->type) ? "a" : from->type;

	if (strlen(type) != 1 || !strchr("abc", *type))
		return fail(err, ERROR_USAGE, "type \"%s\": must be a, b or c", type);
	*rule = (struct cgroup_device_rule){
		.allow = from->allow, .type = *type, .major = from->major, .minor = from->minor};
	return access_parse(from->access, &rule->access, err);
}

static int devices_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct cgroup_limits *limits = ((struct oci_resources *)member)->limits;

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	limits->devices.items = arena_new_array(decoder->arena, node->count, struct cgroup_device_rule);
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_device_rule from = {.major = -1, .minor = -1};

		if (decode_object(decoder, item, device_fields, &from, err) < 0)
			return -1;
		if (device_rule_convert(&from, &limits->devices.items[limits->devices.count++], err) < 0)
			return decode_blame(decoder, item, err);
	}
	return 0;
}

/* Making any node but opening only these: the six standard ones, terminals and their master. */
static const struct cgroup_device_rule default_devices[] = {
	{true, 'c', -1, -1, CGROUP_DEVICE_MKNOD},
	{true, 'b', -1, -1, CGROUP_DEVICE_MKNOD},
	{true, 'c', 1, 3, ANY_ACCESS},
	{true, 'c', 1, 5, ANY_ACCESS},
	{true, 'c', 1, 7, ANY_ACCESS},
	{true, 'c', 1, 8, ANY_ACCESS},
	{true, 'c', 1, 9, ANY_ACCESS},
	{true, 'c', 5, 0, ANY_ACCESS},
	{true, 'c', 5, 2, ANY_ACCESS},
	{true, 'c', 136, -1, ANY_ACCESS},
};

void oci_add_default_devices(struct arena *arena, struct cgroup_limits *limits)
{
	size_t count = 0;
	struct cgroup_device_rule *all = arena_new_array(
		arena, 1 + limits->devices.count + ARRAY_SIZE(default_devices), struct cgroup_device_rule);

	all[count++] = (struct cgroup_device_rule){false, 'a', -1, -1, ANY_ACCESS};
	for (size_t i = 0; i < limits->devices.count; i++)
		all[count++] = limits->devices.items[i];
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		all[count++] = default_devices[i];
	limits->devices.items = all;
	limits->devices.count = count;
}

/* --- huge pages, RDMA
 * ------------------------------------------------------------------------------------------------------- */

struct oci_huge_pages {
	const char *size;
	uint64_t limit;
};
static const struct field huge_pages_fields[] = {
	STRING("pageSize", struct oci_huge_pages, size, REQUIRED),
	UINT64("limit", struct oci_huge_pages, limit, REQUIRED),
	END_OF_FIELDS,
};

/* "2MB": what stands in the names of the kernel's files. */
static bool is_page_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits < 8 &&
	       (!strcmp(text + digits, "KB") || !strcmp(text + digits, "MB") || !strcmp(text + digits, "GB"));
}

static int huge_pages_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct arena *arena = decoder->arena;

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_huge_pages from = {0};

		if (decode_object(decoder, item, huge_pages_fields, &from, err) < 0)
			return -1;
		if (!is_page_size(from.size))
			return decode_fail(
				decoder, item, err, "pageSize \"%s\": must be as in 64KB, 2MB or 1GB", from.size);
		pairs_set(arena, &resources->files, arena_format(arena, "hugetlb.%s.max", from.size),
			from.limit > INT64_MAX ? "max" : arena_format(arena, "%llu", (unsigned long long)from.limit));
	}
	return 0;
}

struct oci_rdma {
	struct optional handles, objects;
};
static const struct field rdma_fields[] = {
	OPTIONAL("hcaHandles", struct oci_rdma, handles, 0, UINT32_MAX, 0),
	OPTIONAL("hcaObjects", struct oci_rdma, objects, 0, UINT32_MAX, 0),
	END_OF_FIELDS,
};

static int rdma_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct arena *arena = decoder->arena;

	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_rdma from = {0};
		const char *line = item->key;

		if (decode_object(decoder, item, rdma_fields, &from, err) < 0)
			return -1;
		if (!*item->key || strpbrk(item->key, " \n\t"))
			return decode_fail(decoder, item, err, "is no name of a device");
		if (from.handles.set)
			line = arena_format(arena, "%s hca_handle=%lld", line, (long long)from.handles.value);
		if (from.objects.set)
			line = arena_format(arena, "%s hca_object=%lld", line, (long long)from.objects.value);
		if (line != item->key)
			file_add_line(arena, &resources->files, "rdma.max", line);
	}
	return 0;
}

/* What the author says of a file himself counts. */
static void files_finish(struct arena *arena, struct oci_resources *resources)
{
	for (size_t i = 0; i < resources->unified.count; i++)
		pairs_set(
			arena, &resources->files, resources->unified.items[i].name, resources->unified.items[i].value);
	resources->limits->unified = resources->files;
}

/* --- the object
 * --------------------------------------------------------------------------------------------------------- */

const struct field oci_resources_fields[] = {
	CUSTOM_OBJECT("memory", struct oci_resources, limits, memory_decode, memory_fields),
	CUSTOM_OBJECT("cpu", struct oci_resources, limits, cpu_decode, cpu_fields),
	CUSTOM_OBJECT("pids", struct oci_resources, limits, pids_decode, pids_fields),
	CUSTOM_OBJECT("blockIO", struct oci_resources, limits, block_decode, block_fields),
	CUSTOM_OBJECT("devices", struct oci_resources, limits, devices_decode, device_fields),
	PAIRS("unified", struct oci_resources, unified, 0),
	CUSTOM_OBJECT("hugepageLimits", struct oci_resources, limits, huge_pages_decode, huge_pages_fields),
	CUSTOM("network", struct oci_resources, refused, oci_decode_refused, 0),
	CUSTOM_OBJECT("rdma", struct oci_resources, limits, rdma_decode, rdma_fields),
	END_OF_FIELDS,
};

int oci_decode_resources(const struct decoder *decoder, const struct json *node, void *cgroup_limits, struct error *err)
{
	struct oci_resources resources = {.limits = cgroup_limits, .memory_now = -1};

	if (decode_object(decoder, node, oci_resources_fields, &resources, err) < 0)
		return -1;
	files_finish(decoder->arena, &resources);
	return 0;
}

/* --- changes of a container that is there
 * ------------------------------------------------------------------------------- */

int oci_update_decode(
	struct arena *arena, const struct json_doc *doc, int64_t memory_now, struct oci_update *out, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};
	struct oci_resources resources = {.limits = &out->limits, .memory_now = memory_now};

	*out = (struct oci_update){0};
	if (decode_object(&decoder, doc->root, oci_resources_fields, &resources, err) < 0)
		return -1;
	files_finish(arena, &resources);
	out->check_memory_first = resources.check_memory_first;
	if (out->limits.devices.count)
		oci_add_default_devices(arena, &out->limits);
	return 0;
}

int oci_update_convert(
	const struct resource_numbers *from, int64_t memory_now, struct oci_update *out, struct error *err)
{
	struct oci_resources resources = {.limits = &out->limits, .memory_now = memory_now};
	const struct oci_memory memory = {
		.limit = from->memory, .reservation = from->memory_reservation, .swap = from->memory_swap};
	const struct oci_cpu cpu = {
		.shares = from->cpu_shares,
		.quota = from->cpu_quota_us,
		.period = from->cpu_period_us,
		.burst = from->cpu_burst_us,
		.idle = from->cpu_idle,
		.cpus = from->cpuset_cpus,
		.mems = from->cpuset_mems,
	};

	*out = (struct oci_update){0};
	if (memory_convert(&memory, &resources, err) < 0)
		return blame(err, "memory");
	if (cpu_convert(&cpu, &out->limits, err) < 0)
		return blame(err, "cpu");
	if (is_given(&from->pids) && pids_convert(from->pids.value, &out->limits, err) < 0)
		return blame(err, "pids");
	if (is_given(&from->block_weight) && block_weight_convert(from->block_weight.value, &out->limits, err) < 0)
		return blame(err, "block I/O");
	return 0;
}
