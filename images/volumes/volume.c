/* Volumes: a directory or file of the host, a named directory of the store, or a tmpfs, as a detached mount.
 *
 * Set-id bits and devices never count on a volume. With an id map the files belong inside to whom they belong outside:
 * the instance's root writes them as the host's root, which is why a writable bind needs the instance's system call
 * filter to refuse set-id bits (volumes_need_setid_guard()).
 *
 * The read-only flag of a mount is no bar to an instance that keeps CAP_SYS_ADMIN in its user namespace: nothing locks
 * a mount that came as a descriptor. Where that matters the volume is the lower layer of an overlay without an upper
 * one, a read-only super block. For a single file that overlay is over its directory, and only the file is handed out.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/path.h"
#include "images/host/source.h"
#include "images/images.h"
#include "images/overlay/overlay.h"
#include "images/root/root.h"
#include "images/volumes/volume_note.h"

#define TMPFS_SIZE_DEFAULT (16 << 20)
#define TMPFS_BYTES_PER_INODE 4096
#define TMPFS_INODES_MIN 1024
#define WAY_OUT "; say \"idmap\": false (or ,noidmap) to have it as it is"

static const uint64_t volume_attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/* --- text --------------------------------------------------------------------------------------------------------- */

static void flag_ro(struct volume *volume)
{
	volume->read_only = true;
}

static void flag_rw(struct volume *volume)
{
	volume->read_only = false;
}

static void flag_noidmap(struct volume *volume)
{
	volume->idmap = false;
}

static const struct {
	const char *name;
	void (*apply)(struct volume *volume);
} flags[] = {{"ro", flag_ro}, {"rw", flag_rw}, {"noidmap", flag_noidmap}};

static int flag_parse(const char *flag, struct volume *volume, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (text_equal(flag, flags[i].name)) {
			flags[i].apply(volume);
			return 0;
		}
	return fail(err, ERROR_USAGE, "unknown option \"%s\"; known are ro, rw and noidmap", flag);
}

static int flags_parse(struct arena *arena, const char *text, struct volume *volume, struct error *err)
{
	struct strings words = strings_split(arena, text, ',');

	for (size_t i = 0; i < words.count; i++)
		if (flag_parse(words.items[i], volume, err) < 0)
			return -1;
	return 0;
}

/* "dst,noidmap": the only option that may follow without its colon. */
static const char *target_split(struct arena *arena, const char *target, struct volume *volume)
{
	static const char suffix[] = ",noidmap";

	if (!text_ends_with(target, suffix))
		return target;
	volume->idmap = false;
	return arena_bytes(arena, target, strlen(target) - strlen(suffix));
}

static int target_check(const struct volume *volume, struct error *err)
{
	if (path_check_absolute("target", volume->target, err) < 0)
		return -1;
	if (text_equal(volume->target, "/"))
		return fail(err, ERROR_USAGE, "target: \"/\" is the instance's root itself");
	return 0;
}

static int paths_check(const struct volume *volume, struct error *err)
{
	if (target_check(volume, err) < 0)
		return -1;
	if (volume->type == VOLUME_NAMED)
		return name_check("volume name", volume->source, err);
	return volume->type == VOLUME_BIND ? path_check_absolute("source", volume->source, err) : 0;
}

static bool is_relative(const struct volume *volume)
{
	return volume->type == VOLUME_BIND && volume->source &&
	       (text_equal(volume->source, ".") || text_starts_with(volume->source, "./"));
}

int volume_anchor(struct arena *arena, const char *directory, struct volume *volume, struct error *err)
{
	const char *rest;

	if (!is_relative(volume))
		return 0;
	rest = volume->source + 1;
	volume->source = text_equal(directory, "/") && *rest ? rest : arena_format(arena, "%s%s", directory, rest);
	return path_check_absolute("source", volume->source, err);
}

static int parts_parse(struct arena *arena, const struct strings *parts, struct volume *out, struct error *err)
{
	if (parts->count < 2 || parts->count > 3)
		return fail(err, ERROR_USAGE, "expected SOURCE:TARGET[:ro|rw][,noidmap]");
	*out = (struct volume){.type = VOLUME_NAMED, .idmap = true, .source = parts->items[0]};
	if (strchr(out->source, '/') || text_equal(out->source, "."))
		out->type = VOLUME_BIND;
	out->target = parts->count == 2 ? target_split(arena, parts->items[1], out) : parts->items[1];
	if (parts->count == 3 && flags_parse(arena, parts->items[2], out, err) < 0)
		return -1;
	return is_relative(out) ? target_check(out, err) : paths_check(out, err);
}

