/* The object `linux` of config.json, and the list of what we know and cannot honour.
 *
 * What stands in `unsupported` is part of the OCI runtime specification (1.0 to 1.3), is understood, and is refused by
 * its name when it says something. Passing over it would start a container without the label, the limit or the priority
 * that its author counts on. Keys that the specification does not have are passed over, as it demands.
 *
 * Also known and refused, by its own file: the mount option `remount`. */
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "runtime/oci/oci.h"
#include "runtime/process/schedule.h"

static const struct {
	const char *key, *reason;
} unsupported[] = {
	/* linux */
	/* linux.resources */
	{"leafWeight", "the kernel has no leaf weights since 5.0, where the CFQ scheduler went"},
	{"kernel", "the kernel has no limits of kernel memory since 5.16"},
	/* platforms */
	{"vm", "virtual machines are not supported"},
	{"windows", "this is a Linux runtime"},
	{"solaris", "this is a Linux runtime"},
	{"zos", "this is a Linux runtime"},
};

static bool json_is_empty(const struct json *node)
{
	switch (node->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return !node->boolean;
	case JSON_NUMBER:
		return strcmp(node->text, "0") == 0;
	case JSON_STRING:
		return *node->text == '\0';
	case JSON_ARRAY:
		return node->count == 0;
	case JSON_OBJECT:
		for (const struct json *member = node->first; member; member = member->next) {
			if (!json_is_empty(member))
				return false;
		}
		return true;
	}
	return false;
}

int oci_decode_refused(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	(void)member;
	if (json_is_empty(node))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++) {
		if (strcmp(unsupported[i].key, node->key) == 0)
			return decode_fail(decoder, node, err, "%s", unsupported[i].reason);
	}
	return decode_fail(decoder, node, err, "is not supported");
}

/* --- namespaces --------------------------------------------------------------------------------------------------- */

struct oci_namespace {
	int type; /* enum spec_namespace */
	const char *path;
};
static const struct field namespace_fields[] = {
	ENUM("type", struct oci_namespace, type, namespace_names, REQUIRED),
	STRING("path", struct oci_namespace, path, 0),
	END_OF_FIELDS,
};

static int namespaces_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec_namespaces *out = member;
	bool seen[NS_COUNT] = {0};

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_namespace from = {0};

		if (decode_object(decoder, item, namespace_fields, &from, err) < 0)
			return -1;
		if (seen[from.type])
			return decode_fail(
				decoder, item, err, "namespace \"%s\" is listed twice", namespace_names[from.type]);
		seen[from.type] = true;
		if (text_is_empty(from.path))
			out->create[from.type] = true;
		else
			out->path[from.type] = from.path;
	}
	return 0;
}

/* --- id maps, devices --------------------------------------------------------------------------------------------- */

#define ID_MAX 4294967295

const struct field oci_id_map_fields[] = {
	INTEGER("containerID", struct id_map, inside, 0, ID_MAX, REQUIRED),
	INTEGER("hostID", struct id_map, host, 0, ID_MAX, REQUIRED),
	INTEGER("size", struct id_map, count, 0, ID_MAX, REQUIRED),
	END_OF_FIELDS,
};

struct oci_device {
	const char *type, *path;
	unsigned major, minor, mode;
	uid_t uid;
	gid_t gid;
};

/* mknod(2): 12 bits of major, 20 of minor. */
static const struct field device_fields[] = {
	STRING("type", struct oci_device, type, REQUIRED),
	STRING("path", struct oci_device, path, REQUIRED),
	INTEGER("major", struct oci_device, major, 0, 4095, 0),
	INTEGER("minor", struct oci_device, minor, 0, 1048575, 0),
	INTEGER("fileMode", struct oci_device, mode, 0, 0177777, 0),
	INTEGER("uid", struct oci_device, uid, 0, ID_MAX - 1, 0),
	INTEGER("gid", struct oci_device, gid, 0, ID_MAX - 1, 0),
	END_OF_FIELDS,
};

static int device_convert(const struct decoder *decoder, const struct json *node, const struct oci_device *from,
	struct spec_device *out, struct error *err)
{
	if (strlen(from->type) != 1 || !strchr("cbpu", *from->type))
		return decode_fail(decoder, node, err, "type \"%s\": must be c, b, u or p", from->type);
	if (*from->type != 'p' && (!json_get(node, "major") || !json_get(node, "minor")))
		return decode_fail(decoder, node, err, "major and minor are missing");
	*out = (struct spec_device){
		.path = from->path,
		.type = *from->type == 'u' ? 'c' : *from->type,
		.major = from->major,
		.minor = from->minor,
		.mode = from->mode & 07777, /* some engines send the file type with it */
		.uid = from->uid,
		.gid = from->gid,
	};
	return 0;
}

