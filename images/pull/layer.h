/* One layer: from a stream of bytes to a directory.
 *
 * The bytes are hashed where they arrive, in this process. Everything that looks into them is done by two processes of
 * their own, without a network, without a file system but the one directory, and with hardly any system call
 * (sandbox.h):
 *
 *   layer_feed → pipe → inflater: uncompress, digest of the tar → pipe → extractor: tar entries → directory
 *
 * The extractor runs the most code over outside data (libarchive), so it is not the one who says which digest the tar
 * has: whoever takes it over can spoil the layer of his own archive and no other.
 *
 * These processes are made by a helper process which was forked before there were threads or secrets (unpackers_start).
 * All functions may then be called from any thread; one layer_unpack belongs to one thread at a time. */
#ifndef WARREN_IMAGES_PULL_LAYER_H
#define WARREN_IMAGES_PULL_LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "images/store/reference.h"

/* --- the process that makes unpacking processes ------------------------------------------------------------------- */

struct unpackers {
	int socket;
	pid_t pid;
};
#define UNPACKERS_NONE ((struct unpackers){.socket = -1})

/* Forks it: the caller is single-threaded still and has read no credentials yet. Needs root. */
MUST_CHECK int unpackers_start(struct unpackers *out, struct error *err);
void unpackers_drop(struct unpackers *unpackers);

/* --- what is asked for -------------------------------------------------------------------------------------------- */

/* 0 means the default. Reaching one ends the unpacking with an error that names it. */
struct layer_limits {
	uint64_t bytes;	      /* of the unpacked tar, and of all files in it; 256 GiB */
	uint64_t entries;     /* 1,000,000 */
	uint64_t ratio;	      /* unpacked to packed, looked at beyond ratio_floor; 300 */
	uint64_t ratio_floor; /* bytes that may be unpacked at any ratio; 1 GiB */
	int64_t stall_ms;     /* time in which nothing at all is taken or written; 5 min */
};

struct layer_request {
	const char *digest;  /* "sha256:…" of the bytes that will come, or NULL: not known */
	int64_t size;	     /* how many there will be, -1: not known. A hard limit. */
	const char *diff_id; /* "sha256:…" of the tar in them, or NULL */
	int directory;	     /* an empty directory, mode 0755, of the store's staging area; the processes share its
				open file description and so its flock(2) as long as they live */
	bool base;	     /* nothing lies below this layer: directories that its archive does not name are complete
				as 0755 root:root and are not reported as implied. A root tarball. */
	struct layer_limits limits;
};

/* Recorded beside the layer, for `image verify`. */
struct layer_content {
	uint64_t files;	      /* all that is no directory, links counted each */
	uint64_t directories; /* without the top */
	uint64_t bytes;	      /* of regular files, as stat(2) says; hard links counted each */
	uint64_t disk_bytes;  /* what they take in blocks of 4 KiB, a block for a directory */
	uint64_t sum; /* over names, kinds, modes, owners and contents of all that is no directory (content.h) */
};

struct layer_result {
	char digest[REFERENCE_DIGEST_SIZE];  /* of the bytes */
	char diff_id[REFERENCE_DIGEST_SIZE]; /* of the tar */
	uint64_t packed_bytes, tar_bytes;
	const char *compression; /* "none", "gzip", "zstd", "xz"; a constant */
	struct layer_content content;
	struct strings implied; /* in the arena; directories made though no entry named them, parents first. They take
				   mode and owner from the layer below: layer_adopt() */
	uint64_t left_out;	/* devices, sockets, attributes of this host: passed over; left_out_first names one */
	const char *left_out_first;
	bool overlay_marks; /* it has whiteouts or opaque directories */
};

/* --- doing it ----------------------------------------------------------------------------------------------------- */

struct layer_unpack;

struct layer_unpack *layer_unpack_start(
	const struct unpackers *unpackers, const struct layer_request *request, struct error *err);
/* Takes all of it, waiting for the unpacking when that is slower. No bytes: only asks whether it has failed. More than
 * request.size: an error, before the excess was looked at. Also an error as soon as the unpacking has failed, with its
 * reason. */
MUST_CHECK int layer_feed(struct layer_unpack *unpack, const void *bytes, size_t length, struct error *err);
/* All bytes were fed: checks size, digest and diff id, waits for the end of the unpacking, sets the marks that only we
 * may set (opaque directories). On return nobody writes below the directory any more. Nothing is synced. */
MUST_CHECK int layer_unpack_finish(
	struct layer_unpack *unpack, struct arena *arena, struct layer_result *out, struct error *err);
/* Ends the processes, if any is left, and waits until they are gone. For AUTO(). */
void layer_unpack_drop(struct layer_unpack **unpack);

/* Gives the implied directories the mode, owner and times of the topmost of `lower` (directories of layers, bottom
 * first) that has them as a directory; none has: 0755 root:root. Afterwards the layer is only right above these, so its
 * key is the chain id: layer_chain(). Nothing to do when implied is empty. */
MUST_CHECK int layer_adopt(
	int directory, const struct strings *implied, const int *lower, size_t count, struct error *err);

#endif
