/* Where the control groups of a host's instances are. */
#ifndef WARREN_FLEET_STATE_HOST_CGROUPS_H
#define WARREN_FLEET_STATE_HOST_CGROUPS_H

#include "fleet/fleet.h"

/* Refuses what --cgroup-parent cannot be, before anything is made. */
MUST_CHECK int cgroup_parent_check(const char *wanted, struct error *err);

/* Opens host->cgroups and sets host->cgroup_parent, from `wanted` (the option --cgroup-parent; NULL: what earlier
 * commands of this boot wanted, else "warren"). host->run and host->live are open. */
MUST_CHECK int host_cgroups_open(struct host *host, const char *wanted, struct error *err);

/* The same for who only looks: nothing is written down, and run (-1: none) need not be there. *parent lies in the arena
 * or is a literal. */
MUST_CHECK int host_cgroups_look(struct arena *arena, int run, const char *wanted, struct cgroup_host *out,
	const char **parent, struct error *err);

#endif
