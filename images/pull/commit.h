/* An instance as a source of an image: what it wrote, above the layers of its image. */
#ifndef WARREN_IMAGES_PULL_COMMIT_H
#define WARREN_IMAGES_PULL_COMMIT_H

#include "images/pull/change.h"
#include "images/pull/source.h"
#include "images/store/store.h"

struct commit_request {
	const char *instance;
	const char *message, *author; /* for the history; may be NULL */
	struct config_changes changes;
	int64_t created_ms; /* CLOCK_REALTIME */
};

/* A source for image_install(): manifest and config are those of the instance's image with one layer more for each of
 * its snapshots and one for what it wrote since; the image's own layers are in the store already. Nothing may write in
 * the instance as long as the source is used. An instance of something else than an image: ERROR_USAGE. */
struct source *commit_open(const struct store *store, const struct commit_request *request, struct error *err);

#endif
