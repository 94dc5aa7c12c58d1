/* The store of images: blobs, layers, names. Private to images/ and images/pull/.
 *
 * No database: what is there is what the directories hold, and a thing is whole or absent, because it is made in a
 * staging directory and renamed into place.
 *
 *   tmp/<pid>.<random>/     staging; its maker holds the directory's flock for as long as it lives
 *   layers/<key>/           the root of a layer: <key> is 64 hexadecimal digits, of the layer's diff id when it stands
 *                           for itself, else (it implies directories of layers below it) of its chain id
 *   meta/<key>.json         what was recorded about the layer when it was unpacked
 *   blobs/sha256/<hex>      manifests and configs, no layers
 *   partial/sha256-<hex>    the flock of whoever fetches that layer, and what there is of it to continue with
 *   names/<name>/<tag>      one record per name, renamed into place last
 *
 * Two locks. The store's flock (store_lock) is held shared for moments by whoever begins to use something, exclusively
 * by whoever looks for what nobody uses: never while waiting for the network, a program or a user. The flock of a
 * partial file is held for a whole download. Order: partial, then store.
 *
 * What a pull has in the store without a name leading to it yet, is protected by its staging directory: layer_keep()
 * and blob_put() note it there, and the collection counts the notes of living staging directories. Ended by a signal,
 * the staging directory is dead (its flock is gone), and the next `image prune` removes it with all that it alone kept.
 */
#ifndef WARREN_IMAGES_STORE_H
#define WARREN_IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "images/store/reference.h"

#define LAYER_KEY_MAX 80 /* with the NUL: 64 digits, or the name of a layer of ours ("private-…") */
#define LAYER_DIGITS 64

struct store {
	int dir;
	int layers, meta, blobs, partial, names, staging; /* directories of it, opened for reading */
};
#define NO_STORE                                                                                                       \
	((struct store){.dir = -1, .layers = -1, .meta = -1, .blobs = -1, .partial = -1, .names = -1, .staging = -1})

/* Opens the store and its directories, made when missing (0700; one of another owner is refused). store_open_at takes
 * the directory as a descriptor, which stays the caller's. */
MUST_CHECK int store_open(const char *path, struct store *out, struct error *err);
MUST_CHECK int store_open_at(int dir, struct store *out, struct error *err);
void store_drop(struct store *store);

/* The store's flock as a descriptor: closing it lets go. Waits at most a minute (ERROR_BUSY). */
enum store_lock { STORE_SHARED, STORE_EXCLUSIVE };
MUST_CHECK int store_lock(const struct store *store, enum store_lock how, struct error *err);

/* One syncfs(2) of the store's file system: once a pull, when all is unpacked and before the first layer_commit(). */
MUST_CHECK int store_sync(const struct store *store, struct error *err);
/* Fails with ERROR_SYSTEM, errnum ENOSPC and both figures when fewer than `bytes` are free, besides a reserve of 5 % of
 * the file system. 0 bytes: only the reserve is asked for. */
MUST_CHECK int store_space_check(const struct store *store, uint64_t bytes, struct error *err);

/* --- staging ------------------------------------------------------------------------------------------------------ */

/* A directory of one's own below tmp/, on the same file system as all else, alive while `dir` is open (in children,
 * too: let none inherit it for longer than it works). */
struct staging {
	const struct store *store;
	int dir;       /* opened for reading, holds the flock */
	char name[48]; /* in tmp/ */
};
MUST_CHECK int staging_make(const struct store *store, struct staging *out, struct error *err);
/* Removes it with all that is left in it. Failing to is no error: the collection tries again. */
void staging_drop(struct staging *staging);

/* --- layers ------------------------------------------------------------------------------------------------------- */

/* What was found out while unpacking, kept in meta/<key>.json. Strings lie in the caller's arena. */
struct layer_meta {
	const char *diff_id;	   /* "sha256:…" of the uncompressed archive; NULL for layers made here */
	const char *chain_id;	   /* "sha256:…" when the key is one, else NULL */
	uint64_t archive_bytes;	   /* of the uncompressed archive */
	uint64_t compressed_bytes; /* as it was fetched; 0: unknown */
	uint64_t disk_bytes;	   /* sum of the blocks on disk */
	uint64_t file_bytes;	   /* sum of the sizes of regular files */
	uint64_t entries;	   /* inodes */
	const char *tree_hash;	   /* of names, attributes and content, for `image verify`; NULL: not recorded */
	struct strings implied;	   /* directories that the archive did not name (chain-keyed layers) */
};

/* "sha256:…" of a chain: the digest of "<chain> <diff_id>", both with prefix; chain NULL (lowest layer): diff_id
 * itself. In the arena. */
