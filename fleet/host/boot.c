/* What the host does with its instances when it comes up and when it goes down.
 *
 * Nothing remembers which instances ran: each has what its owner wants and how its last run ended, and both survive a
 * power cut. Going down ends runs with the reason "host", which is also what the first command after a power cut writes
 * for runs that have no end: so it makes no difference which of the two it was. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/file/order.h"
#include "fleet/state/generation.h"
#include "fleet/state/instance.h"
#include "fleet/state/select.h"

#define HEALTHY_TIMEOUT_MS 120000
#define FLEETS_MAX 4096

/* --- what should run ---------------------------------------------------------------------------------------------- */

static bool is_up(const struct instance_status *status)
{
	return status->state == INSTANCE_RUNNING || status->state == INSTANCE_PAUSED ||
	       status->state == INSTANCE_STARTING || status->state == INSTANCE_RESTARTING;
}

/* An end of its own is final unless the policy says otherwise: a job that was done is not done again. */
static bool ends_for_now(const struct instance_status *status)
{
	if (status->last.reason == END_HOST || status->last.reason == END_NONE || status->last.reason == END_RESTART)
		return true;
	switch (status->spec->restart.policy) {
	case RESTART_NO:
		return false;
	case RESTART_ON_FAILURE:
		return status->last.status != 0;
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	}
	return false;
}

/* It runs and nobody reads its output: a start gives it another one. */
static bool has_lost_its_monitor(const struct instance_status *status)
{
	return status->spec && status->state == INSTANCE_RUNNING && !status->monitored;
}

static bool should_run(const struct instance_status *status)
{
	if (has_lost_its_monitor(status))
		return true;
	return status->spec && status->spec->autostart && status->desired != DESIRED_STOPPED && !is_up(status) &&
	       ends_for_now(status);
}

/* --- order -------------------------------------------------------------------------------------------------------- */

struct place {
	const struct instance_status *status;
	size_t level;
};

/* By level; in it the higher priority first, then as people sort names. */
static int places_compare(const void *a, const void *b)
{
	const struct place *one = a, *other = b;
	int64_t priority = one->status->spec->priority, other_priority = other->status->spec->priority;

	if (one->level != other->level)
		return one->level > other->level ? 1 : -1;
	if (priority != other_priority)
		return priority < other_priority ? 1 : -1;
	return instance_name_compare(one->status->name, other->status->name);
}

struct places {
	struct place *items;
	size_t count;
};

/* Instances of different files cannot depend on one another in a circle, unless somebody edited the records: then no
 * order is right, and all are of one level. */
static void places_order(struct arena *arena, struct places *places)
{
	const struct instance_spec **specs = arena_new_array(arena, places->count, const struct instance_spec *);
	struct order order = {0};
	struct error err;

	for (size_t i = 0; i < places->count; i++)
		specs[i] = places->items[i].status->spec;
	if (order_make(arena, specs, places->count, &order, NULL, &err) < 0)
		log_warn("%s", err.text);
	for (size_t i = 0; i < places->count; i++)
		places->items[i].level = order_level(&order, specs[i]);
	if (places->count)
		qsort(places->items, places->count, sizeof(*places->items), places_compare);
}

static int places_find(struct arena *arena, struct host *host, bool (*wanted)(const struct instance_status *status),
	struct places *out, struct error *err)
{
	struct instance_list list;

	*out = (struct places){0};
	if (instance_list_read(arena, host, &list, err) < 0)
		return -1;
	out->items = arena_new_array(arena, list.count, struct place);
	for (size_t i = 0; i < list.count; i++)
		if (wanted(&list.items[i]))
			out->items[out->count++].status = &list.items[i];
	places_order(arena, out);
	return 0;
}

/* --- level by level ----------------------------------------------------------------------------------------------- */

struct round {
	struct host *host;
	const struct boot_request *request;
	enum instance_verb verb;
	int failures;
	struct error *first;
};

static void round_report(struct round *round, const char *name, const struct error *result)
{
	if (result->kind != ERROR_NONE && round->failures++ == 0)
		*round->first = *result;
	if (round->request->done)
		round->request->done(round->request->context, name, result);
}

/* Somebody else was quicker, or took it away. */
static bool is_done_by_others(const struct round *round, const char *name, const struct error *result)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;
	struct error gone;

	if (result->kind == ERROR_MISSING)
		return true;
	return result->kind == ERROR_BUSY && instance_status_read(&arena, round->host, name, &status, &gone) == 0 &&
	       is_up(&status) == (round->verb == VERB_START);
}

static void verb_done(void *context, const char *name, const struct error *result)
{
	struct round *round = context;

	round_report(round, name, is_done_by_others(round, name, result) ? &(struct error){0} : result);
}

