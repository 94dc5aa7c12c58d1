/* The names of the table's sets, and its text. */
#ifndef WARREN_NETNS_TABLE_TEXT_H
#define WARREN_NETNS_TABLE_TEXT_H

#include "base/text.h"

/* In the name of the chain that the marker's GET asks for: an older or newer warren's table is not taken for ours. */
#define MARKER_PREFIX "version_"
#define MARKER_VERSION 2
#define MARKER_CHAIN "version_2"

/* Networks. */
#define SET_NETWORKS "networks"
#define SET_PEERS "peers"
#define SET_EGRESS "egress"
#define SET_METADATA "metadata"
#define SET_ACCOUNTED "accounted"
#define SET_SUBNETS "subnets"
#define SET_SUBNETS6 "subnets6"
#define SET_HOST_SERVICES "host_services"

/* Who has which published port: see ports.c. */
#define SET_CLAIMS "claims"
#define SET_NARROW "narrow"

/* Where published ports lead: on one address, on any, ranges (any: all addresses as a range). */
#define SET_ADDRESS_PORTS "address_ports"
#define SET_ADDRESS_PORTS6 "address_ports6"
#define SET_ANY_PORTS "any_ports"
#define SET_ANY_PORTS6 "any_ports6"
#define SET_RANGES "ranges"
#define SET_RANGES6 "ranges6"

/* Shared ports, 64 slots each: see balance.c. */
#define SET_BALANCED "balanced"
#define SET_BALANCED6 "balanced6"
#define SET_BALANCED_ANY "balanced_any"
#define SET_BALANCED_ANY6 "balanced_any6"
#define SET_STICKY "sticky"
#define SET_STICKY6 "sticky6"
#define SET_STICKY_ANY "sticky_any"
#define SET_STICKY_ANY6 "sticky_any6"

/* Bytes and packets between instances of accounted networks and what is no instance, by the instance's address. */
#define SET_OUTSIDE_OUT "outside_out4"
#define SET_OUTSIDE_IN "outside_in4"
#define SET_OUTSIDE_OUT6 "outside_out6"
#define SET_OUTSIDE_IN6 "outside_in6"

/* Limits of what instances send, by the name of their link. */
#define SET_EGRESS_LIMITS "egress_limits"

/* The inside of `table inet warren { … }`; the chain `foreign` goes between the two. */
void table_write_sets(struct text *text);
void table_write_chains(struct text *text);

#endif
