/* What names mean: one file for each, replaced whole, as the last act of whatever gave the name.
 *
 * The slashes of a name become '+', which no name holds, so that one directory has all tags of one repository. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/store/record.h"
#include "images/store/staging.h"

#define TRIES 16
#define NAMES_MAX 65536

static const struct field record_fields[] = {
	STRING("name", struct image_record, name, REQUIRED),
	STRING("manifest", struct image_record, manifest_digest, REQUIRED),
	STRING("config", struct image_record, config_digest, REQUIRED),
	STRING("index", struct image_record, index_digest, 0),
	STRING("platform", struct image_record, platform, 0),
	STRINGS("layers", struct image_record, layers, REQUIRED),
	UINT64("hidden", struct image_record, hidden, 0),
	INTEGER("pulledMs", struct image_record, pulled_ms, 0, INT64_MAX, 0),
	UINT64("compressedBytes", struct image_record, compressed_bytes, 0),
	STRING("source", struct image_record, source, 0),
	END_OF_FIELDS,
};

/* --- places ------------------------------------------------------------------------------------------------------- */

int name_place_find(const struct reference *name, struct name_place *out, struct error *err)
{
	size_t length =
		(size_t)snprintf(out->directory, sizeof(out->directory), "%s+%s", name->registry, name->repository);

	if (length >= sizeof(out->directory))
		return fail(err, ERROR_USAGE, "image name %s/%s: too long", name->registry, name->repository);
	for (char *slash = out->directory; (slash = strchr(slash, '/'));)
		*slash = '+';
	if (name->tag)
		snprintf(out->file, sizeof(out->file), "%s", name->tag);
	else
		snprintf(out->file, sizeof(out->file), "@%s", name->digest);
	return 0;
}

/* --- one record --------------------------------------------------------------------------------------------------- */

/* It is our own file, and yet all that becomes a path is looked at. */
static int record_check(const struct image_record *record, struct error *err)
{
	if (digest_check("manifest", record->manifest_digest, err) < 0 ||
		digest_check("config", record->config_digest, err) < 0)
		return -1;
	if (record->index_digest && digest_check("index", record->index_digest, err) < 0)
		return -1;
	if (!record->layers.count)
		return fail(err, ERROR_USAGE, "an image without layers");
	for (size_t i = 0; i < record->layers.count; i++)
		if (layer_key_check(record->layers.items[i], err) < 0)
			return -1;
	if (record->hidden >= record->layers.count)
		return fail(err, ERROR_USAGE, "an image of %zu layers of which %llu are hidden", record->layers.count,
			(unsigned long long)record->hidden);
	return 0;
}

int image_record_read(struct arena *arena, int dir, const char *path, struct image_record *out, struct error *err)
{
	*out = (struct image_record){0};
	if (record_file_read(arena, dir, path, record_fields, out, err) < 0 || record_check(out, err) < 0)
		return -1;
	return 0;
}

int image_record_write(int dir, const char *path, const struct image_record *record, struct error *err)
{
	return record_file_write(dir, path, record_fields, record, err);
}

static int record_read(
	struct arena *arena, const struct store *store, const char *path, struct image_record *out, struct error *err)
{
	return image_record_read(arena, store->names, path, out, err);
}

/* --- giving a name ------------------------------------------------------------------------------------------------ */