const char *chain_id_next(struct arena *arena, const char *chain, const char *diff_id);
/* Key of a layer: the digits of the digest that names it. */
void layer_key(const char *digest, char key[LAYER_KEY_MAX]);

bool layer_exists(const struct store *store, const char *key);
/* Notes in the staging directory that the layer is wanted, then looks: 1 it is here and stays, 0 it is not here. */
MUST_CHECK int layer_keep(const struct staging *staging, const char *key, struct error *err);
/* Which of the two keys a layer has here, if it is here: 1 and the key, kept as by layer_keep(); 0. */
MUST_CHECK int layer_find(const struct staging *staging, const char *diff_id, const char *chain_id,
	char key[LAYER_KEY_MAX], struct error *err);

/* Single flight: the file partial/sha256-<hex of the compressed blob>, opened for reading and writing, its flock held.
 * Waits while another has it (timeout_ms as lock_exclusive(): -1 for ever); then ask layer_find() again. Closing lets
 * go and keeps what was written, for a later resume; partial_done() removes the file first. The entity tag of what was
 * fetched is for the caller to keep beside it: partial_note_set/_get, at most 4 KiB, absent: NULL. */
struct partial {
	const struct store *store;
	int fd;
	char name[LAYER_KEY_MAX];
};
#define NO_PARTIAL ((struct partial){.fd = -1})
MUST_CHECK int partial_lock(
	const struct store *store, const char *digest, int64_t timeout_ms, struct partial *out, struct error *err);
void partial_drop(struct partial *partial);
void partial_done(struct partial *partial);
MUST_CHECK int partial_note_set(const struct partial *partial, const char *note, struct error *err);
MUST_CHECK int partial_note_get(
	const struct partial *partial, struct arena *arena, const char **note, struct error *err);

/* Moves the directory `entry` of the staging directory into place as layers/<key>, its record first. It is kept as by
 * layer_keep(). Another was faster: fine, ours stays in the staging directory. After store_sync(). */
MUST_CHECK int layer_commit(const struct staging *staging, const char *entry, const char *key,
	const struct layer_meta *meta, struct error *err);
/* Whether the directory of a layer, opened for reading, hides what the layers below have there. At a layer's top it
 * hides these layers altogether: overlayfs does not look at the mark there, so they are not mounted. */
bool layer_directory_is_opaque(int directory);
/* A layer's directory, O_RDONLY. ERROR_MISSING. */
MUST_CHECK int layer_open(const struct store *store, const char *key, struct error *err);
MUST_CHECK int layer_meta_read(
	const struct store *store, const char *key, struct arena *arena, struct layer_meta *out, struct error *err);

/* --- blobs: manifests and configs --------------------------------------------------------------------------------- */

#define BLOB_MAX (4 << 20) /* bytes; the distribution specification's limit for manifests */

/* The SHA-256 of a small document as "sha256:…". */
void bytes_digest(const void *bytes, size_t length, char digest[REFERENCE_DIGEST_SIZE]);

/* Writes the blob under its digest, which must be that of the bytes (ERROR_USAGE), and keeps it for the staging
 * directory's life. There already: left as it is. */
MUST_CHECK int blob_put(
	const struct staging *staging, const char *digest, const void *bytes, size_t length, struct error *err);
/* Reads and verifies. Absent: ERROR_MISSING. */
MUST_CHECK int blob_read(const struct store *store, const char *digest, struct arena *arena, const char **bytes,
	size_t *length, struct error *err);

/* --- names -------------------------------------------------------------------------------------------------------- */

/* What a name means here. Strings lie in the arena that was given. */
struct image_record {
	const char *name;	     /* reference_full() */
	const char *manifest_digest; /* of the platform's manifest; never that of an index */
	const char *config_digest;
	const char *index_digest; /* of the index it was chosen from, or NULL */
	const char *platform;	  /* "linux/amd64", "linux/arm/v7" */
	struct strings layers;	  /* keys, the lowest first; not empty */
	uint64_t hidden;	  /* so many of the lowest show nowhere; image_set() finds out */
	int64_t pulled_ms;	  /* clock_real_ms() */
	uint64_t compressed_bytes;
	const char *source; /* "registry", "oci", "docker-archive", "tarball", "directory", "commit" */
};

/* Gives the name (tag and digest as in the reference; with both the tag) to what the record says, in place of what it
 * meant before. All layers and blobs of it must be here and kept by the staging directory. */
MUST_CHECK int image_set(const struct staging *staging, const struct reference *name, const struct image_record *record,
	struct error *err);
/* ERROR_MISSING when there is no such name here; a reference with a digest also finds a tag of the same repository that
 * has this manifest or index. */
MUST_CHECK int image_find(const struct store *store, const struct reference *name, struct arena *arena,
	struct image_record *out, struct error *err);

#endif
