/* Bringing a changed specification into an instance that runs. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_LIVE_H
#define WARREN_FLEET_INSTANCE_LIVE_H

#include "fleet/spec/change.h"
#include "fleet/state/instance.h"

/* With the instance's lock held: makes the kernel be as `to` says, in the parts (enum live_part) that are named, all or
 * none, and reads back what it took. What the instance does not have now (it is stopped) is passed over: it gets it at
 * its start. from: to go back to when a part fails. LIVE_MONITOR is not the kernel's: see live_tell(). */
MUST_CHECK int live_apply(struct instance *instance, const struct instance_spec *from, const struct instance_spec *to,
	unsigned parts, struct error *err);
/* When the specification is written down: wakes the monitor, if the parts are its business. */
void live_tell(struct instance *instance, unsigned parts);

/* Of one that runs with a network of ours its run and its record: 1. Else 0: there is nothing to change now. */
MUST_CHECK int live_link_read(struct arena *arena, const struct instance *instance, struct run *run,
	struct record *record, struct error *err);

/* --- rates.c ------------------------------------------------------------------------------------------------------ */

/* What LIVE_RATES does. */
MUST_CHECK int live_rates_apply(struct instance *instance, const struct instance_spec *to, struct error *err);

/* --- update.c ----------------------------------------------------------------------------------------------------- */

/* instance_update(), and those parts of a running one at once (all or nothing). */
MUST_CHECK int instance_change(struct host *host, const struct instance_spec *spec, unsigned parts, struct error *err);
MUST_CHECK int instance_change_held(
	struct instance *instance, const struct instance_spec *spec, unsigned parts, struct error *err);

#endif