/* The index that the image was chosen from is known by its digest only: nothing here reads it. */
static int parts_missing(const struct store *store, const struct image_record *record, struct error *err)
{
	const char *const blobs[] = {record->manifest_digest, record->config_digest};

	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++)
		if (faccessat(store->blobs, digest_hex(blobs[i]), F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return fail_errno(err, "the blob %s", blobs[i]);
	for (size_t i = 0; i < record->layers.count; i++)
		if (!layer_exists(store, record->layers.items[i]))
			return fail(err, ERROR_MISSING, "the layer %s is not in the store", record->layers.items[i]);
	return 0;
}

/* All layers below the topmost one that is opaque at its top. Found out here once, not at each start. */
static int hidden_count(const struct store *store, const struct image_record *record, uint64_t *out, struct error *err)
{
	for (*out = record->layers.count - 1; *out; --*out) {
		auto_fd layer = layer_open(store, record->layers.items[*out], err);

		if (layer < 0)
			return -1;
		if (layer_directory_is_opaque(layer))
			break;
	}
	return 0;
}

/* Whoever removes the last tag removes the directory, with the store's lock held exclusively, as we hold it shared. */
static int record_put(
	const struct store *store, const struct name_place *place, const struct image_record *record, struct error *err)
{
	auto_fd dir = dir_create(store->names, place->directory, 0700, err);

	if (dir < 0 || record_file_write(dir, place->file, record_fields, record, err) < 0)
		return -1;
	return fsync(dir) < 0 ? fail_errno(err, "fsync names/%s", place->directory) : 0;
}

int image_set(const struct staging *staging, const struct reference *name, const struct image_record *record,
	struct error *err)
{
	const struct store *store = staging->store;
	struct image_record complete = *record;
	struct name_place place;
	auto_fd lock = -1;

	if (record_check(record, err) < 0 || name_place_find(name, &place, err) < 0)
		return blame(err, "name the image %s", record->name);
	lock = store_lock(store, STORE_SHARED, err);
	if (lock < 0 || parts_missing(store, record, err) < 0 ||
		hidden_count(store, record, &complete.hidden, err) < 0 || record_put(store, &place, &complete, err) < 0)
		return blame(err, "name the image %s", record->name);
	return 0;
}

int name_remove(const struct store *store, const struct name_place *place, struct error *err)
{
	auto_free char *path = text_format("%s/%s", place->directory, place->file);

	if (unlinkat(store->names, path, 0) < 0)
		return fail_errno(err, "remove names/%s", path);
	if (unlinkat(store->names, place->directory, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
		return fail_errno(err, "remove names/%s", place->directory);
	return 0;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* A file that file_replace() left behind is no name: tags do not begin with '.'. */
static int directory_visit(const struct store *store, struct arena *arena, const char *directory,
	const struct name_visitor *visitor, bool *damaged, struct error *err)
{
	auto_fd dir = dir_open(store->names, directory, err);
	struct strings files;

	if (dir < 0 || dir_list(arena, dir, NAMES_MAX, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		struct name_place place;
		struct image_record record;
		const char *path = arena_format(arena, "%s/%s", directory, files.items[i]);

		if (*files.items[i] == '.')
			continue;
		if (record_read(arena, store, path, &record, err) < 0) {
			log_warn("names/%s: %s", path, err->text);
			*err = (struct error){0};
			*damaged = true;
			continue;
		}
		snprintf(place.directory, sizeof(place.directory), "%s", directory);
		snprintf(place.file, sizeof(place.file), "%s", files.items[i]);
		if (visitor->visit(visitor->context, &place, &record, err) < 0)
			return -1;
	}
	return 0;
}

int names_visit(const struct store *store, struct arena *arena, const struct name_visitor *visitor, bool *damaged,
	struct error *err)
{
	struct strings directories;

	*damaged = false;
	if (dir_list(arena, store->names, NAMES_MAX, &directories, err) < 0)
		return blame(err, "the names of images");
	for (size_t i = 0; i < directories.count; i++)
		if (directory_visit(store, arena, directories.items[i], visitor, damaged, err) < 0 &&
			err->kind != ERROR_MISSING && err->errnum != ENOENT) /* removed meanwhile */
			return blame(err, "the names of images");
	*err = (struct error){0};
	return 0;
}

/* The same repository under another tag, with this very manifest or index. */
static int digest_find(const struct store *store, const struct name_place *place, const char *digest,
	struct arena *arena, struct image_record *out, struct error *err)
{
	auto_fd dir = openat(store->names, place->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings files;

	if (dir < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open names/%s", place->directory);
	if (dir_list(arena, dir, NAMES_MAX, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		const char *path = arena_format(arena, "%s/%s", place->directory, files.items[i]);
		struct error ignored;

		if (*files.items[i] != '.' && record_read(arena, store, path, out, &ignored) == 0 &&
			(text_equal(out->manifest_digest, digest) || text_equal(out->index_digest, digest)))
			return 1;
	}
	return 0;
}

static int missing(const struct reference *name, struct arena *arena, struct error *err)
{
	return fail(err, ERROR_MISSING, "image \"%s\" is not here", reference_familiar(arena, name, NULL));
}

int image_find(const struct store *store, const struct reference *name, struct arena *arena, struct image_record *out,
	struct error *err)
{
	struct name_place place;
	int found;

	if (name_place_find(name, &place, err) < 0)
		return -1;
	if (name->digest) {
		found = digest_find(store, &place, name->digest, arena, out, err);
		if (found)
			return found < 0 ? -1 : 0;
		return missing(name, arena, err);
	}
	if (record_read(arena, store, arena_format(arena, "%s/%s", place.directory, place.file), out, err) == 0)
		return 0;
	if (err->kind == ERROR_MISSING)
		return missing(name, arena, err);
	return blame(err, "image \"%s\"", reference_familiar(arena, name, NULL));
}
