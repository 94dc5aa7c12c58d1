/* What must be started before what. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_FILE_ORDER_H
#define WARREN_FLEET_FILE_ORDER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "fleet/spec.h"

/* Dependencies name instances without their replica number: all replicas of one are one node. */
struct order_node {
	const char *name; /* base_name */
	const struct instance_spec *spec;
	size_t level; /* 0: depends on nothing that is here; else one more than the highest it depends on */
	int visit;
};
struct order {
	struct order_node *nodes; /* sorted by name */
	size_t count;
};

/* Dependencies on what is not among the specs count for nothing. A circle is ERROR_USAGE ("… in a circle: a -> b ->
 * a"), and *culprit (may be NULL) one of its members. */
MUST_CHECK int order_make(struct arena *arena, const struct instance_spec *const *specs, size_t count,
	struct order *out, const struct instance_spec **culprit, struct error *err);
/* The level of an instance; of one that is not there: 0. */
size_t order_level(const struct order *order, const struct instance_spec *spec);

#endif
