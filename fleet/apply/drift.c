/* What differs between an instance's record and what the kernel has: somebody wrote to its control group, took its
 * ports out of the table, stopped or killed it. Pure: the caller has looked already. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fleet/apply/plan.h"
#include "fleet/instance/limit_drift.h"

/* --- limits ------------------------------------------------------------------------------------------------------- */

static bool is_changed(const struct plan_changes *changes, const char *key)
{
	for (size_t i = 0; i < changes->count; i++)
		if (!strcmp(changes->items[i].key, key))
			return true;
	return false;
}

static void limits_find(
	struct arena *arena, const struct plan_actual *actual, struct plan_step *step, struct comparison *drift)
{
	struct cgroup_limits recorded, wanted;
	struct limit_drift found;

	resources_limits(&actual->spec->resources, &recorded);
	resources_limits(&step->wanted->resources, &wanted);
	for (size_t i = 0; i < limit_drift_rows; i++)
		if (!is_changed(&step->changes, limit_drift_key(i)) &&
			limit_drifts(actual->in_kernel, &recorded, i, arena, &found) &&
			limit_drifts(actual->in_kernel, &wanted, i, arena, &found))
			comparison_note(arena, drift, found.key, found.from, found.to);
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

/* A port for which any number would do has one by now. */
static bool port_is_bound(const struct port *wanted, const struct port *bound)
{
	struct port as_bound = *wanted;
	char one[PORT_TEXT_SIZE], other[PORT_TEXT_SIZE];

	if (!wanted->published)
		as_bound.published = bound->published;
	return !strcmp(port_format(&as_bound, one), port_format(bound, other));
}

static bool ports_are_bound(const struct instance_spec *spec, const struct instance_status *status)
{
	size_t found = 0;

	for (size_t i = 0; i < spec->ports.count; i++)
		for (size_t j = 0; j < status->port_count; j++)
			if (port_is_bound(&spec->ports.items[i], &status->ports[j])) {
				found++;
				break;
			}
	return found == spec->ports.count && found == status->port_count;
}

static const char *ports_text(struct arena *arena, const struct port *ports, size_t count)
{
	AUTO(text_drop) struct text text = {0};
	char buffer[PORT_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		text_appendf(&text, "%s%s", i ? ", " : "", port_format(&ports[i], buffer));
	return count ? arena_string(arena, text_string(&text)) : NULL;
}

static void ports_find(
	struct arena *arena, const struct plan_actual *actual, struct plan_step *step, struct comparison *drift)
{
	const struct instance_status *status = actual->status;

	if (is_changed(&step->changes, "ports") || ports_are_bound(actual->spec, status))
		return;
	comparison_note(arena, drift, "ports", ports_text(arena, status->ports, status->port_count),
		ports_text(arena, actual->spec->ports.items, actual->spec->ports.count));
}

void drift_find(struct arena *arena, const struct plan_actual *actual, struct plan_step *step)
{
	struct comparison all = {.changes = step->changes};

	if (actual->state != INSTANCE_RUNNING && actual->state != INSTANCE_PAUSED)
		return;
	if (actual->in_kernel)
		limits_find(arena, actual, step, &all);
	if (actual->status)
		ports_find(arena, actual, step, &all);
	if (all.changes.count == step->changes.count)
		return;
	step->changes = all.changes;
	step->parts |= all.parts;
	step->needs |= PLAN_LIVE;
	if (step->change < CHANGE_LIVE)
		step->change = CHANGE_LIVE;
}

/* --- state -------------------------------------------------------------------------------------------------------- */

static const char *end_describe(struct arena *arena, const struct instance_status *status)
{
	const struct exit_record *last = &status->last;

	if (status->desired == DESIRED_STOPPED && (last->reason == END_STOPPED || last->reason == END_KILLED))
		return last->reason == END_KILLED ? "somebody killed it" : "somebody stopped it";
	switch (last->reason) {
	case END_NONE:
		return "it has not been started yet";
	case END_EXITED:
		return arena_format(arena, "it ended with status %d", last->status);
	case END_SIGNAL:
		return arena_format(arena, "signal %d ended it", last->status - 128);
	case END_OUT_OF_MEMORY:
		return "it ran out of memory";
	case END_HOST:
		return "it ended with the host or its monitor";
	case END_RESTART:
		return "it was to be started again, which did not happen";
	case END_START_FAILED:
		return last->detail ? arena_format(arena, "its last start failed: %s", last->detail)
				    : "its last start failed";
	default:
		return arena_format(arena, "it is not running (%s)", end_reason_names[last->reason]);
	}
}

const char *drift_reason(struct arena *arena, const struct plan_actual *actual, const struct instance_spec *wanted)
{
	/* What the file asks for anew is no drift: the change of "state" says it. */
	bool said = actual->spec && actual->spec->state == wanted->state;

	if (actual->state == INSTANCE_DAMAGED)
		return actual->status && actual->status->damage
			       ? arena_format(arena, "its record is damaged: %s", actual->status->damage)
			       : "its record is damaged";
	if (!said || !actual->status)
		return actual->unwatched ? "its monitor has died" : NULL;
	switch (wanted->state) {
	case DESIRED_STOPPED:
		return actual->state == INSTANCE_STOPPED || actual->state == INSTANCE_CREATED ? NULL
											      : "somebody started it";
	case DESIRED_PAUSED:
		if (actual->state == INSTANCE_RUNNING)
			return "somebody resumed it";
		break;
	case DESIRED_RUNNING:
		if (actual->state == INSTANCE_PAUSED)
			return "somebody paused it";
		break;
	}
	if (actual->state == INSTANCE_STOPPED || actual->state == INSTANCE_CREATED)
		return end_describe(arena, actual->status);
	return actual->unwatched ? "its monitor has died" : NULL;
}

/* --- what was applied --------------------------------------------------------------------------------------------- */

static int compare_specs(const void *a, const void *b)
{
	return strcmp((*(const struct instance_spec *const *)a)->name, (*(const struct instance_spec *const *)b)->name);
}

static void step_mark(struct arena *arena, struct plan_step *step, const struct instance_spec *applied)
{
	struct comparison said;

	specs_compare(arena, applied, step->wanted, &said);
	for (size_t i = 0; i < step->changes.count; i++)
		if (!is_changed(&said.changes, step->changes.items[i].key))
			step->changes.items[i].drift = true;
}

void drift_mark(struct arena *arena, struct plan *plan, const struct instance_spec *applied, size_t count)
{
	const struct instance_spec **sorted = arena_new_array(arena, count, const struct instance_spec *);

	for (size_t i = 0; i < count; i++)
		sorted[i] = &applied[i];
	qsort(sorted, count, sizeof(*sorted), compare_specs);
	for (size_t i = 0; i < plan->count; i++) {
		const struct instance_spec *wanted = plan->items[i].wanted, **found;

		if (!wanted || !plan->items[i].changes.count)
			continue;
		found = bsearch(&wanted, sorted, count, sizeof(*sorted), compare_specs);
		if (found)
			step_mark(arena, &plan->items[i], *found);
	}
}