static int devices_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = (struct spec *)((char *)member - offsetof(struct spec, devices));

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	spec->devices.items = arena_new_array(decoder->arena, node->count, struct spec_device);
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_device from = {.mode = 0666};

		if (decode_object(decoder, item, device_fields, &from, err) < 0)
			return -1;
		if (device_convert(decoder, item, &from, &spec->devices.items[spec->devices.count++], err) < 0)
			return -1;
	}
	return 0;
}

/* --- propagation, time, cgroup ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint64_t flags;
} propagations[] = {
	{"private", MS_PRIVATE},
	{"rprivate", MS_PRIVATE | MS_REC},
	{"shared", MS_SHARED},
	{"rshared", MS_SHARED | MS_REC},
	{"slave", MS_SLAVE},
	{"rslave", MS_SLAVE | MS_REC},
	{"unbindable", MS_UNBINDABLE},
	{"runbindable", MS_UNBINDABLE | MS_REC},
	{"", 0},
};

static int propagation_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *name;

	if (decode_string(decoder, node, &name, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (strcmp(propagations[i].name, name) == 0) {
			*(uint64_t *)member = propagations[i].flags;
			return 0;
		}
	}
	return decode_fail(decoder, node, err,
		"\"%s\" is not one of private, shared, slave, unbindable, or these with an r", name);
}

struct oci_time_offset {
	int64_t seconds;
	uint32_t nanoseconds;
};
struct oci_time_offsets {
	struct oci_time_offset monotonic, boottime;
};
/* Whole years beyond what a clock can show; the kernel's own bound is as far away. */
#define OFFSET_MAX_S 9223372036
static const struct field time_offset_fields[] = {
	INTEGER("secs", struct oci_time_offset, seconds, -OFFSET_MAX_S, OFFSET_MAX_S, 0),
	INTEGER("nanosecs", struct oci_time_offset, nanoseconds, 0, 999999999, 0),
	END_OF_FIELDS,
};
static const struct field time_offsets_fields[] = {
	OBJECT("monotonic", struct oci_time_offsets, monotonic, time_offset_fields, 0),
	OBJECT("boottime", struct oci_time_offsets, boottime, time_offset_fields, 0),
	END_OF_FIELDS,
};

/* → the lines of /proc/PID/timens_offsets, time_namespaces(7). */
static int time_offsets_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_time_offsets from = {0};

	if (decode_object(decoder, node, time_offsets_fields, &from, err) < 0)
		return -1;
	if (node->count)
		*(const char **)member = arena_format(decoder->arena, "monotonic %lld %u\nboottime %lld %u\n",
			(long long)from.monotonic.seconds, from.monotonic.nanoseconds, (long long)from.boottime.seconds,
			from.boottime.nanoseconds);
	return 0;
}

static int cgroup_path_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *path;

	if (decode_string(decoder, node, &path, err) < 0)
		return -1;
	*(const char **)member = *path ? path : NULL;
	return 0;
}

static const struct field net_device_fields[] = {
	STRING("name", struct spec_net_device, inside, 0),
	END_OF_FIELDS,
};

#define NET_DEVICES_MAX 64

/* An object of them: the key is the name on the host. */
static int net_devices_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = (struct spec *)((char *)member - offsetof(struct spec, net_devices));

	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	if (node->count > NET_DEVICES_MAX)
		return decode_fail(decoder, node, err, "%u devices, at most %d", node->count, NET_DEVICES_MAX);
	spec->net_devices.items = arena_new_array(decoder->arena, node->count, struct spec_net_device);
	for (const struct json *item = node->first; item; item = item->next) {
		struct spec_net_device *device = &spec->net_devices.items[spec->net_devices.count++];

		device->name = item->key;
		if (decode_object(decoder, item, net_device_fields, device, err) < 0)
			return -1;
		if (text_is_empty(device->inside))
			device->inside = device->name;
	}
	return 0;
}

/* --- Intel RDT, labels of mounts ---------------------------------------------------------------------------------- */

/* enableCMT and enableMBM are of 1.0 to 1.2; both figures are those of the one kind of group there is. */
struct oci_rdt {
	const char *class, *cache_schema, *bandwidth_schema;
	struct strings schemata;
	bool monitoring, cache_monitoring, bandwidth_monitoring;
};
static const struct field rdt_fields[] = {
	STRING("closID", struct oci_rdt, class, 0),
	STRINGS("schemata", struct oci_rdt, schemata, 0),
	STRING("l3CacheSchema", struct oci_rdt, cache_schema, 0),
	STRING("memBwSchema", struct oci_rdt, bandwidth_schema, 0),
	BOOL("enableMonitoring", struct oci_rdt, monitoring, 0),
	BOOL("enableCMT", struct oci_rdt, cache_monitoring, 0),
	BOOL("enableMBM", struct oci_rdt, bandwidth_monitoring, 0),
	END_OF_FIELDS,
};

