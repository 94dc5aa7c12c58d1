/* Instances as the user sees them, and fleets of them.
 *
 * One directory per instance, no index, no database, no daemon. Facts lie in records (temp + rename); whether something
 * runs is asked of the kernel each time. One small monitor process stays with each running instance; every command
 * works when it is dead. */
#ifndef WARREN_FLEET_FLEET_H
#define WARREN_FLEET_FLEET_H

#include "base/arena.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/process.h"
#include "cgroups/cgroups.h"
#include "fleet/spec.h"
#include "netns/netns.h"

/* --- the host's directories --------------------------------------------------------------------------------------- */

struct host_options {
	const char *root;	   /* NULL: /run/warren, /var/lib/warren, /var/log/warren; else <root>/{run,lib,log} */
	const char *cgroup_parent; /* "name", "/path", "delegated"; NULL: as in earlier commands, else "warren" */
	bool read_only;		   /* nothing is made or put right; what is missing counts as empty */
};

struct host {
	char *run_path, *lib_path, *log_path, *cgroup_parent;
	int run, lib, log;
	int instances; /* <lib>/instances: <name>/{record.json, spec.json, u/, w/, …}, 0700 */
	int live;      /* <run>/instances: <name>/{out, err, monitor.lock, lock}; gone with a reboot */
	int fleets;    /* <lib>/fleets */
	struct net_state net;
	struct cgroup_host cgroups;
	/* The caller's own arena, or NULL: monitors are forks of the caller and give back what they do not need. */
	struct arena *caller_arena;
	bool swept;		  /* leftovers of killed commands were looked for by this process */
	struct net_session *lent; /* while many are ended: see host_network_lend() of instance.h */
};

/* Opens, making what is missing (0700 root). After a reboot rebuilds the bitmaps from the records. Read-only commands
 * may run without root: then ERROR_SYSTEM says that warren needs root. */
MUST_CHECK int host_open(const struct host_options *options, struct host *out, struct error *err);
void host_close(struct host *host);
/* Removes what killed commands left behind: half-made and half-removed instances, and, when no instance is left at all,
 * what the last one would have taken with it (the network's host part, control groups). For commands that find nothing
 * to do; the others do it by themselves. Failures are logged. */
void host_clean(struct host *host);

/* --- one instance ------------------------------------------------------------------------------------------------- */

enum instance_state {
	INSTANCE_CREATED,
	INSTANCE_STARTING,
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_RESTARTING,
	INSTANCE_STOPPED,
	INSTANCE_DAMAGED
};
extern const char
	*const instance_state_names[]; /* "created", "running", "paused", "restarting", "stopped", "damaged" */

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
extern const char
	*const end_reason_names[]; /* "", "exited", "signal", "out of memory", "stopped", "killed", "host
				      restarted or monitor lost", "start failed", "reboot", "unhealthy", "restart" */

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

/* What the health check of a running instance says; HEALTH_NONE: nothing is asked, or it does not run. */
enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
extern const char *const health_state_names[]; /* "none", "starting", "healthy", "unhealthy" */

