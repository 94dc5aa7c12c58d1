/* Arithmetic of subnets, in host byte order. */
#ifndef WARREN_NETNS_SUBNET_H
#define WARREN_NETNS_SUBNET_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/netns.h"

uint32_t subnet_mask(unsigned prefix);
uint32_t subnet_first(const struct subnet *subnet);
uint32_t subnet_size(const struct subnet *subnet);
/* In the subnet and neither its base nor its broadcast address. */
bool subnet_usable(const struct subnet *subnet, struct in_addr address);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

#endif
