/* The addresses of an instance: which it gets, and giving them back. */
#ifndef WARREN_FLEET_NETWORK_ADDRESSES_H
#define WARREN_FLEET_NETWORK_ADDRESSES_H

#include "fleet/state/instance.h"

/* True when it has a network of ours: neither the host's nor none. */
bool instance_has_network(const struct instance_spec *spec);
/* The network, defined now if it is the built-in one, and with IPv6 if it was defined when the host had none. */
MUST_CHECK int instance_network(
	struct arena *arena, struct host *host, const char *name, struct network *out, struct error *err);
/* What the spec asks for or what goes with the record's slot. The record in `dir` names it before anybody else may
 * take or give back addresses again, so that a kill leaves none that nobody finds. On failure nothing is taken. */
MUST_CHECK int addresses_claim(struct host *host, int dir, const struct network *network,
	const struct instance_spec *spec, struct record *record, struct error *err);
/* Another network, or other addresses of it: what the old record has and the spec allows is kept. The caller writes the
 * record before it drops the hold. */
MUST_CHECK int addresses_change(struct host *host, const struct network *network, const struct instance_spec *spec,
	const struct record *old, struct lease_hold *hold, struct record *record, struct error *err);
/* Gives back what `record` has and `but` (NULL: nothing) has not. Goes on after a failure; *err is the first. `hold`:
 * of the record's network. */
MUST_CHECK int addresses_release(struct host *host, const struct record *record, const struct record *but,
	struct lease_hold *hold, struct error *err);
/* Its IPv4 address, by its record. False: there is no such instance, or it has no network of ours. */
bool instance_address(struct host *host, const char *name, struct in_addr *out);

#endif
