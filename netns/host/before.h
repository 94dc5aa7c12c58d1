/* How the host's network was before us. */
#ifndef WARREN_NETNS_BEFORE_H
#define WARREN_NETNS_BEFORE_H

#include "netns/netns.h"

struct before {
	bool had_gateway;		  /* 169.254.1.1 was on lo already */
	bool looked6, has_ipv6;		  /* IPv6 was looked at, and the host has it */
	bool forwarded, forwarded6;	  /* ip_forward was 1; the same of IPv6 */
	struct strings routers, routers6; /* links that forwarded although it was 0 */
	bool knows_bridges;		  /* all of them are in `bridges` */
	struct strings bridges;
	struct pairs sysctls; /* below /proc/sys/net, in the order to restore them */
};

/* What <run>/sysctls says, written first when there is none. */
MUST_CHECK int before_remember(
	struct arena *arena, const struct net_state *state, struct before *before, struct error *err);
/* 1 read, 0 nothing was remembered, -1. */
MUST_CHECK int before_load(
	struct arena *arena, const struct net_state *state, struct before *before, struct error *err);
/* True when there is a bridge that was not there before us: whoever made it may count on forwarding. */
bool before_has_new_bridge(const struct before *before);
/* Writes the sysctls back, but for forwarding when such a bridge is there; those that vanished with their link are
 * passed over. */
MUST_CHECK int before_restore(const struct before *before, struct error *err);
MUST_CHECK int before_forget(const struct net_state *state, struct error *err);
/* Switches forwarding on, if it is off. */
MUST_CHECK int forwarding_enable(struct error *err);

/* IPv6: adds what the host has to *before. */
MUST_CHECK int before6_look(struct arena *arena, struct before *before, struct error *err);
/* Switches IPv6 forwarding on while every link stays what it was, host or router, and keeps its default routes. */
MUST_CHECK int forwarding6_enable(const struct before *before, struct error *err);

#define CONF6_DIR "ipv6/conf"
#define FORWARDING6_ALL CONF6_DIR "/all/forwarding"
/* /proc/sys/net of the caller's network namespace, and a value below it without its line break. */
MUST_CHECK int sysctls_open(struct error *err);
MUST_CHECK int sysctl_read(struct arena *arena, int dir, const char *name, const char **value, struct error *err);

#endif
