/* `mounts` of config.json: every option string of mount(8) that says something about the mount itself is a row here;
 * what is left goes to the file system as it is. */
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "runtime/oci/oci.h"

struct oci_mount {
	const char *destination, *type, *source;
	struct strings options;
	LIST_OF(struct id_map) uid_maps, gid_maps;
};

const struct field oci_mount_fields[] = {
	STRING("destination", struct oci_mount, destination, REQUIRED),
	STRING("type", struct oci_mount, type, 0),
	STRING("source", struct oci_mount, source, 0),
	STRINGS("options", struct oci_mount, options, 0),
	LIST("uidMappings", struct oci_mount, uid_maps, oci_id_map_fields, 0),
	LIST("gidMappings", struct oci_mount, gid_maps, oci_id_map_fields, 0),
	END_OF_FIELDS,
};

/* --- options ------------------------------------------------------------------------------------------------------ */

enum option_does {
	SETS,	    /* attributes: those of `mask` become `value` */
	SETS_BELOW, /* the same for all mounts below, too (mount_setattr(2) AT_RECURSIVE) */
	BINDS,	    /* value: 1 recursive */
	PROPAGATES, /* value: MS_…; mask: 1 recursive */
	MAPS_IDS,   /* value: 1 recursive */
	COPIES_UP,
	REMOUNTS,
	IS_NOTHING,
};

