/* Giving back what nobody uses: mark and trash.
 *
 * With the store's lock held exclusively all that is needed is marked: what names mean, what instances and snapshots
 * have, and what living staging directories note. All else is renamed into a staging directory of our own, which takes
 * microseconds; the deleting, which takes long, happens after the lock is given back. Killed in the middle, that
 * directory is one of those that the next collection removes. Counters of references do not exist, so none can be
 * wrong.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/collection.h"
#include "images/collection/held.h"
#include "images/host/host_image.h"
#include "images/host/skeleton.h"
#include "images/root/holders.h"
#include "images/store/record.h"
#include "images/store/staging.h"

#define ENTRIES_MAX 1048576
#define META_SUFFIX ".json"
#define HOST_PREFIX "host-"
#define PARTIAL_NOTE ".note"

struct sweep {
	struct store *store;
	struct staging trash;
	struct arena arena;
	struct path_set *layers, *blobs, *manifests; /* needed; the last: those of instances */
	const struct prune_options *options;
	struct prune_result *result;
	int lock;
};

static void sweep_drop(struct sweep *sweep)
{
	fd_drop(&sweep->lock);
	staging_drop(&sweep->trash);
	arena_drop(&sweep->arena);
}

/* --- what is needed ----------------------------------------------------------------------------------------------- */

static void blob_mark(struct sweep *sweep, const char *digest)
{
	if (digest)
		path_set_add(&sweep->arena, &sweep->blobs, digest_hex(digest));
}

static int holder_mark(
	void *context, const char *instance, const char *snapshot, const struct image_config *image, struct error *err)
{
	struct sweep *sweep = context;
	const char *const digests[] = {image->manifest_digest, image->config_digest};

	(void)instance, (void)snapshot;
	for (size_t i = 0; i < image->layers.count; i++)
		path_set_add(&sweep->arena, &sweep->layers, image->layers.items[i]);
	for (size_t i = 0; i < image->hidden_layers.count; i++)
		path_set_add(&sweep->arena, &sweep->layers, image->hidden_layers.items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		if (digests[i] && digest_check("digest", digests[i], err) < 0)
			return -1;
		blob_mark(sweep, digests[i]);
	}
	if (image->manifest_digest)
		path_set_add(&sweep->arena, &sweep->manifests, image->manifest_digest);
	return 0;
}

static void record_mark(struct sweep *sweep, const struct image_record *record)
{
	for (size_t i = 0; i < record->layers.count; i++)
		path_set_add(&sweep->arena, &sweep->layers, record->layers.items[i]);
	blob_mark(sweep, record->manifest_digest);
	blob_mark(sweep, record->config_digest);
	blob_mark(sweep, record->index_digest);
}

/* Instances were marked before. */
static int name_mark(
	void *context, const struct name_place *place, const struct image_record *record, struct error *err)
{
	struct sweep *sweep = context;

	if (sweep->options->unused && !path_set_has(sweep->manifests, record->manifest_digest)) {
		sweep->result->names++;
		return name_remove(sweep->store, place, err);
	}
	record_mark(sweep, record);
	return 0;
}

static int held_mark(void *context, const struct image_record *record, struct error *err)
{
	struct sweep *sweep = context;

	(void)err;
	record_mark(sweep, record);
	return 0;
}

