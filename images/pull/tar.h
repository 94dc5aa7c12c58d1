/* A tar stream (ustar, pax, GNU; read by libarchive) into the extractor. */
#ifndef WARREN_IMAGES_PULL_TAR_H
#define WARREN_IMAGES_PULL_TAR_H

#include "base/error.h"
#include "images/pull/extract.h"

/* Where the tar comes from: > 0 the length of a piece that stays valid until the next call, 0 the end, -1 failed. */
struct tar_input {
	ssize_t (*next)(struct tar_input *input, const void **bytes, struct error *err);
	struct error err;
};

/* Extracts everything up to the end of the archive, and reads the input to its own end (padding). Needs a UTF-8 locale
 * for LC_CTYPE, or names in pax headers are lost: tar_setup(). */
MUST_CHECK int tar_extract(struct tar_input *input, struct extract *extract, struct error *err);

/* Once in a process: its LC_CTYPE becomes C.UTF-8, which is part of the C library. */
MUST_CHECK int tar_setup(struct error *err);

#endif
