#include "tests/end_to_end/support_sweep.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_visitors.h"
#include "tests/test.h"

#define USUAL_WIDTH 11
#define POINTS_MAX 20000
#define SETTLE_MS SLOWLY(20000)
#define AGAIN_MS 20
#define ARGUMENTS_MAX (8 + SWEEP_WORDS)

struct sweeping {
	const struct sweep *sweep;
	struct arena arena;
	char *before; /* what is there when nothing is */
	int points, faults;
	int at;
	struct step_result killed; /* there */
	struct visitors visitors;
};

static const char *const where_names[] = {"alone", "its children", "with its children"};

/* --- commands ----------------------------------------------------------------------------------------------------- */

static const char *word_put(const struct sweep *sweep, const char *word)
{
	for (size_t i = 0; i + 1 < SWEEP_WORDS && sweep->words[i]; i += 2)
		if (!strcmp(sweep->words[i], word))
			return sweep->words[i + 1];
	return word;
}

static void command_make(const struct sweep *sweep, const char *const *words, const char *argv[ARGUMENTS_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sweep->program) && sweep->program[i]; i++)
		argv[count++] = sweep->program[i];
	for (size_t i = 0; i < SWEEP_WORDS && words[i]; i++)
		argv[count++] = word_put(sweep, words[i]);
	argv[count] = NULL;
}

static struct run_result run(const struct sweeping *sweeping, const char *const *words)
{
	struct run_options options = {.directory = sweeping->sweep->directory, .reaps = true};
	const char *argv[ARGUMENTS_MAX + 1];

	command_make(sweeping->sweep, words, argv);
	remains_reap();
	return run_program(argv, &options);
}

static void fault_add(struct sweeping *sweeping, const char *what, const char *detail)
{
	sweeping->faults++;
	fprintf(stderr, "%s killed %s at point %d (call %ld of task %d): %s: %s\n", sweeping->sweep->command[0],
		where_names[sweeping->sweep->where], sweeping->at, sweeping->killed.call, sweeping->killed.tracee, what,
		detail);
}

static void expect_success(struct sweeping *sweeping, const char *what, const struct run_result *result)
{
	auto_free char *said = text_format("status %d: %s", result->status, result->err);

	if (result->status || result->timed_out)
		fault_add(sweeping, what, said);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

/* "a=running b=stopped" */
static char *states_list(struct sweeping *sweeping)
{
	auto_run result = run(sweeping, sweeping->sweep->list);
	struct text text = {0};
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&sweeping->arena, "list", result.out, result.out_length, JSON_PLAIN, &doc, &err));
	for (const struct json *item = doc.root->first; item; item = item->next)
		text_appendf(&text, "%s%s=%s", text.data ? " " : "", json_get(item, "name")->text,
			json_get(item, sweeping->sweep->state_key)->text);
	return text.data ? text.data : strdup("");
}

static bool is_settled(const struct sweeping *sweeping, const char *states)
{
	auto_free char *wanted = text_format("=%s", sweeping->sweep->settled);
	const char *at = states;

	for (; (at = strchr(at, '=')); at++)
		if (!text_starts_with(at, wanted))
			return false;
	return *states;
}

static void settle(struct sweeping *sweeping)
{
	int64_t deadline_ms = clock_ms() + SETTLE_MS;

	while (sweeping->sweep->settled) {
		auto_free char *states = states_list(sweeping);

		if (is_settled(sweeping, states))
			return;
		if (clock_ms() > deadline_ms) {
			fault_add(sweeping, "did not settle", states);
			return;
		}
		poll(NULL, 0, AGAIN_MS);
	}
}

static void prepare(struct sweeping *sweeping)
{
	const struct sweep *sweep = sweeping->sweep;

	if (sweep->before[0]) {
		auto_run made = run(sweeping, sweep->before);
		expect_success(sweeping, "before", &made);
	}
	if (sweep->then[0]) {
		auto_run done = run(sweeping, sweep->then);
		expect_success(sweeping, "then", &done);
	}
	settle(sweeping);
	if (sweep->visited && !visitors_come(&sweeping->visitors, sweep->visited))
		fault_add(sweeping, "before", "nobody serves the visitors");
}

/* --- after the kill ----------------------------------------------------------------------------------------------- */

/* True when it is said to run, and there is no such process. */
static bool item_check(struct sweeping *sweeping, const struct json *item)
{
	const char *state = json_get(item, sweeping->sweep->state_key)->text;
	const struct json *pid = json_get(item, "pid");

	if (!strstr(sweeping->sweep->states, state))
		fault_add(sweeping, "list says", state);
	return text_equal(state, "running") && (!pid || !pid->text || kill(atoi(pid->text), 0) < 0);
}

static bool list_look(struct sweeping *sweeping)
{
	auto_run result = run(sweeping, sweeping->sweep->list);
	struct json_doc doc;
	struct error err;
	bool is_wrong = false;

	expect_success(sweeping, "list", &result);
	if (*result.err)
		fault_add(sweeping, "list", result.err);
	ASSERT_OK(json_parse(&sweeping->arena, "list", result.out, result.out_length, JSON_PLAIN, &doc, &err));
	for (const struct json *item = doc.root->first; item; item = item->next)
		is_wrong |= item_check(sweeping, item);
	return is_wrong;
}

/* One that was being killed may have ended after it was listed; then it is not listed so again. */
static void list_check(struct sweeping *sweeping)
{
	if (list_look(sweeping) && list_look(sweeping))
		fault_add(sweeping, "list says running", "there is no such process");
}

