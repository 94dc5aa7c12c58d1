/* An instance's directories, opened and perhaps locked: what every command of this folder begins with.
 *
 * Locks (all flock(2); the kernel drops them when their holder dies), in the order in which they may be taken:
 *
 *   the instance's directory    one command at a time changes the instance; a starting monitor shares it with the
 *                               command that made it, so that the death of the command alone frees nothing
 *   live/<name>/monitor.lock    held for the life of a monitor: who holds it owns run.json, exit.json and the cgroup
 *
 * docs/locks.md has the others. A monitor never waits for the instance's lock while a command that holds it may be
 * waiting for the monitor: it only tries. */
#ifndef WARREN_FLEET_STATE_INSTANCE_H
#define WARREN_FLEET_STATE_INSTANCE_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/fleet.h"
#include "fleet/state/record.h"

/* What a callee could not do is no failure here: *err is empty again, and 0 given. */
static inline int forgive(struct error *err)
{
	*err = (struct error){0};
	return 0;
}

#define INSTANCE_LOCK_TIMEOUT_MS 30000
/* How long a monitor may take to write its record after the last process is gone, and a cgroup to become empty. */
#define INSTANCE_END_TIMEOUT_MS 10000

struct instance {
	struct host *host; /* borrowed */
	char name[64];
	int dir;  /* instances/<name> */
	int live; /* live/<name>; -1: it has not run since the host came up */
	int lock; /* -1: not locked */
};

/* name is checked first. ERROR_MISSING with a guess. Nothing is locked or made: for readers. */
MUST_CHECK int instance_find(struct host *host, const char *name, struct instance *out, struct error *err);
/* The same, locked. ERROR_BUSY: another command holds it for longer than INSTANCE_LOCK_TIMEOUT_MS. Most want
 * instance_take() (repair.h); as it is: for removing what is damaged. */
MUST_CHECK int instance_take_as_is(struct host *host, const char *name, struct instance *out, struct error *err);
void instance_drop(struct instance *instance);
#define auto_instance AUTO(instance_drop) struct instance
#define INSTANCE_EMPTY                                                                                                 \
	{                                                                                                              \
		.dir = -1, .live = -1, .lock = -1                                                                      \
	}

/* live/<name>, made when missing. */
MUST_CHECK int instance_live_make(struct instance *instance, struct error *err);

/* spec.json. */
MUST_CHECK int instance_spec_load(
	struct arena *arena, int dir, const char *name, struct instance_spec *out, struct error *err);

/* One session for many ends: closing a socket through which something was just taken out of a table waits for a grace
 * period of RCU, some 10 ms each time. Between lend and return nothing may be forked that uses the host. */
void host_network_lend(struct host *host);
void host_network_return(struct host *host);
/* The session that was lent, or one of the caller's own in *own, which he drops; NULL: failed. */
struct net_session *host_network(struct host *host, struct net_session **own, struct error *err);

const char *instance_cgroup_path(struct arena *arena, const struct host *host, const char *name);
bool instance_is_monitored(const struct instance *instance);
/* It runs, or its monitor is about to start it again. */
bool instance_is_up(const struct instance *instance);

/* What a running instance is made of; ERROR_BUSY "… is not running" otherwise. */
struct running {
	struct run run;
	bool monitored;
};
MUST_CHECK int instance_running_read(
	struct arena *arena, const struct instance *instance, struct running *out, struct error *err);
/* What its owner wants, but stopped while the host goes down. */
enum desired_state instance_desired(const struct instance *instance);
/* True when its first process lives. */
bool run_is_alive(const struct run *run);
/* Wakes the monitor of this run, if there is one. */
void monitor_kick(const struct run *run);

#endif
