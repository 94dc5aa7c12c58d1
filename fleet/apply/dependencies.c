/* See dependencies.h. Each entry is waited for once, all of them together: the time of the slowest is the time of all.
 */
#include "fleet/apply/dependencies.h"

#include <string.h>

#include "base/cleanup.h"

/* A check comes to an answer by itself; this only bounds odd ones. */
#define HEALTH_TIMEOUT_MS (15 * 60 * 1000)

struct waiting {
	struct steps *steps;
	struct strings bases;  /* entries that are waited for */
	struct strings names;  /* their instances */
	struct strings failed; /* bases */
	struct strings reasons;
};

static bool is_about_to_start(const struct step_state *state)
{
	return !state->failed && !state->reported && state->step->wanted &&
	       (state->step->needs & (PLAN_START | PLAN_RESTART));
}

static bool wants_healthy(const struct dependency *on)
{
	return !strcmp(on->condition, "healthy");
}

static void waiting_fail(struct waiting *waiting, const char *base, const char *reason)
{
	if (strings_contain(&waiting->failed, base))
		return;
	strings_add(waiting->steps->arena, &waiting->failed, base);
	strings_add(waiting->steps->arena, &waiting->reasons, arena_string(waiting->steps->arena, reason));
}

/* All replicas of the entry. One that has no check at all would be waited for in vain. */
static void base_add(struct waiting *waiting, const char *base)
{
	struct steps *steps = waiting->steps;
	struct error err;

	if (strings_contain(&waiting->bases, base))
		return;
	strings_add(steps->arena, &waiting->bases, base);
	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++) {
		const struct instance_spec *spec = steps->plan.items[i].wanted;
		int exists;

		if (strcmp(spec->base_name, base) != 0)
			continue;
		exists = instance_check_exists(steps->host, spec->name, &err);
		if (exists < 0)
			waiting_fail(waiting, base, err.text);
		else if (!exists)
			waiting_fail(waiting, base,
				arena_format(
					steps->arena, "%s has no health check, and neither has its image", spec->name));
		else
			strings_add(steps->arena, &waiting->names, spec->name);
	}
}

static const char *base_of(const struct steps *steps, const char *name)
{
	for (size_t i = steps->plan.leaving; i < steps->plan.count; i++)
		if (!strcmp(steps->plan.items[i].name, name))
			return steps->plan.items[i].wanted->base_name;
	return name;
}

static void answer_note(void *context, const char *name, const struct error *result)
{
	struct waiting *waiting = context;

	if (result->kind != ERROR_NONE)
		waiting_fail(waiting, base_of(waiting->steps, name), result->text);
}

static void dependents_report(struct waiting *waiting, struct step_state *state)
{
	const struct instance_spec *spec = state->step->wanted;
	struct error err;

	for (size_t i = 0; i < spec->depends_on.count; i++)
		for (size_t k = 0; wants_healthy(&spec->depends_on.items[i]) && k < waiting->failed.count; k++) {
			if (strcmp(waiting->failed.items[k], spec->depends_on.items[i].name) != 0)
				continue;
			fail(&err, ERROR_SYSTEM, "%s was not started: it wants %s healthy, and %s", state->step->name,
				waiting->failed.items[k], waiting->reasons.items[k]);
			steps_report(waiting->steps, state, &err);
			return;
		}
}

void dependencies_await(struct steps *steps, const struct batch *batch)
{
	struct waiting waiting = {.steps = steps};
	struct error err = {0};

	for (size_t i = 0; i < batch->count; i++) {
		const struct instance_spec *spec = batch->items[i]->step->wanted;

		for (size_t k = 0; is_about_to_start(batch->items[i]) && k < spec->depends_on.count; k++)
			if (wants_healthy(&spec->depends_on.items[k]))
				base_add(&waiting, spec->depends_on.items[k].name);
	}
	if (waiting.names.count &&
		instances_wait_healthy(steps->host, &waiting.names, HEALTH_TIMEOUT_MS, answer_note, &waiting, &err) < 0)
		for (size_t i = 0; i < waiting.bases.count; i++)
			waiting_fail(&waiting, waiting.bases.items[i], err.text);
	for (size_t i = 0; waiting.failed.count && i < batch->count; i++)
		if (is_about_to_start(batch->items[i]))
			dependents_report(&waiting, batch->items[i]);
}
