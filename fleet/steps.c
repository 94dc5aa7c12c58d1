/* Doing a plan: level by level, as much at once as instances_do() does, going on after failures.
 *
 * Every step is reported exactly once: when the last thing it needs is done, or when something failed. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/apply.h"

/* Stopping is mostly waiting for programs to end. */
#define STOP_PARALLEL 64

const char *const apply_step_names[] = {
	[APPLY_CREATED] = "created",
	[APPLY_STARTED] = "started",
	[APPLY_UNCHANGED] = "unchanged",
	[APPLY_RECREATED] = "recreated",
	[APPLY_RESTARTED] = "restarted",
	[APPLY_REMOVED] = "removed",
	[APPLY_UPDATED] = "changed",
	[APPLY_FAILED] = "failed",
	[APPLY_FAILED + 1] = NULL,
};

void steps_init(struct steps *steps, struct arena *arena, struct host *host, const struct apply_options *options)
{
	static const struct apply_options no_options;

	*steps = (struct steps){.host = host, .arena = arena, .options = options ? options : &no_options};
}

/* --- planning ----------------------------------------------------------------------------------------------------- */

static int compare_states(const void *a, const void *b)
{
	return strcmp((*(struct step_state *const *)a)->step->name, (*(struct step_state *const *)b)->step->name);
}

static struct step_state *state_find(const struct steps *steps, const char *name)
{
	struct plan_step step = {.name = name};
	struct step_state key = {.step = &step}, *wanted = &key, **found;

	found = bsearch(&wanted, steps->sorted, steps->plan.count, sizeof(wanted), compare_states);
	return found ? *found : NULL;
}

int steps_plan(struct steps *steps, const char *fleet, const struct fleet_file *file, const struct strings *ours,
	struct error *err)
{
	struct plan_request request = {.fleet = fleet, .keep_leaving = steps->options->no_prune};
	struct instance_list list;
	struct plan_actual *actual;

	if (instance_list_read(steps->arena, steps->host, &list, err) < 0)
		return -1;
	actual = arena_new_array(steps->arena, list.count, struct plan_actual);
	for (size_t i = 0; i < list.count; i++)
		actual[i] = (struct plan_actual){.name = list.items[i].name,
			.spec = list.items[i].spec,
			.state = list.items[i].state,
			.unwatched = list.items[i].state == INSTANCE_RUNNING && !list.items[i].monitored,
			.ours = strings_contain(ours, list.items[i].name)};
	request.actual = actual;
	request.actual_count = list.count;
	if (file) {
		request.wanted = file->instances.items;
		request.wanted_count = file->instances.count;
	}
	if (plan_make(steps->arena, &request, &steps->plan, err) < 0)
		return -1;
	steps->states = arena_new_array(steps->arena, steps->plan.count, struct step_state);
	steps->sorted = arena_new_array(steps->arena, steps->plan.count, struct step_state *);
	for (size_t i = 0; i < steps->plan.count; i++) {
		steps->states[i].step = &steps->plan.items[i];
		steps->sorted[i] = &steps->states[i];
	}
	qsort(steps->sorted, steps->plan.count, sizeof(*steps->sorted), compare_states);
	return 0;
}

/* --- reporting ---------------------------------------------------------------------------------------------------- */

void steps_report(struct steps *steps, struct step_state *state, const struct error *result)
{
	static const struct error well;

	if (state->reported)
		return;
	state->reported = true;
	steps->reported++;
	if (result) {
		state->failed = true;
		if (!steps->failures++)
			steps->first = *result;
	}
	if (steps->options->progress)
		steps->options->progress(steps->options->context, state->step->name,
			result ? APPLY_FAILED : plan_step_word(state->step), result ? result : &well, steps->reported,
			steps->plan.count);
}

int steps_result(const struct steps *steps, struct error *err)
{
	if (!steps->failures)
		return 0;
	*err = steps->first;
	return steps->failures == 1
		       ? -1
		       : blame(err, "%zu of %zu instances failed; the first", steps->failures, steps->plan.count);
}

