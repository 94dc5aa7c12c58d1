/* Who needs which layers and blobs. Private to this folder. */
#ifndef WARREN_IMAGES_HOLDERS_H
#define WARREN_IMAGES_HOLDERS_H

#include "images/root/assigned.h"

#define INSTANCES "instances" /* in the store's directory, beside its own */
#define SNAPSHOTS "snapshots" /* in an instance's: NAME.json, of the form of ASSIGNED */

/* Calls visit() for the image of each instance, staged ones too, and of each of their snapshots. `instance` is the
 * directory's name, `snapshot` NULL or its name. What cannot be read is an error: it may need anything. */
struct holder_visitor {
	int (*visit)(void *context, const char *instance, const char *snapshot, const struct image_config *image,
		struct error *err);
	void *context;
};
MUST_CHECK int holders_visit(int store, struct arena *arena, const struct holder_visitor *visitor, struct error *err);

#endif
