/* `linux.resources.devices`: which devices may be used. */
#include <string.h>

#include "base/cleanup.h"
#include "runtime/oci/oci_resources.h"
#include "runtime/runtime.h"

struct oci_device_rule {
	bool allow;
	const char *type, *access;
	int64_t major, minor;
};
const struct field oci_device_rule_fields[] = {
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

int oci_decode_device_rules(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct cgroup_limits *limits = ((struct oci_resources *)member)->limits;

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	limits->devices.items = arena_new_array(decoder->arena, node->count, struct cgroup_device_rule);
	for (const struct json *item = node->first; item; item = item->next) {
		struct oci_device_rule from = {.major = -1, .minor = -1};

		if (decode_object(decoder, item, oci_device_rule_fields, &from, err) < 0)
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

void device_rules_complete(struct arena *arena, struct cgroup_limits *limits)
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
