/* What a layer's directory holds, as a few numbers: recorded when it was unpacked, counted again by `image verify`.
 *
 * The sum goes over everything that is no directory: name, kind, mode, owner, and a checksum of the content (of a link:
 * its text). It is a plain sum, so that the order does not matter and unpacking can add up what it writes while it has
 * the bytes in hand; a tree need not be read again. It finds truncated, damaged, lost and added files. It is no defence
 * against an attacker: who can write to the store is root already. Directories are only counted, for those that an
 * archive does not name take mode and owner from the layer below later on. */
#ifndef WARREN_IMAGES_PULL_CONTENT_H
#define WARREN_IMAGES_PULL_CONTENT_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "images/pull/layer.h"

#define CONTENT_DEPTH_MAX 512 /* directories inside one another; a layer with more is refused */

/* Adds one thing that is no directory: name without its directory, checksum of its content (checksum.h; 0 for a
 * device). Of the status: kind, mode, owner, size. */
void content_add(struct layer_content *content, const char *name, const struct stat *status, uint32_t checksum);

void content_add_directory(struct layer_content *content);

/* Adds what is there at dir/name, reading it. */
MUST_CHECK int content_add_existing(struct layer_content *content, int dir, const char *name, struct error *err);

/* Counts a whole tree. Links are not followed, other file systems are refused. */
MUST_CHECK int content_measure(int directory, struct layer_content *out, struct error *err);

#endif
