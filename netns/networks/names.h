/* Hosts directories, for those that remove them. */
#ifndef WARREN_NETNS_NAMES_H
#define WARREN_NETNS_NAMES_H

#include "netns/netns.h"

/* Removes the network's directory; all networks' when the name is NULL. */
MUST_CHECK int hosts_forget(const struct net_state *state, const char *network, struct error *err);

#endif
