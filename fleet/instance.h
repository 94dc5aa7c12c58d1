/* One instance, from its creation to its removal: what it is doing, and what can be done to it. */
#ifndef WARREN_FLEET_INSTANCE_H
#define WARREN_FLEET_INSTANCE_H

#include "base/arena.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/process.h"
#include "fleet/health.h"
#include "fleet/host.h"

/* --- what it is doing ------------------------------------------------------------------------------------------ */

enum instance_state {
	INSTANCE_CREATED,
	INSTANCE_STARTING,
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_RESTARTING,
	INSTANCE_STOPPED,
	INSTANCE_DAMAGED
};
/* "created", "starting", "running", "paused", "restarting", "stopped", "damaged" */
extern const char *const instance_state_names[];

/* Why the last run ended. */
enum end_reason {
	END_NONE,
	END_EXITED,
	END_SIGNAL,
	END_OUT_OF_MEMORY,
	END_STOPPED,
	END_KILLED,
	END_HOST,
	END_START_FAILED,
	END_REBOOT,
	END_UNHEALTHY, /* ended by its monitor, because of its health check */
	END_RESTART    /* ended to be started again */
};
/* "", "exited", "signal", "out of memory", "stopped", "killed", "host restarted or monitor lost", "start failed",
 * "reboot", "unhealthy", "restart" */
extern const char *const end_reason_names[];

struct exit_record {
	enum end_reason reason;
	int status;	    /* as `$?`: 0 … 255, 128 + signal */
	int64_t at_ms;	    /* CLOCK_REALTIME; 0: never ran */
	int64_t restarts;   /* by the restart policy before this end */
	const char *detail; /* one line, e.g. the start's error; may be NULL */
	int64_t oom_kills;  /* during the run; not kept in exit.json */
};

/* One end as `why` tells it: at most ten are kept, over restarts and stops. */
struct end_report {
	enum end_reason reason;
	int status;
	int64_t at_ms, lived_ms; /* at: CLOCK_REALTIME */
	int64_t oom_kills;	 /* processes of it that the kernel killed for want of memory, in that run */
	int64_t restarts;	 /* by the restart policy, before this end */
	const char *detail;
	struct strings log; /* its last lines before, when nobody asked for the end: "time stderr text" */
};
struct end_list {
	struct end_report *items; /* the oldest first */
	size_t count;
};
/* Everything `list` and `inspect` show of one instance; read from records and kernel. */
struct instance_status {
	const char *name;
	const struct instance_spec *spec; /* NULL when damaged */
	enum instance_state state;
	enum desired_state desired;
	bool asleep; /* it runs, frozen until somebody calls */
	bool monitored;
	bool ending;		/* it runs, and somebody is stopping it or was killed at it */
	struct process_id init; /* pid 0: none */
	pid_t monitor;		/* 0: none */
	unsigned slot;
	struct in_addr address;
	struct in6_addr address6; /* ::: none */
	uint32_t id_base;
	const char *cgroup_path;
	struct port *ports; /* as bound */
	size_t port_count;
	int64_t created_ms, started_ms; /* CLOCK_REALTIME */
	uint64_t sources;		/* of the files it read when it started; 0: it read none */
	int64_t restarts;
	int64_t log_dropped_bytes;
	struct exit_record last;
	struct health_status health;
	const struct end_list *ends; /* for inspect; NULL: not asked for */
	const char *damage;	     /* why it is damaged */
};

/* The state in a word: instance_state_names, or "asleep". */
const char *instance_state_word(const struct instance_status *status);

/* Of one that is damaged, too: `damage` says why, and what could not be read is empty. */
MUST_CHECK int instance_status_read(
	struct arena *arena, struct host *host, const char *name, struct instance_status *out, struct error *err);
/* The last ends; none when it has never run. */
MUST_CHECK int instance_ends_read(
	struct arena *arena, struct host *host, const char *name, struct end_list *out, struct error *err);
struct instance_list {
	struct instance_status *items; /* sorted by name, digits by value: site-2 before site-10 */
	size_t count;
};
/* All of them. */
MUST_CHECK int instance_list_read(struct arena *arena, struct host *host, struct instance_list *out, struct error *err);
/* Selection by names or shell patterns ("site-*") and labels ("k", "k=v"). A plain name that matches nothing is
 * ERROR_MISSING with a guess. */
MUST_CHECK int instance_select(struct arena *arena, struct host *host, const struct strings *patterns,
	const struct strings *labels, struct strings *names, struct error *err);
