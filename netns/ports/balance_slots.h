/* The 64 slots of a shared port in the kernel. */
#ifndef WARREN_NETNS_BALANCE_SLOTS_H
#define WARREN_NETNS_BALANCE_SLOTS_H

#include "netns/netlink/elements.h"
#include "netns/netns.h"

#define BALANCE_SLOTS 64
#define NO_MEMBER (-1)

/* Whose slot is whose (indexes of members, NO_MEMBER: nobody's) after a change: by weight among those that are in, and
 * as it was where that is still right, so that a sticky client moves only when it must. Pure. */
void slots_share(const struct balance *balance, const int before[BALANCE_SLOTS], int after[BALANCE_SLOTS]);

/* The slots in the kernel: where each leads to, data_length 0: nowhere. */
MUST_CHECK int slots_read(
	struct netlink *netlink, const struct port *port, struct element slots[BALANCE_SLOTS], struct error *err);
/* What a slot is when it leads to that member. */
struct element slot_element(const struct port *port, unsigned slot, const struct balance_member *member);
/* Member that a slot leads to, NO_MEMBER: none. */
int slot_member(const struct balance *balance, const struct element *slot);

#endif
