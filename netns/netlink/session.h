/* What struct net_session is made of: one route socket, one netfilter socket. */
#ifndef WARREN_NETNS_SESSION_H
#define WARREN_NETNS_SESSION_H

#include "netns/netlink/request.h"

struct net_session {
	struct netlink route, filter;
};

/* A route socket of another network namespace. The process is there for a moment, so it has one thread. */
MUST_CHECK int netlink_open_in(int netns, struct netlink *netlink, struct error *err);

#endif
