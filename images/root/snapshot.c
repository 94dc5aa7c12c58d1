/* Snapshots: what an instance has written becomes a layer, and a list of layers has a name.
 *
 * Of a stopped instance the upper layer is renamed among the layers and an empty one put in its place. That is two
 * renames and a list, and whoever is killed in between must leave one root or the other, never half of each. So the
 * list comes first and says what is pending: "the upper layer with this inode becomes that layer" (or, to restore,
 * "goes"). The new, empty upper layer exists by then, so that inode cannot be its own. Whoever reads such a list
 * finishes; done twice it does nothing. The store's lock is held meanwhile, so that no collection sees a layer before
 * its list.
 *
 * Owners on disk are those inside, so a layer made by one instance serves any other. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/collection.h"
#include "images/files/copy.h"
#include "images/host/host_image.h"
#include "images/overlay/upper.h"
#include "images/root/assigned.h"
#include "images/root/holders.h"
#include "images/store/record.h"
#include "images/store/staging.h"

#define FRESH "n" /* the upper layer to be */
#define PRIVATE "private-"
#define SUFFIX ".json"
#define SNAPSHOTS_MAX 4096
#define LAYERS_MAX 480 /* an overlay takes 500 */
#define COPY "copy"
#define ENTRIES_MAX 1048576
#define VOLUMES "volumes"

/* --- the upper layer ---------------------------------------------------------------------------------------------- */

static int key_make(char key[LAYER_KEY_MAX], struct error *err)
{
	uint64_t number[2];

	if (getrandom(number, sizeof(number), 0) != sizeof(number))
		return fail_errno(err, "getrandom");
	snprintf(key, LAYER_KEY_MAX, PRIVATE "%016jx%016jx", (uintmax_t)number[0], (uintmax_t)number[1]);
	return 0;
}

