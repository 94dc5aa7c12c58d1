/* Only fleet/ includes this header. */
#ifndef WARREN_FLEET_STATE_FRONT_DIRECTORY_H
#define WARREN_FLEET_STATE_FRONT_DIRECTORY_H

#include "fleet/fleet.h"

/* Where instances see it. */
#define FRONT_TARGET "/etc/warren"
/* fleets/<fleet>/front, made when missing. */
MUST_CHECK int front_directory(const struct host *host, const char *fleet, struct error *err);
/* Descriptor (O_PATH) of the directory for an instance that is a front server, made when missing. store: our state, in
 * the mount namespace where it is wanted. */
MUST_CHECK int front_directory_open(
	const struct host *host, const struct instance_spec *spec, int store, struct error *err);

#endif
