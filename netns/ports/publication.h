/* Publishing as one piece of work: what ports_publish() and ports_change() are made of. */
#ifndef WARREN_NETNS_PUBLICATION_H
#define WARREN_NETNS_PUBLICATION_H

#include "netns/netlink/elements.h"
#include "netns/netns.h"

#define REMOVED_MAX 120

struct publication {
	struct net_session *session;
	const struct endpoint *endpoint;
	struct port *ports; /* published 0 is filled in */
	size_t count;
	const struct element *removed; /* go in the same transaction, before; at most REMOVED_MAX */
	size_t removed_count;
};
/* All or none. On failure numbers that were chosen are 0 again. */
MUST_CHECK int publication_do(const struct publication *publication, struct error *err);
/* Lets packets from 127.0.0.1 reach the instance when one of the ports needs it. */
MUST_CHECK int ports_open_loopback(struct net_session *session, const struct endpoint *endpoint,
	const struct port *ports, size_t count, struct error *err);

/* The elements of those of these ports that lead to the instance, claims and all: out has room for two a number. */
MUST_CHECK int ports_find_own(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct element *out, size_t *found, struct error *err);
/* How many numbers the ports have together. */
size_t ports_numbers(const struct port *ports, size_t count);
/* Some are of a protocol whose clients may go on sending without noticing that the instance has gone. */
bool ports_leave_flows(const struct port *ports, size_t count);

#endif
