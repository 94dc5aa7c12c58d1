/* A volume that is new begins with what the image has in its place, as users of other engines expect it: a database's
 * directory has its owner from the first start.
 *
 * Copied into a staging directory, then renamed: the volume is there whole or not at all. One that exists is left
 * alone, empty or not. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/files/copy.h"
#include "images/root/root.h"
#include "images/store/staging.h"

#define VOLUMES "volumes"
#define SEED "volume"

static int seed_make(const struct staging *staging, int content, struct error *err)
{
	auto_fd copy = dir_create(staging->dir, SEED, 0755, err);

	return copy < 0 || tree_copy(content, copy, err) < 0 ? -1 : 0;
}

static int seed_place(const struct staging *staging, const char *name, struct error *err)
{
	auto_fd volumes = dir_create(staging->store->dir, VOLUMES, 0700, err);

	if (volumes < 0)
		return -1;
	if (renameat2(staging->dir, SEED, volumes, name, RENAME_NOREPLACE) == 0 || errno == EEXIST)
		return 0;
	return fail_errno(err, "put the volume into place");
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

static bool is_there(int store, const char *name)
{
	auto_free char *path = text_format(VOLUMES "/%s", name);

	return faccessat(store, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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
	if (is_there(session->store, name))
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
