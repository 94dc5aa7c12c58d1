/* Directories and files of the host that a user names for an instance. Private to this folder. */
#ifndef WARREN_IMAGES_SOURCE_H
#define WARREN_IMAGES_SOURCE_H

#include "images/images.h"

/* Opens a host path O_PATH, links resolved, and refuses what would hand over the host or our own state: the check is of
 * the opened thing, so nothing can be exchanged in between. `what` begins the errors: `volume "/srv:/srv": source`.
 * store: the store's directory, or -1 when there is none yet. */
MUST_CHECK int source_open(int store, const char *what, const char *path, bool *is_file, struct error *err);

/* layer_base_open() or a plain clone with the error that an id map is impossible on this file system said by name;
 * `way_out` ends that error. */
MUST_CHECK int source_map_failed(int source, const char *what, const char *way_out, struct error *err);

#endif