#define HEALTH_RESULTS_MAX 5
struct health_result {
	int64_t at_ms, took_ms; /* at: CLOCK_REALTIME */
	bool well;
	int status;	    /* of HTTP, or the test's exit status; -1: none */
	const char *output; /* at most 511 bytes of what it said */
};
struct health_status {
	enum health_state state;
	int64_t since_ms; /* CLOCK_REALTIME */
	int64_t failing_streak;
	LIST_OF(struct health_result) results; /* the last ones, oldest first; at most HEALTH_RESULTS_MAX */
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

/* Makes the instance: claims the name, takes slot and address, prepares its root. On failure nothing is left.
 * ERROR_BUSY: name taken (by whom). */
MUST_CHECK int instance_create(struct host *host, const struct instance_spec *spec, struct error *err);

struct start_options {
	bool foreground; /* the caller is the monitor itself and relays stdio to its own 0, 1, 2 until the end */
	int *status;	 /* foreground: the process's exit status */
	enum end_reason *reason; /* foreground: why it ended; may be NULL */
	bool *exec_failed;
	struct port *ports; /* may be NULL; filled with the bound ports, room for 64 */
	size_t *port_count;
};
/* Starts a created or stopped one; desired state becomes running. Running already: with a monitor ERROR_BUSY, without
 * one it gets a monitor again. Returns when the program runs (its exec succeeded) and its ports are published. */
MUST_CHECK int instance_start(
	struct host *host, const char *name, const struct start_options *options, struct error *err);
/* stop_signal, grace, then the whole cgroup. Returns when nothing of it runs any more. Not running is fine. timeout
 * unset: the spec's. */
MUST_CHECK int instance_stop(struct host *host, const char *name, struct optional timeout_ms, struct error *err);
MUST_CHECK int instance_restart(struct host *host, const char *name, struct optional timeout_ms, struct error *err);
MUST_CHECK int instance_kill(struct host *host, const char *name, int signal, struct error *err);
MUST_CHECK int instance_pause(struct host *host, const char *name, bool paused, struct error *err);
/* Removes a stopped one with all that is its own; force: kills first. protect is respected. Works on damaged ones. */
MUST_CHECK int instance_remove(struct host *host, const char *name, bool force, struct error *err);
/* Gives an instance a new specification of the same name and image; its files, slot and (where it still fits) address
 * stay. A running one goes on as it is: the new values count from its next start. Its network can change only while it
 * is stopped (ERROR_BUSY). */
MUST_CHECK int instance_update(struct host *host, const struct instance_spec *spec, struct error *err);
/* Networks and the instances in them, sorted by name. */
struct network_use {
	struct network network;
	struct strings instances;
};
struct network_use_list {
	struct network_use *items;
	size_t count;
};
MUST_CHECK int host_networks(struct host *host, struct arena *arena, struct network_use_list *out, struct error *err);
/* Makes one that is no fleet's. ERROR_BUSY: it is there. */
MUST_CHECK int host_network_create(struct host *host, const struct network_spec *spec, struct error *err);
/* One to be changed by hand. ERROR_BUSY: it is a fleet's. */
MUST_CHECK int host_network_find(
	struct host *host, struct arena *arena, const char *name, struct network *out, struct error *err);
/* Changes it as it was found and edited. ERROR_BUSY with who is in it where that is in the way. */
MUST_CHECK int host_network_change(struct host *host, struct network *network, struct error *err);
MUST_CHECK int host_network_remove(struct host *host, const char *name, struct error *err);
/* Named volumes and the instances that have them. */
struct volume_list;
MUST_CHECK int host_volumes(struct host *host, struct arena *arena, struct volume_list *out, struct error *err);
/* ERROR_BUSY when an instance has it. */
MUST_CHECK int host_volume_remove(struct host *host, const char *name, struct error *err);
/* Deletes those that an image asked for and no instance has; the names. */
MUST_CHECK int host_volumes_prune(struct host *host, struct arena *arena, struct strings *removed, struct error *err);

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
 */
MUST_CHECK int instance_snapshot(struct host *host, const char *name, const char *snapshot, struct error *err);
/* Of a stopped one (ERROR_BUSY): what was written since is deleted. */
MUST_CHECK int instance_restore(struct host *host, const char *name, const char *snapshot, struct error *err);
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

MUST_CHECK int instance_rename(struct host *host, const char *name, const char *new_name, struct error *err);
/* Waits for the end of the present run; *status as `$?`. Not running: the last run's at once. */
MUST_CHECK int instance_wait(struct host *host, const char *name, int *status, struct error *err);

/* --- health ------------------------------------------------------------------------------------------------------- */

/* Of one that does not run: HEALTH_NONE. */
MUST_CHECK int instance_health_read(
	struct arena *arena, struct host *host, const char *name, struct health_status *out, struct error *err);
/* Asks a running one now; nothing follows from the answer. ERROR_USAGE: it has no check. */
MUST_CHECK int instance_health_ask(
	struct arena *arena, struct host *host, const char *name, struct health_result *out, struct error *err);
/* Whether it has a check: its own, or its image's. Without an image (NULL): its own. */
bool instance_has_check(const struct instance_spec *spec, const struct image_config *image);
/* The same of one that was created: 1 or 0, -1 when its files cannot be read. */
MUST_CHECK int instance_check_exists(struct host *host, const char *name, struct error *err);
/* Waits until it is healthy, or, without a check, until its program runs. ERROR_BUSY with the reason when the time is
 * out (timeout_ms -1: never), when it has become unhealthy, or has ended and nobody starts it again. */
MUST_CHECK int instance_wait_healthy(struct host *host, const char *name, int64_t timeout_ms, struct error *err);
/* The same for many at once; done() (may be NULL) is called for each as it is known, as for instances_do(). Gives the
 * number of failures, *err the first. */
MUST_CHECK int instances_wait_healthy(struct host *host, const struct strings *names, int64_t timeout_ms,
	void (*done)(void *context, const char *name, const struct error *result), void *context, struct error *err);

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

MUST_CHECK int instance_status_read(
	struct arena *arena, struct host *host, const char *name, struct instance_status *out, struct error *err);
/* The last ends; none when it has never run. */
MUST_CHECK int instance_ends_read(
	struct arena *arena, struct host *host, const char *name, struct end_list *out, struct error *err);
struct instance_list {
	struct instance_status *items; /* sorted by name, digits by value: site-2 before site-10 */
	size_t count;
};
MUST_CHECK int instance_list_read(struct arena *arena, struct host *host, struct instance_list *out, struct error *err);
/* Selection by names or shell patterns ("site-*") and labels ("k", "k=v"). A plain name that matches nothing is
 * ERROR_MISSING with a guess. */
MUST_CHECK int instance_select(struct arena *arena, struct host *host, const struct strings *patterns,
	const struct strings *labels, struct strings *names, struct error *err);
/* The `inspect` document. */
void instance_status_encode(
	struct encoder *encoder, const struct instance_status *status, const struct cgroup_limits *in_kernel);
void instance_ends_encode(struct encoder *encoder, const char *key, const struct end_list *ends);
/* What the kernel has as limits, for inspect; fails when it does not run. */
MUST_CHECK int instance_limits_read(struct arena *arena, struct host *host, const struct instance_status *status,
	struct cgroup_limits *out, struct error *err);

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

/* --- audit -------------------------------------------------------------------------------------------------------- */

/* What an instance may do and reach, against the hardened default. ok: as the default or stricter. weak: more than a
 * careful server needs, or no bound where there could be one. open: a wall between it and the host is missing. */
enum audit_verdict { AUDIT_OK, AUDIT_WEAK, AUDIT_OPEN };
extern const char *const audit_verdict_names[];

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

/* --- logs and figures
 * ---------------------------------------------------------------------------------------------------- */

struct logs_options {
	bool follow, timestamps;
	bool names;			    /* each line behind the name of its instance */
	bool colour;			    /* names in colours, for a terminal */
	struct optional tail;		    /* last n lines of each */
	struct optional since_ms, until_ms; /* CLOCK_REALTIME */
};
/* Writes the lines of all of them in the order of their times: stdout's to descriptor out, stderr's to errout. follow:
 * until all have ended, until_ms has passed, or the caller is interrupted. Of several, one without a log of ours is
 * passed over with a warning. */
MUST_CHECK int instances_logs(struct host *host, const struct strings *names, const struct logs_options *options,
	int out, int errout, struct error *err);
MUST_CHECK int instance_logs(struct host *host, const char *name, const struct logs_options *options, int out,
	int errout, struct error *err);

struct instance_stats {
	const char *name;
	const char *fleet; /* NULL: none */
	struct cgroup_stats cgroup;
	struct link_counters link;
	struct optional disk_bytes, disk_limit_bytes; /* what it has written, where the file system counts it */
	int64_t started_ms, restarts;
	enum health_state health;
	bool monitored, paused;
	int64_t at_ms; /* CLOCK_BOOTTIME */
	/* Since the sample before, a second; unset without one. */
	struct optional cpu_permille; /* of one processor */
	struct optional in_bytes, out_bytes, read_bytes, write_bytes;
};
struct stats_sample {
	struct instance_stats *items; /* as people sort names */
	size_t count;
};
/* Of all running instances among names (all when empty). before: an earlier sample, for what is reckoned by the second;
 * may be NULL. Without details a sample takes half the time: peak, swap, kills, refusals, throttling, limits of
 * processes and `monitored` are left out. */
enum stats_depth { STATS_PLAIN, STATS_DETAILS };
MUST_CHECK int instance_stats_read(struct arena *arena, struct host *host, const struct strings *names,
	enum stats_depth depth, const struct stats_sample *before, struct stats_sample *out, struct error *err);
/* Used and charged memory: without what the kernel would give back at once. */
struct optional stats_memory_used(const struct instance_stats *stats);
struct optional stats_memory_cache(const struct instance_stats *stats);
/* The sample as text of Prometheus' exposition format, version 0.0.4; of the list (those that do not run) the state. */
void stats_prometheus(struct text *out, const struct stats_sample *sample, const struct instance_list *list);

/* --- events ------------------------------------------------------------------------------------------------------- */

/* What happens to instances and fleets, as lines of JSON in <run>/events: written by whoever does it, bounded (the
 * oldest are forgotten), gone with a reboot. Nothing depends on them: a kill between the deed and the line loses the
 * line. */
enum event_kind {
	EVENT_CREATE,
	EVENT_START,   /* its program runs */
	EVENT_RESTART, /* the same, by the restart policy */
	EVENT_STOP,    /* it was asked to end */
	EVENT_KILL,    /* a signal was sent; detail: its name */
	EVENT_DIE,     /* it has ended; reason as in exit.json, status */
	EVENT_OOM,     /* the kernel ended it, or a process of it, for want of memory */
	EVENT_HEALTH,  /* reason: the new state */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_SLEEP, /* nobody calls it */
	EVENT_WAKE,  /* reason: "connection" or "command"; detail: how long it slept */
	EVENT_UPDATE, /* a new specification or new limits; detail: what changed */
	EVENT_RENAME, /* detail: the new name */
	EVENT_REMOVE,
	EVENT_APPLY, /* of a fleet, whose name it carries; reason: "begin", "done" or "failed" */
	EVENT_DOWN,
	EVENT_ROLLBACK,
	EVENT_BOOT, /* of the host: reason "start" or "stop" */
};
extern const char *const event_kind_names[]; /* "create", "start", "restart" … */

struct event {
	enum event_kind kind;
	const char *name;	     /* the instance, or the fleet; NULL: the host */
	const char *fleet;	     /* NULL: none */
	const char *reason, *detail; /* a word, a line; NULL: none */
	struct optional status, restarts;
	int64_t at_ms; /* CLOCK_REALTIME; 0 when written: now */
};
/* Never fails: what cannot be written is lost. Four system calls, one of them the write. */
void event_write(const struct host *host, const struct event *event);

struct events_request {
	bool follow;			    /* go on until each() says no, until_ms or a signal */
	struct optional since_ms, until_ms; /* CLOCK_REALTIME */
	struct strings filters;		    /* "event=die", "name=site-*" …: those of one key are alternatives */
	/* line is the whole line without its end; false ends the reading. Both are valid during the call only. */
	bool (*each)(void *context, const struct event *event, const char *line);
	void *context;
};
/* ERROR_USAGE: a filter that says nothing known. */
MUST_CHECK int events_read(struct host *host, const struct events_request *request, struct error *err);

/* --- the host comes up and goes down --------------------------------------------------------------------------------
 */

struct boot_request {
	unsigned parallel; /* 0: twice the processors */
	bool dry_run;	   /* only done() is called, for what would be started or stopped */
	void (*done)(void *context, const char *name, const struct error *result);
	void *context;
};
/* Starts what should run: what its owner wants running (or paused), "autostart" is true of, and ended with the host or
 * would be restarted by its policy. In the order of dependencies, then of priority. Gives the number of failures; *err
 * the first. What runs already is left alone. */
MUST_CHECK int host_boot(struct host *host, const struct boot_request *request, struct error *err);
/* Stops all that runs, dependants first, without changing what owners want: host_boot() starts the same again. */
MUST_CHECK int host_halt(struct host *host, const struct boot_request *request, struct error *err);

/* --- state against kernel ----------------------------------------------------------------------------------------- */

/* Something that nobody has any more, or that somebody should have and has not. */
struct check_finding {
	const char *kind; /* "slot", "link", "cgroup", "leftover" … */
	const char *name; /* of the instance, or of the thing */
	const char *text; /* what is wrong with it, in one line */
	bool repaired;
	const char *failure; /* why it was not, when it was tried; NULL */
};
struct check_report {
	struct check_finding *items;
	size_t count, left; /* left: not repaired */
};
/* Compares the records with the kernel and with what was given away. Commands may be at work meanwhile: what is seen
 * twice, a moment apart, counts. repair: puts right what can be without a decision of somebody's. */
MUST_CHECK int host_check(
	struct arena *arena, struct host *host, bool repair, struct check_report *out, struct error *err);

/* --- capacity ----------------------------------------------------------------------------------------------------- */

struct capacity_request {
	const char *like; /* an instance; NULL: the average of those that run */
	struct optional memory_bytes, cpus_milli, pids, disk_bytes; /* what one more takes, instead */
};

enum capacity_basis {
	CAPACITY_USED,	   /* by what is really used */
	CAPACITY_PROMISED, /* by limits: what happens when all fill theirs */
	CAPACITY_SETTING, /* a setting of the kernel, by the formulae of host_examine(), which suppose busy instances */
};

/* One thing that instances share. */
struct capacity_bound {
	const char *resource;	   /* "memory in use", "memory limits", "kernel.pid_max" … */
	int64_t have, taken, each; /* in `unit` */
	const char *unit;	   /* "bytes", "milli" (of a processor), "" */
	int64_t fits;		   /* so many more; -1: any number */
	enum capacity_basis basis;
};
/* An instance whose limit is far above what it ever used. */
struct capacity_waste {
	const char *name;
	int64_t limit_bytes, used_bytes, peak_bytes, suggested_bytes; /* peak 0: not known */
};
struct capacity {
	const char *like; /* what one more is like */
	size_t running;
	int64_t processors_milli, memory_bytes;
	LIST_OF(struct capacity_bound) bounds;
	/* The least of each basis, and which one that is; -1 and NULL: none bounds anything. */
	int64_t fits[CAPACITY_SETTING + 1];
	const char *first[CAPACITY_SETTING + 1];
	LIST_OF(struct capacity_waste) waste;
	int64_t waste_bytes; /* limits above the suggested ones, in all */
};
/* ERROR_MISSING: no such instance; ERROR_BUSY: it does not run, or none does and nothing is said of what one takes. */
MUST_CHECK int host_capacity(struct arena *arena, struct host *host, const struct capacity_request *request,
	struct capacity *out, struct error *err);

/* --- usage -------------------------------------------------------------------------------------------------------- */

/* Traffic of its link; outside: of that what it exchanged with what is neither an instance nor this host, counted only
 * in networks with accounting. */
enum usage_traffic {
	LINK_IN_BYTES,
	LINK_OUT_BYTES,
	LINK_IN_PACKETS,
	LINK_OUT_PACKETS,
	LINK_COUNTERS,
	OUTSIDE_IN_BYTES = LINK_COUNTERS,
	OUTSIDE_OUT_BYTES,
	OUTSIDE_IN_PACKETS,
	OUTSIDE_OUT_PACKETS,
	TRAFFIC_COUNTERS
};

/* What an instance has used in one month (UTC), over all its runs; kept after its removal, under its name. Written down
 * when a run ends, at each restart, and by usage_read(): what a running one has used since then is lost with a power
 * cut. */
struct usage_month {
	const char *month; /* "2026-11" */
	int64_t run_ms, cpu_us;
	/* Memory times time. reserved: by its limit, and by what it uses where there is none; exact. used: by what it
	 * used whenever somebody looked, its peak when nobody did; an estimate. */
	int64_t reserved_kib_ms, used_kib_ms;
	int64_t traffic[TRAFFIC_COUNTERS];
};
struct usage_row {
	const char *name; /* USAGE_REMOVED: all those together that were made to be removed at their end */
	bool exists;
	struct usage_month usage;
};
#define USAGE_REMOVED "_removed"
struct usage_list {
	struct usage_row *items; /* by name, then by month */
	size_t count;
};
/* Of these names and patterns (none: all). month NULL: all that are known. */
MUST_CHECK int usage_read(struct arena *arena, struct host *host, const struct strings *patterns, const char *month,
	struct usage_list *out, struct error *err);
/* Forgets instances that are gone; the number of them. */
MUST_CHECK int usage_prune(struct host *host, const struct strings *patterns, size_t *count, struct error *err);
/* "2026-11" → 0; ERROR_USAGE otherwise. */
MUST_CHECK int usage_month_check(const char *text, struct error *err);

/* --- fleets
 * ------------------------------------------------------------------------------------------------------------------ */

enum apply_step {
	APPLY_CREATED,
	APPLY_STARTED,
	APPLY_UNCHANGED,
	APPLY_RECREATED,
	APPLY_RESTARTED,
	APPLY_REMOVED,
	APPLY_UPDATED,	   /* its record, limits or state changed; nothing was started again */
	APPLY_ROLLED_BACK, /* was changed, and is again as it was before: another of its entry failed */
	APPLY_KEPT,	   /* was not changed, because another failed before it */
	APPLY_FAILED
};
extern const char *const apply_step_names[];

/* What a changed key costs an instance that runs. */
enum change_cost { COST_LIVE, COST_RESTART, COST_RECREATE };
extern const char *const change_cost_names[]; /* "live", "restart", "recreate" */

struct plan_change {
	const char *key;	      /* dotted: "resources.memory" */
	const struct json *from, *to; /* NULL: not said */
	enum change_cost cost;
	bool drift; /* the file did not change: what is there did */
};
struct plan_changes {
	struct plan_change *items;
	size_t count;
};

/* What would be done to one instance, network or volume. */
enum plan_action {
	ACTION_NONE,
	ACTION_CREATE,
	ACTION_START,
	ACTION_CHANGE, /* live: nothing is started again */
	ACTION_RESTART,
	ACTION_RECREATE,
	ACTION_STOP,
	ACTION_PAUSE,
	ACTION_RESUME,
	ACTION_ADOPT, /* it runs on; it gets a monitor again */
	ACTION_REMOVE,
};
extern const char *const plan_action_names[]; /* "create", "change" … */

struct plan_entry {
	const char *name, *base_name;
	int64_t index; /* of a replica, else 0 */
	enum plan_action action;
	const char *why; /* a few words; NULL: the changes say it, or there is nothing to say */
	struct plan_changes changes;
	const struct instance_spec *wanted; /* of an instance that the file names */
};
struct plan_entries {
	struct plan_entry *items;
	size_t count;
};
struct fleet_plan {
	const char *fleet;
	struct plan_entries instances, networks, volumes; /* instances in the order in which they are done */
	int64_t generation, next;			  /* 0: it has none yet */
	bool interrupted;				  /* the last apply did not come to its end */
	bool has_changes;
};

/* Changes of an instance that is there. */
#define SET_LAYERS_MAX 256
struct set_request {
	const struct json_doc *layers; /* an array of objects of instance keys, merged over what it is, in order */
	struct strings unpublish;      /* ports that go: "8080", "8080/udp", "127.0.0.1:8080->80/tcp" */
	bool may_restart;	       /* when a key counts from the next start only; else ERROR_BUSY */
};
/* From the text of such an array; checked as a layer of a fleet file is. null takes away what was said. */
MUST_CHECK int set_request_make(struct arena *arena, const char *layers, struct set_request *out, struct error *err);
/* All of it or nothing, at once where the instance runs; what the kernel took is read back. changes: what differs from
 * before. An instance of a fleet differs from its file then, which `plan` shows and the next apply puts right. */
MUST_CHECK int instance_set(struct arena *arena, struct host *host, const char *name, const struct set_request *request,
	struct plan_changes *changes, struct error *err);

struct apply_options {
	unsigned parallel;   /* 0: twice the processors */
	bool no_prune;	     /* keep instances that left the file */
	int64_t rollback_of; /* the generation that the file is; 0: it is none */
	void (*progress)(void *context, const char *name, enum apply_step step, const struct error *result, size_t done,
		size_t total);
	void *context;
};
/* Makes the host as the file says: defines networks and volumes, creates, starts, changes, removes; the least that is
 * needed; applying twice changes nothing. Goes on after a failure of one instance and reports the number at the end. A
 * second apply after a kill completes the first. */
MUST_CHECK int fleet_apply(
	struct host *host, const struct fleet_file *file, const struct apply_options *options, struct error *err);
/* What fleet_apply() would do now, and why. Refuses what that would refuse before it touches anything; changes nothing,
 * and waits for nobody: while an apply is at work it shows what is left of it. */
MUST_CHECK int fleet_plan(struct arena *arena, struct host *host, const struct fleet_file *file, bool no_prune,
	struct fleet_plan *out, struct error *err);

/* What was applied, the last ten times that it was something else. Rolling back is applying one of them. */
struct fleet_generation {
	int64_t number, applied_ms;
	bool complete;	     /* false: that apply failed or was killed */
	const char *path;    /* of the file */
	int64_t instances;   /* how many it names */
	int64_t rollback_of; /* the generation that it repeats; 0: none */
};
struct fleet_history {
	struct fleet_generation *items; /* the newest last */
	size_t count;
};
/* ERROR_MISSING, with a guess: no such fleet. */
MUST_CHECK int fleet_history_read(
	struct arena *arena, struct host *host, const char *name, struct fleet_history *out, struct error *err);
/* Number 0: the newest. ERROR_MISSING: it is not kept (any more). */
MUST_CHECK int fleet_generation_read(struct arena *arena, struct host *host, const char *name, int64_t number,
	struct fleet_file *out, struct error *err);
/* The same for going back to it: with the images that it had then, where their names mean others now. have: they are
 * put in the way of being used; else nothing is written. */
MUST_CHECK int fleet_rollback_read(struct arena *arena, struct host *host, const char *name, int64_t number, bool have,
	struct fleet_file *out, struct error *err);
/* What applying `to` would do to a host that is exactly as `from` says. */
MUST_CHECK int fleet_compare(struct arena *arena, const struct fleet_file *from, const struct fleet_file *to,
	struct fleet_plan *out, struct error *err);
/* What a value is shown as: sizes and durations in words, strings without quotes. */
const char *plan_value_show(struct arena *arena, const char *key, const struct json *value);

/* Stops and removes every instance, network and record of the fleet (volumes stay). ERROR_MISSING: no fleet of that
 * name. */
MUST_CHECK int fleet_down(struct host *host, const char *name, const struct apply_options *options, struct error *err);

/* --- the host itself ---------------------------------------------------------------------------------------------- */

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,	 /* worth knowing; nothing is wrong */
	FINDING_WARNING, /* works, but not all of it, or not for so many */
	FINDING_MISSING, /* needed, and not there */
	FINDING_UNKNOWN, /* could not be looked at: mostly for want of rights */
};
#define FINDING_STATES (FINDING_UNKNOWN + 1)
extern const char *const finding_state_names[]; /* "ok", "note", "warning", "missing", "unknown" */

struct finding {
	enum finding_state state;
	const char *group, *name; /* "limits", "kernel.pid_max" */
	const char *found;	  /* in a few words; never NULL */
	const char *wanted;	  /* NULL: it is only told */
	const char *why;	  /* what it is for, how `wanted` was reckoned; NULL: speaks for itself */
	const char *remedy;	  /* what to do, exactly; NULL: nothing, or for what is
				     unknown, to become root */
	const char *setting;	  /* "kernel.pid_max = 65536" when a line of sysctl.conf(5) is the remedy, else NULL */
};

struct doctor_request {
	struct host_options where;
	struct optional instances;	/* how many are planned; unset: those of the file, else those that exist */
	const struct fleet_file *fleet; /* what it asks for is judged too; NULL: none */
};

struct doctor_report {
	struct finding *items;
	size_t count;
	int64_t instances; /* the number that was judged for */
	size_t counts[FINDING_STATES];
};

/* Looks at all that instances need of this host, trying what can be tried in places that are gone afterwards. Changes
 * nothing (the kernel may load modules), needs nothing, and does not fail: what cannot be looked at is a finding as
 * well. Needs no host_open(), and no root for most. */
void host_examine(struct arena *arena, const struct doctor_request *request, struct doctor_report *report);

#endif
