/* Layers of a fleet file → one tree per instance, still with the positions of the file.
 *
 * Objects merge member by member, everything else replaces; "+key" appends to the list below it; null takes away what a
 * lower layer said. Nothing here knows a key's meaning. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_FILE_MERGE_H
#define WARREN_FLEET_FILE_MERGE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

/* Merges the objects layers[0] < layers[1] < …; NULL ones are passed over. The result holds no null and no "+key"; its
 * nodes are new where they had to change and the layers' own where not. At most 4,096 members in one object. NULL:
 * failed, with position: a layer or object that is repeated inside, an object over a list or the reverse, "+key" over
 * what is no list or beside "key". */
const struct json *layers_merge(struct arena *arena, const struct json_doc *doc, const struct json *const *layers,
	size_t count, struct error *err);

/* ${name} and ${index} in all strings (not in keys); "$${" stands for "${". A tree without "${" is given back as it is.
 * NULL: another name in the braces, or no closing brace. */
struct substitution {
	const char *name;
	int64_t index;
};
const struct json *tree_substitute(struct arena *arena, const struct json_doc *doc, const struct json *node,
	const struct substitution *values, struct error *err);

#endif
