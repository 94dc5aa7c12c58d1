/* slice:prefix:name → the scope's name, its slice, and where that is in the hierarchy.
 *
 * systemd's rules (systemd.unit(5), systemd.slice(5)): a unit's name has letters, digits and :-_.\@ and at most 255
 * bytes; the dashes of a slice's name are its place in the tree, so that no two of them stand together and none at an
 * end. A scope's dashes mean nothing. */
#include "cgroups/systemd.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define SLICE ".slice"
#define SCOPE ".scope"
#define NAME_PREFIX "warren-oci-"
#define UNIT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"
#define FORM "systemd's cgroups are named slice:prefix:name, as \"system.slice:web:1\""

const char *const systemd_bus_names[] = {"system", "user", NULL};

static int characters_check(const char *what, const char *unit, struct error *err)
{
	size_t length = strlen(unit), good = strspn(unit, UNIT_CHARACTERS);

	if (length > SYSTEMD_UNIT_MAX)
		return fail(
			err, ERROR_USAGE, "%s \"%.60s…\": %zu bytes, at most %d", what, unit, length, SYSTEMD_UNIT_MAX);
	if (good < length && unit[good] > ' ' && unit[good] < 0x7f)
		return fail(err, ERROR_USAGE, "%s \"%s\": systemd takes no '%c' in a name", what, unit, unit[good]);
	if (good < length)
		return fail(err, ERROR_USAGE,
			"%s: systemd takes only letters, digits and : - _ . \\ @ in a name, not byte 0x%02x", what,
			(unsigned char)unit[good]);
	return 0;
}

int systemd_unit_check(const char *unit, struct error *err)
{
	if (characters_check("scope", unit, err) < 0)
		return -1;
	if (!text_ends_with(unit, SCOPE) || strlen(unit) == strlen(SCOPE) || *unit == '.')
		return fail(err, ERROR_USAGE, "scope \"%s\": is not the name of a scope", unit);
	return 0;
}

/* --- slices ------------------------------------------------------------------------------------------------------- */

static int slice_check(const char *slice, struct error *err)
{
	size_t length = strlen(slice) - (text_ends_with(slice, SLICE) ? strlen(SLICE) : 0);

	if (characters_check("slice", slice, err) < 0)
		return -1;
	if (!slice[length] || length == 0)
		return fail(err, ERROR_USAGE, "slice \"%s\": the name of a slice ends in " SLICE, slice);
	if (strcmp(slice, "-" SLICE) == 0)
		return 0;
	if (*slice == '-' || slice[length - 1] == '-' || strstr(slice, "--") || *slice == '.')
		return fail(err, ERROR_USAGE,
			"slice \"%s\": its dashes separate the slices above it, so each stands between two names",
			slice);
	return 0;
}

const char *systemd_slice_expand(struct arena *arena, const char *slice, struct error *err)
{
	const char *path = "";

	if (slice_check(slice, err) < 0)
		return NULL;
	if (strcmp(slice, "-" SLICE) == 0)
		return path;
	for (const char *dash = strchr(slice, '-'); dash; dash = strchr(dash + 1, '-'))
		path = arena_format(arena, "%s%.*s" SLICE "/", path, (int)(dash - slice), slice);
	return arena_format(arena, "%s%s", path, slice);
}

/* --- the whole name ----------------------------------------------------------------------------------------------- */

/* An id may hold '+', which systemd writes as \x2b (systemd-escape(1)). */
static const char *unit_of_id(struct arena *arena, const char *id)
{
	AUTO(text_drop) struct text unit = {0};

	text_append(&unit, NAME_PREFIX);
	for (; *id; id++) {
		if (*id == '+')
			text_append(&unit, "\\x2b");
		else
			text_append_bytes(&unit, id, 1);
	}
	text_append(&unit, SCOPE);
	return arena_string(arena, text_string(&unit));
}

static const char *unit_of_parts(struct arena *arena, const char *prefix, const char *name)
{
	return arena_format(
		arena, "%s%s%s%s", prefix, *prefix ? "-" : "", name, text_ends_with(name, SCOPE) ? "" : SCOPE);
}

static int parts_take(struct arena *arena, const char *cgroups_path, struct systemd_name *out, struct error *err)
{
	struct strings parts = strings_split(arena, cgroups_path, ':');
	const char *name = parts.count == 3 ? parts.items[2] : "";

	if (parts.count != 3)
		return fail(err, ERROR_USAGE, FORM);
	if (!*name)
		return fail(err, ERROR_USAGE, "the name after the second colon is empty; " FORM);
	/* systemd keeps processes out of slices; what is put there by hand loses its limits with the next change. */
	if (text_ends_with(name, SLICE))
		return fail(err, ERROR_USAGE, "name \"%s\": a slice holds other units and no processes; name a scope",
			name);
	if (*parts.items[0])
		out->slice = parts.items[0];
	out->unit = unit_of_parts(arena, parts.items[1], name);
	return 0;
}

static int name_complete(struct arena *arena, struct systemd_name *name, struct error *err)
{
	const char *above;

	if (systemd_unit_check(name->unit, err) < 0)
		return -1;
	above = systemd_slice_expand(arena, name->slice, err);
	if (!above)
		return -1;
	name->path = arena_format(arena, "%s%s%s", above, *above ? "/" : "", name->unit);
	return 0;
}

int systemd_name_parse(struct arena *arena, const char *cgroups_path, const char *id, enum systemd_bus bus,
	struct systemd_name *out, struct error *err)
{
	*out = (struct systemd_name){.slice = bus == SYSTEMD_USER ? "user" SLICE : "system" SLICE};
	if (text_is_empty(cgroups_path))
		out->unit = unit_of_id(arena, id);
	else if (parts_take(arena, cgroups_path, out, err) < 0)
		return blame(err, "linux.cgroupsPath \"%.300s\"", cgroups_path);
	if (name_complete(arena, out, err) < 0)
		return text_is_empty(cgroups_path) ? -1 : blame(err, "linux.cgroupsPath \"%.300s\"", cgroups_path);
	return 0;
}
