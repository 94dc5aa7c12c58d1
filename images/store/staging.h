/* What staging directories keep for their makers. Private to this folder. */
#ifndef WARREN_IMAGES_STAGING_H
#define WARREN_IMAGES_STAGING_H

#include "images/store/store.h"

/* In a staging directory: one empty file for each layer (its key) and blob (KEEP_BLOB and its digits). */
#define KEEP "keep"
#define KEEP_BLOB "blob-"
#define KEEP_MAX 65536

/* Notes it; the store's lock is held. */
MUST_CHECK int staging_note(const struct staging *staging, const char *prefix, const char *name, struct error *err);

/* True for names that staging_make() gives; others in tmp/ are of other makers. */
bool staging_is_name(const char *name);

#endif
