/* Connections that the kernel remembers. */
#ifndef WARREN_NETNS_FLOWS_H
#define WARREN_NETNS_FLOWS_H

#include <netinet/in.h>

#include "netns/netlink/request.h"
#include "netns/netns.h"

/* Makes the kernel forget the UDP and SCTP flows that lead to the instance. A kernel that cannot list its connections:
 * nothing happens. */
MUST_CHECK int flows_forget(struct netlink *netlink, const struct endpoint *endpoint, struct error *err);

/* The tuple and id that delete one flow. */
struct flow {
	uint8_t tuple[96];
	uint16_t tuple_length;
	uint32_t id;
	uint8_t protocol;
	bool established; /* TCP alone */
};
/* The flow of one message when it is answered by this address. Pure: fuzzed. */
bool flow_read(const struct nlmsghdr *message, const struct ip_address *answered_by, struct flow *out);

#endif
