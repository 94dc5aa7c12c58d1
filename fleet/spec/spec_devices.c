/* The key `devices`: which devices of the host an instance may use. Words only; the nodes are looked up at a start, by
 * devices.c. */
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "fleet/spec/spec_check.h"
#include "fleet/spec/spec_rows.h"

#define PERMISSIONS "rwm"
#define PERMISSIONS_DEFAULT "rw"
#define DEVICES_MAX 32

/* --- from text ---------------------------------------------------------------------------------------------------- */

static bool are_permissions(const char *text)
{
	return *text && !text[strspn(text, PERMISSIONS)];
}

int device_parse(struct arena *arena, const char *text, struct device_spec *out, struct error *err)
{
	struct strings parts = strings_split(arena, text, ':');

	if (parts.count < 1 || parts.count > 3 || !*parts.items[0])
		return fail(err, ERROR_USAGE,
			"\"%s\": expected PATH[:TARGET][:rwm], such as \"/dev/fuse\" or \"/dev/sdb1:/dev/data:r\"",
			text);
	*out = (struct device_spec){parts.items[0], parts.items[0], PERMISSIONS_DEFAULT};
	if (parts.count == 2 && are_permissions(parts.items[1]))
		out->permissions = parts.items[1];
	else if (parts.count > 1)
		out->target = parts.items[1];
	if (parts.count > 2)
		out->permissions = parts.items[2];
	return 0;
}

static const struct field device_fields[] = {
	STRING("path", struct device_spec, path, REQUIRED),
	STRING("target", struct device_spec, target, 0),
	STRING("permissions", struct device_spec, permissions, 0),
	END_OF_FIELDS,
};

static int decode_device(
	const struct decoder *decoder, const struct json *node, struct device_spec *out, struct error *err)
{
	const char *text;

	*out = (struct device_spec){.permissions = PERMISSIONS_DEFAULT};
	if (node->kind == JSON_OBJECT) {
		if (decode_object(decoder, node, device_fields, out, err) < 0)
			return -1;
		out->target = out->target ? out->target : out->path;
		return 0;
	}
	if (decode_scalar(decoder, node, "\"PATH[:TARGET][:rwm]\" or an object", &text, err) < 0)
		return -1;
	return device_parse(decoder->arena, text, out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct value_shape device_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "\"PATH[:TARGET][:rwm]\" or an object", .fields = device_fields};
const struct value_shape decode_devices_shape = {.forms = FORM_LIST, .items = &device_shape};

int decode_devices(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	spec->devices.items = arena_new_array(decoder->arena, node->count, struct device_spec);
	spec->devices.count = 0;
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_device(decoder, item, &spec->devices.items[spec->devices.count++], err) < 0)
			return -1;
	return 0;
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

void encode_devices(struct encoder *encoder, const struct instance_spec *spec)
{
	if (!spec->devices.count)
		return;
	encode_array_begin(encoder, "devices");
	for (size_t i = 0; i < spec->devices.count; i++)
		encode_object(encoder, NULL, device_fields, &spec->devices.items[i]);
	encode_array_end(encoder);
}

/* --- what it must mean -------------------------------------------------------------------------------------------- */

/* What every instance has there already. */
static const char *const targets_taken[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
	"/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/stdin",
	"/dev/stdout", "/dev/stderr"};

static int check_target(const char *target, struct error *err)
{
	if (path_check_absolute("target", target, err) < 0)
		return -1;
	if (!path_is_under(target, "/dev") || !strcmp(target, "/dev"))
		return fail(err, ERROR_USAGE, "target \"%s\": must lie below /dev", target);
	for (size_t i = 0; i < ARRAY_SIZE(targets_taken); i++)
		if (path_is_under(target, targets_taken[i]))
			return fail(err, ERROR_USAGE, "target \"%s\": every instance has %s", target, targets_taken[i]);
	return 0;
}

/* Each of them once. */
static int check_permissions(const struct device_spec *device, struct error *err)
{
	const char *text = device->permissions;

	if (!are_permissions(text) || strlen(text) > strlen(PERMISSIONS))
		return fail(err, ERROR_USAGE, "%s: permissions \"%s\": expected some of \"rwm\"", device->path, text);
	for (size_t i = 0; text[i]; i++)
		if (strchr(text + i + 1, text[i]))
			return fail(err, ERROR_USAGE, "%s: permissions \"%s\": '%c' is there twice", device->path, text,
				text[i]);
	return 0;
}

/* One that lies below another could have no directory. */
static int check_apart(const struct instance_spec *spec, size_t index, struct error *err)
{
	const char *target = spec->devices.items[index].target;

	for (size_t i = 0; i < index; i++) {
		const char *other = spec->devices.items[i].target;

		if (!strcmp(other, target))
			return fail(err, ERROR_USAGE, "target \"%s\" is used twice", target);
		if (path_is_under(other, target) || path_is_under(target, other))
			return fail(err, ERROR_USAGE, "target \"%s\": \"%s\" is a device too", target, other);
	}
	return 0;
}

int check_devices(const struct instance_spec *spec, size_t *index, struct error *err)
{
	if (spec->devices.count > DEVICES_MAX)
		return fail(err, ERROR_USAGE, "%zu devices; at most %d", spec->devices.count, DEVICES_MAX);
	for (*index = 0; *index < spec->devices.count; ++*index) {
		const struct device_spec *device = &spec->devices.items[*index];

		if (path_check_absolute("path", device->path, err) < 0 || check_target(device->target, err) < 0 ||
			check_permissions(device, err) < 0 || check_apart(spec, *index, err) < 0)
			return -1;
	}
	return 0;
}
