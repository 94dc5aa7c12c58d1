/* The least that is needed. Nothing here touches the host: the tests call it with lists made by hand. */
#include "fleet/apply/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/file/order.h"

const char *const plan_action_names[] = {
	[ACTION_NONE] = "none",
	[ACTION_CREATE] = "create",
	[ACTION_START] = "start",
	[ACTION_CHANGE] = "change",
	[ACTION_RESTART] = "restart",
	[ACTION_RECREATE] = "recreate",
	[ACTION_STOP] = "stop",
	[ACTION_PAUSE] = "pause",
	[ACTION_RESUME] = "resume",
	[ACTION_ADOPT] = "adopt",
	[ACTION_REMOVE] = "remove",
	[ACTION_REMOVE + 1] = NULL,
};

/* --- one instance ------------------------------------------------------------------------------------------------- */

static bool state_is_up(enum instance_state state)
{
	return state == INSTANCE_RUNNING || state == INSTANCE_STARTING || state == INSTANCE_RESTARTING ||
	       state == INSTANCE_PAUSED;
}

static unsigned needs_of_new(const struct instance_spec *wanted)
{
	return PLAN_CREATE | (wanted->state == DESIRED_STOPPED ? 0 : PLAN_START) |
	       (wanted->state == DESIRED_PAUSED ? PLAN_PAUSE : 0);
}

/* From the state it is in to the wanted one, nothing else having changed. */
static unsigned needs_of_state(enum desired_state wanted, enum instance_state state)
{
	bool up = state_is_up(state), paused = state == INSTANCE_PAUSED;

	switch (wanted) {
	case DESIRED_STOPPED:
		return up ? PLAN_STOP : 0;
	case DESIRED_PAUSED:
		return up ? (paused ? 0 : PLAN_PAUSE) : PLAN_START | PLAN_PAUSE;
	default:
		return up ? (paused ? PLAN_RESUME : 0) : PLAN_START;
	}
}

static unsigned needs_of_change(const struct plan_step *step, enum instance_state state)
{
	unsigned needs = needs_of_state(step->wanted->state, state);
	unsigned pause = step->wanted->state == DESIRED_PAUSED ? PLAN_PAUSE : 0;

	if (step->change == CHANGE_NONE)
		return needs;
	needs |= PLAN_UPDATE;
	if (!state_is_up(state) || step->wanted->state == DESIRED_STOPPED)
		return needs;
	if (step->change == CHANGE_MOVE)
		return PLAN_STOP | PLAN_UPDATE | PLAN_START | pause;
	if (step->change == CHANGE_RESTART)
		return (needs & ~(unsigned)PLAN_RESUME) | PLAN_RESTART | pause;
	return step->change == CHANGE_LIVE ? needs | PLAN_LIVE : needs;
}

/* Whoever wanted to stop it had taken it out of its ports already: the stop is done, and it is started. */
static void needs_of_broken_stop(struct plan_step *step)
{
	if (!(step->needs & (PLAN_STOP | PLAN_RESTART)))
		step->needs = (step->needs & ~(unsigned)PLAN_RESUME) | PLAN_RESTART |
			      (step->wanted->state == DESIRED_PAUSED ? PLAN_PAUSE : 0);
	step->why = "it is being stopped, or was to be";
}

static int fail_not_ours(const struct plan_actual *actual, struct error *err)
{
	if (!actual->spec)
		return fail(err, ERROR_BUSY, "the name %s is taken by a damaged instance; `warren rm -f %s` removes it",
			actual->name, actual->name);
	if (actual->spec->fleet)
		return fail(err, ERROR_BUSY, "the name %s is taken by an instance of the fleet %s", actual->name,
			actual->spec->fleet);
	return fail(err, ERROR_BUSY, "the name %s is taken by an instance that was made by hand", actual->name);
}

static int fail_standing_in(const struct plan_actual *actual, struct error *err)
{
	return fail(err, ERROR_BUSY,
		"the name %s is taken by the stand-in of %s, whose update was killed: apply a file without %s first",
		actual->name, actual->spec->stands_in_for, actual->name);
}

static int fail_protected(const char *name, const char *why, struct error *err)
{
	return fail(err, ERROR_BUSY, "%s is protected (\"protect\": true), and %s", name, why);
}

static void step_compare(struct arena *arena, const struct plan_actual *actual, struct plan_step *step)
{
	struct comparison comparison;

	if (!actual->spec || actual->state == INSTANCE_DAMAGED) {
		step->change = CHANGE_RECREATE;
		return;
	}
	specs_compare(arena, actual->spec, step->wanted, &comparison);
	step->change = comparison.change;
	step->parts = comparison.parts;
	step->changes = comparison.changes;
}

static int step_of_existing(struct arena *arena, const struct plan_request *request, const struct plan_actual *actual,
	struct plan_step *step, struct error *err)
{
	bool ours = actual->spec ? text_equal(actual->spec->fleet, request->fleet) : actual->ours;

