/* What has to be done so that the host is as the file says: a pure function of both. Only fleet/ includes this header.
 */
#ifndef WARREN_FLEET_APPLY_PLAN_H
#define WARREN_FLEET_APPLY_PLAN_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "fleet/fleet.h"
#include "fleet/spec.h"
#include "fleet/spec/change.h"

/* What one instance needs, in the order in which it is done. */
enum plan_need {
	PLAN_REMOVE = 1, /* stop and remove what is there */
	PLAN_CREATE = 2,
	PLAN_STOP = 4,
	PLAN_UPDATE = 8, /* write the new specification into the record */
	PLAN_LIVE = 16,	 /* bring it into the running instance: plan_step.parts */
	PLAN_RESTART = 32,
	PLAN_START = 64,
	PLAN_PAUSE = 128,
	PLAN_RESUME = 256,
	PLAN_SETTLE = 512, /* an apply was killed while another served in its place: that one has to go */
};

struct plan_step {
	const char *name;
	const struct instance_spec *wanted; /* NULL: it left the file */
	const struct instance_spec *actual; /* NULL: not there, or damaged */
	unsigned needs;			    /* 0: nothing */
	enum change_class change;
	unsigned parts; /* enum live_part, with PLAN_LIVE */
	struct plan_changes changes;
	const char *why;      /* beside the changes; may be NULL */
	bool up;	      /* it runs, is paused, or is about to be started again */
	const char *stand_in; /* the instance that serves in its place (stand_in.h); NULL: none */
	size_t level;	      /* of its dependencies; removals of what left the file: of theirs */
};

struct plan {
	struct plan_step *items; /* what left the file first, from the highest level down; then in start order */
	size_t count, leaving;	 /* how many of them leave */
	size_t levels;
};

/* Instances as they are; spec NULL: damaged. */
struct plan_actual {
	const char *name;
	const struct instance_spec *spec;
	enum instance_state state;
	bool ours;			       /* damaged, but this fleet's own records name it */
	bool stale;			       /* the files that it read when it started hold something else by now */
	bool unwatched;			       /* it runs, but its monitor has died */
	bool ending;			       /* it runs, but a command that was killed has told it to stop */
	const struct instance_status *status;  /* for the reasons and the ports as bound; may be NULL */
	const struct cgroup_limits *in_kernel; /* of one that runs; NULL: not looked at */
};

struct plan_request {
	const char *fleet;
	const struct instance_spec *wanted; /* in start order */
	size_t wanted_count;
	const struct plan_actual *actual;
	size_t actual_count;
	const struct strings *known; /* what the last complete apply made; may be NULL */
	bool keep_leaving;	     /* do not remove what left the file */
	bool imagined;		     /* nobody is going to do it: what is protected is no reason to refuse */
};

/* ERROR_BUSY: a wanted name belongs to another fleet or to nobody's file, or is damaged and not known to be ours; an
 * instance that would have to go is protected. */
MUST_CHECK int plan_make(struct arena *arena, const struct plan_request *request, struct plan *out, struct error *err);

/* The one word for a step: what progress and lists show. */
enum apply_step plan_step_word(const struct plan_step *step);
enum plan_action plan_step_action(const struct plan_step *step);

/* --- drift.c: what somebody changed behind the file's back -------------------------------------------------------- */

/* Limits in the kernel and published ports that are not those of the specification, added to what is to be done. */
void drift_find(struct arena *arena, const struct plan_actual *actual, struct plan_step *step);
/* Why an instance is not in the state that is wanted, in a few words; NULL: it is, or nobody knows. */
const char *drift_reason(struct arena *arena, const struct plan_actual *actual, const struct instance_spec *wanted);
/* Marks the changes of keys in which the file says the same as when it was applied: applied are those specifications.
 */
void drift_mark(struct arena *arena, struct plan *plan, const struct instance_spec *applied, size_t count);

#endif