/* What may or may not be there. */
static void clear_with(struct sweeping *sweeping, const char *const *words)
{
	auto_run result = run(sweeping, words);

	if (!result.status || result.status != sweeping->sweep->missing_status)
		expect_success(sweeping, words[0], &result);
}

static void tidy(struct sweeping *sweeping)
{
	for (size_t i = 0; i < SWEEP_TIDY_MAX && sweeping->sweep->tidy[i][0]; i++)
		clear_with(sweeping, sweeping->sweep->tidy[i]);
}

static void clear(struct sweeping *sweeping)
{
	clear_with(sweeping, sweeping->sweep->clear);
	tidy(sweeping);
}

static void go_on(struct sweeping *sweeping)
{
	const struct sweep *sweep = sweeping->sweep;

	if (!sweep->next[0])
		return;
	auto_run next = run(sweeping, sweep->next);
	auto_free char *states = states_list(sweeping);

	expect_success(sweeping, "next", &next);
	if (sweep->after && !text_equal(states, sweep->after))
		fault_add(sweeping, "after the next command", states);
	if (!sweep->proof[0])
		return;
	auto_run proof = run(sweeping, sweep->proof);
	auto_free char *said = text_format("%s%s", proof.out, proof.err);
	if (proof.status)
		fault_add(sweeping, sweep->proof[0], said);
}

static char *describe(const struct sweeping *sweeping)
{
	return remains_describe(sweeping->sweep->state, sweeping->sweep->cgroup);
}

static void nothing_left(struct sweeping *sweeping)
{
	auto_free char *difference = remains_await(sweeping->sweep->state, sweeping->sweep->cgroup, sweeping->before);

	if (!difference)
		return;
	fault_add(sweeping, "left", difference);
	/* The next points are judged by themselves. */
	remains_end();
	free(sweeping->before);
	sweeping->before = describe(sweeping);
}

static void do_again(struct sweeping *sweeping)
{
	auto_run again = run(sweeping, sweeping->sweep->again);
	expect_success(sweeping, "again", &again);
	auto_run cleared = run(sweeping, sweeping->sweep->clear);
	expect_success(sweeping, "clear after again", &cleared);
	tidy(sweeping);
}

/* --- the sweep ---------------------------------------------------------------------------------------------------- */

/* False when the command ended before. */
static bool kill_at(struct sweeping *sweeping, int at)
{
	const struct sweep *sweep = sweeping->sweep;
	const char *argv[ARGUMENTS_MAX + 1];
	struct step step = {.argv = argv, .directory = sweep->directory, .where = sweep->where, .at = at};

	prepare(sweeping);
	command_make(sweep, sweep->command, argv);
	step_result_drop(&sweeping->killed);
	sweeping->at = at;
	sweeping->killed = step_run(&step);
	if (sweeping->killed.timed_out)
		fault_add(sweeping, "did not end", sweeping->killed.err);
	return sweeping->killed.reached;
}

static void sweeping_drop(struct sweeping *sweeping)
{
	visitors_drop(&sweeping->visitors);
	step_result_drop(&sweeping->killed);
	free(sweeping->before);
	arena_drop(&sweeping->arena);
}

/* What a host keeps once all of it was done: undisturbed, and cleared. */
static void rehearse(struct sweeping *sweeping)
{
	for (size_t i = 0; i < SWEEP_ONCE_MAX && sweeping->sweep->once[i][0]; i++) {
		auto_run made = run(sweeping, sweeping->sweep->once[i]);
		expect_success(sweeping, "once", &made);
	}
	if (sweeping->sweep->before[0]) {
		prepare(sweeping);
		auto_run done = run(sweeping, sweeping->sweep->command);
		expect_success(sweeping, "undisturbed", &done);
		visitors_drop(&sweeping->visitors);
		clear(sweeping);
	}
	do_again(sweeping);
	cr_assert(sweeping->faults == 0, "it does not work when nobody is killed either");
}

/* False when the command ended before. */
static bool point_try(struct sweeping *sweeping, int at)
{
	bool reached = kill_at(sweeping, at);

	sweeping->points += reached;
	list_check(sweeping);
	go_on(sweeping);
	visitors_drop(&sweeping->visitors);
	clear(sweeping);
	nothing_left(sweeping);
	if (sweeping->sweep->next[0])
		return reached;
	do_again(sweeping);
	nothing_left(sweeping);
	return reached;
}

void sweep_run(const struct sweep *sweep)
{
	AUTO(sweeping_drop) struct sweeping sweeping = {.sweep = sweep, .visitors = VISITORS_NONE};
	int width = step_width(sweep->width ? sweep->width : USUAL_WIDTH), at;

	width = width < sweep->least ? sweep->least : width;
	remains_adopt();
	rehearse(&sweeping);
	sweeping.before = describe(&sweeping);
	/* Wide steps begin in their middle: the first calls of a command are the dull ones. A short command has its
	 * first at least. */
	for (at = (width + 1) / 2; at < POINTS_MAX && point_try(&sweeping, at); at += width)
		;
	if (sweeping.points == 0)
		point_try(&sweeping, 1);
	fprintf(stderr, "%s killed %s: %d points, %d faults\n", sweep->command[0], where_names[sweep->where],
		sweeping.points, sweeping.faults);
	cr_assert(sweeping.faults == 0 && sweeping.points > 0, "%d faults at %d points", sweeping.faults,
		sweeping.points);
}