int volume_parse(struct arena *arena, const char *text, struct volume *out, struct error *err)
{
	struct strings parts;

	if (line_check("volume", text, err) < 0)
		return -1;
	parts = strings_split(arena, arena_string(arena, text), ':');
	return parts_parse(arena, &parts, out, err) < 0 ? blame(err, "volume \"%s\"", text) : 0;
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

static char *volume_words(const struct volume *volume)
{
	return text_format("volume on %s: source", volume->target);
}

/* The first to use a volume that was made by its name: whoever fills it from an image holds the lock meanwhile, and
 * puts another directory into its place. */
static int first_use(int volumes, const char *name, struct error *err)
{
	auto_fd lock = volumes_lock(volumes, err);

	int fd = lock < 0 ? -1 : volume_directory_open(volumes, name);

	if (lock >= 0 && fd < 0)
		return fail_errno(err, "open the volume %s", name);
	return fd;
}

/* Whose it is, is the instance's business; only we can put something beside it. */
static int named_open(int store, const char *name, struct error *err)
{
	auto_fd volumes = dir_create(store, VOLUMES, 0700, err);
	auto_fd fd = -1;

	if (volumes < 0)
		return -1;
	if (mkdirat(volumes, name, 0755) < 0 && errno != EEXIST)
		return fail_errno(err, "make the volume %s", name);
	fd = volume_directory_open(volumes, name);
	if (fd < 0)
		return fail_errno(err, "open the volume %s", name);
	return volume_unmark(fd) ? first_use(volumes, name, err) : take_fd(&fd);
}

static int volume_source_open(
	const struct image_session *session, const struct volume *volume, bool *is_file, struct error *err)
{
	auto_free char *what = volume_words(volume);

	*is_file = false;
	if (paths_check(volume, err) < 0)
		return blame(err, "volume on %s", volume->target);
	if (volume->type == VOLUME_NAMED)
		return named_open(session->store, volume->source, err);
	return source_open(session->store, what, volume->source, is_file, err);
}

/* The store need not exist yet; then a source that would hold it is known by its name alone. */
int volume_check(const struct volume *volume, const char *store_path, struct error *err)
{
	auto_free char *what = volume_words(volume);
	auto_fd store = open(store_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd source = -1;
	bool is_file;

	if (paths_check(volume, err) < 0)
		return blame(err, "volume on %s", volume->target);
	if (volume->type != VOLUME_BIND)
		return 0;
	if (store < 0 && path_is_under(store_path, volume->source))
		return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it holds the state of warren itself", what,
			volume->source);
	source = source_open(store, what, volume->source, &is_file, err);
	return source < 0 ? -1 : 0;
}

bool volumes_need_setid_guard(const struct volume *volumes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (volumes[i].type != VOLUME_TMPFS && !volumes[i].read_only)
			return true;
	return false;
}

/* --- mounts ------------------------------------------------------------------------------------------------------- */

static int plain_mount(int source, const struct volume *volume, int userns, struct error *err)
{
	auto_fd mount = mount_clone(source, "", false, err);
	uint64_t attr = volume_attr | (volume->read_only ? MOUNT_ATTR_RDONLY : 0);

	if (mount < 0 || mount_change(mount, false, attr, 0, userns, err) < 0)
		return -1;
	return take_fd(&mount);
}

/* The directory as an overlay that cannot be written by anybody. */
static int locked_directory_mount(
	const struct image_session *session, int directory, int userns, struct root_parts *parts, struct error *err)
{
	AUTO(layer_base_drop) struct layer_base base = NO_LAYER_BASE;
	auto_fd empty = empty_directory_open(session->store, err);
	struct overlay overlay = {.lower_count = 2, .upper = -1, .work = -1, .attr = volume_attr | MOUNT_ATTR_RDONLY};

	if (empty < 0)
		return -1;
	if (layer_base_open(session, directory, "", volume_attr | MOUNT_ATTR_RDONLY, userns, &base, err) < 0)
		return -1;
	const int lowers[] = {base.mount, empty};

	overlay.lowers = lowers;
	auto_fd mount = overlay_mount(session, &overlay, err);
	if (mount < 0)
		return -1;
	root_parts_retire(parts, &base);
	return take_fd(&mount);
}

/* The name and the directory that the kernel has for an open file; checked to be that file. */
static int file_directory_open(int file, char name[NAME_MAX + 1], struct error *err)
{
	auto_free char *link = text_format("/proc/self/fd/%d", file);
	char path[PATH_MAX];
	struct stat wanted, found;
	auto_fd dir = -1;
	ssize_t length = readlink(link, path, sizeof(path) - 1);

	if (length <= 0)
		return fail_errno(err, "readlink %s", link);
	path[length] = '\0';
	snprintf(name, NAME_MAX + 1, "%s", path_base(path));
	path[strlen(path) - strlen(name)] = '\0';
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstatat(dir, name, &found, AT_SYMLINK_NOFOLLOW) < 0 || fstat(file, &wanted) < 0)
		return fail_errno(err, "find the directory %s", path);
	if (wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino)
		return fail(err, ERROR_BUSY, "%s%s was exchanged meanwhile", path, name);
	return take_fd(&dir);
}

