/* SHA-256 of bytes as they come, written as digests are: "sha256:" and 64 digits. */
#ifndef WARREN_IMAGES_PULL_DIGEST_H
#define WARREN_IMAGES_PULL_DIGEST_H

#include <stddef.h>

#include "base/error.h"
#include "images/store/reference.h"

struct digest {
	struct evp_md_ctx_st *context;
};

MUST_CHECK int digest_begin(struct digest *digest, struct error *err);
void digest_add(struct digest *digest, const void *bytes, size_t length);
void digest_end(struct digest *digest, char out[REFERENCE_DIGEST_SIZE]); /* once; then only digest_drop() */
void digest_drop(struct digest *digest);

MUST_CHECK int digest_of(const void *bytes, size_t length, char out[REFERENCE_DIGEST_SIZE], struct error *err);

#endif
