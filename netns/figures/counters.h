/* One message of link statistics. */
#ifndef WARREN_NETNS_COUNTERS_H
#define WARREN_NETNS_COUNTERS_H

#include "netns/netlink/request.h"
#include "netns/netns.h"

/* False when the message is about something else than a link of ours. Pure: fuzzed. */
bool counters_read_message(const struct nlmsghdr *message, unsigned *slot, struct link_counters *out);

#endif
