/* The stage of a restore: mounts are opened by us as at any start, and attached, by descriptor, in the mount namespace
 * that only CRIU has. So CRIU gets paths, as it must, but none that leads through the container's root, and nothing of
 * it is in the host's mount table. */
#include "runtime/criu/restore_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/mounts/idmap.h"
#include "runtime/mounts/mount_table.h"
#include "runtime/mounts/root.h"

#define REPORT_MAX (1 << 20)
#define NULL_DEVICE "/dev/null"

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool is_idmapped(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (spec->mounts.items[i].idmap && !spec->mounts.items[i].uid_maps.count)
			return true;
	return false;
}

/* The container's own user namespace will be there only when the mounts must be. */
static int ids_map(struct restore_stage *stage, struct error *err)
{
	const struct spec_mount maps = {
		.uid_maps = {stage->spec->uid_maps.items, stage->spec->uid_maps.count},
		.gid_maps = {stage->spec->gid_maps.items, stage->spec->gid_maps.count},
	};
	auto_fd userns = -1;

	if (is_idmapped(stage->spec)) {
		userns = idmap_namespace_open(&maps, err);
		if (userns < 0)
			return -1;
	}
	return mounts_map_ids(&stage->mounts, userns, err);
}

int restore_stage_open(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct restore_stage *out, struct error *err)
{
	*out = RESTORE_STAGE_NONE;
	out->arena = arena;
	out->spec = spec;
	out->root = root_clone(spec, err);
	if (out->root < 0 || mounts_prepare(arena, spec, namespaces, &out->mounts, err) < 0 || ids_map(out, err) < 0)
		return -1;
	return pipe2(out->report, O_CLOEXEC) < 0 ? fail_errno(err, "make a pipe") : 0;
}

void restore_stage_drop(struct restore_stage *stage)
{
	fd_drop(&stage->root);
	fd_drop(&stage->report[0]);
	fd_drop(&stage->report[1]);
	mounts_drop(&stage->mounts);
}

/* --- attaching, in CRIU's process --------------------------------------------------------------------------------- */

static int place_make(int tmp, const char *name, bool is_file, struct error *err)
{
	auto_fd file = -1;

	if (!is_file)
		return mkdirat(tmp, name, 0700) < 0 ? fail_errno(err, "make directory %s", name) : 0;
	file = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return file < 0 ? fail_errno(err, "make file %s", name) : 0;
}

static int place_attach(int tmp, const char *name, int mount, bool is_file, struct error *err)
{
	if (place_make(tmp, name, is_file, err) < 0)
		return -1;
	return mount_attach(mount, tmp, name, err);
}

/* One path a line; a mount point with a line break in it is left out, and CRIU says that it is missing. */
static int below_report(const struct restore_stage *stage, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	auto_fd proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mount_table table;

	if (proc < 0)
		return fail_errno(err, "open /proc/self");
	if (mount_table_read(stage->arena, proc, &table, err) < 0)
		return -1;
	for (size_t i = 0; i < table.count; i++) {
		const char *point = table.items[i].point;

		if (text_starts_with(point, "/tmp/") && !text_starts_with(point, STAGE_ROOT) && !strchr(point, '\n') &&
			strchr(point + strlen("/tmp/"), '/'))
			text_appendf(&text, "%s\n", point);
	}
	if (write_all(stage->report[1], text_string(&text), text.length) < 0)
		return fail_errno(err, "report the mounts");
	return 0;
}

int restore_stage_attach(void *context, int tmp, struct error *err)
{
	struct restore_stage *stage = context;

	fd_drop(&stage->report[0]);
	if (place_attach(tmp, path_base(STAGE_ROOT), stage->root, false, err) < 0)
		return blame(err, "root %s", stage->spec->root);
	for (size_t i = 0; i < stage->mounts.count; i++) {
		const struct mount_item *item = &stage->mounts.items[i];
		char name[16];

		snprintf(name, sizeof(name), "%zu", i);
		if (item->how != MOUNT_CLONE)
			continue;
		if (place_attach(tmp, name, item->mount, item->is_file, err) < 0 ||
			(item->late_read_only && mount_change(item->mount, false, MOUNT_ATTR_RDONLY, 0, -1, err) < 0))
			return blame(err, "mount on %s", item->spec->destination);
	}
	return below_report(stage, err);
}

/* --- naming ------------------------------------------------------------------------------------------------------- */

static void name_add(struct restore_stage *stage, struct strings *external, const char *name, const char *path)
{
	strings_add(stage->arena, external, arena_format(stage->arena, "mnt[%s]:%s", name, path));
}

/* "/tmp/3/below" is mounted below the mount of number 3. */
static void below_name(struct restore_stage *stage, struct strings *external, const char *path)
{
	const char *number = path + strlen("/tmp/"), *rest = strchr(number, '/');
	struct error ignored;
	int64_t index;

	if (!rest || number_parse(arena_bytes(stage->arena, number, (size_t)(rest - number)), 0,
			     (int64_t)stage->mounts.count - 1, &index, &ignored) < 0)
		return;
	name_add(stage, external,
		arena_format(stage->arena, "%s%s", stage->mounts.items[index].spec->destination, rest), path);
}

static int below_names(struct restore_stage *stage, struct strings *external, struct error *err)
{
	const char *text;
	struct strings lines;

	fd_drop(&stage->report[1]);
	if (fd_read_all(stage->arena, stage->report[0], REPORT_MAX, &text, NULL, err) < 0)
		return blame(err, "read the mounts");
	lines = strings_split(stage->arena, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (*lines.items[i])
			below_name(stage, external, lines.items[i]);
	return 0;
}

/* Those that were never declared do no harm. */
static void host_names(struct restore_stage *stage, struct strings *external)
{
	static const char *const nodes[] = {
		NULL_DEVICE, "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
	const struct spec *spec = stage->spec;

	for (size_t i = 0; i < spec->masked_paths.count; i++)
		name_add(stage, external, spec->masked_paths.items[i], NULL_DEVICE);
	for (size_t i = 0; i < spec->devices.count; i++)
		name_add(stage, external, spec->devices.items[i].path, spec->devices.items[i].path);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		name_add(stage, external, nodes[i], nodes[i]);
}

int restore_stage_name(struct restore_stage *stage, struct strings *external, struct error *err)
{
	for (size_t i = 0; i < stage->mounts.count; i++)
		if (stage->mounts.items[i].how == MOUNT_CLONE)
			name_add(stage, external, stage->mounts.items[i].spec->destination,
				arena_format(stage->arena, "/tmp/%zu", i));
	host_names(stage, external);
	return below_names(stage, external, err);
}
