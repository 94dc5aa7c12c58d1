/* Doing a plan: level by level, as much at once as instances_do() does, going on after failures.
 *
 * Every step is reported exactly once: when the last thing it needs is done, or when something failed. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/apply/apply.h"
#include "fleet/apply/dependencies.h"
#include "fleet/apply/front.h"
#include "fleet/file/source.h"
#include "fleet/instance/live.h"

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
	[APPLY_ROLLED_BACK] = "rolled back",
	[APPLY_KEPT] = "left as it was",
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

/* What the kernel has for one that runs; one whose control group cannot be read is not compared. */
static const struct cgroup_limits *limits_look(struct steps *steps, const struct instance_status *status)
{
	struct cgroup_limits *limits;
	struct error ignored;

	if (!status->init.pid || !status->spec)
		return NULL;
	limits = arena_new(steps->arena, struct cgroup_limits);
	return instance_limits_read(steps->arena, steps->host, status, limits, &ignored) < 0 ? NULL : limits;
}

/* One that cannot be read is no reason to end what runs with what it was. */
static bool sources_are_stale(const struct instance_status *status)
{
	uint64_t now = status->init.pid && status->sources ? sources_digest(status->spec) : 0;

	return now && now != status->sources;
}

static bool is_up(const struct instance_status *status)
{
	return status->state == INSTANCE_RUNNING || status->state == INSTANCE_PAUSED;
}

/* One that somebody is starting or stopping, or what a command left that was killed while it did: whoever does it holds
 * its lock, and so does its first process up to its program. What it will be is known when that is over. */
static void command_await(struct steps *steps, struct instance_status *status)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_status now;
	struct error ignored;

	if (is_up(status) && status->desired != DESIRED_STOPPED)
		return;
	if (instance_take_as_is(steps->host, status->name, &instance, &ignored) < 0)
		return;
	if (instance_status_read(steps->arena, steps->host, status->name, &now, &ignored) == 0)
		*status = now;
}

static struct plan_actual *actual_list(
	struct steps *steps, const char *fleet, const struct strings *ours, struct instance_list *list)
{
	struct plan_actual *actual = arena_new_array(steps->arena, list->count, struct plan_actual);

	for (size_t i = 0; i < list->count; i++) {
		struct instance_status *status = &list->items[i];

		if (fleet && status->spec && text_equal(status->spec->fleet, fleet))
			command_await(steps, status);
		actual[i] = (struct plan_actual){.name = status->name,
			.spec = status->spec,
			.state = status->state,
			.unwatched = status->state == INSTANCE_RUNNING && !status->monitored,
			.ending = is_up(status) && status->desired == DESIRED_STOPPED,
			.ours = strings_contain(ours, status->name),
			.status = status};
		if (!fleet || !status->spec || !text_equal(status->spec->fleet, fleet))
			continue;
		actual[i].in_kernel = limits_look(steps, status);
		actual[i].stale = sources_are_stale(status);
	}
	return actual;
}

int steps_plan(struct steps *steps, const char *fleet, const struct fleet_file *file, const struct generation *last,
	struct error *err)
{
	struct plan_request request = {.fleet = fleet, .keep_leaving = steps->options->no_prune};
	struct instance_list list;

