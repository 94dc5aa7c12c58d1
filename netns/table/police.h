/* Rates that are kept at the host's end, for those that make and unmake the host's part. */
#ifndef WARREN_NETNS_POLICE_H
#define WARREN_NETNS_POLICE_H

#include "netns/netlink/request.h"
#include "netns/netns.h"

/* In a table that was just made: what endpoint_police() had put into the one before. */
MUST_CHECK int police_again(const struct net_state *state, struct netlink *netlink, struct error *err);
MUST_CHECK int police_forget(const struct net_state *state, struct error *err);

#endif
