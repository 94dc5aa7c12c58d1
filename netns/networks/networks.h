/* Records of networks, for those that hold the lock, and what is asked before one is written. */
#ifndef WARREN_NETNS_NETWORKS_H
#define WARREN_NETNS_NETWORKS_H

#include "netns/netns.h"

#define NETWORK_RECORD_SUFFIX ".json"
MUST_CHECK int network_record_write(const struct net_state *state, const struct network *network, struct error *err);

/* "" for one that was made by hand. */
static inline const char *network_owner(const struct network *network)
{
	return network->owner ? network->owner : "";
}

/* --- network_check.c: refusals, each by name ---------------------------------------------------------------------- */

/* Its IPv4 subnets are those with which the whole begins. */
bool network_begins_with(const struct network *whole, const struct network *beginning);
/* what: "subnet" or "subnet6". ERROR_BUSY; -1. */
int fail_in_use(const char *what, struct error *err);

/* Its names, the form of its subnets, and what contradicts itself. */
MUST_CHECK int network_check(const struct network *network, struct error *err);
/* old: what has its name now; NULL: nothing. ERROR_BUSY: it is another owner's. */
MUST_CHECK int network_check_owner(const struct network *old, const struct network *network, struct error *err);
/* Subnets that it did not have before, against each other, the list and the host. */
MUST_CHECK int network_check_subnets(
	const struct network_list *list, const struct network *old, const struct network *network, struct error *err);
MUST_CHECK int network_check_subnet6(const struct network_list *list, const struct network *network, struct error *err);

/* The lock that define, undefine, up and down share. */
MUST_CHECK int net_lock(const struct net_state *state, struct error *err);

#endif
