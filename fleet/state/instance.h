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
/* The same, locked; what a killed monitor or command left is finished (instance_repair()). ERROR_BUSY: another command
 * holds it for longer than INSTANCE_LOCK_TIMEOUT_MS. */
MUST_CHECK int instance_take(struct host *host, const char *name, struct instance *out, struct error *err);
/* Locked but not repaired: for removing what is damaged. */
MUST_CHECK int instance_take_as_is(struct host *host, const char *name, struct instance *out, struct error *err);
void instance_drop(struct instance *instance);
#define auto_instance AUTO(instance_drop) struct instance
#define INSTANCE_EMPTY                                                                                                 \
	{                                                                                                              \
		.dir = -1, .live = -1, .lock = -1                                                                      \
	}

/* live/<name>, made when missing. */
MUST_CHECK int instance_live_make(struct instance *instance, struct error *err);

/* --- create.c ----------------------------------------------------------------------------------------------------- */

/* instance_create() with the root that another had (images.h: root_inherit()); NULL: with that of its image. */
MUST_CHECK int instance_create_from(
	struct host *host, const struct instance_spec *spec, const struct image_config *snapshot, struct error *err);

/* --- still.c: files that stay as they are for a while ------------------------------------------------------------- */

/* True when it runs, or a monitor is about to start it again. */
bool instance_is_up(struct instance *instance);
/* With the instance's lock held, between begin and end nothing inside writes: one that runs is frozen, one that is
 * paused stays so. A kill of this command in between leaves it paused, as `warren list` shows, until `warren resume`.
 */
struct stillness {
	bool running, thaw;
	enum desired_state desired; /* before */
	struct cgroup cgroup;	    /* when it is running */
};
MUST_CHECK int instance_still_begin(struct instance *instance, struct stillness *out, struct error *err);
void instance_still_end(struct instance *instance, struct stillness *still);

/* --- image.c: what an instance takes from its image --------------------------------------------------------------- */

/* Of an instance that exists: dir is its directory. Empty for a plain root directory. */
MUST_CHECK int instance_image_read(int store, int dir, const struct instance_spec *spec, struct arena *arena,
	struct image_config *out, struct error *err);
/* Adds the image's volumes to those of the specification, but for targets that this has. */
void instance_image_volumes(struct arena *arena, const struct image_config *image, struct instance_spec *spec);
/* The image's health check, where the specification has none of its own and does not refuse it. */
void instance_image_health(const struct image_config *image, struct instance_spec *spec);
/* The signal that ends it: its own, else its image's, else SIGTERM. */
int instance_stop_signal(const struct instance_spec *spec, int dir);

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

/* --- repair.c: whoever comes next finishes ------------------------------------------------------------------------ */

/* With the instance's lock held: when its monitor is gone and so is its first process (or it never got to its program),
 * the end of that run is completed and recorded. */
MUST_CHECK int instance_repair(struct instance *instance, struct error *err);
/* Removes what commands that were killed in create or remove left behind, once per process. Failures are logged. */
void host_sweep(struct host *host);

/* --- finish.c: the end of a run ----------------------------------------------------------------------------------- */

/* Everything a run took from the host but the instance's own slot and address: processes, cgroup, published ports, its
 * name for others. Bounded in time; goes on after a failure and reports the first. Doing it twice is fine. */
MUST_CHECK int run_release(struct instance *instance, const struct run *run, struct error *err);
/* run_release(), then the exit record, then run.json is gone. monitor.lock is held or nobody can take it. */
MUST_CHECK int run_finish(
	struct instance *instance, const struct run *run, const struct exit_record *exit, struct error *err);
/* ends.c: adds it to the ends that are kept. Never fails: what cannot be written is lost. */
void ends_note(struct instance *instance, const struct run *run, const struct exit_record *exit);
/* Why it ended. status as waitpid(2), or -1: unknown (it was nobody's child). oom_kills: since the run began. */
struct end {
	int wait_status;
	int64_t oom_kills;
	enum desired_state desired;
	int killed_by;	  /* signal that `kill` sent, 0 none */
	bool boot;	  /* it was an init, which ends by reboot(2) */
	bool unwell;	  /* its monitor ended it, because of its health */
	enum halt halted; /* it was asked to end only for now */
};
struct exit_record end_judge(const struct end *end);
/* The status of an ended process that was not our child: pidfd opened before its end (PIDFD_GET_INFO, 6.15); -1. */
int pidfd_exit_status(int pidfd);

/* --- removing ----------------------------------------------------------------------------------------------------- */

/* Of a stopped one that we hold; its files, slot, address, logs. */
MUST_CHECK int instance_discard(struct instance *instance, struct error *err);
/* Staged directories ".<name>.<random>": makes one, locked. */
MUST_CHECK int instance_stage(
	struct host *host, const char *name, struct instance *out, char path[96], struct error *err);

#endif