/* A name of one directory, and none that the kernel has there itself. */
static bool is_class(const char *name)
{
	static const char *const taken[] = {".", "..", "info", "mon_groups", "mon_data"};

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (strcmp(taken[i], name) == 0)
			return false;
	return strcmp(name, "/") == 0 || (strpbrk(name, "/\n") == NULL && strlen(name) < 256);
}

static int rdt_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec_rdt *rdt = arena_new(decoder->arena, struct spec_rdt);
	struct oci_rdt from = {0};

	if (decode_object(decoder, node, rdt_fields, &from, err) < 0)
		return -1;
	if (!text_is_empty(from.class) && !is_class(from.class))
		return decode_fail(decoder, node, err, "closID \"%s\": is no name of a group", from.class);
	if (!text_is_empty(from.bandwidth_schema) &&
		(strncmp(from.bandwidth_schema, "MB:", 3) != 0 || strchr(from.bandwidth_schema, '\n')))
		return decode_fail(decoder, node, err, "memBwSchema: must be one line and begin with MB:");
	*rdt = (struct spec_rdt){
		.class = text_is_empty(from.class) ? NULL : from.class,
		.cache_schema = from.cache_schema,
		.bandwidth_schema = from.bandwidth_schema,
		.schemata = from.schemata,
		.monitoring = from.monitoring || from.cache_monitoring || from.bandwidth_monitoring,
	};
	if (node->count)
		*(const struct spec_rdt **)member = rdt;
	return 0;
}

static int mount_label_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *label;

	if (decode_string(decoder, node, &label, err) < 0)
		return -1;
	if (*label && !label_has_selinux())
		return decode_fail(decoder, node, err, "\"%s\": this kernel has no SELinux in use", label);
	*(const char **)member = *label ? label : NULL;
	return 0;
}

/* File systems that the kernel labels itself, and takes no other label for. */
static bool has_own_labels(const struct spec_mount *mount)
{
	static const char *const types[] = {"proc", "sysfs", "cgroup", "cgroup2", "mqueue"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (text_equal(mount->type, types[i]))
			return true;
	return mount->bind;
}

void oci_label_mounts(struct arena *arena, struct spec *spec)
{
	for (size_t i = 0; spec->mount_label && i < spec->mounts.count; i++) {
		struct spec_mount *mount = &spec->mounts.items[i];

		if (!has_own_labels(mount) && !pairs_get(&mount->data, "context"))
			pairs_set(arena, &mount->data, "context", spec->mount_label);
	}
}

const struct field oci_linux_fields[] = {
	CUSTOM_OBJECT("namespaces", struct spec, namespaces, namespaces_decode, namespace_fields),
	LIST("uidMappings", struct spec, uid_maps, oci_id_map_fields, 0),
	LIST("gidMappings", struct spec, gid_maps, oci_id_map_fields, 0),
	CUSTOM_OBJECT("devices", struct spec, devices, devices_decode, device_fields),
	CUSTOM_OBJECT("resources", struct spec, limits, oci_decode_resources, oci_resources_fields),
	CUSTOM("cgroupsPath", struct spec, cgroup_path, cgroup_path_decode, 0),
	CUSTOM_OBJECT("seccomp", struct spec, seccomp, oci_decode_seccomp, oci_seccomp_fields),
	CUSTOM("rootfsPropagation", struct spec, root_propagation, propagation_decode, 0),
	STRINGS("maskedPaths", struct spec, masked_paths, 0),
	STRINGS("readonlyPaths", struct spec, read_only_paths, 0),
	PAIRS("sysctl", struct spec, sysctls, 0),
	CUSTOM_OBJECT("personality", struct spec, process, oci_decode_personality, oci_personality_fields),
	CUSTOM("mountLabel", struct spec, mount_label, mount_label_decode, 0),
	CUSTOM_OBJECT("intelRdt", struct spec, rdt, rdt_decode, rdt_fields),
	CUSTOM_OBJECT("timeOffsets", struct spec, time_offsets, time_offsets_decode, time_offsets_fields),
	CUSTOM_OBJECT("memoryPolicy", struct spec, process, oci_decode_memory_policy, oci_memory_policy_fields),
	CUSTOM_OBJECT("netDevices", struct spec, net_devices, net_devices_decode, net_device_fields),
	END_OF_FIELDS,
};
