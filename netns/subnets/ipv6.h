/* IPv6 subnets of this host's own. */
#ifndef WARREN_NETNS_IPV6_H
#define WARREN_NETNS_IPV6_H

#include "netns/netns.h"

/* The host's /48 of fd00::/8, drawn at random once and kept beside the records of networks (RFC 4193, 3.2). */
MUST_CHECK int own_prefix(const struct net_state *state, struct subnet6 *out, struct error *err);
/* A /64 of it for the network, which no network of the list has: the same name gets the same one whenever it is free.
 * Subnet 0 is left out, the host's own address lies in it. */
MUST_CHECK int subnet6_choose(const struct subnet6 *own, const struct network_list *list, const char *name,
	struct subnet6 *out, struct error *err);
/* Whether the setting of that path below /proc/sys is 0; false when it is not there. */
bool sysctl_is_zero(const char *path);
/* The address by which instances see the host, on its loopback link: own prefix::1. */
struct in6_addr gateway6_address(const struct subnet6 *own);

#endif
