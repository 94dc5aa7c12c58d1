/* Whether a subnet is free on this host. */
#ifndef WARREN_NETNS_OVERLAP_H
#define WARREN_NETNS_OVERLAP_H

#include "netns/netlink/request.h"
#include "netns/netns.h"

/* Refuses a subnet that overlaps an address or a route of the caller's network namespace. Default routes, routes that
 * only refuse, and the routes to our own links do not count. */
MUST_CHECK int subnet_check_host(const struct subnet *subnet, struct error *err);
MUST_CHECK int subnet6_check_host(const struct subnet6 *subnet, struct error *err);

struct range {
	struct ip_address base;
	unsigned prefix;
};
/* The route or address in one message, if it is one that counts: pure, fuzzed. index is its link, 0: none. */
bool route_read(const struct nlmsghdr *message, struct range *out, int *index);
bool address_read(const struct nlmsghdr *message, struct range *out, int *index);

#endif
