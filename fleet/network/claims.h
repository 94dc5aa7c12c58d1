/* Slots and addresses that nobody has: giving them back. */
#ifndef WARREN_FLEET_NETWORK_CLAIMS_H
#define WARREN_FLEET_NETWORK_CLAIMS_H

#include "fleet/state/instance.h"

/* Each gives back what no instance's record claims and marks what one claims for certain, while nobody else can take
 * any. `self`: an entry of instances/ that does not count, or NULL. Instances are read one by one: not for the way of
 * every start. */
MUST_CHECK int host_recover_slots(struct host *host, const char *self, struct error *err);
MUST_CHECK int host_recover_addresses(struct host *host, const char *network, const char *self, struct error *err);
/* Slots, and the addresses of all networks. */
MUST_CHECK int host_recover_all(struct host *host, const char *self, struct error *err);

#endif
