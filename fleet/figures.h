/* What instances use and have used, what happens to them, and how many more would fit. */
#ifndef WARREN_FLEET_FIGURES_H
#define WARREN_FLEET_FIGURES_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/instance.h"

/* --- stats ----------------------------------------------------------------------------------------------------- */

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

/* --- events ---------------------------------------------------------------------------------------------------- */

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
	EVENT_SLEEP,  /* nobody calls it */
	EVENT_WAKE,   /* reason: "connection" or "command"; detail: how long it slept */
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

/* --- usage ----------------------------------------------------------------------------------------------------- */

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

/* --- capacity -------------------------------------------------------------------------------------------------- */

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

#endif
