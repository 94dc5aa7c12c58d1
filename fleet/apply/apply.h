/* What apply and down share: doing the steps of a plan, and the fleet's networks. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_APPLY_APPLY_H
#define WARREN_FLEET_APPLY_APPLY_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/apply/plan.h"
#include "fleet/fleet.h"
#include "fleet/state/generation.h"

/* --- steps.c: a plan and what came of it -------------------------------------------------------------------------- */

/* One for each step of the plan. */
struct step_state {
	struct plan_step *step;
	bool failed, reported;
};

struct steps {
	struct host *host;
	struct arena *arena;
	const struct apply_options *options;
	struct plan plan;
	struct step_state *states;  /* as plan.items */
	struct step_state **sorted; /* by name */
	size_t reported, failures;
	struct error first; /* of the failures */
	bool front_changed; /* the front servers do not know yet (front.h) */
};

void steps_init(struct steps *steps, struct arena *arena, struct host *host, const struct apply_options *options);
/* The instances of this host against what is wanted (file NULL: nothing of the fleet); last: the fleet's record. */
MUST_CHECK int steps_plan(struct steps *steps, const char *fleet, const struct fleet_file *file,
	const struct generation *last, struct error *err);
/* Some of them. */
struct batch {
	struct step_state **items;
	size_t count;
};
/* All that they need, as much at once as instances_do() does; those that failed already are passed over. */
void batch_carry_out(struct steps *steps, const struct batch *batch);
/* Says of those that were not reported yet that they are done, or what kept them from it. */
void batch_report(struct steps *steps, const struct batch *batch);
void batch_fail(struct steps *steps, const struct batch *batch, const struct error *reason);
/* What left the file, the highest level first: stopped, then removed. */
void steps_remove_leaving(struct steps *steps);
/* What the file names, level by level; what depends on a failed one fails too. */
void steps_do_wanted(struct steps *steps);
/* Tells the progress of one step, once; result NULL: well. */
void steps_report(struct steps *steps, struct step_state *state, const struct error *result);
/* The same in another word than the plan had for it; may come after another one. */
void steps_report_as(struct steps *steps, struct step_state *state, enum apply_step word);
/* 0, or -1 with "3 of 200 instances failed; the first: …". */
MUST_CHECK int steps_result(const struct steps *steps, struct error *err);

/* --- apply.c ------------------------------------------------------------------------------------------------------ */

/* What this host cannot do is refused by name, before anything is made. */
MUST_CHECK int specs_admit(struct host *host, const struct fleet_file *file, struct error *err);
/* The same of what the plan is to make or move: networks, and the links of the host that instances are to come to. */
MUST_CHECK int plan_admit(const struct steps *steps, const struct fleet_file *file, struct error *err);

/* --- replace.c: instances that serve and have to be started anew -------------------------------------------------- */

/* Those of one level that run, or have a stand-in that does, each of which has to be restarted, moved or made anew.
 * Some may have failed already: those are passed over. */
void steps_replace(struct steps *steps, const struct batch *batch);

/* --- fleet_networks.c --------------------------------------------------------------------------------------------- */

/* What fleet_networks_define() would refuse once what leaves has left, before anything is touched. Whether anybody but
 * the fleet's own has addresses of its networks is not asked. */
MUST_CHECK int fleet_networks_admit(const struct steps *steps, const struct fleet_file *file, struct error *err);
/* Defines the file's networks as the fleet's own. One without a subnet keeps the one it has, or gets the first of
 * 10.90.0.0/16 … 10.254.0.0/16 that is free. */
MUST_CHECK int fleet_networks_define(struct host *host, const struct fleet_file *file, struct error *err);
/* One network as a file or the command line says it. owner: the fleet, "" for nobody's. */
MUST_CHECK int network_spec_define(
	struct host *host, const struct network_spec *spec, const char *owner, struct error *err);
/* Removes the fleet's networks that the file (NULL: nothing) does not name. The first failure is reported when all were
 * tried: ERROR_BUSY while instances have addresses of one. */
MUST_CHECK int fleet_networks_forget(
	struct host *host, const char *fleet, const struct fleet_file *file, struct error *err);

#endif