/* The `inspect` document. */
void instance_status_encode(
	struct encoder *encoder, const struct instance_status *status, const struct cgroup_limits *in_kernel);
/* The list of ends in it. */
void instance_ends_encode(struct encoder *encoder, const char *key, const struct end_list *ends);
/* What the kernel has as limits, for inspect; fails when it does not run. */
MUST_CHECK int instance_limits_read(struct arena *arena, struct host *host, const struct instance_status *status,
	struct cgroup_limits *out, struct error *err);

/* --- its life -------------------------------------------------------------------------------------------------- */

/* Makes the instance: claims the name, takes slot and address, prepares its root. On failure nothing is left.
 * ERROR_BUSY: name taken (by whom). */
MUST_CHECK int instance_create(struct host *host, const struct instance_spec *spec, struct error *err);

#define INSTANCE_PORTS_MAX 64

struct start_options {
	bool foreground; /* the caller is the monitor itself and relays stdio to its own 0, 1, 2 until the end */
	int *status;	 /* foreground: the process's exit status */
	enum end_reason *reason; /* foreground: why it ended; may be NULL */
	bool *exec_failed;
	struct port *ports; /* may be NULL; filled with the bound ports, room for INSTANCE_PORTS_MAX */
	size_t *port_count;
};
/* Starts a created or stopped one; desired state becomes running. Running already: with a monitor ERROR_BUSY, without
 * one it gets a monitor again. Returns when the program runs (its exec succeeded) and its ports are published. */
MUST_CHECK int instance_start(
	struct host *host, const char *name, const struct start_options *options, struct error *err);
/* stop_signal, grace, then the whole cgroup. Returns when nothing of it runs any more. Not running is fine. timeout
 * unset: the spec's. */
MUST_CHECK int instance_stop(struct host *host, const char *name, struct optional timeout_ms, struct error *err);
/* Stops it as above and starts it again; one that does not run is started. ERROR_MISSING: no such instance. */
MUST_CHECK int instance_restart(struct host *host, const char *name, struct optional timeout_ms, struct error *err);
/* Sends a signal (signal(7)) to its first process; what follows is the restart policy's. ERROR_BUSY: it does not run.
 */
MUST_CHECK int instance_kill(struct host *host, const char *name, int signal, struct error *err);
/* Freezes all its processes (cgroups(7), freezer), or lets them go on; kept over a reboot. ERROR_BUSY: it does not run.
 */
MUST_CHECK int instance_pause(struct host *host, const char *name, bool paused, struct error *err);
/* Removes a stopped one with all that is its own; force: kills first. protect is respected. Works on damaged ones. */
MUST_CHECK int instance_remove(struct host *host, const char *name, bool force, struct error *err);
/* Gives an instance a new specification of the same name and image; its files, slot and (where it still fits) address
 * stay. A running one goes on as it is: the new values count from its next start. Its network can change only while it
 * is stopped (ERROR_BUSY). */
MUST_CHECK int instance_update(struct host *host, const struct instance_spec *spec, struct error *err);
/* Of a stopped one that is in no fleet: its files, address and past go along. ERROR_BUSY: it runs, or the new name is
 * taken. */
MUST_CHECK int instance_rename(struct host *host, const char *name, const char *new_name, struct error *err);
/* Waits for the end of the present run; *status as `$?`. Not running: the last run's at once. */
MUST_CHECK int instance_wait(struct host *host, const char *name, int *status, struct error *err);

/* --- its files ------------------------------------------------------------------------------------------------- */

/* A new, stopped instance with the root that another has now, or had (snapshot not NULL), and its specification but for
 * name, host name, fleet and fixed address; ports replace its own when there are any. Of a stopped one it takes the
 * same few system calls whatever it has written; one that runs is frozen and copied. */
struct clone_options {
	const char *name, *snapshot;
	const struct port *ports;
	size_t port_count;
};
MUST_CHECK int instance_clone(
	struct host *host, const char *source, const struct clone_options *options, struct error *err);

/* Named states of an instance's root. A running one is frozen for the moment of the copy. Volumes are not part of it.
 * ERROR_BUSY: it has a snapshot of that name. */
