/* The process that stays with a running instance; see docs/monitor.md.
 *
 * It is a fork of the command that starts the instance (or, in the foreground, that command itself). It is the parent
 * of the instance's first process: it reaps it, writes down why it ended, starts it again, keeps its log bounded. It
 * talks to nobody; commands find what it wrote, and wake it with SIGTERM when the desired state has changed. */
#ifndef WARREN_FLEET_MONITOR_MONITOR_H
#define WARREN_FLEET_MONITOR_MONITOR_H

#include <poll.h>
#include <time.h>

#include "fleet/health/probe.h"
#include "fleet/logs/logs.h"
#include "fleet/monitor/restart.h"
#include "fleet/network/listeners.h"
#include "fleet/state/instance.h"
#include "runtime/runtime.h"

#define MONITORS_CGROUP "_monitors" /* no instance can have this name */

/* Whether anybody calls, and what follows when nobody does. */
struct idle_watch {
	int64_t after_ms; /* 0: it never sleeps */
	enum idle_action action;
	unsigned slot;
	int arrivals;	  /* the packet socket; -1: none, much comes */
	uint64_t packets; /* of the link, then */
	unsigned quiet_looks;
	int64_t due_ms;	   /* the next look, or try to wake; CLOCK_BOOTTIME */
	bool asleep;	   /* by us */
	bool called;	   /* to be woken as soon as that may be */
	bool reclaims;	   /* its memory is being taken back */
	int64_t asleep_ms; /* since; CLOCK_BOOTTIME */
};
#define IDLE_NEVER                                                                                                     \
	{                                                                                                              \
		.arrivals = -1                                                                                         \
	}

/* What a monitor remembers; no pointer in it leads into an arena. */
struct monitor {
	struct instance instance; /* lock ≥ 0 only while a start is under way */
	int lock;		  /* live/monitor.lock */
	struct restart_spec restart;
	struct backoff backoff;
	bool remove;   /* --rm: the instance goes with its run */
	bool terminal; /* stdout is the console's master */
	bool boot;     /* the first process is an init: it can switch itself off and on again */
	bool adopted;  /* the first process is not our child: its monitor was killed */
	bool foreground;
	int own_oom_score; /* before the monitor protected itself */

	struct log_writer log;	 /* dir -1: no log is kept */
	int output[LOG_STREAMS]; /* our ends of the FIFOs; -1: none */
	int console_peer;	 /* the instance's side of an init's console; -1 */
	int input;		 /* foreground, interactive without terminal: the process's stdin; else -1 */

	struct launched launched;
	struct run run;		  /* ports points to `ports` */
	int64_t began_ms;	  /* CLOCK_BOOTTIME */
	int64_t oom_kills;	  /* of the cgroup, when the run began */
	int64_t dropped_recorded; /* log_dropped_bytes as run.json has it */

	struct probe probe;
	struct idle_watch idle;
	bool unwell;	   /* we end this run, because of its health */
	int64_t ending_ms; /* then by force; 0: we do not; CLOCK_BOOTTIME */

	/* Large, and untouched by an instance that has none of it: on pages of their own that are never made. */
	struct health *health;
	struct listeners *listeners; /* count 0: none, or none yet */
	struct port *ports;	     /* INSTANCE_PORTS_MAX */
};

/* --- launching.c: one start --------------------------------------------------------------------------------------- */

/* From the instance's files to its running program: everything of the start sequence, in the kept user and network
 * namespaces if there are any (a restart). run.json is written before the program runs and again when its ports are
 * published. On failure nothing of this start is left but, on a restart, the cgroup and the network. */
MUST_CHECK int monitor_launch(struct monitor *monitor, bool *exec_failed, struct error *err);

/* --- stdio.c: between the instance and its monitor ---------------------------------------------------------------- */

/* The instance's ends: two FIFOs in the live directory, made when missing and owned by its first user (who may reopen
 * /dev/stderr), opened read-write: with the reader dead, writing raises no SIGPIPE. */
