/* Where the control groups of a host's instances are. */
#ifndef WARREN_FLEET_HOST_CGROUPS_H
#define WARREN_FLEET_HOST_CGROUPS_H

#include "fleet/fleet.h"

/* Opens host->cgroups and sets host->cgroup_parent, from `wanted` (the option --cgroup-parent; NULL: what earlier
 * commands of this boot wanted, else "warren"). host->run and host->live are open. */
MUST_CHECK int host_cgroups_open(struct host *host, const char *wanted, struct error *err);

#endif
