/* Uncompressing a stream, whatever it is packed with: that is found out by its first bytes, never by a media type.
 *
 * gzip (several members one after another too, as pigz and estargz write), zstd (several frames, windows up to 128
 * MiB), xz where liblzma was there at build time, or nothing at all. bzip2, lzip and lz4 are recognised and refused by
 * name.
 *
 * Each format is one file with one row: begin, step, drop. */
#ifndef WARREN_IMAGES_PULL_INFLATE_H
#define WARREN_IMAGES_PULL_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define INFLATE_MAGIC_MAX 6 /* bytes that say what it is */

/* What a step reads and writes; it moves the pointers on. */
struct inflate_io {
	const uint8_t *in;
	size_t in_length;
	uint8_t *out;
	size_t out_length;
};

struct inflate_kind {
	const char *name;
	const char *magic;
	size_t magic_length;
	void *(*begin)(void); /* NULL: no memory */
	void (*again)(
		void *state); /* for the next member: estargz and zstd:chunked have one for each file. NULL: anew */
	/* Takes some input or gives some output. 1: a member has ended (its checksum was right); 0: go on; -1: damaged.
	 */
	int (*step)(void *state, struct inflate_io *io, struct error *err);
	void (*drop)(void *state);
};

extern const struct inflate_kind inflate_gzip, inflate_zstd, inflate_xz;

struct inflate {
	const struct inflate_kind *kind; /* NULL: not packed */
	void *state;
	bool inside;  /* a member has begun and not ended */
	bool padding; /* only zeros may follow */
};

/* magic: the first bytes of the stream, INFLATE_MAGIC_MAX or all there are. */
MUST_CHECK int inflate_begin(struct inflate *inflate, const uint8_t *magic, size_t length, struct error *err);
/* Repeat until in_length is 0 and out was not filled up. Each call takes some input or gives some output. */
MUST_CHECK int inflate_step(struct inflate *inflate, struct inflate_io *io, struct error *err);
/* No more input: an error when something is missing. */
MUST_CHECK int inflate_end(const struct inflate *inflate, struct error *err);
const char *inflate_name(const struct inflate *inflate); /* "none", "gzip", … */
void inflate_drop(struct inflate *inflate);

#endif
