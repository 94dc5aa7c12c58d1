/* Stopping in three phases, so that hundreds stop in the time of the slowest: all are told, all are awaited together,
 * all are cleaned up after. */
#ifndef WARREN_FLEET_STOP_H
#define WARREN_FLEET_STOP_H

#include "fleet/instance.h"

struct stopping {
	struct instance instance; /* held */
	int pidfd;		  /* of its first process; -1: nothing runs */
	int64_t deadline_ms;	  /* CLOCK_BOOTTIME: then it is killed; and once more for the kernel to end it */
	bool killed;
	bool halt;   /* the host goes down: what its owner wants stays as it is, and it comes back with the host */
	bool remove; /* made with --rm */
};
#define STOPPING_EMPTY                                                                                                 \
	{                                                                                                              \
		.instance = INSTANCE_EMPTY, .pidfd = -1                                                                \
	}

/* Desired state stopped, no new connections, the stop signal. `stopping->instance` is held already. */
MUST_CHECK int stopping_begin(struct stopping *stopping, struct optional timeout_ms, struct error *err);
/* The stop signal alone, to a run whose first process is stopping->pidfd; sets the deadline. */
MUST_CHECK int stopping_ask(struct stopping *stopping, const struct run *run, struct error *err);
/* The deadline has passed: kills the whole cgroup the first time, and the second time gives up (-1). */
MUST_CHECK int stopping_expire(struct stopping *stopping, struct error *err);
/* Its first process has ended (or there was none): waits for the monitor's record or writes it. */
MUST_CHECK int stopping_end(struct stopping *stopping, struct error *err);
void stopping_drop(struct stopping *stopping);

/* By a handler, or blocked: then it waits to be read from a signalfd, as inits do. Unreadable counts as yes. */
bool process_catches(pid_t pid, int signal);

/* All three for one that is held. */
MUST_CHECK int instance_stop_held(struct instance *instance, struct optional timeout_ms, struct error *err);

#endif
