/* Addresses of a network that no instance has. */
#ifndef WARREN_NETNS_UNREACHABLE_H
#define WARREN_NETNS_UNREACHABLE_H

#include "netns/netns.h"

/* Makes them unreachable, IPv6 ones when the host has IPv6. Done already is fine. */
MUST_CHECK int networks_unreachable(const struct network *networks, size_t count, struct error *err);

/* Takes that back for all networks that are not in the list: gone ones, and what a killed command made and did not
 * write down. */
MUST_CHECK int unreachable_strays_remove(const struct network_list *networks, struct error *err);

#endif
