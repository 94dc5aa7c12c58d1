/* The names on this host, in order. */
#ifndef WARREN_FLEET_STATE_SELECT_H
#define WARREN_FLEET_STATE_SELECT_H

#include "fleet/fleet.h"

/* As strcmp(3), but runs of digits compare by value: site-2 before site-10. */
int instance_name_compare(const char *a, const char *b);
/* All instances' names, sorted by it. */
MUST_CHECK int instance_names(struct arena *arena, const struct host *host, struct strings *out, struct error *err);

#endif
