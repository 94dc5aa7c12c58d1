/* What the files that decode `linux.resources` share. Only they include it. */
#ifndef WARREN_RUNTIME_OCI_RESOURCES_H
#define WARREN_RUNTIME_OCI_RESOURCES_H

#include "runtime/oci/oci.h"

/* mknod(2): 12 bits of major, 20 of minor. */
#define DEVICE_MAJOR_MAX 4095
#define DEVICE_MINOR_MAX 1048575

/* What all parts are decoded for. The rows of the object `resources` reach it from its first member. */
struct oci_resources {
	struct cgroup_limits *limits;
	int64_t memory_now; /* of the container that is updated: its limit, -1 without one */
	bool check_memory_first;
	struct pairs files; /* of cgroup v2: what comes from keys that have no limit of ours, then `unified` */
	struct pairs unified;
	struct pairs v1_files; /* of keys that only cgroup v1 has */
	char refused;
};

/* Engines written in Go send 0 for what is not set. */
static inline bool is_given(const struct optional *value)
{
	return value->set && value->value != 0;
}

/* A further line of a file of cgroup v2 that takes several. */
void oci_file_add_line(struct arena *arena, struct pairs *files, const char *file, const char *line);

/* OCI's weight, 10 … 1,000. */
MUST_CHECK int oci_block_weight_convert(int64_t weight, struct cgroup_limits *limits, struct error *err);

/* Tables and CUSTOM rows; the member is a struct oci_resources. */
extern const struct field oci_block_fields[], oci_device_rule_fields[];
MUST_CHECK int oci_decode_block(
	const struct decoder *decoder, const struct json *node, void *resources, struct error *err);
MUST_CHECK int oci_decode_device_rules(
	const struct decoder *decoder, const struct json *node, void *resources, struct error *err);

#endif
