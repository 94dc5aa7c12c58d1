/* Addresses of a network that no instance has. */
#ifndef WARREN_NETNS_UNREACHABLE_H
#define WARREN_NETNS_UNREACHABLE_H

#include <linux/rtnetlink.h>

#include "netns/netns.h"

/* RTM_NEWROUTE: makes them unreachable, IPv6 ones when the host has IPv6; RTM_DELROUTE: takes that back. Done already,
 * and a subnet6 of prefix 0, is fine. */
MUST_CHECK int subnet_unreachable(const struct subnet *subnet, uint16_t type, struct error *err);
MUST_CHECK int subnet6_unreachable(const struct subnet6 *subnet, uint16_t type, struct error *err);
MUST_CHECK int networks_unreachable(const struct network_list *networks, uint16_t type, struct error *err);

/* Takes away those of networks that are not in the list, which a killed command made and did not write down. */
MUST_CHECK int unreachable_strays_remove(const struct network_list *networks, struct error *err);

#endif