MUST_CHECK int instance_snapshot(struct host *host, const char *name, const char *snapshot, struct error *err);
/* Of a stopped one (else ERROR_BUSY): what was written since is deleted. ERROR_MISSING: no such snapshot. */
MUST_CHECK int instance_restore(struct host *host, const char *name, const char *snapshot, struct error *err);
/* ERROR_MISSING: no such snapshot. */
MUST_CHECK int instance_snapshot_remove(struct host *host, const char *name, const char *snapshot, struct error *err);
struct snapshot_list;
MUST_CHECK int instance_snapshots(
	struct host *host, const char *name, struct arena *arena, struct snapshot_list *out, struct error *err);

/* Calls run() while nothing changes the instance or its files: its lock is held, and one that runs is frozen. Gives
 * what run() gives. ERROR_USAGE: an ephemeral one runs, whose files are those of one run only. */
struct held_work {
	int (*run)(void *context, const struct instance_spec *spec, struct error *err);
	void *context;
};
MUST_CHECK int instance_hold(struct host *host, const char *name, const struct held_work *work, struct error *err);

/* Files into an instance's root, or out of it, whether it runs or not; see images/transfer.h for the rules. Of a
 * stopped one volumes are not there. ERROR_MISSING when there is no such instance or path. */
struct copy_request {
	const char *instance;
	const char *inner_path; /* relative ones begin at its root */
	const char *host_path;
	bool into; /* the instance */
	bool archive;
	bool follow;	   /* of a link what it leads to, under the link's name */
	bool to_directory; /* the target must be one that is there */
};
MUST_CHECK int instance_copy(struct host *host, const struct copy_request *request, struct error *err);

/* --- programs in it -------------------------------------------------------------------------------------------- */

struct exec_options {
	struct strings args, env;	/* "NAME=value" on top of the instance's */
	const char *user, *working_dir; /* NULL: the instance's */
	bool terminal, interactive, detach;
	struct exec_capture *capture; /* NULL: its output is ours */
};
/* For a command whose output is wanted, not shown: both streams, the beginning; what comes behind is thrown away. When
 * the time is out it is killed. */
struct exec_capture {
	char *bytes; /* `room` of them, NUL included */
	size_t room, length;
	int64_t timeout_ms;
	bool timed_out;
};
/* Same user namespace, filter, capabilities, cgroup as the instance. *status as `$?`; 126/127 as the shell's. */
MUST_CHECK int instance_exec(
	struct host *host, const char *name, const struct exec_options *options, int *status, struct error *err);

/* --- many at once ---------------------------------------------------------------------------------------------- */

/* Several at once: each verb for all names, at most `parallel` in flight (0: twice the processors). Calls done() for
 * each as it ends (on one thread). Gives the number of failures; *err the first. */
enum instance_verb { VERB_START, VERB_STOP, VERB_RESTART, VERB_REMOVE, VERB_REMOVE_FORCE, VERB_KILL };
struct bulk {
	enum instance_verb verb;
	unsigned parallel;
	struct optional timeout_ms;
	int signal;
	/* VERB_STOP: what owners want stays as it is, for the host goes down, or they are started again soon. */
	bool halt, again;
	void (*done)(void *context, const char *name, const struct error *result); /* result->kind ERROR_NONE: well */
	void *context;
};
MUST_CHECK int instances_do(struct host *host, const struct strings *names, const struct bulk *bulk, struct error *err);

/* --- audit ----------------------------------------------------------------------------------------------------- */

/* What an instance may do and reach, against the hardened default. ok: as the default or stricter. weak: more than a
 * careful server needs, or no bound where there could be one. open: a wall between it and the host is missing. */
enum audit_verdict { AUDIT_OK, AUDIT_WEAK, AUDIT_OPEN };
extern const char *const audit_verdict_names[]; /* "ok", "weak", "open" */

struct audit_row {
	const char *id;	   /* items of the CIS Docker Benchmark, "5.4" or "2.9 5.31"; "" when it has none */
	const char *topic; /* "memory limit" */
	enum audit_verdict verdict;
	const char *found;
	const char *why; /* what that means and how to close it; NULL when it is ok */
};
struct audit {
	LIST_OF(struct audit_row) rows;
	size_t counts[AUDIT_OPEN + 1];
	bool running; /* rights, namespaces, limits and mounts are what the kernel has now, else what the next start
			 gives */
};
/* Of an instance that is here. */
MUST_CHECK int instance_audit(
	struct arena *arena, struct host *host, const char *name, struct audit *out, struct error *err);
/* Of one that is only described, as in a fleet file. network: the one that it is in, when the file says more of it. */
MUST_CHECK int instance_spec_audit(struct arena *arena, const struct instance_spec *spec,
	const struct network_spec *network, struct audit *out, struct error *err);

#endif
