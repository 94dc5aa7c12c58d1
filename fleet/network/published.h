/* Published ports of an instance: those it has alone and those it shares. */
#ifndef WARREN_FLEET_NETWORK_PUBLISHED_H
#define WARREN_FLEET_NETWORK_PUBLISHED_H

#include "fleet/state/instance.h"

/* Whose ports, and what leads there. */
struct published {
	struct host *host;
	struct net_session *session;
	const struct endpoint *endpoint;
	struct port *ports; /* published 0 is filled in */
	size_t count;
	unsigned weight; /* among those who share a port */
};

/* All or none. */
MUST_CHECK int published_open(const struct published *published, enum balance_entry entry, struct error *err);
/* Goes on after a failure and reports the first. */
MUST_CHECK int published_close(const struct published *published, struct error *err);
/* Others instead of `old`; those that stay keep their connections and their being in or out. */
MUST_CHECK int published_change(
	const struct published *published, const struct port *old, size_t old_count, struct error *err);
/* They lead to another instance from now on; established connections stay where they are. */
MUST_CHECK int published_switch(const struct published *published, const struct endpoint *to, struct error *err);

/* Several may have it at once (netns.h: balance_join()). */
bool port_is_shared(const struct port *port);

/* Of the ports that it shares: whether it is among those who get new connections, and whether others are. */
struct share {
	bool in, others;
};
struct share published_share(
	const struct host *host, const struct endpoint *endpoint, const struct port *ports, size_t count);

/* What the instance's specification says of it; 1 when it cannot be read. */
unsigned published_weight(const struct instance *instance);

/* Takes a running instance out of the ports that it shares, or puts it back: new connections go to the others,
 * established ones stay. Without any nothing happens. */
MUST_CHECK int instance_traffic(struct instance *instance, const struct run *run, bool in, struct error *err);

#endif
