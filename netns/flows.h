/* Connections that the kernel remembers. */
#ifndef WARREN_NETNS_FLOWS_H
#define WARREN_NETNS_FLOWS_H

#include <netinet/in.h>

#include "netns/request.h"

/* Makes the kernel forget the UDP flows that lead to this address. A kernel that cannot list its connections: nothing
 * happens. */
MUST_CHECK int flows_forget_udp(struct netlink *netlink, struct in_addr address, struct error *err);

/* The tuple and id that delete one flow. */
struct flow {
	uint8_t tuple[96];
	uint16_t tuple_length;
	uint32_t id;
};
/* The flow of one message when it is UDP and answered by this address. Pure: fuzzed. */
bool flow_read(const struct nlmsghdr *message, struct in_addr answered_by, struct flow *out);

#endif
