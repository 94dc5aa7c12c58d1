/* A volume that is new begins with what the image has in its place, as users of other engines expect it: a database's
 * directory has its owner from the first start.
 *
 * Copied into a staging directory, then renamed: the volume is there whole or not at all. One that exists is left
 * alone, empty or not; but one that was made by its name, and that nobody has had, is as new as one that is missing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/files/copy.h"
#include "images/root/root.h"
#include "images/store/staging.h"
#include "images/volumes/volume_note.h"

#define SEED "volume"

static int seed_make(const struct staging *staging, int content, struct error *err)
{
	auto_fd copy = dir_create(staging->dir, SEED, 0755, err);

	return copy < 0 || tree_copy(content, copy, err) < 0 ? -1 : 0;
}

/* In the place of a volume that is marked as new and empty still: rename(2) replaces an empty directory at once. */
static int seed_replace(const struct staging *staging, int volumes, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd lock = volumes_lock(volumes, err);
	auto_fd old = lock < 0 ? -1 : volume_directory_open(volumes, name);
	auto_fd seed = openat(staging->dir, SEED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct pairs labels;

	if (lock < 0)
		return -1;
	if (old < 0 || !volume_is_fresh(old))
		return 0;
	if (seed < 0)
		return fail_errno(err, "open what was copied");
	if (volume_labels_read(&arena, old, &labels, err) < 0 || volume_labels_write(seed, &labels, err) < 0)
		return -1;
	if (renameat(staging->dir, SEED, volumes, name) == 0 || errno == ENOTEMPTY || errno == EEXIST)
		return 0;
	return fail_errno(err, "put the volume into place");
}

static int seed_place(const struct staging *staging, const char *name, struct error *err)
{
	auto_fd volumes = dir_create(staging->store->dir, VOLUMES, 0700, err);

	if (volumes < 0)
		return -1;
	if (renameat2(staging->dir, SEED, volumes, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return seed_replace(staging, volumes, name, err);
	return fail_errno(err, "put the volume into place");
}

static int volume_make(const struct staging *staging, const char *name, const struct pairs *labels, struct error *err)
{
	auto_fd volumes = dir_create(staging->store->dir, VOLUMES, 0700, err);
	auto_fd made = volumes < 0 ? -1 : dir_create(staging->dir, SEED, 0755, err);

	if (made < 0 || volume_mark_fresh(made, err) < 0 || volume_labels_write(made, labels, err) < 0)
		return -1;
	if (renameat2(staging->dir, SEED, volumes, name, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EEXIST ? fail(err, ERROR_BUSY, "it is there already") : fail_errno(err, "put it into place");
}

int volume_create(int dir, const char *name, const struct pairs *labels, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(staging_drop) struct staging staging = {.dir = -1};

	if (name_check("volume", name, err) < 0)
		return -1;
	if (store_open_at(dir, &store, err) < 0 || staging_make(&store, &staging, err) < 0 ||
		volume_make(&staging, name, labels, err) < 0)
		return blame(err, "volume %s", name);
	return 0;
}

/* Renamed first: a volume is whole or gone. */
int volume_delete(int dir, const char *name, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	auto_free char *path = text_format(VOLUMES "/%s", name);

	if (name_check("volume", name, err) < 0)
		return -1;
	if (faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	if (store_open_at(dir, &store, err) < 0 || staging_make(&store, &staging, err) < 0)
		return -1;
	if (renameat(store.dir, path, staging.dir, SEED) < 0 && errno != ENOENT)
		return fail_errno(err, "remove the volume %s", name);
	return 0;
}

/* True when there is nothing to fill. */
static bool is_in_use(int store, const char *name)
{
	auto_free char *path = text_format(VOLUMES "/%s", name);
	auto_fd volume = volume_directory_open(store, path);

	return volume < 0 ? errno != ENOENT : !volume_is_fresh(volume);
}

int volume_seed(const struct image_session *session, const struct root_request *request, const char *name,
	const char *target, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	auto_fd lower = -1;
	auto_fd content = -1;

	if (name_check("volume", name, err) < 0)
		return -1;
	if (is_in_use(session->store, name))
		return 0;
	lower = root_lower_open(session, request, err);
	content = lower < 0 ? -1 : path_try_open(lower, target, O_RDONLY | O_DIRECTORY, 0);
	if (lower < 0)
		return -1;
	if (content < 0) /* nothing there, or no directory: it begins empty */
		return 0;
	if (store_open_at(session->store, &store, err) < 0 || staging_make(&store, &staging, err) < 0 ||
		seed_make(&staging, content, err) < 0 || seed_place(&staging, name, err) < 0)
		return blame(err, "volume %s", name);
	return 0;
}
