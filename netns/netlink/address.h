/* Messages about addresses, routes and neighbours, and the numbers all of the module agrees on. */
#ifndef WARREN_NETNS_ADDRESS_H
#define WARREN_NETNS_ADDRESS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

#include "netns/netlink/request.h"
#include "netns/netns.h"

#define GATEWAY_ADDRESS 0xa9fe0101u /* 169.254.1.1, host byte order */
#define LOOPBACK_INDEX 1
/* eth0's. Not the next free one: tunl0, sit0 and the other fallback devices take up to nine in every new namespace. */
#define INSIDE_INDEX 16
#define INSIDE_NAME "eth0"
#define ROUTE_PROTOCOL 0x77 /* marks our routes: `ip route show proto 119` */
#define MAC_LENGTH 6

/* Every host side has the same one, each instance one made of its address: 02:77 is locally administered. */
extern const uint8_t host_mac[MAC_LENGTH];
void instance_mac(struct in_addr address, uint8_t mac[MAC_LENGTH]);

unsigned link_index(unsigned slot);
const char *link_name(unsigned slot, char buffer[IFNAMSIZ]);
/* The slot whose link has this index, 0: none of ours. */
unsigned link_slot(int index);

/* Each adds one message to the request, for an address of either kind. */
void put_address(struct request *request, uint16_t type, uint16_t flags, int index, const struct ip_address *address);
void put_neighbour(struct request *request, int index, const struct ip_address *address, const uint8_t mac[MAC_LENGTH],
	const char *name);
/* A /32 or /128 on the link; type RTM_NEWROUTE or RTM_DELROUTE. */
void put_host_route(
	struct request *request, uint16_t type, uint16_t flags, int index, const struct ip_address *address);
/* The same for a link that is down: IPv4 alone, with 169.254.1.1 as the source, which has to be there. */
void put_early_route(struct request *request, uint16_t type, uint16_t flags, int index, struct in_addr address);
/* Takes away ff00::/8, which the kernel adds to each link; that it is not there is no failure. */
void put_no_multicast_route(struct request *request, int index);
void put_default_route(struct request *request, int index, const struct ip_address *gateway);
/* The gateways that instances name: 169.254.1.1 and fe80::1. */
struct ip_address gateway_of(int family);
void put_link_up(struct request *request, int index, const char *name);
/* No link-local address, hence no router solicitation, no duplicate address detection. A kernel without IPv6 refuses:
 * fine. */
void put_link_without_link_local(struct request *request, int index);

#endif
