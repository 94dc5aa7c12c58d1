/* Layers of the store: asking for them, putting them there.
 *
 * The record goes first, so that a layer never lacks it; a record without a layer means nothing and is swept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/store/record.h"
#include "images/store/staging.h"

static const struct field meta_fields[] = {
	STRING("diffId", struct layer_meta, diff_id, 0),
	STRING("chainId", struct layer_meta, chain_id, 0),
	UINT64("archiveBytes", struct layer_meta, archive_bytes, 0),
	UINT64("compressedBytes", struct layer_meta, compressed_bytes, 0),
	UINT64("diskBytes", struct layer_meta, disk_bytes, 0),
	UINT64("fileBytes", struct layer_meta, file_bytes, 0),
	UINT64("entries", struct layer_meta, entries, 0),
	STRING("treeHash", struct layer_meta, tree_hash, 0),
	STRINGS("implied", struct layer_meta, implied, 0),
	END_OF_FIELDS,
};

void layer_key(const char *digest, char key[LAYER_KEY_MAX])
{
	snprintf(key, LAYER_KEY_MAX, "%s", digest_hex(digest));
}

bool layer_directory_is_opaque(int directory)
{
	int saved = errno;
	char value = '\0';
	bool is = fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';

	errno = saved;
	return is;
}

bool layer_exists(const struct store *store, const char *key)
{
	return faccessat(store->layers, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The store's lock is held from the note to whatever follows from the answer. */
static int keep_locked(const struct staging *staging, const char *key, int *lock, struct error *err)
{
	if (layer_key_check(key, err) < 0)
		return -1;
	*lock = store_lock(staging->store, STORE_SHARED, err);
	if (*lock < 0 || staging_note(staging, "", key, err) < 0)
		return -1;
	return layer_exists(staging->store, key);
}

int layer_keep(const struct staging *staging, const char *key, struct error *err)
{
	auto_fd lock = -1;

	return keep_locked(staging, key, &lock, err);
}

int layer_find(const struct staging *staging, const char *diff_id, const char *chain_id, char key[LAYER_KEY_MAX],
	struct error *err)
{
	const char *const digests[] = {diff_id, chain_id};

	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		int found;

		if (!digests[i])
			continue;
		if (digest_check(i ? "chain id" : "diff id", digests[i], err) < 0)
			return -1;
		layer_key(digests[i], key);
		found = layer_keep(staging, key, err);
		if (found)
			return found;
	}
	return 0;
}

int layer_commit(const struct staging *staging, const char *entry, const char *key, const struct layer_meta *meta,
	struct error *err)
{
	const struct store *store = staging->store;
	auto_free char *record = text_format("%s.json", key);
	auto_fd lock = -1;
	int found = keep_locked(staging, key, &lock, err);

	if (found)
		return found < 0 ? -1 : 0;
	if (record_file_write(store->meta, record, meta_fields, meta, err) < 0)
		return blame(err, "record the layer %s", key);
	if (renameat2(staging->dir, entry, store->layers, key, RENAME_NOREPLACE) == 0 || errno == EEXIST)
		return 0;
	return fail_errno(err, "put the layer %s into place", key);
}

int layer_open(const struct store *store, const char *key, struct error *err)
{
	int fd;

	if (layer_key_check(key, err) < 0)
		return -1;
	fd = openat(store->layers, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return fail(err, ERROR_MISSING, "the layer %s is not in the store", key);
	return fail_errno(err, "open the layer %s", key);
}

int layer_meta_read(
	const struct store *store, const char *key, struct arena *arena, struct layer_meta *out, struct error *err)
{
	auto_free char *record = text_format("%s.json", key);

	*out = (struct layer_meta){0};
	if (layer_key_check(key, err) < 0)
		return -1;
	if (record_file_read(arena, store->meta, record, meta_fields, out, err) < 0)
		return blame(err, "the record of the layer %s", key);
	return 0;
}
