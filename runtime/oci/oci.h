/* The parts of the config.json decoder: one file each for the objects `process` and `linux`, its resources, its seccomp
 * section and the mounts. Only the files oci*.c of runtime/ include this header. */
#ifndef WARREN_RUNTIME_OCI_H
#define WARREN_RUNTIME_OCI_H

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "runtime/spec.h"

/* For rows of what we know and cannot honour: passes over what is empty (null, "", [], {}, 0, false) and refuses
 * anything else by its name and the reason in oci_linux.c's table. `member` is not touched. */
MUST_CHECK int oci_decode_refused(
	const struct decoder *decoder, const struct json *node, void *member, struct error *err);

/* A whole config.json that is read already: what oci_spec_read() does after reading, and what is fuzzed. bundle is
 * absolute and outlives the spec. */
struct json_doc;
MUST_CHECK int oci_spec_decode(
	struct arena *arena, const struct json_doc *doc, const char *bundle, struct spec *spec, struct error *err);

/* The same for the file of exec --process. */
MUST_CHECK int oci_process_decode(
	struct arena *arena, const struct json_doc *doc, struct spec_process *process, struct error *err);

/* A CUSTOM row whose function decodes by a table of its own, named for those who walk the tables (docs/oci.md is
 * checked against them). */
#define CUSTOM_OBJECT(key_, type, member, decode_, fields_)                                                            \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = offsetof(type, member), .decode = decode_,                \
		.fields = fields_                                                                                      \
	}
/* The tables of a whole config.json; NULL at the end. */
extern const struct field *const oci_config_tables[];

/* Rows into a struct spec; the decoder's arena owns all. */
extern const struct field oci_linux_fields[];
/* Rows into a struct id_map. */
extern const struct field oci_id_map_fields[];
/* The objects behind CUSTOM rows below. */
extern const struct field oci_mount_fields[], oci_resources_fields[], oci_seccomp_fields[], oci_scheduler_fields[],
	oci_process_fields[], oci_io_priority_fields[], oci_exec_affinity_fields[], oci_memory_policy_fields[],
	oci_personality_fields[];
/* CUSTOM rows. */
MUST_CHECK int oci_decode_mounts(
	const struct decoder *decoder, const struct json *node, void *mounts_of_spec, struct error *err);
MUST_CHECK int oci_decode_resources(
	const struct decoder *decoder, const struct json *node, void *cgroup_limits, struct error *err);
MUST_CHECK int oci_decode_seccomp(
	const struct decoder *decoder, const struct json *node, void *pointer_to_seccomp, struct error *err);

/* The same into a struct spec_process. */
MUST_CHECK int oci_decode_process(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
/* Over what is in it: what is not named stays. */
MUST_CHECK int oci_merge_process(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_scheduler(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_io_priority(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_exec_affinity(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_apparmor(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_selinux(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_memory_policy(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);
MUST_CHECK int oci_decode_personality(
	const struct decoder *decoder, const struct json *node, void *process, struct error *err);

/* The same for a container that is there: what changes, everything else unset. memory_now: its limit of memory, -1
 * without one, for a `swap` that comes alone. doc holds the object `resources` itself. */
struct oci_update {
	struct cgroup_limits limits;
	bool check_memory_first; /* memory.checkBeforeUpdate: refuse a limit below what is in use */
};
MUST_CHECK int oci_update_decode(
	struct arena *arena, const struct json_doc *doc, int64_t memory_now, struct oci_update *out, struct error *err);
struct resource_numbers;
MUST_CHECK int oci_update_convert(struct arena *arena, const struct resource_numbers *from, int64_t memory_now,
	struct oci_update *out, struct error *err);

/* Gives linux.mountLabel to the mounts that take a label. */
void oci_label_mounts(struct arena *arena, struct spec *spec);

/* The words of linux.memoryPolicy; NULL behind the last one. */
const char *oci_memory_mode_name(size_t index);
const char *oci_memory_flag_name(size_t index);
/* The option strings of mounts that we know, for features.json; NULL at the end. */
const char *oci_mount_option_name(size_t index);

#endif
