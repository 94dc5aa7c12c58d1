/* What struct net_session is made of: one route socket, one netfilter socket, and two directories. */
#ifndef WARREN_NETNS_SESSION_H
#define WARREN_NETNS_SESSION_H

#include "netns/netlink/request.h"

struct net_session {
	struct netlink route, filter;
	int values4, values6; /* /proc/sys/net/ipv…/conf, -1: not opened yet */
};

/* A route socket of another network namespace. The process is there for a moment, so it has one thread. */
MUST_CHECK int netlink_open_in(int netns, struct netlink *netlink, struct error *err);

#endif
