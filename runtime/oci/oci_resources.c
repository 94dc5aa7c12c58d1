/* `linux.resources` → struct cgroup_limits, which counts in the units of cgroup v2: of a config.json, and of an update,
 * which comes as the same JSON or as single numbers. A zero says nothing: engines written in Go send it for what is
 * not set. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/oci/oci_resources.h"
#include "runtime/runtime.h"

/* --- memory ------------------------------------------------------------------------------------------------------- */

struct oci_memory {
	struct optional limit, reservation, swap, swappiness, kernel_tcp;
	bool check_before_update, no_killer;
	char refused;
};

static const struct field memory_fields[] = {
	OPTIONAL("limit", struct oci_memory, limit, -1, INT64_MAX, 0),
	OPTIONAL("reservation", struct oci_memory, reservation, -1, INT64_MAX, 0),
	OPTIONAL("swap", struct oci_memory, swap, -1, INT64_MAX, 0),
	BOOL("disableOOMKiller", struct oci_memory, no_killer, 0),
	BOOL("checkBeforeUpdate", struct oci_memory, check_before_update, 0),
	CUSTOM("kernel", struct oci_memory, refused, oci_decode_refused, 0),
	OPTIONAL("kernelTCP", struct oci_memory, kernel_tcp, -1, INT64_MAX, 0),
	OPTIONAL("swappiness", struct oci_memory, swappiness, 0, 100, 0),
	END_OF_FIELDS,
};

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

static void v1_number_add(
	struct arena *arena, struct oci_resources *resources, const char *file, const struct optional *number)
{
	pairs_set(arena, &resources->v1_files, file, arena_format(arena, "%lld", (long long)number->value));
}

/* What v2 has nothing alike for. */
static void memory_convert_v1(struct arena *arena, const struct oci_memory *from, struct oci_resources *resources)
{
	if (from->swappiness.set)
		v1_number_add(arena, resources, "memory.swappiness", &from->swappiness);
	if (is_given(&from->kernel_tcp))
		v1_number_add(arena, resources, "memory.kmem.tcp.limit_in_bytes", &from->kernel_tcp);
	if (from->no_killer)
		pairs_set(arena, &resources->v1_files, "memory.oom_control", "1");
}

static int memory_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_memory from = {0};

	if (decode_object(decoder, node, memory_fields, &from, err) < 0)
		return -1;
	memory_convert_v1(decoder->arena, &from, member);
	return memory_convert(&from, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- cpu, pids ---------------------------------------------------------------------------------------------------- */

struct oci_cpu {
	struct optional shares, quota, period, burst, idle, realtime_runtime, realtime_period;
	const char *cpus, *mems;
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
	OPTIONAL("realtimeRuntime", struct oci_cpu, realtime_runtime, -1, INT64_MAX, 0),
	OPTIONAL("realtimePeriod", struct oci_cpu, realtime_period, 0, INT64_MAX, 0),
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

/* The period first: the runtime must fit into it. */
static void cpu_convert_v1(struct arena *arena, const struct oci_cpu *from, struct oci_resources *resources)
{
	if (is_given(&from->realtime_period))
		v1_number_add(arena, resources, "cpu.rt_period_us", &from->realtime_period);
	if (is_given(&from->realtime_runtime))
		v1_number_add(arena, resources, "cpu.rt_runtime_us", &from->realtime_runtime);
}

static int cpu_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct oci_cpu from = {0};

	if (decode_object(decoder, node, cpu_fields, &from, err) < 0)
		return -1;
	cpu_convert_v1(decoder->arena, &from, resources);
	return cpu_convert(&from, resources->limits, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

struct oci_pids {
	int64_t limit;
};
static const struct field pids_fields[] = {
	INTEGER("limit", struct oci_pids, limit, -1, INT64_MAX, REQUIRED),
	END_OF_FIELDS,
};

/* 0 says nothing here either: podman writes it for --pids-limit 0 and means no limit. */
static void pids_convert(int64_t limit, struct cgroup_limits *limits)
{
	if (limit)
		limits->pids_max = (struct optional){true, limit};
}

static int pids_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct oci_pids from = {0};

	if (decode_object(decoder, node, pids_fields, &from, err) < 0)
		return -1;
	pids_convert(from.limit, resources->limits);
	return 0;
}

/* --- files of cgroup v2: huge pages, RDMA ------------------------------------------------------------------------- */

void oci_file_add_line(struct arena *arena, struct pairs *files, const char *file, const char *line)
{
	const char *before = pairs_get(files, file);

	pairs_set(arena, files, file, before ? arena_format(arena, "%s\n%s", before, line) : line);
}

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
			oci_file_add_line(arena, &resources->files, "rdma.max", line);
	}
	return 0;
}

