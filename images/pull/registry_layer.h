/* The bytes of one layer from a registry, whatever happens to the connection. Private to the registry's source. */
#ifndef WARREN_IMAGES_PULL_REGISTRY_LAYER_H
#define WARREN_IMAGES_PULL_REGISTRY_LAYER_H

#include <stdint.h>

#include "base/error.h"
#include "images/pull/session.h"
#include "images/pull/source.h"

/* Pushes exactly blob->size bytes into the sink. Layers of keep_bytes and more also go to blob->partial, and begin with
 * what is there already. */
MUST_CHECK int registry_layer_fetch(struct session *session, int64_t keep_bytes, const struct source_blob *blob,
	struct sink *sink, struct error *err);

#endif