static int notes_mark(struct sweep *sweep, int dir, struct error *err)
{
	auto_fd keep = openat(dir, KEEP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings notes;

	if (keep < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open what a staging directory keeps");
	if (dir_list(&sweep->arena, keep, KEEP_MAX, &notes, err) < 0)
		return -1;
	for (size_t i = 0; i < notes.count; i++) {
		bool is_blob = text_starts_with(notes.items[i], KEEP_BLOB);

		path_set_add(&sweep->arena, is_blob ? &sweep->blobs : &sweep->layers,
			notes.items[i] + (is_blob ? strlen(KEEP_BLOB) : 0));
	}
	return 0;
}

/* --- what is not -------------------------------------------------------------------------------------------------- */

static int trash(struct sweep *sweep, int dir, const char *name, struct error *err)
{
	if (renameat(dir, name, sweep->trash.dir, name) < 0 && errno != ENOENT)
		return fail_errno(err, "move %s away", name);
	return 0;
}

/* One whose flock can be had is dead; its maker cannot come back. */
static int staged_look(struct sweep *sweep, const char *name, struct error *err)
{
	auto_fd dir = -1;

	if (!staging_is_name(name))
		return 0;
	dir = openat(sweep->store->staging, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open the staging directory %s", name);
	if (lock_exclusive(dir, 0, err) < 0) {
		if (err->kind != ERROR_BUSY)
			return -1;
		*err = (struct error){0};
		return notes_mark(sweep, dir, err);
	}
	sweep->result->staged++;
	return trash(sweep, sweep->store->staging, name, err);
}

static int layer_look(struct sweep *sweep, const char *key, struct error *err)
{
	struct layer_meta meta;
	struct error ignored;

	if (text_starts_with(key, HOST_PREFIX) || path_set_has(sweep->layers, key))
		return 0;
	sweep->result->layers++;
	if (layer_meta_read(sweep->store, key, &sweep->arena, &meta, &ignored) == 0)
		sweep->result->bytes += meta.disk_bytes;
	return trash(sweep, sweep->store->layers, key, err);
}

/* The record of a layer that is not there. Its maker would have noted it, and needed it. */
static int meta_look(struct sweep *sweep, const char *name, struct error *err)
{
	const char *key;

	if (!text_ends_with(name, META_SUFFIX))
		return 0;
	key = arena_bytes(&sweep->arena, name, strlen(name) - strlen(META_SUFFIX));
	if (path_set_has(sweep->layers, key) || layer_exists(sweep->store, key))
		return 0;
	return unlinkat(sweep->store->meta, name, 0) < 0 ? fail_errno(err, "remove meta/%s", name) : 0;
}

static int blob_look(struct sweep *sweep, const char *name, struct error *err)
{
	if (path_set_has(sweep->blobs, name))
		return 0;
	sweep->result->blobs++;
	return unlinkat(sweep->store->blobs, name, 0) < 0 ? fail_errno(err, "remove the blob %s", name) : 0;
}

/* Whoever fetches it holds its flock. */
static int partial_look(struct sweep *sweep, const char *name, struct error *err)
{
	auto_free char *note = text_format("%s" PARTIAL_NOTE, name);
	auto_fd fd = -1;

	if (text_ends_with(name, PARTIAL_NOTE))
		return 0;
	fd = openat(sweep->store->partial, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open partial/%s", name);
	if (lock_exclusive(fd, 0, err) < 0) {
		*err = (struct error){0};
		return 0;
	}
	sweep->result->partials++;
	unlinkat(sweep->store->partial, note, 0);
	return unlinkat(sweep->store->partial, name, 0) < 0 ? fail_errno(err, "remove partial/%s", name) : 0;
}

static int each(
	struct sweep *sweep, int dir, int (*look)(struct sweep *, const char *, struct error *), struct error *err)
{
	struct strings names;

	if (dir_list(&sweep->arena, dir, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (look(sweep, names.items[i], err) < 0)
			return -1;
	return 0;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static int mark(struct sweep *sweep, struct error *err)
{
	const struct holder_visitor holders = {.visit = holder_mark, .context = sweep};
	const struct held_visitor held = {.visit = held_mark, .context = sweep};
	const struct name_visitor names = {.visit = name_mark, .context = sweep};
	bool damaged;

	if (holders_visit(sweep->store->dir, &sweep->arena, &holders, err) < 0 ||
		held_visit(sweep->store->dir, &sweep->arena, &held, err) < 0 ||
		names_visit(sweep->store, &sweep->arena, &names, &damaged, err) < 0)
		return -1;
	if (damaged)
		return fail(err, ERROR_SYSTEM,
			"a name's record is damaged, so nothing is deleted; remove that name first (warren image rm)");
	return each(sweep, sweep->store->staging, staged_look, err);
}

/* Temporary files of whoever was killed: those who replace files there hold the lock that we have. */
static int leftovers_remove(struct sweep *sweep, struct error *err)
{
	const int dirs[] = {sweep->store->meta, sweep->store->blobs};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (file_leftovers_remove(dirs[i], err) < 0)
			return -1;
	return 0;
}

static int name_leftovers_look(struct sweep *sweep, const char *name, struct error *err)
{
	auto_fd dir = dir_open(sweep->store->names, name, err);

	if (dir < 0 || file_leftovers_remove(dir, err) < 0)
		return -1;
	if (unlinkat(sweep->store->names, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
		return fail_errno(err, "remove names/%s", name);
	return 0;
}

static int sweep_locked(struct sweep *sweep, struct error *err)
{
	const struct store *store = sweep->store;

	if (mark(sweep, err) < 0 || leftovers_remove(sweep, err) < 0 ||
		each(sweep, store->names, name_leftovers_look, err) < 0 ||
		each(sweep, store->layers, layer_look, err) < 0 || each(sweep, store->meta, meta_look, err) < 0 ||
		each(sweep, store->blobs, blob_look, err) < 0)
		return -1;
	if (sweep->options->partials && each(sweep, store->partial, partial_look, err) < 0)
		return -1;
	return host_leftovers_remove(store->dir, err);
}

int images_prune(int dir, const struct prune_options *options, struct prune_result *out, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(sweep_drop)
	struct sweep sweep = {.store = &store, .trash = {.dir = -1}, .options = options, .result = out, .lock = -1};

	*out = (struct prune_result){0};
	if (store_open_at(dir, &store, err) < 0 || staging_make(&store, &sweep.trash, err) < 0)
		return -1;
	sweep.lock = store_lock(&store, STORE_EXCLUSIVE, err);
	if (sweep.lock < 0 || sweep_locked(&sweep, err) < 0)
		return blame(err, "remove unused images");
	return 0;
}