/* --- the network, of v1 alone ------------------------------------------------------------------------------------- */

struct oci_network_priority {
	const char *name;
	uint32_t priority;
};
struct oci_network {
	struct optional class;
	LIST_OF(struct oci_network_priority) priorities;
};
static const struct field network_priority_fields[] = {
	STRING("name", struct oci_network_priority, name, REQUIRED),
	INTEGER("priority", struct oci_network_priority, priority, 0, UINT32_MAX, REQUIRED),
	END_OF_FIELDS,
};
static const struct field network_fields[] = {
	OPTIONAL("classID", struct oci_network, class, 0, UINT32_MAX, 0),
	LIST("priorities", struct oci_network, priorities, network_priority_fields, 0),
	END_OF_FIELDS,
};

static int network_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct oci_network from = {0};

	if (decode_object(decoder, node, network_fields, &from, err) < 0)
		return -1;
	if (is_given(&from.class))
		v1_number_add(decoder->arena, resources, "net_cls.classid", &from.class);
	for (size_t i = 0; i < from.priorities.count; i++) {
		const struct oci_network_priority *one = &from.priorities.items[i];

		if (!*one->name || strpbrk(one->name, " \n\t"))
			return decode_fail(decoder, node, err, "\"%s\" is no name of a device", one->name);
		oci_file_add_line(decoder->arena, &resources->v1_files, "net_prio.ifpriomap",
			arena_format(decoder->arena, "%s %u", one->name, one->priority));
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
	resources->limits->v1_files = resources->v1_files;
}

/* --- the object --------------------------------------------------------------------------------------------------- */

const struct field oci_resources_fields[] = {
	CUSTOM_OBJECT("memory", struct oci_resources, limits, memory_decode, memory_fields),
	CUSTOM_OBJECT("cpu", struct oci_resources, limits, cpu_decode, cpu_fields),
	CUSTOM_OBJECT("pids", struct oci_resources, limits, pids_decode, pids_fields),
	CUSTOM_OBJECT("blockIO", struct oci_resources, limits, oci_decode_block, oci_block_fields),
	CUSTOM_OBJECT("devices", struct oci_resources, limits, oci_decode_device_rules, oci_device_rule_fields),
	PAIRS("unified", struct oci_resources, unified, 0),
	CUSTOM_OBJECT("hugepageLimits", struct oci_resources, limits, huge_pages_decode, huge_pages_fields),
	CUSTOM_OBJECT("network", struct oci_resources, limits, network_decode, network_fields),
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

/* --- changes of a container that is there ------------------------------------------------------------------------- */

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
		device_rules_complete(arena, &out->limits);
	return 0;
}

int oci_update_convert(struct arena *arena, const struct resource_numbers *from, int64_t memory_now,
	struct oci_update *out, struct error *err)
{
	struct oci_resources resources = {.limits = &out->limits, .memory_now = memory_now};
	const struct oci_memory memory = {
		.limit = from->memory,
		.reservation = from->memory_reservation,
		.swap = from->memory_swap,
		.kernel_tcp = from->kernel_tcp,
	};
	const struct oci_cpu cpu = {
		.shares = from->cpu_shares,
		.quota = from->cpu_quota_us,
		.period = from->cpu_period_us,
		.burst = from->cpu_burst_us,
		.idle = from->cpu_idle,
		.cpus = from->cpuset_cpus,
		.mems = from->cpuset_mems,
		.realtime_period = from->realtime_period_us,
		.realtime_runtime = from->realtime_runtime_us,
	};

	*out = (struct oci_update){0};
	memory_convert_v1(arena, &memory, &resources);
	cpu_convert_v1(arena, &cpu, &resources);
	if (memory_convert(&memory, &resources, err) < 0)
		return blame(err, "memory");
	if (cpu_convert(&cpu, &out->limits, err) < 0)
		return blame(err, "cpu");
	if (is_given(&from->pids))
		pids_convert(from->pids.value, &out->limits);
	if (is_given(&from->block_weight) && oci_block_weight_convert(from->block_weight.value, &out->limits, err) < 0)
		return blame(err, "block I/O");
	files_finish(arena, &resources);
	return 0;
}