/* A file of the overlay over its directory. Kernels that do not clone from a detached mount get it attached for the
 * moment, as they do for layers. */
static int locked_file_mount(
	const struct image_session *session, int file, int userns, struct root_parts *parts, struct error *err)
{
	AUTO(layer_base_drop) struct layer_base base = NO_LAYER_BASE;
	char name[NAME_MAX + 1];
	auto_fd dir = file_directory_open(file, name, err);
	auto_fd whole = dir < 0 ? -1 : locked_directory_mount(session, dir, userns, parts, err);
	auto_fd mount = -1;

	if (whole < 0)
		return -1;
	base.mount = take_fd(&whole);
	if (layer_base_attach(session, &base, err) < 0)
		return -1;
	mount = mount_clone(base.mount, name, false, err);
	if (mount < 0 || mount_change(mount, false, volume_attr | MOUNT_ATTR_RDONLY, 0, -1, err) < 0)
		return -1;
	root_parts_retire(parts, &base);
	return take_fd(&mount);
}

static int bind_mount(const struct image_session *session, const struct volume *volume, int userns, bool lock_read_only,
	bool *is_file, struct root_parts *parts, struct error *err)
{
	auto_free char *what = text_format("volume on %s: \"%s\"", volume->target, volume->source);
	auto_fd source = volume_source_open(session, volume, is_file, err);
	int map = volume->idmap ? userns : -1, mount;

	if (source < 0)
		return -1;
	if (!volume->read_only || !lock_read_only)
		mount = plain_mount(source, volume, map, err);
	else if (*is_file)
		mount = locked_file_mount(session, source, map, parts, err);
	else
		mount = locked_directory_mount(session, source, map, parts, err);
	return mount < 0 ? source_map_failed(source, what, map < 0 ? "" : WAY_OUT, err) : mount;
}

/* Made on the host, so it belongs to the host's user namespace and the instance cannot enlarge it; its root directory
 * belongs to the instance's root. */
static int tmpfs_mount(const struct volume *volume, uid_t id_base, struct error *err)
{
	char size[24], inodes[24], mode[24], owner[24];
	int64_t bytes = volume->size_bytes ? volume->size_bytes : TMPFS_SIZE_DEFAULT;
	int64_t count = bytes / TMPFS_BYTES_PER_INODE;
	const struct mount_option options[] = {
		{.name = "size", .value = size, .fd = -1},
		{.name = "nr_inodes", .value = inodes, .fd = -1},
		{.name = "mode", .value = mode, .fd = -1},
		{.name = "uid", .value = owner, .fd = -1},
		{.name = "gid", .value = owner, .fd = -1},
	};
	/* Root is the default owner. */
	size_t option_count = id_base ? ARRAY_SIZE(options) : ARRAY_SIZE(options) - 2;

	snprintf(size, sizeof(size), "%lld", (long long)bytes);
	snprintf(inodes, sizeof(inodes), "%lld", (long long)(count < TMPFS_INODES_MIN ? TMPFS_INODES_MIN : count));
	snprintf(mode, sizeof(mode), "%o", volume->mode ? volume->mode : 01777);
	snprintf(owner, sizeof(owner), "%u", id_base);
	if (paths_check(volume, err) < 0)
		return blame(err, "tmpfs");
	return filesystem_mount("tmpfs", "tmpfs", options, option_count,
		volume_attr | (volume->read_only ? MOUNT_ATTR_RDONLY : 0), err);
}

int volume_mount(const struct image_session *session, const struct volume *volume, int userns, uid_t id_base,
	bool lock_read_only, struct root_parts *parts, struct error *err)
{
	bool is_file = false;
	int mount = volume->type == VOLUME_TMPFS
			    ? tmpfs_mount(volume, userns < 0 ? 0 : id_base, err)
			    : bind_mount(session, volume, userns, lock_read_only, &is_file, parts, err);

	return root_parts_adopt(parts, volume->target, mount, is_file, err);
}
