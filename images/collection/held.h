/* Images that are held without a name: records in directories of others, for whoever may go back to them. Private to
 * this folder. */
#ifndef WARREN_IMAGES_HELD_H
#define WARREN_IMAGES_HELD_H

#include "images/store/record.h"

#define FLEETS "fleets" /* in the store's directory, beside its own: FLEETS/<name>/HELD/<64 digits>.json */
#define HELD "images"

/* Calls visit() for each. What cannot be read is an error: it may need anything. */
struct held_visitor {
	int (*visit)(void *context, const struct image_record *record, struct error *err);
	void *context;
};
MUST_CHECK int held_visit(int store, struct arena *arena, const struct held_visitor *visitor, struct error *err);

#endif
