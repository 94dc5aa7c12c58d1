/* An instance's wire to the host: what a start makes of it, and making it again while the instance runs. Only fleet/
 * includes this header. */
#ifndef WARREN_FLEET_NETWORK_WIRE_H
#define WARREN_FLEET_NETWORK_WIRE_H

#include "fleet/state/instance.h"

/* What the record says, less an IPv6 address that the instance does not use: switched off by its own settings, or by
 * the administrator since it was given. network NULL: without its MTU. */
struct endpoint instance_endpoint(
	const struct instance_spec *spec, const struct record *record, const struct network *network);

/* What somebody has undone of the wire of one that runs, link, routes, both ends, is there again, with its ports;
 * connections go on. ERROR_BUSY when it has to be started anew instead. */
MUST_CHECK int instance_wire_mend(struct instance *instance, struct error *err);

#endif
