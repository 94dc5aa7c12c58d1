/* Stopping in phases, so that hundreds stop in the time of the slowest: all are told, all are awaited together, all are
 * cleaned up after. Those that leave a port to others drain in between (stop_drain.c). */
#ifndef WARREN_FLEET_INSTANCE_STOP_H
#define WARREN_FLEET_INSTANCE_STOP_H

#include "fleet/monitor/stopping.h"
#include "fleet/state/instance.h"

/* Desired state stopped, no new connections, the stop signal; one that leaves a port which it shares gets no signal yet
 * but drains. `stopping->instance` is held already, and its aim set. */
MUST_CHECK int stopping_begin(struct stopping *stopping, struct optional timeout_ms, struct error *err);
/* After all that stop together have begun: one that drains goes at once when nobody is left to take over. */
MUST_CHECK int stopping_settle(struct stopping *stopping, struct error *err);
/* How long until it must be looked after, in ms, and doing that: counts connections, sends the signal, kills. */
int64_t stopping_wait_ms(const struct stopping *stopping);
MUST_CHECK int stopping_turn(struct stopping *stopping, struct error *err);
/* Its first process has ended (or there was none): waits for the monitor's record or writes it. */
MUST_CHECK int stopping_end(struct stopping *stopping, struct error *err);
void stopping_drop(struct stopping *stopping);

/* All of it for one that is held, but --rm does not apply. */
MUST_CHECK int instance_stop_held(
	struct instance *instance, struct optional timeout_ms, enum stop_aim aim, struct error *err);
/* The same for one that is not; --rm applies to those that are stopped for good. */
MUST_CHECK int instance_stop_for(
	struct host *host, const char *name, struct optional timeout_ms, enum stop_aim aim, struct error *err);

/* --- stop_drain.c ------------------------------------------------------------------------------------------------- */

/* How often connections are counted, and what was on its way when the ports were led elsewhere: the time between the
 * choice of an address and the first answer. */
#define DRAIN_LOOK_MS 50
#define DRAIN_SETTLE_MS 100

/* Before it is taken out of its ports: whether it is in one that it shares. */
bool stopping_shares(const struct stopping *stopping, const struct run *run);
/* After: others take what comes to them. */
bool stopping_is_replaced(struct stopping *stopping);
/* Whoever it had is gone, or has had their time. Sets when to look next. */
bool stopping_is_drained(struct stopping *stopping);

#endif
