/* Masks: a file is covered by the null device, a directory by one shared, empty, read-only tmpfs.
 *
 * Both come from descriptors that we made or verified, never from what the image has at /dev/null. Below our own proc
 * and sysfs, which nobody else can have changed, a path is used as it is; elsewhere it is resolved inside the root
 * first. A path that does not exist needs no mask. */
#include "runtime/mounts/masks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "base/path.h"

#define MOVE_FLAGS MOVE_MOUNT_F_EMPTY_PATH

/* What covers: the original is attached first, clones of it after that (before 6.15 only an attached mount can be
 * cloned). spare: a clone that found nothing to cover yet. */
struct cover {
	int original;
	bool attached;
	int spare;
};

struct place {
	int dir;
	const char *path; /* "" = dir itself */
	int opened;	  /* ours to close; -1 */
};

static void place_drop(struct place *place)
{
	fd_drop(&place->opened);
}

/* What follows `mount` in the path, NULL when nothing does. "/proc//sys" is "/proc/sys": a second slash at its
 * beginning would make the rest an absolute path. */
static const char *path_below(const char *path, const char *mount)
{
	if (!text_starts_with(path, mount))
		return NULL;
	path += strlen(mount);
	path += strspn(path, "/");
	return *path ? path : NULL;
}

/* 1 found, 0 nothing there, -1. */
static int place_find(struct place *out, const char *path, const struct mounts *mounts, int root, struct error *err)
{
	const char *in_proc = path_below(path, "/proc/"), *in_sys = path_below(path, "/sys/");

	*out = (struct place){.opened = -1, .path = ""};
	if (mounts->proc >= 0 && in_proc) {
		out->dir = mounts->proc;
		out->path = in_proc;
		return 1;
	}
	if (mounts->sys >= 0 && in_sys && !text_starts_with(in_sys, "fs/")) {
		out->dir = mounts->sys;
		out->path = in_sys;
		return 1;
	}
	out->opened = path_try_open(root, path, O_PATH, 0);
	out->dir = out->opened;
	if (out->opened >= 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return fail_errno(err, "%s", path);
}

static int cover_take(struct cover *cover, struct error *err)
{
	int mount = take_fd(&cover->spare);

	if (mount >= 0)
		return mount;
	if (!cover->attached)
		return cover->original;
	return mount_clone(cover->original, "", false, err);
}

/* Attaches a cover: 1 done, 0 nothing there, -1 with errno ENOTDIR when the place is of the other kind. */
static int cover_try(struct cover *cover, const struct place *place, struct error *err)
{
	unsigned flags = MOVE_FLAGS | (*place->path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
	int mount = cover_take(cover, err);

	if (mount < 0)
		return -1;
	if (move_mount(mount, "", place->dir, place->path, flags) == 0) {
		cover->attached = true;
		return 1;
	}
	if (mount != cover->original)
		cover->spare = mount;
	if (errno == ENOENT)
		return 0;
	return fail_errno(err, "attach");
}

static int empty_directory_make(struct error *err)
{
	static const struct mount_option options[] = {
		{.name = "mode", .value = "555", .fd = -1}, {.name = "nr_inodes", .value = "2", .fd = -1}};

	return filesystem_mount_before_exec("tmpfs", NULL, options, ARRAY_SIZE(options),
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
}

/* File first; the kernel says ENOTDIR (before 6.17 EINVAL as well) when it is a directory. */
static int mask_one(struct cover *file, struct cover *directory, const struct place *place, struct error *err)
{
	int done = cover_try(file, place, err);

	if (done >= 0 || (err->errnum != ENOTDIR && err->errnum != EINVAL))
		return done;
	if (directory->original < 0)
		directory->original = empty_directory_make(err);
	if (directory->original < 0)
		return -1;
	return cover_try(directory, place, err);
}

int masks_apply(const struct spec *spec, const struct mounts *mounts, int root, int null, struct error *err)
{
	struct cover file = {.original = null, .spare = -1}; /* borrowed */
	struct cover directory = {.original = -1, .spare = -1};

	for (size_t i = 0; i < spec->masked_paths.count; i++) {
		const char *path = spec->masked_paths.items[i];
		AUTO(place_drop) struct place place;
		int found = place_find(&place, path, mounts, root, err);

		if (found > 0)
			found = mask_one(&file, &directory, &place, err);
		if (found < 0)
			return blame(err, "%s", path);
	}
	return 0;
}

static int protect_one(const struct place *place, struct error *err)
{
	static const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	unsigned flags = AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | (*place->path ? 0 : AT_EMPTY_PATH);
	int mount = mount_clone_changed(place->dir, place->path, flags, &read_only);

	if (mount < 0 && errno == ENOENT)
		return 0;
	if (mount < 0)
		return fail_errno(err, "clone it read-only");
	return mount_attach(mount, place->dir, place->path, err);
}

int masks_protect(const struct spec *spec, const struct mounts *mounts, int root, struct error *err)
{
	for (size_t i = 0; i < spec->read_only_paths.count; i++) {
		const char *path = spec->read_only_paths.items[i];
		AUTO(place_drop) struct place place;
		int found = place_find(&place, path, mounts, root, err);

		if (found > 0)
			found = protect_one(&place, err);
		if (found < 0)
			return blame(err, "%s", path);
	}
	return 0;
}