MUST_CHECK int stdio_open(struct monitor *monitor, uid_t owner, int stdio[3], struct error *err);
void stdio_close(int stdio[3]);
/* Our own ends. write_end_too: keep one for writing, so that an instance which closes its output causes no wake-ups. */
MUST_CHECK int stdio_attach(struct monitor *monitor, bool write_end_too, struct error *err);
/* The pipes are there: the instance may be writing into them, log or not. */
bool stdio_exists(const struct monitor *monitor);
/* The log as the specification wants it. */
MUST_CHECK int monitor_log_open(struct monitor *monitor, const struct instance_spec *spec, struct error *err);
/* The same while the instance runs. Without pipes (it was started with the driver none) it counts from the next start.
 */
void monitor_log_change(struct monitor *monitor, const struct instance_spec *spec);

/* --- rest.c ------------------------------------------------------------------------------------------------------- */

/* ppoll(2) with all signals let through: less than 0 when there was one. time NULL: for ever. give_back: the pages of
 * the program's code and constants are unmapped for the wait and come back from the page cache as they are used. */
int rest_poll(struct pollfd *fds, nfds_t count, const struct timespec *time, bool give_back);

/* --- watch.c: the quiet part -------------------------------------------------------------------------------------- */

/* Copies output until the first process has ended (1), or SIGTERM asks to look at the desired state (0). */
int monitor_watch(struct monitor *monitor);
/* Waits at most that long, or until SIGTERM. */
void monitor_sleep(int64_t ms);
/* Handlers, and the signals that are let through only while waiting. */
void monitor_signals_setup(void);
/* Gives back all memory that the wait does not need. caller_arena may be NULL. */
void monitor_shrink(struct arena *caller_arena);
void monitor_protect(struct monitor *monitor);	 /* against the out-of-memory killer; what it cannot, it leaves */
void monitor_unprotect(struct monitor *monitor); /* before a clone: the instance must not inherit it */
void monitor_record_drops(struct monitor *monitor);

/* --- watch_health.c ----------------------------------------------------------------------------------------------- */

/* A run begins, or its check has changed: the first state is written before the run counts as started. */
void monitor_health_begin(struct monitor *monitor, const struct health_check *check);
/* Goes on where a monitor that was killed had come to. */
void monitor_health_adopt(struct monitor *monitor);
/* The run has ended. */
void monitor_health_end(struct monitor *monitor);
/* How long poll(2) may wait for the sake of the check; -1: for ever. */
int64_t monitor_health_wait_ms(const struct monitor *monitor);
/* Does what is due. ready: the probe's descriptor is. */
void monitor_health_turn(struct monitor *monitor, bool ready);
/* Whether a run that has ended was a success: it was healthy at some time, or, without a check, lived long enough. */
bool monitor_was_well(const struct monitor *monitor, int64_t lived_ms);

/* --- watch_idle.c ------------------------------------------------------------------------------------------------- */

/* A run begins. slot 0: it has no link of its own, and so never sleeps. */
void monitor_idle_begin(struct monitor *monitor, const struct idle_spec *wanted, unsigned slot);
/* The run has ended. */
void monitor_idle_end(struct monitor *monitor);
/* Somebody has woken us: the specification may be another one, and so may what the instance does. */
void monitor_idle_change(struct monitor *monitor, const struct idle_spec *wanted, unsigned slot);
/* What is to be polled for reading: -1 while it is awake. */
int monitor_idle_fd(const struct monitor *monitor);
/* How long poll(2) may wait for the sake of sleep; -1: for ever. */
int64_t monitor_idle_wait_ms(const struct monitor *monitor);
/* Does what is due. ready: the descriptor is. */
void monitor_idle_turn(struct monitor *monitor, bool ready);

/* --- monitor.c ---------------------------------------------------------------------------------------------------- */

struct monitor *monitor_new(const struct instance *instance, struct error *err); /* NULL on failure */
void monitor_drop(struct monitor **monitor);
/* After a successful start: watches, ends, restarts, until it is over. Gives the last run's exit record. */
struct exit_record monitor_stay(struct monitor *monitor, int (*watch)(struct monitor *monitor));
/* Takes over a running instance whose monitor was killed. */
MUST_CHECK int monitor_adopt(struct monitor *monitor, struct error *err);

#endif
