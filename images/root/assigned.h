/* The image that an instance has: one file in its directory. Private to this folder.
 *
 * As long as the file is there, the collection leaves the layers and blobs that it names. It is written with the
 * store's lock held, after a look whether all of them are there. */
#ifndef WARREN_IMAGES_ASSIGNED_H
#define WARREN_IMAGES_ASSIGNED_H

#include "images/images.h"
#include "images/store/store.h"

#define ASSIGNED "image.json"

MUST_CHECK int assigned_write(
	const struct store *store, int instance, const struct image_config *config, struct error *err);
/* The same under another name in `dir`, with the store's lock held by the caller. */
MUST_CHECK int assigned_put(int dir, const char *file, const struct image_config *config, struct error *err);
/* An image.json that says that something is pending is finished first: see snapshot.c. */
MUST_CHECK int assigned_settle(const struct store *store, int instance, struct image_config *config, struct error *err);
/* The file's name is ASSIGNED, or that of a snapshot. ERROR_MISSING. */
MUST_CHECK int assigned_read(
	struct arena *arena, int dir, const char *file, struct image_config *out, struct error *err);

/* The config of an image as defaults for an instance; what no instance can use is an error. */
MUST_CHECK int image_config_read(const struct store *store, const struct image_record *record, const char *owner,
	struct arena *arena, struct image_config *out, struct error *err);

#endif
