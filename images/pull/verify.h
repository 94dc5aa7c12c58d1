/* Whether a layer in the store is still what was unpacked. */
#ifndef WARREN_IMAGES_PULL_VERIFY_H
#define WARREN_IMAGES_PULL_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "images/pull/layer.h"
#include "images/store/store.h"

/* What became of one layer. */
struct verify_layer {
	const char *key;
	const char *damage; /* NULL: it is whole; else what is wrong, in one line */
	struct layer_content found;
};

struct verify_result {
	struct verify_layer *layers; /* the lowest first */
	size_t count, damaged;
	const char *documents_damage; /* of manifest or config: NULL, or what is wrong */
};

/* Counts every layer of the image again and compares with what was recorded; reads manifest and config and compares
 * their digests. Failed: it could not be looked at. Damage is no failure but a result. Everything lies in the arena. */
MUST_CHECK int image_verify(const struct store *store, const struct image_record *image, struct arena *arena,
	struct verify_result *out, struct error *err);

/* One layer: 1 whole, 0 damaged (*damage says how, in the arena), -1 not to be looked at. Layers that were made here,
 * and not unpacked, have no record and count as whole. */
MUST_CHECK int layer_verify(const struct store *store, const char *key, struct arena *arena,
	struct layer_content *found, const char **damage, struct error *err);

#endif
