/* See wave.h. Each phase is done for all members before the next begins, so that starting and stopping go side by side,
 * and the front servers are told once a phase and not once a site. */
#include "fleet/apply/wave.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/apply/drain.h"
#include "fleet/apply/front.h"
#include "fleet/apply/stand_in.h"
#include "fleet/instance/stop.h"
#include "fleet/state/instance.h"

/* --- members ------------------------------------------------------------------------------------------------------ */

void member_fail(struct member *member, const struct error *why)
{
	if (member->failed)
		return;
	member->failed = true;
	member->why = *why;
}

bool member_has_stand_in(const struct member *member)
{
	return member->stand_in && !member->failed;
}

bool member_any(const struct member *member)
{
	return !member->failed;
}

static bool member_needs_stand_in(const struct member *member)
{
	return member_has_stand_in(member) && !member->stand_in_ready;
}

static bool member_is_up(const struct member *member)
{
	return !member->failed && member->up;
}

static const char *member_name(const struct member *member, enum whose whose)
{
	return whose == THEIR_OWN ? member->name : member->stand_in;
}

/* --- one verb for some of them ------------------------------------------------------------------------------------ */

struct answers {
	struct wave *wave;
	enum whose whose;
};

static void answer_note(void *context, const char *name, const struct error *result)
{
	struct answers *answers = context;

	for (size_t i = 0; result->kind != ERROR_NONE && i < answers->wave->count; i++)
		if (text_equal(member_name(&answers->wave->members[i], answers->whose), name))
			member_fail(&answers->wave->members[i], result);
}

void members_do(struct wave *wave, enum instance_verb verb, enum whose whose, member_filter *filter)
{
	struct answers answers = {.wave = wave, .whose = whose};
	struct bulk bulk = {.verb = verb,
		.parallel = wave->steps->options->parallel,
		.again = verb == VERB_STOP,
		.done = answer_note,
		.context = &answers};
	struct strings names = {0};
	struct error ignored;

	for (size_t i = 0; i < wave->count; i++)
		if (filter(&wave->members[i]))
			strings_add(wave->steps->arena, &names, member_name(&wave->members[i], whose));
	if (names.count && instances_do(wave->steps->host, &names, &bulk, &ignored) < 0)
		log_debug("%s", ignored.text);
}

/* One step for each of them; a failure is noted at the member. */
static void members_each(
	struct wave *wave, member_filter *filter, int (*step)(struct steps *, struct member *, struct error *))
{
	struct error err;

	for (size_t i = 0; i < wave->count; i++)
		if (filter(&wave->members[i]) && step(wave->steps, &wave->members[i], &err) < 0)
			member_fail(&wave->members[i], &err);
}

/* --- phases ------------------------------------------------------------------------------------------------------- */

static void stand_ins_dismiss(struct wave *wave)
{
	struct error err;

	for (size_t i = 0; i < wave->count; i++)
		if (wave->members[i].stand_in && !wave->members[i].at_stand_in &&
			stand_in_remove(wave->steps, &wave->members[i], &err) < 0)
			log_warn("%s", err.text);
}

static void stand_ins_bring_up(struct wave *wave)
{
	members_each(wave, member_needs_stand_in, stand_in_create);
	wave->started_ms = clock_real_ms();
	members_do(wave, VERB_START, THEIR_STAND_INS, member_needs_stand_in);
	members_await(wave, THEIR_STAND_INS, member_has_stand_in, GATE_MOMENT_MS);
	/* What does not come up beside the former one does not touch it. */
	for (size_t i = 0; i < wave->count; i++)
		wave->members[i].former = wave->members[i].failed && wave->members[i].up;
}

static bool member_hands_over(const struct member *member)
{
	return member_has_stand_in(member) && member->up && !member->at_stand_in;
}

static bool member_goes_alone(const struct member *member)
{
	return !member->failed && member->up && !member->stand_in;
}

/* That the others do not get its share is no reason not to go on: its stop gives it to them. */
static int member_turn_away_if_so(struct steps *steps, struct member *member, struct error *err)
{
	if (member_turn_away(steps, member, err) == 0)
		return 0;
	log_warn("%s: %s", member->name, err->text);
	return forgive(err);
}

static void ports_hand_over(struct wave *wave)
{
	members_each(wave, member_hands_over, stand_in_take_ports);
	members_each(wave, member_goes_alone, member_turn_away_if_so);
	front_write(wave->steps, wave);
	front_reload(wave->steps, wave);
	drain_await(wave, THEIR_OWN);
}

/* The specification takes the place of what is there. */
static int member_become(
	struct steps *steps, struct member *member, const struct instance_spec *spec, struct error *err)
{
	if (member->there && !member->anew)
		return instance_update(steps->host, spec, err);
	if (member->there && instance_remove(steps->host, member->name, true, err) < 0)
		return -1;
	member->there = false;
	if (instance_create(steps->host, spec, err) < 0)
		return -1;
	member->there = true;
	return 0;
}

static int member_change(struct steps *steps, struct member *member, struct error *err)
{
	if (member_become(steps, member, member->to, err) < 0)
		return -1;
	return member->stand_in ? stand_in_hold(steps, member, member->to, err) : 0;
}

static void members_replace(struct wave *wave)
{
	members_do(wave, VERB_STOP, THEIR_OWN, member_is_up);
	members_each(wave, member_any, member_change);
	wave->started_ms = clock_real_ms();
	members_do(wave, VERB_START, THEIR_OWN, member_any);
	members_await(wave, THEIR_OWN, member_any, GATE_MOMENT_MS);
}

/* --- when it did not go well -------------------------------------------------------------------------------------- */

static bool member_reverts(const struct member *member)
{
	return member->failed && !member->former && member->from;
}

static int member_change_back(struct steps *steps, struct member *member, struct error *err)
{
	struct optional at_once = {.set = true, .value = 0};

	if (member->there && instance_stop_for(steps->host, member->name, at_once, STOP_TO_START, err) < 0)
		return -1;
	if (member_become(steps, member, member->from, err) < 0 ||
		(member->at_stand_in && stand_in_hold(steps, member, member->from, err) < 0) ||
		instance_start(steps->host, member->name, &(struct start_options){0}, err) < 0)
		return -1;
	member->former = true;
	return 0;
}

/* They become what they were; what even that leaves down is said. */
static void failures_revert(struct wave *wave)
{
	struct error err;

	for (size_t i = 0; i < wave->count; i++) {
		struct member *member = &wave->members[i];

		if (!wave->revert || !member_reverts(member))
			continue;
		if (member_change_back(wave->steps, member, &err) < 0)
			log_warn("%s could not be put back to what it was: %s", member->name, err.text);
	}
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

static bool member_gets_back(const struct member *member)
{
	return member->at_stand_in && (!member->failed || member->former);
}

static void ports_take_back(struct wave *wave)
{
	members_each(wave, member_gets_back, stand_in_give_back);
	front_write(wave->steps, wave);
	front_reload(wave->steps, wave);
	drain_await(wave, THEIR_STAND_INS);
}

void wave_do(struct wave *wave)
{
	stand_ins_bring_up(wave);
	ports_hand_over(wave);
	members_replace(wave);
	failures_revert(wave);
	ports_take_back(wave);
	stand_ins_dismiss(wave);
}

void wave_watch(struct wave *wave, int64_t duration_ms)
{
	members_await(wave, THEIR_OWN, member_any, duration_ms);
	failures_revert(wave);
}
