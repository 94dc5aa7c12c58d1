/* Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_RECOVER_PORTS_H
#define WARREN_FLEET_INSTANCE_RECOVER_PORTS_H

#include "fleet/fleet.h"

/* Takes ports out of the table that lead to an address which no instance has; none while one runs
 * whose record cannot be read. */
MUST_CHECK int host_recover_ports(struct host *host, struct error *err);

#endif
