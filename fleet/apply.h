/* A fleet file and the host: what would be done, doing it, what was done before, and undoing it. */
#ifndef WARREN_FLEET_APPLY_H
#define WARREN_FLEET_APPLY_H

#include "base/arena.h"
#include "base/encode.h"
#include "base/error.h"
#include "fleet/host.h"

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

#endif
