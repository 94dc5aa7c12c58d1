/* Images and instances out of the store: as a root tarball, as a layer, as an OCI archive.
 *
 * All write a stream of bytes in one pass, so that it can go through a pipe; the same content gives the same bytes. */
#ifndef WARREN_IMAGES_PULL_EXPORT_H
#define WARREN_IMAGES_PULL_EXPORT_H

#include "base/arena.h"
#include "base/error.h"
#include "images/store/store.h"

/* A root as a tarball: directories upon one another, the topmost first (an instance's upper one and its layers), merged
 * as an overlay merges them, without mounting anything. They are borrowed. */
MUST_CHECK int export_root(const int *directories, size_t count, int out, struct error *err);
/* The same of an image. */
MUST_CHECK int export_image_root(
	const struct store *store, const struct image_record *image, int out, struct error *err);

/* The upper directory of an instance as a layer: what it wrote, and ".wh." entries for what it removed. Files
 * that are made for each instance (instance_generated_files) are not part of it. */
MUST_CHECK int export_delta(int upper, int out, struct error *err);

/* An image as an OCI layout in a tar archive; tag (may be NULL) is what the layout calls it. Its layers are written
 * anew from their directories, uncompressed: their digests, and so those of config and manifest, are others than the
 * image came with, while what is in it is the same. Each layer is read twice, the first time for its digest. */
MUST_CHECK int export_oci_archive(
	const struct store *store, const struct image_record *image, const char *tag, int out, struct error *err);

#endif
