/* Replacing what serves, a few at a time.
 *
 * Replicas of one entry are a group; so are entries without replicas whose `update` is the same, for what is said in a
 * profile changes all of them at once. A group goes in waves: the canary first, watched for a while, then `parallel` at
 * a time, never more. What happens at a failure is said by `failure_action`:
 *
 *   rollback   what failed becomes what it was, and with it the replicas that were changed before; the rest stays
 *   pause      the rest stays as it is
 *   continue   the others are changed all the same
 *
 * One that could be started beside its predecessor and was not well never takes its place. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/apply/stand_in.h"
#include "fleet/instance/repair.h"
#include "fleet/spec/spec_fields.h"
#include "fleet/state/identity.h"
#include "fleet/state/instance.h"

/* --- members ------------------------------------------------------------------------------------------------------ */

static struct member member_of(struct step_state *state)
{
	const struct plan_step *step = state->step;

	return (struct member){
		.state = state,
		.name = step->name,
		.from = step->actual,
		.to = step->wanted,
		.anew = step->needs & PLAN_REMOVE || !step->actual,
		.there = !(step->needs & PLAN_CREATE) || step->needs & PLAN_REMOVE,
		.up = step->up,
		.stand_in = step->stand_in,
	};
}

/* Said once for all replicas of an entry; not of those that serve for one another. */
static void obstacle_tell(const struct member *member, const char *obstacle)
{
	const struct instance_spec *spec = member->to;

	bool others = spec->index && spec->ports.count && spec->ports.items[0].balance != PORT_ALONE;

	if (spec->index <= 1 && !others)
		log_warn("%s is stopped before it starts anew: %s", spec->base_name, obstacle);
}

static void stand_in_choose(struct wave *wave, struct member *member)
{
	const char *obstacle;

	if (member->stand_in || !member->up || member->to->update.order == UPDATE_STOP_FIRST ||
		!stand_in_is_worth_it(member->to))
		return;
	obstacle = stand_in_obstacle(wave, member);
	if (obstacle)
		obstacle_tell(member, obstacle);
	else
		member->stand_in = stand_in_name(wave->steps->arena, member->name);
}

/* --- what killed applies left ------------------------------------------------------------------------------------- */

static bool is_replaced_anew(const struct plan_step *step)
{
	enum plan_action action = plan_step_action(step);

	return action == ACTION_RESTART || action == ACTION_RECREATE;
}

/* One that is as it shall be, or that nobody serves for: its ports come back, and its stand-in goes. */
static int stand_in_settle(struct steps *steps, struct member *member, struct error *err)
{
	if (member->up && stand_in_give_back(steps, member, err) < 0)
		return -1;
	if (stand_in_remove(steps, member, err) < 0)
		return -1;
	member->stand_in = NULL;
	member->state->step->stand_in = NULL;
	member->state->step->needs &= ~(unsigned)PLAN_SETTLE;
	return 0;
}

/* It was started anew, but was it well? If not it is again while the other serves. */
static bool is_well(struct steps *steps, struct member *member)
{
	struct wave alone = {.steps = steps, .members = member, .count = 1, .started_ms = clock_real_ms()};
	bool well;

	members_await(&alone, THEIR_OWN, member_any, GATE_MOMENT_MS);
	well = !member->failed;
	member->failed = false;
	return well;
}

/* The killed one may have left a start under way, whose monitor has the instance's lock until it is over. */
static void start_await(struct steps *steps, struct member *member)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan_step *step = member->state->step;
	struct instance_status status;
	struct error ignored;

	for (int i = 0; i < 2; i++) {
		auto_instance instance = INSTANCE_EMPTY;

		if (instance_take(steps->host, i ? member->stand_in : member->name, &instance, &ignored) < 0)
			log_debug("%s", ignored.text);
	}
	member->up = instance_status_read(&arena, steps->host, member->name, &status, &ignored) == 0 &&
		     status.state == INSTANCE_RUNNING;
	if (step->up && !member->up && !(step->needs & PLAN_CREATE))
		step->needs |= PLAN_START;
	step->up = member->up;
}

