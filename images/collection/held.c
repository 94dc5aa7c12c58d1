/* Images that are held without a name. The record of a name is copied into a directory of the holder's; as long as it
 * lies there the collection leaves the layers and blobs that it names, and the image can have a name again. */
#include "images/collection/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/images.h"
#include "images/store/registries.h"
#include "images/store/staging.h"

#define FLEETS_MAX 4096
#define HELD_MAX 65536
#define SUFFIX ".json"

static const char *file_of(struct arena *arena, const char *digest)
{
	return arena_format(arena, "%s" SUFFIX, digest_hex(digest));
}

int image_meaning(int dir, const char *name, struct arena *arena, const char **digest, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	struct reference reference;
	struct image_record record;

	*digest = NULL;
	if (reference_resolve(arena, name, &reference, err) < 0 || store_open_at(dir, &store, err) < 0)
		return -1;
	if (image_find(&store, &reference, arena, &record, err) < 0) {
		if (err->kind != ERROR_MISSING)
			return -1;
		*err = (struct error){0};
		return 0;
	}
	*digest = record.manifest_digest;
	return 0;
}

int image_hold(int dir, const char *name, int holder, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(store_drop) struct store store = NO_STORE;
	struct reference reference;
	struct image_record record;

	if (reference_resolve(&arena, name, &reference, err) < 0 || store_open_at(dir, &store, err) < 0)
		return -1;
	/* The collection sees either the name as it is now or what is written here. */
	auto_fd lock = store_lock(&store, STORE_SHARED, err);

	if (lock < 0 || image_find(&store, &reference, &arena, &record, err) < 0)
		return -1;
	const char *file = file_of(&arena, record.manifest_digest);

	if (faccessat(holder, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return image_record_write(holder, file, &record, err);
}

static int record_keep(const struct staging *staging, const struct image_record *record, struct error *err)
{
	for (size_t i = 0; i < record->layers.count; i++) {
		int found = layer_keep(staging, record->layers.items[i], err);

		if (found < 0)
			return -1;
		if (!found)
			return fail(err, ERROR_MISSING, "its layer %s is gone", record->layers.items[i]);
	}
	return 0;
}

int image_return(int dir, const char *name, const char *digest, int holder, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	struct reference reference;
	struct image_record record;

	if (digest_check("image", digest, err) < 0 || reference_resolve(&arena, name, &reference, err) < 0 ||
		store_open_at(dir, &store, err) < 0)
		return -1;
	reference.digest = digest;
	if (image_find(&store, &reference, &arena, &record, err) == 0)
		return 0;
	if (err->kind != ERROR_MISSING ||
		image_record_read(&arena, holder, file_of(&arena, digest), &record, err) < 0 ||
		staging_make(&store, &staging, err) < 0 || record_keep(&staging, &record, err) < 0)
		return -1;
	reference.tag = NULL;
	record.name = reference_full(&arena, &reference);
	return image_set(&staging, &reference, &record, err);
}

/* --- for the collection ------------------------------------------------------------------------------------------- */

static int fleet_visit(
	int fleets, const char *name, struct arena *arena, const struct held_visitor *visitor, struct error *err)
{
	const char *path = arena_format(arena, "%s/" HELD, name);
	auto_fd dir = openat(fleets, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings files;

	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(err, "open " FLEETS "/%s", path);
	if (dir_list(arena, dir, HELD_MAX, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		struct image_record record;

		if (*files.items[i] == '.' || !text_ends_with(files.items[i], SUFFIX))
			continue;
		if (image_record_read(arena, dir, files.items[i], &record, err) < 0) {
			if (err->kind != ERROR_MISSING)
				return blame(err, FLEETS "/%s/%s", path, files.items[i]);
			*err = (struct error){0};
			continue;
		}
		if (visitor->visit(visitor->context, &record, err) < 0)
			return -1;
	}
	return 0;
}

int held_visit(int store, struct arena *arena, const struct held_visitor *visitor, struct error *err)
{
	auto_fd fleets = openat(store, FLEETS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names;

	if (fleets < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open the fleets");
	if (dir_list(arena, fleets, FLEETS_MAX, &names, err) < 0)
		return blame(err, "the fleets");
	for (size_t i = 0; i < names.count; i++)
		if (fleet_visit(fleets, names.items[i], arena, visitor, err) < 0)
			return -1;
	return 0;
}
