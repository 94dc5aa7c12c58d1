/* Whoever comes next finishes. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_REPAIR_H
#define WARREN_FLEET_INSTANCE_REPAIR_H

#include "fleet/state/instance.h"

/* instance_find(), locked; what a killed monitor or command left is finished (instance_repair()). ERROR_BUSY: another
 * command holds it for longer than INSTANCE_LOCK_TIMEOUT_MS. */
MUST_CHECK int instance_take(struct host *host, const char *name, struct instance *out, struct error *err);
/* With the instance's lock held: when its monitor is gone and so is its first process (or it never got to its program),
 * the end of that run is completed and recorded. */
MUST_CHECK int instance_repair(struct instance *instance, struct error *err);
/* Removes what commands that were killed in create or remove left behind, once per process. Failures are logged. */
void host_sweep(struct host *host);

#endif
