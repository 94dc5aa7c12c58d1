/* How the host's network was before us. */
#ifndef WARREN_NETNS_BEFORE_H
#define WARREN_NETNS_BEFORE_H

#include "netns/netns.h"

struct before {
	bool had_gateway;	/* 169.254.1.1 was on lo already */
	bool forwarded;		/* ip_forward was 1 */
	struct strings routers; /* links that forwarded although it was 0 */
	struct pairs sysctls;	/* below /proc/sys/net, in the order to restore them */
};

/* What <run>/sysctls says, written first when there is none. */
MUST_CHECK int before_remember(
	struct arena *arena, const struct net_state *state, struct before *before, struct error *err);
/* 1 read, 0 nothing was remembered, -1. */
MUST_CHECK int before_load(
	struct arena *arena, const struct net_state *state, struct before *before, struct error *err);
/* Writes the sysctls back; those that vanished with their link are passed over. */
MUST_CHECK int before_restore(const struct before *before, struct error *err);
MUST_CHECK int before_forget(const struct net_state *state, struct error *err);
/* Switches forwarding on, if it is off. */
MUST_CHECK int forwarding_enable(struct error *err);

#endif
