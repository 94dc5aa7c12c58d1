/* Bridges of the host. Only netns/ includes this header. */
#ifndef WARREN_NETNS_BRIDGES_H
#define WARREN_NETNS_BRIDGES_H

#include "netns/netns.h"

/* Names of the links that are bridges, in the caller's network namespace. */
MUST_CHECK int bridges_list(struct arena *arena, struct strings *out, struct error *err);

#endif