/* The root directory's own owner and mode are those of the uppermost layer. */
static int fresh_make(int instance, uint64_t *old_inode, struct error *err)
{
	struct stat about;
	auto_fd fresh = -1;

	if (fstatat(instance, UPPER, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "stat the upper layer");
	if (tree_remove(instance, FRESH, err) < 0)
		return -1;
	fresh = dir_create(instance, FRESH, 0755, err);
	if (fresh < 0)
		return -1;
	if (fchown(fresh, about.st_uid, about.st_gid) < 0 || fchmod(fresh, about.st_mode & 07777) < 0)
		return fail_errno(err, "set owner and mode of the new upper layer");
	upper_project_copy(instance, fresh);
	*old_inode = about.st_ino;
	return 0;
}

static int old_upper_move(const struct store *store, int instance, const struct image_config *config, struct error *err)
{
	AUTO(staging_drop) struct staging trash = {.dir = -1};
	struct stat about;

	if (fstatat(instance, UPPER, &about, AT_SYMLINK_NOFOLLOW) < 0 || about.st_ino != config->pending_inode)
		return 0;
	if (config->pending_layer)
		return renameat(instance, UPPER, store->layers, config->pending_layer) < 0
			       ? fail_errno(err, "make the upper layer a layer of the store")
			       : 0;
	if (staging_make(store, &trash, err) < 0)
		return -1;
	return renameat(instance, UPPER, trash.dir, UPPER) < 0 ? fail_errno(err, "put the upper layer away") : 0;
}

static int settle_locked(const struct store *store, int instance, struct image_config *config, struct error *err)
{
	if (old_upper_move(store, instance, config, err) < 0)
		return -1;
	if (renameat2(instance, FRESH, instance, UPPER, RENAME_NOREPLACE) < 0 && errno != ENOENT && errno != EEXIST)
		return fail_errno(err, "put the new upper layer into place");
	config->pending_inode = 0;
	config->pending_layer = NULL;
	return assigned_put(instance, ASSIGNED, config, err);
}

int assigned_settle(const struct store *store, int instance, struct image_config *config, struct error *err)
{
	auto_fd lock = store_lock(store, STORE_SHARED, err);

	if (lock < 0 || settle_locked(store, instance, config, err) < 0)
		return blame(err, "finish what was begun with the root's layers");
	return 0;
}

/* The list as it shall be, with pending_layer; then the rest. The store's lock is held. */
static int upper_exchange(const struct store *store, int instance, struct image_config *config, struct error *err)
{
	if (fresh_make(instance, &config->pending_inode, err) < 0 || assigned_put(instance, ASSIGNED, config, err) < 0)
		return -1;
	return settle_locked(store, instance, config, err);
}

bool snapshot_layers_exist(int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd layers = openat(dir, LAYERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names;
	struct error ignored;

	if (layers < 0 || dir_list(&arena, layers, ENTRIES_MAX, &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++)
		if (text_starts_with(names.items[i], PRIVATE))
			return true;
	return false;
}

/* --- names of snapshots ------------------------------------------------------------------------------------------- */

static int snapshots_open(int instance, struct error *err)
{
	return dir_create(instance, SNAPSHOTS, 0700, err);
}

static const char *snapshot_file(struct arena *arena, const char *name)
{
	return arena_format(arena, "%s" SUFFIX, name);
}

static int name_is_free(int instance, const char *name, struct arena *arena, struct error *err)
{
	auto_fd snapshots = -1;

	if (!name)
		return 0;
	if (name_check("snapshot", name, err) < 0)
		return -1;
	snapshots = snapshots_open(instance, err);
	if (snapshots < 0)
		return -1;
	if (faccessat(snapshots, snapshot_file(arena, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(err, ERROR_BUSY, "there is a snapshot \"%s\" already", name);
	return 0;
}

static int name_give(
	int instance, const char *name, const struct image_config *config, struct arena *arena, struct error *err)
{
	auto_fd snapshots = -1;

	if (!name)
		return 0;
	snapshots = snapshots_open(instance, err);
	return snapshots < 0 ? -1 : assigned_put(snapshots, snapshot_file(arena, name), config, err);
}

/* --- taking one --------------------------------------------------------------------------------------------------- */

static int current_read(
	const struct store *store, int instance, struct arena *arena, struct image_config *out, struct error *err)
{
	if (assigned_read(arena, instance, ASSIGNED, out, err) < 0) {
		if (err->kind != ERROR_MISSING)
			return -1;
		*err = (struct error){0};
		*out = (struct image_config){0};
	}
	return out->pending_inode ? assigned_settle(store, instance, out, err) : 0;
}

static int layer_put_first(struct arena *arena, struct image_config *config, const char *key, struct error *err)
{
	struct strings longer = {0};

	if (config->layers.count >= LAYERS_MAX)
		return fail(err, ERROR_USAGE,
			"its root has %zu layers already, and no more can be mounted; export it "
			"and import that",
			config->layers.count);
	strings_add(arena, &longer, arena_string(arena, key));
	for (size_t i = 0; i < config->layers.count; i++)
		strings_add(arena, &longer, config->layers.items[i]);
	config->layers = longer;
	return 0;
}

static int stopped_snapshot(const struct store *store, int instance, const char *name, const char *key,
	struct arena *arena, struct image_config *config, struct error *err)
{
	auto_fd lock = store_lock(store, STORE_SHARED, err);

	if (lock < 0)
		return -1;
	config->pending_layer = key;
	if (upper_exchange(store, instance, config, err) < 0)
		return -1;
	return name_give(instance, name, config, arena, err);
}

/* A layer of its own; the instance keeps writing where it wrote. */
static int running_snapshot(const struct store *store, int instance, const char *name, const char *key,
	struct arena *arena, const struct image_config *config, struct error *err)
{
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	auto_fd upper = upper_open(instance, err);
	auto_fd copy = -1;
	auto_fd lock = -1;

	if (upper < 0 || staging_make(store, &staging, err) < 0)
		return -1;
	copy = dir_create(staging.dir, COPY, 0755, err);
	if (copy < 0 || tree_copy(upper, copy, err) < 0)
		return -1;
	lock = store_lock(store, STORE_SHARED, err);
	if (lock < 0)
		return -1;
	if (renameat2(staging.dir, COPY, store->layers, key, RENAME_NOREPLACE) < 0)
		return fail_errno(err, "put the copy among the layers");
	return name_give(instance, name, config, arena, err);
}

int root_snapshot(int dir, int instance, const char *name, bool running, struct arena *arena,
	struct image_config *config, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	char key[LAYER_KEY_MAX];

	if (running && faccessat(instance, PASSING, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(err, ERROR_USAGE,
			"it is ephemeral: what it writes is not kept; a snapshot can be taken while it is stopped");
	if (store_open_at(dir, &store, err) < 0 || name_is_free(instance, name, arena, err) < 0 ||
		current_read(&store, instance, arena, config, err) < 0 || key_make(key, err) < 0 ||
		layer_put_first(arena, config, key, err) < 0)
		return -1;
	return running ? running_snapshot(&store, instance, name, key, arena, config, err)
		       : stopped_snapshot(&store, instance, name, config->layers.items[0], arena, config, err);
}

/* --- going back --------------------------------------------------------------------------------------------------- */

int root_snapshot_find(int instance, const char *name, struct arena *arena, struct image_config *out, struct error *err)
{
	auto_fd snapshots = -1;

	if (name_check("snapshot", name, err) < 0)
		return -1;
	snapshots = snapshots_open(instance, err);
	if (snapshots < 0)
		return -1;
	if (assigned_read(arena, snapshots, snapshot_file(arena, name), out, err) == 0)
		return 0;
	return err->kind == ERROR_MISSING ? fail(err, ERROR_MISSING, "no snapshot \"%s\"", name) : -1;
}

int root_restore(int dir, int instance, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(store_drop) struct store store = NO_STORE;
	struct image_config current, wanted;
	auto_fd lock = -1;

	if (store_open_at(dir, &store, err) < 0 || root_snapshot_find(instance, name, &arena, &wanted, err) < 0 ||
		current_read(&store, instance, &arena, &current, err) < 0)
		return -1;
	lock = store_lock(&store, STORE_SHARED, err);
	if (lock < 0)
		return -1;
	wanted.pending_layer = NULL;
	return upper_exchange(&store, instance, &wanted, err);
}

int root_snapshot_remove(int instance, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config;
	auto_fd snapshots = -1;

	if (root_snapshot_find(instance, name, &arena, &config, err) < 0)
		return -1;
	snapshots = snapshots_open(instance, err);
	if (snapshots < 0)
		return -1;
	return unlinkat(snapshots, snapshot_file(&arena, name), 0) < 0 ? fail_errno(err, "remove the snapshot %s", name)
								       : 0;
}

static int compare_ages(const void *a, const void *b)
{
	const struct snapshot *one = a, *other = b;

	if (one->created_ms != other->created_ms)
		return one->created_ms < other->created_ms ? -1 : 1;
	return strcmp(one->name, other->name);
}

static int snapshot_look(int snapshots, const char *file, struct arena *arena, struct snapshot *out, struct error *err)
{
	struct image_config config;
	struct stat about;

	if (assigned_read(arena, snapshots, file, &config, err) < 0)
		return -1;
	if (fstatat(snapshots, file, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "stat the snapshot");
	*out = (struct snapshot){.name = arena_bytes(arena, file, strlen(file) - strlen(SUFFIX)),
		.created_ms = about.st_mtim.tv_sec * INT64_C(1000) + about.st_mtim.tv_nsec / 1000000,
		.layers = config.layers.count};
	return 0;
}

int root_snapshots(int instance, struct arena *arena, struct snapshot_list *out, struct error *err)
{
	auto_fd snapshots = snapshots_open(instance, err);
	struct strings files;

	if (snapshots < 0 || dir_list(arena, snapshots, SNAPSHOTS_MAX, &files, err) < 0)
		return -1;
	*out = (struct snapshot_list){.items = arena_new_array(arena, files.count, struct snapshot)};
	for (size_t i = 0; i < files.count; i++)
		if (*files.items[i] != '.' && text_ends_with(files.items[i], SUFFIX) &&
			snapshot_look(snapshots, files.items[i], arena, &out->items[out->count++], err) < 0)
			return blame(err, "snapshot %s", files.items[i]);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_ages);
	return 0;
}

/* --- a new instance ----------------------------------------------------------------------------------------------- */

static int volume_copy(const struct store *store, const char *from, const char *to, struct error *err)
{
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	auto_free char *old = text_format(VOLUMES "/%s", from), *fresh = text_format(VOLUMES "/%s", to);
	auto_fd content = openat(store->dir, old, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd copy = -1;

	if (content < 0) /* it never ran */
		return errno == ENOENT ? 0 : fail_errno(err, "open the volume %s", from);
	if (staging_make(store, &staging, err) < 0)
		return -1;
	copy = dir_create(staging.dir, COPY, 0755, err);
	if (copy < 0 || tree_copy(content, copy, err) < 0)
		return blame(err, "copy the volume %s", from);
	return renameat2(staging.dir, COPY, store->dir, fresh, RENAME_NOREPLACE) < 0
		       ? fail_errno(err, "make the volume %s", to)
		       : 0;
}

static int volumes_copy(const struct store *store, struct image_config *config, struct arena *arena, struct error *err)
{
	struct pairs volumes = {0};

	for (size_t i = 0; i < config->volumes.count; i++) {
		const struct pair *old = &config->volumes.items[i];
		uint64_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return fail_errno(err, "getrandom");
		pairs_set(
			arena, &volumes, old->name, arena_format(arena, VOLUME_ANONYMOUS "%016jx", (uintmax_t)number));
		if (volume_copy(store, old->value, pairs_get(&volumes, old->name), err) < 0)
			return -1;
	}
	config->volumes = volumes;
	return 0;
}

/* The root directory's owner and mode, as the layer below has them. */
static int upper_make(const struct store *store, int instance, const char *key, struct error *err)
{
	struct stat about;
	auto_fd work = dir_create(instance, WORK, 0700, err);
	auto_fd upper = work < 0 ? -1 : dir_create(instance, UPPER, 0755, err);

	if (upper < 0)
		return -1;
	if (fstatat(store->layers, key, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "stat the layer %s", key);
	if (fchown(upper, about.st_uid, about.st_gid) < 0 || fchmod(upper, about.st_mode & 07777) < 0)
		return fail_errno(err, "set owner and mode of the upper layer");
	upper_project_make(upper, work);
	return 0;
}

int root_inherit(int dir, int instance, const struct image_config *snapshot, struct arena *arena, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	struct image_config config = *snapshot;

	if (store_open_at(dir, &store, err) < 0)
		return -1;
	if (!config.layers.count)
		return fail(err, ERROR_USAGE, "a snapshot without layers");
	if (volumes_copy(&store, &config, arena, err) < 0 || assigned_write(&store, instance, &config, err) < 0)
		return -1;
	return upper_make(&store, instance, config.layers.items[0], err);
}
