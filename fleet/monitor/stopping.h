/* Telling a run to end: what a stop and a monitor have in common. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_MONITOR_STOPPING_H
#define WARREN_FLEET_MONITOR_STOPPING_H

#include "fleet/state/instance.h"

enum stop_aim {
	STOP_FOR_GOOD,
	STOP_TO_REMOVE, /* by force */
	STOP_TO_START,	/* again, soon: what its owner wants stays as it is, so that a boot in between starts it */
	STOP_WITH_HOST, /* the host goes down: the same */
};

struct stopping {
	struct instance instance; /* held */
	enum stop_aim aim;
	int pidfd;	     /* of its first process; -1: nothing runs */
	int64_t deadline_ms; /* CLOCK_BOOTTIME: then it is killed; and once more for the kernel to end it */
	bool killed;
	bool remove; /* made with --rm */
	/* How it is told, which waits while it drains. */
	pid_t init;
	int signal;
	int64_t grace_ms, drain_ms;
	bool draining;
	int64_t look_ms;	     /* CLOCK_BOOTTIME: when connections are counted next */
	struct net_session *session; /* to count them */
};
#define STOPPING_EMPTY                                                                                                 \
	{                                                                                                              \
		.instance = INSTANCE_EMPTY, .pidfd = -1                                                                \
	}

/* Signal and times of the specification; usual ones when it cannot be read. timeout unset: the spec's. */
void stopping_manner(struct stopping *stopping, struct optional timeout_ms);
/* The signal, and from now on the grace. */
MUST_CHECK int stopping_tell(struct stopping *stopping, struct error *err);
/* The stop signal alone, to a run whose first process is stopping->pidfd; sets the deadline. */
MUST_CHECK int stopping_ask(struct stopping *stopping, const struct run *run, struct error *err);

/* By a handler, or blocked: then it waits to be read from a signalfd, as inits do. Unreadable counts as yes. */
bool process_catches(pid_t pid, int signal);

#endif
