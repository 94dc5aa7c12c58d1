/* Host sides of instances: is it there, and may its loopback be reached through it. */
#ifndef WARREN_NETNS_LINK_H
#define WARREN_NETNS_LINK_H

#include <stdbool.h>

#include "netns/netlink/request.h"
#include "netns/netns.h"

#define GROUP_BASE 0x7700u /* device group of a network: this + its number */

/* True when the caller's namespace has the slot's link, by name and index. */
bool link_is_there(unsigned slot);
/* A socket that becomes readable when some link of the caller's namespace changes; and waiting for that, at most
 * left_ms and never long: what vanishes without a message is looked for again by the caller. */
MUST_CHECK int link_events_open(struct error *err);
void link_events_await(int fd, int64_t left_ms);
/* False: IPv4 alone. */
bool endpoint_has_ipv6(const struct endpoint *endpoint);
/* Lets packets from 127.0.0.1 leave by the slot's link, which publishing on the loopback address needs. */
MUST_CHECK int link_allow_loopback(struct net_session *session, unsigned slot, struct error *err);
/* Sets /proc/sys/net/ipv4/conf/w<slot>/<name>, or ipv6's by AF_INET6. False: it is not there, or not ours to write. */
bool link_value_set(struct net_session *session, int family, unsigned slot, const char *name, char value);

#endif
