/* What an instance's root consists of, as directories. */
#ifndef WARREN_IMAGES_PULL_INSTANCE_H
#define WARREN_IMAGES_PULL_INSTANCE_H

#include "base/arena.h"
#include "base/error.h"
#include "images/images.h"
#include "images/store/store.h"

#define INSTANCE_LAYERS_MAX 512

struct instance_layers {
	struct image_config image;	/* config_digest NULL: the instance has no image of the store */
	int items[INSTANCE_LAYERS_MAX]; /* the topmost first: what it wrote, its snapshots, its image's layers */
	size_t count;
	size_t own; /* the first so many are the instance's own: its upper layer and those of its snapshots */
};

/* Of the instance of that name. Its lock is held by whoever started us, and nothing in it writes. Strings lie in the
 * arena. ERROR_MISSING. Failed, there is nothing to drop. */
MUST_CHECK int instance_layers_open(const struct store *store, const char *name, struct arena *arena,
	struct instance_layers *out, struct error *err);
void instance_layers_drop(struct instance_layers *layers);

/* Files of the upper layer that follow from the instance and its host (its name, its name servers, its machine id), for
 * struct tar_write: no image has them. Ends with NULL. */
extern const char *const instance_generated_files[];

#endif
