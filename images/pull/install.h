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
#include "images/store/manifest.h"
#include "images/store/store.h"

#define INSTALL_PARALLEL 3

enum install_event {
	INSTALL_PRESENT, /* the layer is in the store already */
	INSTALL_WAITING, /* another process fetches it */
	INSTALL_BEGIN,
	INSTALL_BYTES, /* some have come */
	INSTALL_DONE,  /* unpacked and verified */
	INSTALL_SYNC,  /* all are; they are being written to the disk. layer and digest mean nothing */
};

/* What a display wants to know. Called from several threads, but never by two at once. */
struct install_progress {
	void (*report)(struct install_progress *progress, enum install_event event, size_t layer, const char *digest,
		uint64_t bytes, int64_t total); /* so far; total -1: not known */
};

struct install_request {
	struct source *source;
	const struct reference *name;	 /* what it is called here from now on */
	const struct platform *platform; /* what was asked for: another one in the config gives a warning; NULL: this
					    machine's */
	unsigned parallel;		 /* layers at once; 0: INSTALL_PARALLEL */
	struct layer_limits limits;
	struct install_progress *progress; /* NULL: silent */
};

struct install_result {
	const char *digest; /* of the manifest */
	size_t layers, layers_fetched;
	uint64_t bytes_fetched;
	bool changed; /* the name was new, or meant another image before */
};

/* Strings of *out lie in the arena. Failed: nothing has changed but that layers may be there which a name will want
 * another time, or a prune removes. Of a source that is a file, a digest that is wrong is the file's error. */
MUST_CHECK int image_install(const struct store *store, const struct unpackers *unpackers,
	const struct install_request *request, struct arena *arena, struct install_result *out, struct error *err);

#endif