	if (instance_list_read(steps->arena, steps->host, &list, err) < 0)
		return -1;
	request.actual = actual_list(steps, file ? fleet : NULL, &last->instances, &list);
	request.known = last->complete ? &last->instances : NULL;
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

void steps_report_as(struct steps *steps, struct step_state *state, enum apply_step word)
{
	static const struct error well;

	steps->reported += !state->reported;
	state->reported = true;
	if (steps->options->progress)
		steps->options->progress(
			steps->options->context, state->step->name, word, &well, steps->reported, steps->plan.count);
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

struct bulk_answers {
	struct steps *steps;
	unsigned need;
	bool failures_count;
};

/* The needs are numbered in the order in which they are done. */
static bool is_last_need(const struct plan_step *step, unsigned need)
{
	return step->needs < 2 * need;
}

static void bulk_done(void *context, const char *name, const struct error *result)
{
	struct bulk_answers *answers = context;
	struct step_state *state = state_find(answers->steps, name);

	if (!state || !answers->failures_count)
		return;
	if (result->kind != ERROR_NONE)
		steps_report(answers->steps, state, result);
	else if (is_last_need(state->step, answers->need))
		steps_report(answers->steps, state, NULL);
}

/* What kept all of them from being tried. */
static void names_fail(struct steps *steps, const struct strings *names, const struct error *reason)
{
	for (size_t i = 0; i < names->count; i++)
		steps_report(steps, state_find(steps, names->items[i]), reason);
}

enum failures { FAILURES_COUNT, FAILURES_IGNORED };

/* One verb for those of the batch that have that need. */
static void batch_do(
	struct steps *steps, const struct batch *batch, unsigned need, enum instance_verb verb, enum failures failures)
{
	struct bulk_answers answers = {.steps = steps, .need = need, .failures_count = failures == FAILURES_COUNT};
	struct bulk bulk = {.verb = verb, .parallel = steps->options->parallel, .done = bulk_done, .context = &answers};
	struct strings names = {0};
	struct error err;

	for (size_t i = 0; i < batch->count; i++)
		if ((batch->items[i]->step->needs & need) && !batch->items[i]->failed)
			strings_add(steps->arena, &names, batch->items[i]->step->name);
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

static int step_change(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_change(steps->host, step->wanted, step->needs & PLAN_LIVE ? step->parts : 0, err);
}

static int step_pause(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_pause(steps->host, step->name, true, err);
}

static int step_resume(struct steps *steps, const struct plan_step *step, struct error *err)
{
	return instance_pause(steps->host, step->name, false, err);
}

static void batch_each(struct steps *steps, const struct batch *batch, unsigned needs,
	int (*act)(struct steps *, const struct plan_step *, struct error *))
{
	struct error err;

	for (size_t i = 0; i < batch->count; i++) {
		struct step_state *state = batch->items[i];

		if ((state->step->needs & needs) && !state->failed && act(steps, state->step, &err) < 0)
			steps_report(steps, state, &err);
	}
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

static void batch_remove(struct steps *steps, const struct batch *batch)
{
	/* One that cannot be stopped by its leave is removed by force. */
	batch_do(steps, batch, PLAN_REMOVE, VERB_STOP, FAILURES_IGNORED);
	batch_do(steps, batch, PLAN_REMOVE, VERB_REMOVE_FORCE, FAILURES_COUNT);
}

static bool batch_needs(const struct batch *batch, unsigned needs)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i]->step->needs & needs)
			return true;
	return false;
}

void batch_carry_out(struct steps *steps, const struct batch *batch)
{
	batch_remove(steps, batch);
	batch_each(steps, batch, PLAN_CREATE, step_create);
	/* Addresses are known now, and no front server has been started yet. */
	if (batch_needs(batch, PLAN_CREATE))
		front_write(steps, NULL);
	batch_do(steps, batch, PLAN_STOP, VERB_STOP, FAILURES_COUNT);
	batch_each(steps, batch, PLAN_UPDATE | PLAN_LIVE, step_change);
	batch_do(steps, batch, PLAN_RESTART, VERB_RESTART, FAILURES_COUNT);
	batch_do(steps, batch, PLAN_START, VERB_START, FAILURES_COUNT);
	batch_each(steps, batch, PLAN_PAUSE, step_pause);
	batch_each(steps, batch, PLAN_RESUME, step_resume);
	batch_report(steps, batch);
}

void batch_report(struct steps *steps, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		steps_report(steps, batch->items[i], NULL);
}

void batch_fail(struct steps *steps, const struct batch *batch, const struct error *reason)
{
	for (size_t i = 0; i < batch->count; i++)
		steps_report(steps, batch->items[i], reason);
}

static struct batch batch_new(struct steps *steps)
{
	return (struct batch){.items = arena_new_array(steps->arena, steps->plan.count, struct step_state *)};
}

void steps_remove_leaving(struct steps *steps)
{
	struct batch batch = batch_new(steps);

	for (size_t i = 0; i < steps->plan.leaving;) {
		size_t level = steps->plan.items[i].level;

		batch.count = 0;
		for (; i < steps->plan.leaving && steps->plan.items[i].level == level; i++)
			batch.items[batch.count++] = &steps->states[i];
		batch_remove(steps, &batch);
		batch_report(steps, &batch);
	}
}

/* --- levels ------------------------------------------------------------------------------------------------------- */

/* The first dependency of which some instance failed, or NULL. */
static const char *failed_dependency(const struct instance_spec *spec, const struct strings *failed)
{
	for (size_t i = 0; i < spec->depends_on.count; i++)
		if (strings_contain(failed, spec->depends_on.items[i].name))
			return spec->depends_on.items[i].name;
	return NULL;
}

static void dependents_fail(struct steps *steps, const struct batch *level, const struct strings *failed)
{
	struct error err;

	for (size_t i = 0; failed->count && i < level->count; i++) {
		const struct plan_step *step = level->items[i]->step;
		const char *on =
			step->needs & (PLAN_START | PLAN_RESTART) ? failed_dependency(step->wanted, failed) : NULL;

		if (!on)
			continue;
		fail(&err, ERROR_SYSTEM, "%s was not started: it depends on %s, which failed", step->name, on);
		steps_report(steps, level->items[i], &err);
	}
}

static void failed_collect(struct steps *steps, const struct batch *level, struct strings *failed)
{
	for (size_t i = 0; i < level->count; i++)
		if (level->items[i]->failed && !strings_contain(failed, level->items[i]->step->wanted->base_name))
			strings_add(steps->arena, failed, level->items[i]->step->wanted->base_name);
}

/* It serves now, or another does in its place, and will be away for a moment. */
static bool is_replaced(const struct plan_step *step)
{
	enum plan_action action = plan_step_action(step);

	return step->stand_in || (step->up && (action == ACTION_RESTART || action == ACTION_RECREATE));
}

static void level_do(struct steps *steps, const struct batch *level)
{
	struct batch replaced = batch_new(steps), others = batch_new(steps);

	for (size_t i = 0; i < level->count; i++) {
		struct batch *batch = is_replaced(level->items[i]->step) ? &replaced : &others;

		batch->items[batch->count++] = level->items[i];
	}
	batch_carry_out(steps, &others);
	if (replaced.count)
		steps_replace(steps, &replaced);
	batch_report(steps, &replaced);
}

void steps_do_wanted(struct steps *steps)
{
	struct batch batch = batch_new(steps);
	struct strings failed = {0};

	for (size_t level = 0; level < steps->plan.levels; level++) {
		batch.count = 0;
		for (size_t i = steps->plan.leaving; i < steps->plan.count; i++)
			if (steps->plan.items[i].level == level)
				batch.items[batch.count++] = &steps->states[i];
		dependents_fail(steps, &batch, &failed);
		dependencies_await(steps, &batch);
		level_do(steps, &batch);
		if (batch_needs(&batch, ~0u) || level + 1 == steps->plan.levels)
			front_write(steps, NULL);
		front_reload(steps, NULL);
		failed_collect(steps, &batch, &failed);
	}
}
