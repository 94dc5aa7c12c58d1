/* What is noted at a volume itself, as extended attributes that no instance can see or set: nothing beside it can be
 * left over or be missing. Private to images/. */
#ifndef WARREN_IMAGES_VOLUMES_VOLUME_NOTE_H
#define WARREN_IMAGES_VOLUMES_VOLUME_NOTE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

#define VOLUMES "volumes"

/* A volume that was made by its name and that nobody has had: it is to begin with what an image has in its place, as
 * one that is made with its instance does. The mark goes with the first use. */
MUST_CHECK int volume_mark_fresh(int volume, struct error *err);
bool volume_is_fresh(int volume);
/* True when the mark was there. */
bool volume_unmark(int volume);

MUST_CHECK int volume_labels_write(int volume, const struct pairs *labels, struct error *err);
/* None where the file system keeps none. */
MUST_CHECK int volume_labels_read(struct arena *arena, int volume, struct pairs *out, struct error *err);

/* Whoever takes a mark away or puts a seed in the place of a marked volume holds the lock of the directory. */
MUST_CHECK int volumes_lock(int volumes, struct error *err);
/* The directory of that name, or -1 (ENOENT). */
int volume_directory_open(int volumes, const char *name);

#endif