static void round_do(struct round *round, const struct strings *names)
{
	struct bulk bulk = {.verb = round->verb,
		.parallel = round->request->parallel,
		.halt = round->verb == VERB_STOP,
		.done = verb_done,
		.context = round};
	struct error ignored;

	for (size_t i = 0; round->request->dry_run && i < names->count; i++)
		round_report(round, names->items[i], &(struct error){0});
	if (!round->request->dry_run && instances_do(round->host, names, &bulk, &ignored) < 0)
		log_debug("%s", ignored.text); /* told by done() */
}

/* One that was paused when the host went down starts, which makes its files as they were, and is paused again. */
static void pause_again(struct round *round, const struct places *places, size_t from, size_t end)
{
	struct error err;

	for (size_t i = from; i < end && !round->request->dry_run; i++)
		if (places->items[i].status->desired == DESIRED_PAUSED &&
			instance_pause(round->host, places->items[i].status->name, true, &err) < 0)
			log_warn("%s", err.text);
}

/* Some later one depends on its health. */
static bool health_is_awaited(const struct places *places, size_t from, const struct instance_spec *spec)
{
	for (size_t i = from; i < places->count; i++) {
		const struct instance_spec *later = places->items[i].status->spec;

		for (size_t k = 0; k < later->depends_on.count; k++)
			if (text_equal(later->depends_on.items[k].name, spec->base_name) &&
				text_equal(later->depends_on.items[k].condition, "healthy"))
				return true;
	}
	return false;
}

/* One that does not become healthy holds nobody up for ever: the host shall come up. */
static void health_await(
	struct arena *arena, const struct round *round, const struct places *places, size_t from, size_t end)
{
	struct strings names = {0};
	struct error err;

	for (size_t i = from; i < end && !round->request->dry_run; i++)
		if (places->items[i].status->desired != DESIRED_PAUSED &&
			health_is_awaited(places, end, places->items[i].status->spec))
			strings_add(arena, &names, places->items[i].status->name);
	if (names.count && instances_wait_healthy(round->host, &names, HEALTHY_TIMEOUT_MS, NULL, NULL, &err) != 0)
		log_warn("%s; what depends on it is started all the same", err.text);
}

static size_t level_end(const struct places *places, size_t from)
{
	size_t end = from;

	while (end < places->count && places->items[end].level == places->items[from].level)
		end++;
	return end;
}

static size_t level_begin(const struct places *places, size_t end)
{
	size_t begin = end;

	while (begin > 0 && places->items[begin - 1].level == places->items[end - 1].level)
		begin--;
	return begin;
}

static struct strings names_of(struct arena *arena, const struct places *places, size_t from, size_t end)
{
	struct strings names = {0};

	for (size_t i = from; i < end; i++)
		strings_add(arena, &names, places->items[i].status->name);
	return names;
}

/* What an apply that was broken off had taken away and not made again yet no instance tells of. */
static void unfinished_tell(struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	struct error err;

	if (dir_list(&arena, host->fleets, FLEETS_MAX, &names, &err) < 0) {
		log_warn("%s", err.text);
		return;
	}
	for (size_t i = 0; i < names.count; i++) {
		auto_fd dir = dir_open(host->fleets, names.items[i], &err);
		struct generation last;

		if (dir < 0)
			continue;
		generation_read(&arena, dir, &last);
		if (last.number && !last.complete)
			log_warn("the last apply of the fleet %s did not come to its end; `warren apply %s` goes on "
				 "where it "
				 "was",
				names.items[i], last.path ? last.path : "FILE");
	}
}

static void tell(const struct host *host, const struct boot_request *request, const char *what)
{
	if (!request->dry_run)
		event_write(host, &(struct event){.kind = EVENT_BOOT, .reason = what});
}

int host_boot(struct host *host, const struct boot_request *request, struct error *err)
{
	AUTO(arena_drop) struct arena own = {0};
	struct arena *arena = host->caller_arena ? host->caller_arena : &own;
	struct round round = {.host = host, .request = request, .verb = VERB_START, .first = err};
	struct places places;

	host_clean(host);
	if (places_find(arena, host, should_run, &places, err) < 0)
		return -1;
	tell(host, request, "start");
	for (size_t from = 0, end; from < places.count; from = end) {
		end = level_end(&places, from);
		struct strings names = names_of(arena, &places, from, end);

		round_do(&round, &names);
		health_await(arena, &round, &places, from, end);
		pause_again(&round, &places, from, end);
	}
	unfinished_tell(host);
	return round.failures;
}

static bool can_halt(const struct instance_status *status)
{
	return status->spec && is_up(status);
}

int host_halt(struct host *host, const struct boot_request *request, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct round round = {.host = host, .request = request, .verb = VERB_STOP, .first = err};
	struct places places;

	if (places_find(&arena, host, can_halt, &places, err) < 0)
		return -1;
	tell(host, request, "stop");
	for (size_t end = places.count, from; end > 0; end = from) {
		from = level_begin(&places, end);
		struct strings names = names_of(&arena, &places, from, end);

		round_do(&round, &names);
	}
	return round.failures;
}
