/* What struct net_session is made of: one route socket, one netfilter socket. */
#ifndef WARREN_NETNS_SESSION_H
#define WARREN_NETNS_SESSION_H

#include "netns/netlink/request.h"

struct net_session {
	struct netlink route, filter;
};

#endif
