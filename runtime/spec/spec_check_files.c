/* What is wrong with mounts, devices and masks. */
#include "runtime/spec/spec_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int mount_check(const struct spec *spec, const struct spec_mount *mount, struct error *err)
{
	if (spec_path_check("destination", mount->destination, err) < 0)
		return -1;
	if (mount->destination[strspn(mount->destination, "/")] == '\0')
		return fail(
			err, ERROR_USAGE, "destination \"%s\": is the root itself, see root.path", mount->destination);
	if (!mount->bind && text_is_empty(mount->type))
		return fail(err, ERROR_USAGE, "type is missing");
	if (mount->bind && text_is_empty(mount->source))
		return fail(err, ERROR_USAGE, "source is missing");
	if (mount->idmap && !mount->bind)
		return fail(err, ERROR_USAGE, "idmap is for bind mounts");
	if (!mount->uid_maps.count != !mount->gid_maps.count)
		return fail(err, ERROR_USAGE, "uidMappings and gidMappings go together");
	if (mount->idmap && !mount->uid_maps.count && !spec_namespace_is_own(spec, NS_USER))
		return fail(err, ERROR_USAGE, "idmap needs a user namespace, or uidMappings and gidMappings");
	if (mount->copy_up && (mount->bind || strcmp(mount->type, "tmpfs") != 0))
		return fail(err, ERROR_USAGE, "tmpcopyup is for tmpfs");
	return 0;
}

static int mounts_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		if (mount_check(spec, &spec->mounts.items[i], err) < 0)
			return blame(err, "mounts[%zu]", i);
	}
	return 0;
}

static int device_check(const struct spec_device *device, struct error *err)
{
	if (spec_path_check("path", device->path, err) < 0)
		return -1;
	if (strcmp(device->path, "/") == 0 || text_ends_with(device->path, "/"))
		return fail(err, ERROR_USAGE, "path \"%s\": names no file", device->path);
	if (!device->type || !strchr("cbp", device->type))
		return fail(err, ERROR_USAGE, "type '%c': must be c, b or p", device->type);
	if (device->mode > 07777)
		return fail(err, ERROR_USAGE, "fileMode %#o: at most 07777", device->mode);
	if (device->uid == (uid_t)-1 || device->gid == (gid_t)-1)
		return fail(err, ERROR_USAGE, "owner %u:%u", device->uid, device->gid);
	return 0;
}

static int devices_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->devices.count; i++) {
		if (device_check(&spec->devices.items[i], err) < 0)
			return blame(err, "linux.devices[%zu]", i);
	}
	return 0;
}

static int inside_paths_check(const char *what, const struct strings *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (spec_path_check(what, list->items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int covered_paths_check(const struct spec *spec, struct error *err)
{
	if (inside_paths_check("linux.maskedPaths", &spec->masked_paths, err) < 0)
		return -1;
	return inside_paths_check("linux.readonlyPaths", &spec->read_only_paths, err);
}

static spec_checker *const checks[] = {
	mounts_check,
	devices_check,
	covered_paths_check,
};

int spec_check_files(const struct spec *spec, struct error *err)
{
	return spec_check_rows(checks, ARRAY_SIZE(checks), spec, err);
}
