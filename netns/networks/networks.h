/* Records of networks, for those that hold the lock. */
#ifndef WARREN_NETNS_NETWORKS_H
#define WARREN_NETNS_NETWORKS_H

#include "netns/netns.h"

#define NETWORK_RECORD_SUFFIX ".json"
MUST_CHECK int network_record_write(const struct net_state *state, const struct network *network, struct error *err);

/* The lock that define, undefine, up and down share. */
MUST_CHECK int net_lock(const struct net_state *state, struct error *err);

#endif
