/* How fast an instance's link is: messages for its two ends. */
#ifndef WARREN_NETNS_RATES_H
#define WARREN_NETNS_RATES_H

#include "netns/netlink/request.h"
#include "netns/netns.h"

/* Lets the link send at most so many bits per second; 0: adds no message. */
void put_rate(struct request *request, int index, uint64_t bits);
/* The rate in one answer of the kernel's, 0: it is not a limit of ours. Pure: fuzzed. */
uint64_t rate_read(const struct nlmsghdr *message);

#endif
