/* update: other limits for a container that is there. The options are those of runc and crun; engines send the file. */
#include <stdlib.h>
#include <string.h>

#include "cli/oci/oci.h"
#include "runtime/runtime.h"

struct update_options {
	const char *resources, *cache_schema, *bandwidth_schema;
	struct resource_numbers numbers;
	struct optional kernel_memory;
};

/* Bytes, or -1 for no limit. */
static int bytes_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct optional *out = member;

	(void)arena;
	out->set = true;
	out->value = -1;
	return strcmp(value, "-1") == 0 ? 0 : size_parse(value, &out->value, err);
}

#define OPTION_BYTES(name_, help_, member)                                                                             \
	OPTION_CUSTOM(name_, 0, "BYTES", help_, struct update_options, member, bytes_parse)
#define OPTION_NUMBER(name_, argument_, help_, member, min_, max_)                                                     \
	OPTION_INTEGER(name_, 0, argument_, help_, struct update_options, numbers.member, min_, max_)

static const struct option update_table[] = {
	OPTION_TEXT("resources", 'r', "FILE",
		"what changes, as JSON (linux.resources of a config.json; \"-\": from standard input); goes alone",
		struct update_options, resources),
	OPTION_BYTES("memory", "limit of memory (here and below, -1 removes a limit)", numbers.memory),
	OPTION_BYTES("memory-reservation", "memory that is reclaimed last", numbers.memory_reservation),
	OPTION_BYTES("memory-swap", "limit of memory and swap together", numbers.memory_swap),
	OPTION_NUMBER("cpu-quota", "US", "processor time in each period", cpu_quota_us, -1, INT64_MAX),
	OPTION_NUMBER("cpu-period", "US", "length of a period (default: 100000)", cpu_period_us, 0, 1000000),
	OPTION_NUMBER("cpu-burst", "US", "unused processor time that may be saved up", cpu_burst_us, 0, INT64_MAX),
	OPTION_NUMBER("cpu-share", "N", "share of the processors beside others (default: 1024)", cpu_shares, 0, 262144),
	OPTION_INTEGER("cpu-shares", 0, "N", NULL, struct update_options, numbers.cpu_shares, 0, 262144),
	OPTION_NUMBER("cpu-idle", "0|1", "1: run only when nobody else wants to", cpu_idle, 0, 1),
	OPTION_TEXT("cpuset-cpus", 0, "LIST", "processors to use, such as 0-3,7", struct update_options,
		numbers.cpuset_cpus),
	OPTION_TEXT("cpuset-mems", 0, "LIST", "memory nodes to use", struct update_options, numbers.cpuset_mems),
	OPTION_NUMBER("pids-limit", "N", "number of processes and threads", pids, -1, INT64_MAX),
	OPTION_NUMBER("blkio-weight", "N", "share of the disks beside others, 10 to 1000", block_weight, 0, 1000),
	OPTION_NUMBER("cpu-rt-period", "US", "length of a period of real-time processes (cgroup v1)",
		realtime_period_us, 0, INT64_MAX),
	OPTION_NUMBER("cpu-rt-runtime", "US", "processor time of real-time processes in each of those (cgroup v1)",
		realtime_runtime_us, -1, INT64_MAX),
	OPTION_BYTES("kernel-memory-tcp", "limit of memory for buffers of TCP (cgroup v1)", numbers.kernel_tcp),
	OPTION_TEXT("l3-cache-schema", 0, "LINES", "share of the caches, as in resctrl's schemata",
		struct update_options, cache_schema),
	OPTION_TEXT("mem-bw-schema", 0, "LINES", "share of the memory's bandwidth, as in resctrl's schemata",
		struct update_options, bandwidth_schema),
	OPTION_BYTES("kernel-memory", NULL, kernel_memory),
	END_OF_OPTIONS,
};

/* What others' command lines have and no kernel since 5.16; 0 is what engines send for nothing. */
static int gone_check(const struct update_options *options, struct error *err)
{
	if (!options->kernel_memory.value)
		return 0;
	return fail(err, ERROR_USAGE, "--kernel-memory: the kernel has no limits of kernel memory since 5.16");
}

static bool is_given(const struct update_options *options, const struct option *row)
{
	const void *member = (const char *)options + row->offset;

	if (row->kind == OPTION_KIND_TEXT)
		return *(const char *const *)member;
	return ((const struct optional *)member)->set;
}

static int alone_check(const struct update_options *options, struct error *err)
{
	for (const struct option *row = update_table + 1; options->resources && row->name; row++) {
		if (is_given(options, row))
			return fail(err, ERROR_USAGE, "--resources and --%s exclude each other", row->name);
	}
	return 0;
}

static int update_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct update_options *update = options;
	const struct container_update_options call = {
		.resources = update->resources,
		.numbers = update->numbers,
		.cache_schema = update->cache_schema,
		.bandwidth_schema = update->bandwidth_schema,
	};
	struct oci_cli *cli = context;

	(void)count;
	if (id_check(operands[0], err) < 0 || gone_check(update, err) < 0 || alone_check(update, err) < 0)
		return -1;
	if (oci_cli_open(cli, err) < 0)
		return -1;
	return container_update(cli->root_dir, operands[0], &call, err);
}

const struct command oci_update_command = {
	.name = "update",
	.operands = "[options] ID",
	.summary = "change the limits of a container",
	.example = "warren-oci update --memory 512M --pids-limit 200 web",
	.options = update_table,
	.options_size = sizeof(struct update_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = update_run,
};