/* --- several at once ---------------------------------------------------------------------------------------------- */

/* A run of steps: all that leave, or one level of the wanted. */
struct range {
	size_t first, end, level;
};

static bool range_holds(const struct range *range, const struct plan_step *step)
{
	return step->level == range->level;
}

struct bulk_answers {
	struct steps *steps;
	bool failures_count;
};

static void bulk_done(void *context, const char *name, const struct error *result)
{
	struct bulk_answers *answers = context;
	struct step_state *state = state_find(answers->steps, name);

	if (state && result->kind != ERROR_NONE && answers->failures_count)
		steps_report(answers->steps, state, result);
}

/* What kept all of them from being tried. */
static void names_fail(struct steps *steps, const struct strings *names, const struct error *reason)
{
	for (size_t i = 0; i < names->count; i++)
		steps_report(steps, state_find(steps, names->items[i]), reason);
}

enum failures { FAILURES_COUNT, FAILURES_IGNORED };

/* One verb for those of the range that need one of `needs`. */
static void range_do(
	struct steps *steps, const struct range *range, unsigned needs, enum instance_verb verb, enum failures failures)
{
	struct bulk_answers answers = {.steps = steps, .failures_count = failures == FAILURES_COUNT};
	struct bulk bulk = {.verb = verb, .parallel = steps->options->parallel, .done = bulk_done, .context = &answers};
	struct strings names = {0};
	struct error err;

	for (size_t i = range->first; i < range->end; i++)
		if (range_holds(range, steps->states[i].step) && (steps->states[i].step->needs & needs) &&
			!steps->states[i].failed)
			strings_add(steps->arena, &names, steps->states[i].step->name);
	if (!names.count)
		return;
	if (verb == VERB_STOP && !bulk.parallel)
		bulk.parallel = STOP_PARALLEL;
	if (instances_do(steps->host, &names, &bulk, &err) < 0 && failures == FAILURES_COUNT)
		names_fail(steps, &names, &err);
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

static int step_create(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_create(steps->host, step->wanted, err);
}

static int step_update(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_update(steps->host, step->wanted, err);
}

/* Limits that are no longer said are taken away. */
static void limits_lift(const struct cgroup_limits *old, struct cgroup_limits *new)
{
	static const size_t members[] = {offsetof(struct cgroup_limits, memory_max),
		offsetof(struct cgroup_limits, memory_high), offsetof(struct cgroup_limits, swap_max),
		offsetof(struct cgroup_limits, cpu_quota_us)};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct optional *before = (const struct optional *)((const char *)old + members[i]);
		struct optional *after = (struct optional *)((char *)new + members[i]);

		if (before->set && !after->set)
			*after = (struct optional){true, -1};
	}
}

/* Weights and guarantees have no "max": back to what the kernel begins with. */
static void weights_reset(const struct cgroup_limits *old, struct cgroup_limits *new)
{
	if (old->memory_low.set && !new->memory_low.set)
		new->memory_low = (struct optional){true, 0};
	if (old->cpu_weight.set && !new->cpu_weight.set)
		new->cpu_weight = (struct optional){true, 100};
	if (old->io_weight.set && !new->io_weight.set)
		new->io_weight = (struct optional){true, 100};
}

static int step_set_limits(struct steps *steps, const struct plan_step *step, struct error *err)
{
	struct cgroup_limits old, new;
	struct instance_status status;
	struct cgroup cgroup;
	int result;

	resources_limits(&step->actual->resources, &old);
	resources_limits(&step->wanted->resources, &new);
	limits_lift(&old, &new);
	weights_reset(&old, &new);
	if (instance_status_read(steps->arena, steps->host, step->name, &status, err) < 0 ||
		cgroup_open(&steps->host->cgroups, status.cgroup_path, &cgroup, err) < 0)
		return -1;
	result = cgroup_set(&cgroup, &new, err);
	cgroup_drop(&cgroup);
	return result;
}

static int step_pause(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_pause(steps->host, step->name, true, err);
}

