/* Records of networks, for those that hold the lock. */
#ifndef WARREN_NETNS_NETWORKS_H
#define WARREN_NETNS_NETWORKS_H

#include "netns/netns.h"

/* The lock that define, undefine, up and down share. */
MUST_CHECK int net_lock(const struct net_state *state, struct error *err);

#endif