	if (!ours)
		return fail_not_ours(actual, err);
	if (actual->spec && actual->spec->stands_in_for)
		return fail_standing_in(actual, err);
	step->actual = actual->spec;
	step->up = state_is_up(actual->state);
	step_compare(arena, actual, step);
	step->why = drift_reason(arena, actual, step->wanted);
	if (actual->stale && step->change < CHANGE_RESTART && step->wanted->state != DESIRED_STOPPED) {
		step->change = CHANGE_RESTART;
		step->why = "a file that it reads when it starts has changed";
	}
	if (actual->ending && step->change < CHANGE_RESTART && step->wanted->state != DESIRED_STOPPED) {
		step->change = CHANGE_RESTART;
		step->why = "somebody began to stop it";
	}
	if (step->change < CHANGE_RECREATE) {
		step->needs = needs_of_change(step, actual->state);
		if (step->change < CHANGE_RESTART && step->wanted->state != DESIRED_STOPPED)
			drift_find(arena, actual, step);
		if (actual->status && actual->status->ending && step->wanted->state != DESIRED_STOPPED)
			needs_of_broken_stop(step);
		/* Starting what runs gives it a monitor again. */
		if (actual->unwatched && !(step->needs & (PLAN_STOP | PLAN_RESTART)))
			step->needs |= PLAN_START;
		return 0;
	}
	if (actual->spec && actual->spec->protect && !request->imagined)
		return fail_protected(actual->name, "what changed needs it to be made anew", err);
	step->needs = PLAN_REMOVE | needs_of_new(step->wanted);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int compare_actual(const void *a, const void *b)
{
	const struct plan_actual *const *one = a, *const *other = b;

	return strcmp((*one)->name, (*other)->name);
}

struct planner {
	struct arena *arena;
	const struct plan_request *request;
	const struct plan_actual **sorted; /* actual, by name */
	struct plan *plan;
	struct error *err;
};

static const struct plan_actual *actual_find(const struct planner *planner, const char *name)
{
	const struct plan_actual key = {.name = name}, *wanted = &key, **found;

	found = bsearch(&wanted, planner->sorted, planner->request->actual_count, sizeof(wanted), compare_actual);
	return found ? *found : NULL;
}

static int wanted_add(const struct planner *planner, const struct instance_spec *wanted, size_t level)
{
	const struct plan_actual *actual = actual_find(planner, wanted->name);
	struct plan_step *step = &planner->plan->items[planner->plan->count++];

	*step = (struct plan_step){
		.name = wanted->name, .wanted = wanted, .level = level, .needs = needs_of_new(wanted)};
	if (level >= planner->plan->levels)
		planner->plan->levels = level + 1;
	if (actual)
		return step_of_existing(planner->arena, planner->request, actual, step, planner->err);
	if (planner->request->known && strings_contain(planner->request->known, wanted->name))
		step->why = "somebody removed it";
	return 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool name_is_among(const char *const *name, const char *const *sorted, size_t count)
{
	return bsearch(name, sorted, count, sizeof(*sorted), compare_strings);
}

static int compare_leaving(const void *a, const void *b)
{
	const struct plan_step *one = a, *other = b;

	if (one->level != other->level)
		return one->level < other->level ? 1 : -1;
	return strcmp(one->name, other->name);
}

static int leaving_add(const struct planner *planner, const struct plan_actual *actual, const struct order *order)
{
	struct plan_step *step = &planner->plan->items[planner->plan->count++];

	if (actual->spec && actual->spec->protect && !planner->request->imagined)
		return fail_protected(actual->name, "the file does not name it any more", planner->err);
	*step = (struct plan_step){.name = actual->name,
		.actual = actual->spec,
		.needs = PLAN_REMOVE,
		.level = actual->spec ? order_level(order, actual->spec) : 0};
	planner->plan->leaving++;
	return 0;
}

/* What is this fleet's and not wanted; an order of dependencies that is no more consistent is no reason to keep it. */
static int leaving_collect(const struct planner *planner)
{
	const struct plan_request *request = planner->request;
	const char **names = arena_new_array(planner->arena, request->wanted_count, const char *);
	const struct instance_spec **specs =
		arena_new_array(planner->arena, request->actual_count, const struct instance_spec *);
	struct order order = {0};
	struct error ignored;
	size_t count = 0;

	for (size_t i = 0; i < request->wanted_count; i++)
		names[i] = request->wanted[i].name;
	qsort(names, request->wanted_count, sizeof(*names), compare_strings);
	for (size_t i = 0; i < request->actual_count; i++)
		if (request->actual[i].spec && text_equal(request->actual[i].spec->fleet, request->fleet))
			specs[count++] = request->actual[i].spec;
	if (order_make(planner->arena, specs, count, &order, NULL, &ignored) < 0)
		order = (struct order){0};
	for (size_t i = 0; i < request->actual_count && !request->keep_leaving; i++) {
		const struct plan_actual *actual = &request->actual[i];
		const char *const *owner = actual->spec ? &actual->spec->stands_in_for : NULL;
		bool ours = actual->spec ? text_equal(actual->spec->fleet, request->fleet) : actual->ours;

		/* A stand-in goes when the one it stands in for is there again. */
		if (!ours || name_is_among(&actual->name, names, request->wanted_count) ||
			(owner && *owner && name_is_among(owner, names, request->wanted_count)))
			continue;
		if (leaving_add(planner, actual, &order) < 0)
			return -1;
	}
	qsort(planner->plan->items, planner->plan->leaving, sizeof(struct plan_step), compare_leaving);
	return 0;
}

static int wanted_collect(const struct planner *planner)
{
	const struct plan_request *request = planner->request;
	const struct instance_spec **specs =
		arena_new_array(planner->arena, request->wanted_count, const struct instance_spec *);
	struct order order;

	for (size_t i = 0; i < request->wanted_count; i++)
		specs[i] = &request->wanted[i];
	if (order_make(planner->arena, specs, request->wanted_count, &order, NULL, planner->err) < 0)
		return -1;
	for (size_t i = 0; i < request->wanted_count; i++)
		if (wanted_add(planner, specs[i], order_level(&order, specs[i])) < 0)
			return -1;
	return 0;
}

/* What a killed apply left serving in the place of others. There are few of them. */
static void stand_ins_assign(const struct planner *planner)
{
	const struct plan_request *request = planner->request;

	for (size_t i = 0; i < request->actual_count; i++) {
		const struct instance_spec *spec = request->actual[i].spec;

		if (!spec || !spec->stands_in_for || !text_equal(spec->fleet, request->fleet))
			continue;
		for (size_t k = planner->plan->leaving; k < planner->plan->count; k++) {
			struct plan_step *step = &planner->plan->items[k];

			if (strcmp(step->name, spec->stands_in_for) != 0)
				continue;
			step->stand_in = spec->name;
			step->needs |= PLAN_SETTLE;
		}
	}
}

int plan_make(struct arena *arena, const struct plan_request *request, struct plan *out, struct error *err)
{
	struct planner planner = {.arena = arena, .request = request, .plan = out, .err = err};

	*out = (struct plan){
		.items = arena_new_array(arena, request->wanted_count + request->actual_count, struct plan_step)};
	planner.sorted = arena_new_array(arena, request->actual_count, const struct plan_actual *);
	for (size_t i = 0; i < request->actual_count; i++)
		planner.sorted[i] = &request->actual[i];
	qsort(planner.sorted, request->actual_count, sizeof(*planner.sorted), compare_actual);
	if (leaving_collect(&planner) < 0)
		return -1;
	if (wanted_collect(&planner) < 0)
		return -1;
	stand_ins_assign(&planner);
	return 0;
}

enum plan_action plan_step_action(const struct plan_step *step)
{
	unsigned needs = step->needs;

	if (!needs)
		return ACTION_NONE;
	if (!step->wanted)
		return ACTION_REMOVE;
	if (needs & (PLAN_REMOVE | PLAN_CREATE))
		return needs & PLAN_REMOVE ? ACTION_RECREATE : ACTION_CREATE;
	if ((needs & PLAN_RESTART) || (needs & (PLAN_STOP | PLAN_START)) == (PLAN_STOP | PLAN_START))
		return ACTION_RESTART;
	if (needs & PLAN_START)
		return step->up ? ACTION_ADOPT : ACTION_START;
	if (needs & PLAN_STOP)
		return ACTION_STOP;
	if (needs & (PLAN_PAUSE | PLAN_RESUME))
		return needs & PLAN_PAUSE ? ACTION_PAUSE : ACTION_RESUME;
	return ACTION_CHANGE;
}

enum apply_step plan_step_word(const struct plan_step *step)
{
	static const enum apply_step words[] = {
		[ACTION_NONE] = APPLY_UNCHANGED,
		[ACTION_CREATE] = APPLY_STARTED,
		[ACTION_START] = APPLY_STARTED,
		[ACTION_CHANGE] = APPLY_UPDATED,
		[ACTION_RESTART] = APPLY_RESTARTED,
		[ACTION_RECREATE] = APPLY_RECREATED,
		[ACTION_STOP] = APPLY_UPDATED,
		[ACTION_PAUSE] = APPLY_UPDATED,
		[ACTION_RESUME] = APPLY_UPDATED,
		[ACTION_ADOPT] = APPLY_STARTED,
		[ACTION_REMOVE] = APPLY_REMOVED,
	};
	enum plan_action action = plan_step_action(step);

	return action == ACTION_CREATE && !(step->needs & PLAN_START) ? APPLY_CREATED : words[action];
}
