/* Arithmetic of subnets; numbers are in host byte order. */
#ifndef WARREN_NETNS_SUBNET_H
#define WARREN_NETNS_SUBNET_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/netns.h"

/* Of one network, in all its subnets: those of a /8. */
#define HOST_NUMBERS_MAX (1u << 24)

uint32_t subnet_mask(unsigned prefix);
uint32_t subnet_first(const struct subnet *subnet);
uint32_t subnet_size(const struct subnet *subnet);
/* The number of an instance's address in its network: its place in its subnet, counted on through the subnets in their
 * order; 0: of none of them. */
uint32_t network_host_number(const struct network *network, struct in_addr address);
bool subnets_equal(const struct subnet *a, const struct subnet *b);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

bool subnets6_equal(const struct subnet6 *a, const struct subnet6 *b);
/* Of fc00::/7 (RFC 4193): nobody outside can answer to it. */
bool subnet6_is_private(const struct subnet6 *subnet);
/* The last 24 bits of an address, which no two of a network share. */
uint32_t address6_number(const struct in6_addr *address);
struct in6_addr subnet6_address(const struct subnet6 *subnet, uint32_t number);
/* The numbers that instances may have. */
uint32_t subnet6_first(const struct subnet6 *subnet);
uint32_t subnet6_last(const struct subnet6 *subnet);

#endif
