/* Whether and when a run that has ended begins again. Pure: no clock, no files. */
#ifndef WARREN_FLEET_MONITOR_RESTART_H
#define WARREN_FLEET_MONITOR_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/fleet.h"
#include "fleet/spec.h"

/* A run that lived this long was a success, when nobody asks how it is. */
#define RESTART_RESET_MS 10000

struct backoff {
	int64_t delay_ms; /* of the last restart; 0: none yet */
	int64_t retries;  /* in a row */
};

/* True: start again after *delay_ms. well: the run was a success, so delay and count begin anew. One that was ended for
 * its health, and one that has rebooted itself, begin again whatever the policy. */
bool restart_decide(const struct restart_spec *spec, struct backoff *backoff, const struct exit_record *exit,
	enum desired_state desired, bool well, int64_t *delay_ms);

#endif
