/* An image from a source into the store: the one way in, whatever the source.
 *
 * manifest, config, then all layers that the store lacks, several at once, each unpacked into a staging directory while
 * its bytes arrive; one syncfs(2); then layers, references and the name become visible, in this order. */
#ifndef WARREN_IMAGES_PULL_INSTALL_H
#define WARREN_IMAGES_PULL_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "images/pull/layer.h"
#include "images/pull/source.h"

enum install_event {
	INSTALL_LAYER_PRESENT,
	INSTALL_LAYER_BEGIN,
	INSTALL_LAYER_BYTES,
	INSTALL_LAYER_DONE,
	INSTALL_SYNC
};

/* What the display wants to know. Called from several threads, but never by two at once. */
struct install_progress {
	void (*report)(struct install_progress *progress, enum install_event event, size_t layer, const char *digest,
		uint64_t bytes, int64_t total); /* bytes so far; total -1: not known */
};

struct install_request {
	struct source *source;
	const char *name;     /* the name to give it (reference_full()), NULL: none, only by digest */
	const char *manifest; /* the digest that the manifest must have, NULL: any */
	unsigned parallel;    /* layers at once; 0: 3 */
	struct layer_limits limits;
	struct install_progress *progress; /* NULL: silent */
};

struct install_result {
	char digest[REFERENCE_DIGEST_SIZE]; /* of the manifest */
	size_t layers, layers_fetched;
	uint64_t bytes_fetched;
	bool name_changed; /* the name was new or meant another image before */
};

MUST_CHECK int image_install(int store, const struct unpackers *unpackers, const struct install_request *request,
	struct arena *arena, struct install_result *out, struct error *err);

#endif