/* True when it is to be replaced still, from where the killed one had come to. */
static bool left_take(struct steps *steps, struct member *member)
{
	struct error err;

	start_await(steps, member);
	bool serves = stand_in_is_left(steps, member);

	if (serves && (!member->up || is_replaced_anew(member->state->step) || !is_well(steps, member)))
		return true;
	if (stand_in_settle(steps, member, &err) < 0) {
		steps_report(steps, member->state, &err);
		return false;
	}
	return member->up && is_replaced_anew(member->state->step);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static void rollback_tell(const struct steps *steps, const struct member *member, const char *why)
{
	event_write(steps->host,
		&(struct event){
			.kind = EVENT_ROLLBACK, .name = member->name, .fleet = member->to->fleet, .detail = why});
}

static void failure_report(struct steps *steps, const struct member *member)
{
	struct error why = member->why;

	if (member->former)
		rollback_tell(steps, member, member->why.text);

	if (member->former)
		fail(&why, member->why.kind, "%s; what was there before serves", member->why.text);
	blame(&why, "update %s", member->name);
	steps_report(steps, member->state, &why);
}

/* Gives the number of failures. */
static size_t wave_report(struct wave *wave)
{
	size_t failures = 0;

	for (size_t i = 0; i < wave->count; i++) {
		struct member *member = &wave->members[i];

		if (!member->failed) {
			steps_report(wave->steps, member->state, NULL);
			continue;
		}
		failure_report(wave->steps, member);
		failures++;
	}
	return failures;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

struct group {
	struct steps *steps;
	struct member *members;
	size_t count;
};

static bool is_same_group(const struct instance_spec *a, const struct instance_spec *b)
{
	if (a->index || b->index)
		return a->index && b->index && text_equal(a->base_name, b->base_name);
	return updates_equal(&a->update, &b->update);
}

enum rounding { ROUND_DOWN, ROUND_UP };

static size_t portion_of(const struct portion *portion, size_t count, enum rounding rounding)
{
	size_t value = (size_t)portion->value;

	if (portion->percent)
		value = (value * count + (rounding == ROUND_UP ? 99 : 0)) / 100;
	return value < count ? value : count;
}

static size_t wave_size(const struct group *group, size_t at)
{
	const struct update_spec *update = &group->members[0].to->update;
	size_t canary = portion_of(&update->canary, group->count, ROUND_UP);
	size_t parallel = portion_of(&update->parallel, group->count, ROUND_DOWN);
	size_t wanted = at == 0 && canary ? canary : parallel ? parallel : 1;

	return wanted < group->count - at ? wanted : group->count - at;
}

static struct wave wave_new(const struct group *group, size_t at, size_t count, bool revert)
{
	struct wave wave = {.steps = group->steps, .members = group->members + at, .count = count, .revert = revert};

	for (size_t i = 0; i < count; i++)
		stand_in_choose(&wave, &wave.members[i]);
	return wave;
}

static void put_back_report(struct steps *steps, const struct member *member)
{
	if (member->failed) {
		log_warn("%s could not be put back to what it was: %s", member->name, member->why.text);
		return;
	}
	rollback_tell(steps, member, "another of its entry failed");
	steps_report_as(steps, member->state, APPLY_ROLLED_BACK);
}

/* The first `done` of the group, those that are well, become what they were: the other way round. */
static void group_roll_back(const struct group *group, size_t done)
{
	struct group back = {
		.steps = group->steps, .members = arena_new_array(group->steps->arena, done, struct member)};

	for (size_t i = 0; i < done; i++) {
		struct member member = group->members[i];

		if (member.failed || !member.from)
			continue;
		back.members[back.count++] = (struct member){.state = member.state,
			.name = member.name,
			.from = member.to,
			.to = member.from,
			.anew = member.anew,
			.there = true,
			.up = true};
	}
	for (size_t at = 0, size; at < back.count; at += size) {
		size = wave_size(&back, at);
		struct wave wave = wave_new(&back, at, size, false);

		wave_do(&wave);
		for (size_t i = 0; i < size; i++)
			put_back_report(group->steps, &wave.members[i]);
	}
}

static void group_keep(const struct group *group, size_t from)
{
	struct error err;

	for (size_t i = from; i < group->count; i++) {
		struct member *member = &group->members[i];

		if (member->stand_in_ready && stand_in_settle(group->steps, member, &err) < 0)
			log_warn("%s", err.text);
		steps_report_as(group->steps, member->state, APPLY_KEPT);
	}
}

static void group_do(const struct group *group)
{
	const struct update_spec *update = &group->members[0].to->update;
	bool rolls_back = update->failure_action == FAILURE_ROLLBACK;
	size_t at = 0;

	while (at < group->count) {
		size_t size = wave_size(group, at);
		struct wave wave = wave_new(group, at, size, rolls_back);

		wave_do(&wave);
		if (at == 0 && update->canary.value)
			wave_watch(&wave, update->monitor_ms);
		at += size;
		if (!wave_report(&wave) || update->failure_action == FAILURE_CONTINUE)
			continue;
		if (rolls_back && group->members[0].to->index)
			group_roll_back(group, at);
		group_keep(group, at);
		return;
	}
}

/* Moves all members of the first one's group behind `at` to the front. Gives its number. */
static size_t group_gather(struct member *members, size_t count)
{
	size_t size = 1;

	for (size_t i = 1; i < count; i++) {
		struct member next = members[i];

		if (!is_same_group(members[0].to, next.to))
			continue;
		memmove(&members[size + 1], &members[size], (i - size) * sizeof(*members));
		members[size++] = next;
	}
	return size;
}

/* --- all of a level ----------------------------------------------------------------------------------------------- */

/* A paused one serves nobody. */
static bool goes_in_waves(struct steps *steps, struct step_state *state, struct member *member)
{
	*member = member_of(state);
	if (state->step->stand_in && !left_take(steps, member))
		return false;
	return state->step->wanted->state == DESIRED_RUNNING;
}

void steps_replace(struct steps *steps, const struct batch *replaced)
{
	struct member *members = arena_new_array(steps->arena, replaced->count, struct member);
	struct batch others = {.items = arena_new_array(steps->arena, replaced->count, struct step_state *)};
	size_t count = 0;

	for (size_t i = 0; i < replaced->count; i++)
		if (replaced->items[i]->failed)
			continue;
		else if (goes_in_waves(steps, replaced->items[i], &members[count]))
			count++;
		else
			others.items[others.count++] = replaced->items[i];
	batch_carry_out(steps, &others);
	for (size_t at = 0, size; at < count; at += size) {
		size = group_gather(members + at, count - at);
		group_do(&(struct group){.steps = steps, .members = members + at, .count = size});
	}
}
