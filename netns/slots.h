/* Files of the numbers that are taken, for those who must know that none is. */
#ifndef WARREN_NETNS_SLOTS_H
#define WARREN_NETNS_SLOTS_H

#include "netns/bitmap.h"
#include "netns/netns.h"

#define NETWORK_MAX 4095

/* Opens the slots' bitmap and so keeps everybody from taking one until bitmap_drop(). */
MUST_CHECK int slots_open(const struct net_state *state, struct bitmap *bitmap, struct error *err);
/* Removes the file; the caller holds it open and knows that it is empty. */
MUST_CHECK int slots_forget(const struct net_state *state, struct error *err);
/* Opens the bitmap of a network's host numbers; its tag is the subnet's base address, 0 while none was taken. */
MUST_CHECK int addresses_open(
	const struct net_state *state, const char *network, struct bitmap *bitmap, struct error *err);
/* Removes the network's bitmap when none of its addresses is taken: 1, 0 (some is) or -1. */
MUST_CHECK int addresses_forget(const struct net_state *state, const char *network, struct error *err);
/* The same for all networks. */
MUST_CHECK int addresses_forget_unused(const struct net_state *state, struct error *err);

#endif