static const struct mount_option_row {
	const char *name;
	enum option_does does;
	uint64_t value, mask;
} option_rows[] = {
	{"async", IS_NOTHING, 0, 0},
	{"atime", SETS, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"bind", BINDS, 0, 0},
	{"defaults", IS_NOTHING, 0, 0},
	{"dev", SETS, 0, MOUNT_ATTR_NODEV},
	{"diratime", SETS, 0, MOUNT_ATTR_NODIRATIME},
	{"exec", SETS, 0, MOUNT_ATTR_NOEXEC},
	{"idmap", MAPS_IDS, 0, 0},
	{"loud", IS_NOTHING, 0, 0},
	{"noatime", SETS, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"nodev", SETS, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODEV},
	{"nodiratime", SETS, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NODIRATIME},
	{"noexec", SETS, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOEXEC},
	{"norelatime", SETS, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nostrictatime", SETS, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"nosuid", SETS, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSUID},
	{"nosymfollow", SETS, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
	{"private", PROPAGATES, MS_PRIVATE, 0},
	{"ratime", SETS_BELOW, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"rbind", BINDS, 1, 0},
	{"rdev", SETS_BELOW, 0, MOUNT_ATTR_NODEV},
	{"rdiratime", SETS_BELOW, 0, MOUNT_ATTR_NODIRATIME},
	{"relatime", SETS, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"remount", REMOUNTS, 0, 0},
	{"rexec", SETS_BELOW, 0, MOUNT_ATTR_NOEXEC},
	{"ridmap", MAPS_IDS, 1, 0},
	{"rnoatime", SETS_BELOW, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"rnodev", SETS_BELOW, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODEV},
	{"rnodiratime", SETS_BELOW, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NODIRATIME},
	{"rnoexec", SETS_BELOW, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOEXEC},
	{"rnorelatime", SETS_BELOW, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"rnostrictatime", SETS_BELOW, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"rnosuid", SETS_BELOW, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSUID},
	{"rnosymfollow", SETS_BELOW, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", SETS, MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY},
	{"rprivate", PROPAGATES, MS_PRIVATE, 1},
	{"rrelatime", SETS_BELOW, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"rro", SETS_BELOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR_RDONLY},
	{"rrw", SETS_BELOW, 0, MOUNT_ATTR_RDONLY},
	{"rshared", PROPAGATES, MS_SHARED, 1},
	{"rslave", PROPAGATES, MS_SLAVE, 1},
	{"rstrictatime", SETS_BELOW, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"rsuid", SETS_BELOW, 0, MOUNT_ATTR_NOSUID},
	{"rsymfollow", SETS_BELOW, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", PROPAGATES, MS_UNBINDABLE, 1},
	{"rw", SETS, 0, MOUNT_ATTR_RDONLY},
	{"shared", PROPAGATES, MS_SHARED, 0},
	{"silent", IS_NOTHING, 0, 0},
	{"slave", PROPAGATES, MS_SLAVE, 0},
	{"strictatime", SETS, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"suid", SETS, 0, MOUNT_ATTR_NOSUID},
	{"symfollow", SETS, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"tmpcopyup", COPIES_UP, 0, 0},
	{"unbindable", PROPAGATES, MS_UNBINDABLE, 0},
};

const char *oci_mount_option_name(size_t index)
{
	return index < ARRAY_SIZE(option_rows) ? option_rows[index].name : NULL;
}

static const struct mount_option_row *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	}
	return NULL;
}

/* The last word on an attribute wins. mount_setattr(2) clears first and then sets, and wants the whole access-time
 * field cleared when any of its values is set. */
static void attributes_change(uint64_t *set, uint64_t *clear, const struct mount_option_row *row)
{
	*set = (*set & ~row->mask) | row->value;
	*clear = (*clear & ~row->mask) | (row->mask == MOUNT_ATTR__ATIME ? row->mask : row->mask & ~row->value);
}

static void data_add(struct arena *arena, struct spec_mount *mount, const char *option)
{
	const char *equals = strchr(option, '=');

	if (!equals)
		pairs_set(arena, &mount->data, option, "");
	else
		pairs_set(arena, &mount->data, arena_bytes(arena, option, (size_t)(equals - option)), equals + 1);
}

static void row_apply(const struct mount_option_row *row, struct spec_mount *mount)
{
	switch (row->does) {
	case SETS:
		attributes_change(&mount->attr_set, &mount->attr_clear, row);
		break;
	case SETS_BELOW:
		attributes_change(&mount->attr_set_recursive, &mount->attr_clear_recursive, row);
		break;
	case BINDS:
		mount->bind = true;
		mount->recursive = row->value;
		break;
	case PROPAGATES:
		mount->propagation = row->value;
		mount->propagation_recursive = row->mask;
		break;
	case MAPS_IDS:
		mount->idmap = true;
		mount->idmap_recursive = row->value;
		break;
	case COPIES_UP:
		mount->copy_up = true;
		break;
	case REMOUNTS:
	case IS_NOTHING:
		break;
	}
}

static void option_apply(struct arena *arena, const char *option, struct spec_mount *mount)
{
	const struct mount_option_row *row = option_find(option);

	if (row)
		row_apply(row, mount);
	else if (*option != '\0')
		data_add(arena, mount, option);
}

/* --- one mount ---------------------------------------------------------------------------------------------------- */

static int bind_check(
	const struct decoder *decoder, const struct json *node, const struct spec_mount *mount, struct error *err)
{
	if (mount->data.count == 0)
		return 0;
	return json_fail(decoder->doc, node, err, "option \"%s\" of %s means nothing to a bind mount",
		mount->data.items[0].name, mount->destination);
}

/* A new file system has nothing below it: the recursive attributes are its own. */
static void attributes_fold(struct spec_mount *mount)
{
	mount->attr_set = (mount->attr_set & ~mount->attr_clear_recursive) | mount->attr_set_recursive;
	mount->attr_clear |= mount->attr_clear_recursive;
	mount->attr_set_recursive = mount->attr_clear_recursive = 0;
}

static int mount_decode(const struct decoder *decoder, const struct json *node, const struct oci_mount *from,
	struct spec_mount *mount, struct error *err)
{
	mount->destination = from->destination;
	mount->type = from->type;
	mount->source = from->source;
	mount->uid_maps.items = from->uid_maps.items;
	mount->uid_maps.count = from->uid_maps.count;
	mount->gid_maps.items = from->gid_maps.items;
	mount->gid_maps.count = from->gid_maps.count;
	mount->idmap = from->uid_maps.count || from->gid_maps.count;
	for (size_t i = 0; i < from->options.count; i++)
		option_apply(decoder->arena, from->options.items[i], mount);
	if (text_equal(from->type, "bind") || text_equal(from->type, "rbind")) {
		mount->bind = true;
		mount->recursive |= text_equal(from->type, "rbind");
	}
	if (mount->bind)
		return bind_check(decoder, node, mount, err);
	attributes_fold(mount);
	return 0;
}

/* --- one that is there, with other options ------------------------------------------------------------------------ */

static bool destination_equal(const char *a, const char *b)
{
	size_t length = strlen(a), other = strlen(b);

	while (length > 1 && a[length - 1] == '/')
		length--;
	while (other > 1 && b[other - 1] == '/')
		other--;
	return length == other && strncmp(a, b, length) == 0;
}

/* The one on top. */
static struct spec_mount *mount_find(const struct spec *spec, const char *destination)
{
	for (size_t i = spec->mounts.count; i > 0; i--)
		if (destination_equal(spec->mounts.items[i - 1].destination, destination))
			return &spec->mounts.items[i - 1];
	return NULL;
}

/* mount(8)'s "remount": what is said changes and all else stays. mount(2) alone would also take away what is not said,
 * and with "remount,ro" a nosuid be lost; it would reach the host's file system through a bind, too. What was mounted
 * writable may have mount points made in it until all are there. */
static int remount_decode(const struct decoder *decoder, const struct json *node, const struct oci_mount *from,
	const struct spec *spec, struct error *err)
{
	struct spec_mount *mount = mount_find(spec, from->destination);
	bool was_writable;

	if (!mount)
		return json_fail(decoder->doc, node, err, "remount: no entry before this one mounts anything on %s",
			from->destination);
	if (from->uid_maps.count || from->gid_maps.count)
		return json_fail(decoder->doc, node, err, "remount: the id maps of a mount cannot be changed");
	was_writable = !(mount->attr_set & MOUNT_ATTR_RDONLY);
	for (size_t i = 0; i < from->options.count; i++) {
		const struct mount_option_row *row = option_find(from->options.items[i]);

		if (row && (row->does == MAPS_IDS || row->does == COPIES_UP))
			return json_fail(decoder->doc, node, err, "remount: \"%s\" comes too late", row->name);
		if (!row || row->does != BINDS)
			option_apply(decoder->arena, from->options.items[i], mount);
	}
	mount->late_read_only |= was_writable && mount->attr_set & MOUNT_ATTR_RDONLY;
	mount->late_read_only &= (mount->attr_set & MOUNT_ATTR_RDONLY) != 0;
	if (mount->bind)
		return bind_check(decoder, node, mount, err);
	attributes_fold(mount);
	return 0;
}

static int entry_decode(const struct decoder *decoder, const struct json *node, struct spec *spec, struct error *err)
{
	struct oci_mount from = {0};

	if (decode_object(decoder, node, oci_mount_fields, &from, err) < 0)
		return -1;
	if (strings_contain(&from.options, "remount"))
		return remount_decode(decoder, node, &from, spec, err);
	return mount_decode(decoder, node, &from, &spec->mounts.items[spec->mounts.count++], err);
}

int oci_decode_mounts(const struct decoder *decoder, const struct json *node, void *mounts_of_spec, struct error *err)
{
	struct spec *spec = (struct spec *)((char *)mounts_of_spec - offsetof(struct spec, mounts));
	struct spec_mount *all;

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	all = arena_new_array(decoder->arena, spec->mounts.count + node->count, struct spec_mount);
	for (size_t i = 0; i < spec->mounts.count; i++)
		all[i] = spec->mounts.items[i];
	spec->mounts.items = all;
	for (const struct json *item = node->first; item; item = item->next) {
		if (entry_decode(decoder, item, spec, err) < 0)
			return -1;
	}
	return 0;
}
