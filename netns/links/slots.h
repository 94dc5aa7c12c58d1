/* Files of the numbers that are taken, for those who must know that none is. */
#ifndef WARREN_NETNS_SLOTS_H
#define WARREN_NETNS_SLOTS_H

#include "netns/netlink/bitmap.h"
#include "netns/netns.h"

#define NETWORK_MAX 4095

/* Opens the slots' bitmap and so keeps everybody from taking one until bitmap_drop(). */
MUST_CHECK int slots_open(const struct net_state *state, struct bitmap *bitmap, struct error *err);
/* Whether there is one; it is made by the first who takes a slot. */
bool slots_exist(const struct net_state *state);
/* Removes the file; the caller holds it open and knows that it is empty. */
MUST_CHECK int slots_forget(const struct net_state *state, struct error *err);

#endif
