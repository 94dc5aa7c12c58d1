/* Instances that sleep: frozen because nobody calls them, until somebody does. Only fleet/ includes this header; see
 * docs/idle.md.
 *
 * Two facts make one asleep: its control group is frozen, and live/<name>/asleep is there. The file is written before
 * the freezing and removed after the thaw, so that a kill in between leaves one that runs, or one that any command
 * wakes. Somebody at work in it holds live/<name>/busy shared; nothing is frozen under his hands. */
#ifndef WARREN_FLEET_START_IDLE_H
#define WARREN_FLEET_START_IDLE_H

#include "fleet/state/instance.h"

/* Whether the file is there. */
bool asleep_read(int live);
MUST_CHECK int asleep_write(int live, struct error *err);
void asleep_forget(int live);

/* Keeps a running instance awake for as long as the descriptor is open; one that sleeps is woken first. -1 in *busy
 * without an error: it never sleeps. */
MUST_CHECK int instance_keep_awake(struct instance *instance, const struct instance_spec *spec, const struct run *run,
	int *busy, struct error *err);
/* Wakes one that sleeps, whoever else is at work. Of any other it does nothing. */
MUST_CHECK int instance_wake(struct instance *instance, const struct run *run, struct error *err);
/* Exclusive, at once: -1 when somebody is at work in it. */
int busy_try(int live);

#endif