static int step_resume(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_pause(steps->host, step->name, false, err);
}

static void range_each(struct steps *steps, const struct range *range, unsigned need,
	int (*act)(struct steps *, const struct plan_step *, struct error *))
{
	struct error err;

	for (size_t i = range->first; i < range->end; i++) {
		struct step_state *state = &steps->states[i];

		if (range_holds(range, state->step) && (state->step->needs & need) && !state->failed &&
			act(steps, state->step, &err) < 0)
			steps_report(steps, state, &err);
	}
}

/* --- levels ------------------------------------------------------------------------------------------------------- */

static void range_remove(struct steps *steps, const struct range *range)
{
	/* One that cannot be stopped by its leave is removed by force. */
	range_do(steps, range, PLAN_REMOVE, VERB_STOP, FAILURES_IGNORED);
	range_do(steps, range, PLAN_REMOVE, VERB_REMOVE_FORCE, FAILURES_COUNT);
}

static void range_report(struct steps *steps, const struct range *range)
{
	for (size_t i = range->first; i < range->end; i++)
		if (range_holds(range, steps->states[i].step))
			steps_report(steps, &steps->states[i], NULL);
}

void steps_remove_leaving(struct steps *steps)
{
	for (size_t i = 0; i < steps->plan.leaving;) {
		struct range range = {.first = i, .end = steps->plan.leaving, .level = steps->plan.items[i].level};

		range_remove(steps, &range);
		range_report(steps, &range);
		while (i < steps->plan.leaving && steps->plan.items[i].level == range.level)
			i++;
	}
}

/* The first dependency of which some instance failed, or NULL. */
static const char *failed_dependency(const struct instance_spec *spec, const struct strings *failed)
{
	for (size_t i = 0; i < spec->depends_on.count; i++)
		if (strings_contain(failed, spec->depends_on.items[i].name))
			return spec->depends_on.items[i].name;
	return NULL;
}

static void range_fail_dependents(struct steps *steps, const struct range *range, const struct strings *failed)
{
	struct error err;

	for (size_t i = range->first; failed->count && i < range->end; i++) {
		const struct plan_step *step = steps->states[i].step;
		const char *on;

		if (!range_holds(range, step) || !(step->needs & (PLAN_START | PLAN_RESTART)))
			continue;
		on = failed_dependency(step->wanted, failed);
		if (!on)
			continue;
		fail(&err, ERROR_SYSTEM, "%s was not started: it depends on %s, which failed", step->name, on);
		steps_report(steps, &steps->states[i], &err);
	}
}

static void failed_collect(struct steps *steps, const struct range *range, struct strings *failed)
{
	for (size_t i = range->first; i < range->end; i++)
		if (range_holds(range, steps->states[i].step) && steps->states[i].failed &&
			!strings_contain(failed, steps->states[i].step->wanted->base_name))
			strings_add(steps->arena, failed, steps->states[i].step->wanted->base_name);
}

static void level_do(struct steps *steps, const struct range *range)
{
	range_remove(steps, range);
	range_each(steps, range, PLAN_CREATE, step_create);
	range_do(steps, range, PLAN_STOP, VERB_STOP, FAILURES_COUNT);
	range_each(steps, range, PLAN_UPDATE, step_update);
	range_each(steps, range, PLAN_SET_LIMITS, step_set_limits);
	range_do(steps, range, PLAN_RESTART, VERB_RESTART, FAILURES_COUNT);
	range_do(steps, range, PLAN_START, VERB_START, FAILURES_COUNT);
	range_each(steps, range, PLAN_PAUSE, step_pause);
	range_each(steps, range, PLAN_RESUME, step_resume);
	range_report(steps, range);
}

void steps_do_wanted(struct steps *steps)
{
	struct strings failed = {0};

	for (size_t level = 0; level < steps->plan.levels; level++) {
		struct range range = {.first = steps->plan.leaving, .end = steps->plan.count, .level = level};

		range_fail_dependents(steps, &range, &failed);
		level_do(steps, &range);
		failed_collect(steps, &range, &failed);
	}
}
