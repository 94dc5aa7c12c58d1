/* What has to be done so that the host is as the file says: a pure function of both. Only fleet/ includes this header.
 */
#ifndef WARREN_FLEET_PLAN_H
#define WARREN_FLEET_PLAN_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "fleet/fleet.h"
#include "fleet/spec.h"

/* How much a changed key costs, from least to most. */
enum change_class {
	CHANGE_NONE,
	CHANGE_RECORD,	 /* read when it is used: the record is enough */
	CHANGE_LIMITS,	 /* set in the running instance's cgroup */
	CHANGE_RESTART,	 /* counts from the next start */
	CHANGE_MOVE,	 /* the same, but it has to be stopped when the record changes */
	CHANGE_RECREATE, /* its own files cannot be kept */
};

/* Compares two specifications of one instance key by key, as spec.json has them. keys (may be NULL) gets the names of
 * those that differ, in spec.json's order. Never fails: both were checked. */
enum change_class change_classify(
	struct arena *arena, const struct instance_spec *from, const struct instance_spec *to, struct strings *keys);

/* What one instance needs, in the order in which it is done. */
enum plan_need {
	PLAN_REMOVE = 1, /* stop and remove what is there */
	PLAN_CREATE = 2,
	PLAN_STOP = 4,
	PLAN_UPDATE = 8,      /* write the new specification into the record */
	PLAN_SET_LIMITS = 16, /* into the running instance's cgroup */
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
	struct strings changed; /* keys */
	bool up;		/* it runs, or is about to */
	const char *stand_in;	/* the instance that serves in its place (stand_in.h); NULL: none */
	size_t level;		/* of its dependencies; removals of what left the file: of theirs */
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
	bool ours;	/* damaged, but this fleet's own records name it */
	bool unwatched; /* it runs, but its monitor has died */
};

struct plan_request {
	const char *fleet;
	const struct instance_spec *wanted; /* in start order */
	size_t wanted_count;
	const struct plan_actual *actual;
	size_t actual_count;
	bool keep_leaving; /* do not remove what left the file */
};

/* ERROR_BUSY: a wanted name belongs to another fleet or to nobody's file, or is damaged and not known to be ours; an
 * instance that would have to go is protected. */
MUST_CHECK int plan_make(struct arena *arena, const struct plan_request *request, struct plan *out, struct error *err);

/* The one word for a step: what progress and lists show. */
enum apply_step plan_step_word(const struct plan_step *step);

#endif
