/* How long a tree is as a layer, and which digest it has: known before its first byte is needed. */
#ifndef WARREN_IMAGES_PULL_MEASURE_H
#define WARREN_IMAGES_PULL_MEASURE_H

#include <stdint.h>

#include "images/pull/digest.h"
#include "images/pull/source.h"

struct measure {
	struct sink sink; /* first; measure_write() */
	struct digest digest;
	uint64_t size;
};
MUST_CHECK int measure_begin(struct measure *measure, struct error *err);
/* The sink's write; for those that wrap it, too. */
int measure_write(struct sink *sink, const void *bytes, size_t length, struct error *err);
void measure_end(struct measure *measure, char digest[REFERENCE_DIGEST_SIZE]); /* once after a begin */

struct measured {
	char digest[REFERENCE_DIGEST_SIZE];
	uint64_t size;
};
/* The directory as a layer; left_out as in struct tar_write. */
MUST_CHECK int layer_measure(int directory, const char *const *left_out, struct measured *out, struct error *err);

#endif
