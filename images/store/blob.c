/* Manifests and configurations, each under its digest; and how digests of small documents are made. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/files/checksum.h"
#include "images/store/staging.h"

void bytes_digest(const void *bytes, size_t length, char digest[REFERENCE_DIGEST_SIZE])
{
	char digits[SHA256_TEXT_SIZE];

	sha256_text(bytes, length, digits);
	snprintf(digest, REFERENCE_DIGEST_SIZE, "sha256:%s", digits);
}

/* image-spec, config.md, "Layer ChainID". */
const char *chain_id_next(struct arena *arena, const char *chain, const char *diff_id)
{
	char digest[REFERENCE_DIGEST_SIZE];
	const char *both;

	if (!chain)
		return diff_id;
	both = arena_format(arena, "%s %s", chain, diff_id);
	bytes_digest(both, strlen(both), digest);
	return arena_string(arena, digest);
}

static int digest_compare(const char *digest, const void *bytes, size_t length, struct error *err)
{
	char actual[REFERENCE_DIGEST_SIZE];

	if (digest_check("digest", digest, err) < 0)
		return -1;
	bytes_digest(bytes, length, actual);
	if (strcmp(actual, digest) != 0)
		return fail(err, ERROR_USAGE, "digest mismatch: expected %s, have %s", digest, actual);
	return 0;
}

/* A damaged one is written again. */
static bool blob_is_sound(const struct store *store, const char *digest)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *bytes;
	size_t length;

	return blob_read(store, digest, &arena, &bytes, &length, &ignored) == 0;
}

int blob_put(const struct staging *staging, const char *digest, const void *bytes, size_t length, struct error *err)
{
	const struct store *store = staging->store;
	auto_fd lock = -1;

	if (length > BLOB_MAX)
		return fail(err, ERROR_USAGE, "%s: %zu bytes, more than %d", digest, length, BLOB_MAX);
	if (digest_compare(digest, bytes, length, err) < 0)
		return -1;
	lock = store_lock(store, STORE_SHARED, err);
	if (lock < 0 || staging_note(staging, KEEP_BLOB, digest_hex(digest), err) < 0)
		return -1;
	if (blob_is_sound(store, digest))
		return 0;
	return file_replace(store->blobs, digest_hex(digest), 0600, FILE_ORDERED, bytes, length, err);
}

int blob_read(const struct store *store, const char *digest, struct arena *arena, const char **bytes, size_t *length,
	struct error *err)
{
	if (digest_check("digest", digest, err) < 0)
		return -1;
	if (file_read(arena, store->blobs, digest_hex(digest), BLOB_MAX, bytes, length, err) < 0)
		return blame(err, "the store's blob %s", digest);
	if (digest_compare(digest, *bytes, *length, err) < 0)
		return blame(err, "the store's blob %s is damaged", digest);
	return 0;
}
