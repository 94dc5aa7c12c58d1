/* Files of the host numbers that are taken. */
#ifndef WARREN_NETNS_LEASES_H
#define WARREN_NETNS_LEASES_H

#include "netns/netlink/bitmap.h"
#include "netns/netns.h"

enum lease_kind { LEASES_IPV4, LEASES_IPV6 };

/* Opens the bitmap of a network's host numbers and keeps others from it until bitmap_drop(). The tag of an IPv4 one is
 * the subnet's base address, 0 while none was taken. */
MUST_CHECK int leases_open(const struct net_state *state, enum lease_kind kind, const char *network,
	struct bitmap *bitmap, struct error *err);
/* The same, of those who hold the network's lists: *bitmap is borrowed from *hold, which keeps it from others. */
MUST_CHECK int leases_open_held(const struct net_state *state, enum lease_kind kind, const char *network,
	struct lease_hold *hold, struct bitmap *bitmap, struct error *err);
/* Whether there is one; it is made by the first who takes an address. */
bool leases_exist(const struct net_state *state, enum lease_kind kind, const char *network);
/* Removes the network's bitmap when none of its numbers is taken: 1, 0 (some is) or -1. */
MUST_CHECK int leases_forget(
	const struct net_state *state, enum lease_kind kind, const char *network, struct error *err);
/* The same for both kinds. */
MUST_CHECK int addresses_forget(const struct net_state *state, const char *network, struct error *err);
/* The same for all networks. */
MUST_CHECK int addresses_forget_unused(const struct net_state *state, struct error *err);

#endif
