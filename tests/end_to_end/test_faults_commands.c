/* Any system call of `warren` that can fail, made to fail: the command says what could not be done and why, in time; a
 * refused `run` or `create` leaves nothing, and after the others the next command gets there; or it does without, and
 * then what was wanted is there. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_refusal.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_stepper.h"
#include "tests/test.h"

#define POINTS_MAX 20000
#define WORDS_MAX 16
#define TIME_MAX_MS SLOWLY(8000)

static const int errors[] = {EMFILE, ENOMEM, ENOSPC, EINTR, EAGAIN, EIO, EPERM};

#define FLEET(more)                                                                                                    \
	"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": "                        \
	"{\"a\": {\"image\": \"host\", \"command\": [\"busybox\", \"httpd\", \"-f\", \"-p\", \"80\"], "                \
	"\"network\": \"inside\", \"stop_grace_period\": 0, \"ports\": [\"8095:80\"], \"replicas\": 2, "               \
	"\"update\": {\"parallel\": 1, \"monitor\": \"100ms\", \"drain\": \"100ms\"}" more "}}}\n"
static const struct {
	const char *name, *text;
} fleets[] = {{"FLEET", FLEET("")}, {"UPDATED", FLEET(", \"environment\": {\"A\": \"2\"}")}};

struct verb {
	const char *before[WORDS_MAX], *then[WORDS_MAX], *command[WORDS_MAX];
	const char *next[WORDS_MAX]; /* gets there when the command did not; empty: a refused command leaves nothing */
	const char *clear[WORDS_MAX], *tidy[WORDS_MAX]; /* what may not be there */
	bool repaired;	    /* what a refused command leaves in the books, `check --repair` takes away */
	const char *states; /* what is listed when all is done; NULL: anything */
	long call;	    /* only these fail; 0: any */
	int width;	    /* from one point to the next */
	bool rare;	    /* left to ./test.sh --full on every kernel */
};

struct trial {
	const struct verb *verb;
	struct playground playground;
	const char *volume, *fleets[ARRAY_SIZE(fleets)];
	char *before; /* what is there when nothing is */
	int points, refused, tolerated, faults;
	/* The point: */
	int at, error;
	struct step_result result;
	int64_t took_ms;
};

static void trial_drop(struct trial *trial)
{
	step_result_drop(&trial->result);
	free(trial->before);
	playground_drop(&trial->playground);
}

static void fault_add(struct trial *trial, const char *what, const char *detail)
{
	trial->faults++;
	fprintf(stderr, "%s, point %d (call %ld of task %d), %s: %s: %s\n", trial->verb->command[0], trial->at,
		trial->result.call, trial->result.tracee, strerror(trial->error), what, detail);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static const char *word_put(const struct trial *trial, const char *word)
{
	if (text_equal(word, "VOLUME"))
		return trial->volume;
	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++)
		if (text_equal(word, fleets[i].name))
			return trial->fleets[i];
	return word;
}

static void words_put(const struct trial *trial, const char *const *words, const char *put[WORDS_MAX + 1])
{
	size_t count = 0;

	for (; count < WORDS_MAX && words[count]; count++)
		put[count] = word_put(trial, words[count]);
	put[count] = NULL;
}

static struct run_result run(const struct trial *trial, const char *const *words)
{
	const char *put[WORDS_MAX + 1];

	words_put(trial, words, put);
	remains_reap();
	return playground_warren(&trial->playground, put, &(struct run_options){.reaps = true});
}

static void expect_success(struct trial *trial, const char *what, const struct run_result *result)
{
	if (result->status || result->timed_out)
		fault_add(trial, what, result->err);
}

static void prepare(struct trial *trial)
{
	if (!trial->verb->before[0])
		return;
	auto_run made = run(trial, trial->verb->before);
	cr_assert(made.status == 0, "%s", made.err);
	if (!trial->verb->then[0])
		return;
	auto_run done = run(trial, trial->verb->then);
	cr_assert(done.status == 0, "%s", done.err);
}

static void clear(struct trial *trial)
{
	const char *const *all[] = {trial->verb->clear, trial->verb->tidy};

	for (size_t i = 0; i < ARRAY_SIZE(all) && all[i][0]; i++) {
		auto_run cleared = run(trial, all[i]);

		if (cleared.status != 3)
			expect_success(trial, "clear", &cleared);
	}
}

static void run_with(struct trial *trial, struct step step)
{
	const struct playground *playground = &trial->playground;
	const char *argv[WORDS_MAX + 6] = {
		sweep_program(), "--root", playground->root, "--cgroup-parent", playground->parent};
	int64_t begin;

	words_put(trial, trial->verb->command, argv + 5);
	step.argv = argv;
	step.where = STEP_ALL;
	step_result_drop(&trial->result);
	begin = clock_ms();
	trial->result = step_run(&step);
	trial->took_ms = clock_ms() - begin;
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static void states_check(struct trial *trial, const char *when)
{
	static const char *const words[] = {"list", "--json", NULL};
	auto_run list = run(trial, words);
	AUTO(text_drop) struct text states = {0};
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&trial->playground.arena, "list", list.out, list.out_length, JSON_PLAIN, &doc, &err));
	for (const struct json *item = doc.root->first; item; item = item->next)
		text_appendf(&states, "%s%s=%s", states.data ? " " : "", json_get(item, "name")->text,
			json_get(item, "state")->text);
	if (trial->verb->states && !text_equal(text_string(&states), trial->verb->states))
		fault_add(trial, when, text_string(&states));
}

static void nothing_left(struct trial *trial, const char *what)
{
	const struct playground *playground = &trial->playground;
	auto_free char *difference = remains_await(playground->root, playground->parent, trial->before);

	if (!difference)
		return;
	fault_add(trial, what, difference);
	auto_run removed = run(trial, (const char *const[]){"rm", "-f", "--all", NULL});
	remains_end();
	free(trial->before);
	trial->before = remains_describe(playground->root, playground->parent);
}

static void refused_check(struct trial *trial)
{
	const char *wrong = refusal_judge(&trial->result, "warren: ", trial->error);

	trial->refused++;
	if (wrong)
		fault_add(trial, wrong, trial->result.err);
	if (!trial->verb->next[0]) {
		/* Without memory it is as if it had been killed: the next command clears it away. */
		if (!text_ends_with(trial->result.err, "out of memory\n"))
			nothing_left(trial, "refused, but left");
		return;
	}
	auto_run next = run(trial, trial->verb->next);
	expect_success(trial, "refused, and the next command", &next);
	states_check(trial, "refused, and the next command led to");
}

static void judge(struct trial *trial)
{
	if (trial->took_ms > TIME_MAX_MS)
		fault_add(trial, "took too long", trial->result.err);
	if (trial->result.status || trial->result.timed_out) {
		refused_check(trial);
	} else {
		trial->tolerated += trial->result.reached;
		states_check(trial, "succeeded, but there is");
	}
	clear(trial);
	if (trial->verb->repaired) {
		auto_run repaired = run(trial, (const char *const[]){"check", "--repair", NULL});
		auto_run checked = run(trial, (const char *const[]){"check", NULL});
		expect_success(trial, "check after its repair", &checked);
	}
	nothing_left(trial, "cleared, but left");
}

/* --- the trial ---------------------------------------------------------------------------------------------------- */

static void trial_open(struct trial *trial)
{
	const char *directory;

	trial->playground = playground_new();
	directory = trial->playground.directory.path;
	trial->volume = arena_format(&trial->playground.arena, "%s/volume:/data", directory);
	run_write_file(directory, "volume/file", 0600, "");
	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++) {
		run_write_file(directory, fleets[i].name, 0600, fleets[i].text);
		trial->fleets[i] = arena_format(&trial->playground.arena, "%s/%s", directory, fleets[i].name);
	}
	remains_adopt();
	/* Undisturbed first: what a host keeps once all of it was done. */
	prepare(trial);
	run_with(trial, (struct step){0});
	cr_assert(trial->result.status == 0, "%s", trial->result.err);
	states_check(trial, "undisturbed");
	clear(trial);
	cr_assert(trial->faults == 0, "it does not work when nothing fails either");
	trial->before = remains_describe(trial->playground.root, trial->playground.parent);
}

/* False when there are not that many calls. */
static bool fail_at(struct trial *trial, int at, int error)
{
	trial->at = at;
	trial->error = error;
	prepare(trial);
	run_with(trial,
		(struct step){
			.at = at, .error = error, .call = trial->verb->call ? trial->verb->call : STEP_EVERY_CALL});
	trial->points += trial->result.reached;
	judge(trial);
	return trial->result.reached;
}

/* What a sweep has found, looked at again: WARREN_FAULT_POINT=POINT:ERRNO. False: nobody asks for that. */
static bool one_point_try(struct trial *trial)
{
	const char *wanted = getenv("WARREN_FAULT_POINT");
	int at, error;

	if (!wanted)
		return false;
	cr_assert(sscanf(wanted, "%d:%d", &at, &error) == 2, "WARREN_FAULT_POINT: must be POINT:ERRNO");
	cr_assert(fail_at(trial, at, error), "there are not that many points");
	fprintf(stderr, "status %d: %s\n", trial->result.status, trial->result.err);
	cr_assert(trial->faults == 0, "%d faults", trial->faults);
	return true;
}

/* At every width-th point one of the errors after the other. */
static void verb_try(const struct verb *verb)
{
	int width = step_width(verb->width), least = verb->width / 30 + 1;
	size_t turn = 0;
	AUTO(trial_drop) struct trial trial = {.verb = verb};

	trial_open(&trial);
	if (one_point_try(&trial))
		return;
	width = width < least ? least : width;
	for (int at = (width + 1) / 2; at < POINTS_MAX; at += width)
		if (!fail_at(&trial, at, errors[turn++ % ARRAY_SIZE(errors)]))
			break;
	if (trial.points == 0)
		fail_at(&trial, 1, errors[0]);
	fprintf(stderr, "%s: %d points, %d refused, %d tolerated, %d faults\n", verb->command[0], trial.points,
		trial.refused, trial.tolerated, trial.faults);
	cr_assert(trial.faults == 0 && trial.points > 0, "%d faults at %d points", trial.faults, trial.points);
}

#define FAULT_TEST(name, ...)                                                                                          \
	TEST(faults, name, .fini = playground_rescue, .timeout = SLOWLY(7200))                                         \
	{                                                                                                              \
		const struct verb verb = {__VA_ARGS__};                                                                \
                                                                                                                       \
		NEEDS_A_FAST_PROCESSOR();                                                                              \
		if (verb.rare)                                                                                         \
			NEEDS_ALL_THE_TIME();                                                                          \
		verb_try(&verb);                                                                                       \
	}

#define RUN_IT                                                                                                         \
	{                                                                                                              \
		"run", "-d", "--name", "a", "-p", "8090:80", "-v", "VOLUME", "host", "sleep", "1000"                   \
	}
#define RUN_ALONE                                                                                                      \
	{                                                                                                              \
		"run", "-d", "--name", "a", "--network", "none", "-v", "VOLUME", "host", "sleep", "1000"               \
	}
#define CREATE                                                                                                         \
	{                                                                                                              \
		"create", "--name", "a", "host", "sleep", "1000"                                                       \
	}
#define REMOVE                                                                                                         \
	{                                                                                                              \
		"rm", "-f", "a"                                                                                        \
	}
#define APPLY                                                                                                          \
	{                                                                                                              \
		"apply", "-q", "-j", "1", "FLEET"                                                                      \
	}
#define REMOVE_ALL                                                                                                     \
	{                                                                                                              \
		"rm", "-f", "--all"                                                                                    \
	}
#define RESTART                                                                                                        \
	{                                                                                                              \
		"restart", "-t", "0s", "a"                                                                             \
	}

FAULT_TEST(any_of_run, .command = RUN_IT, .clear = REMOVE, .states = "a=running", .width = 120)
FAULT_TEST(any_of_create, .command = CREATE, .clear = REMOVE, .states = "a=created", .width = 60)
FAULT_TEST(any_of_start, .before = CREATE, .command = {"start", "a"}, .next = RESTART, .clear = REMOVE,
	.states = "a=running", .width = 150)
FAULT_TEST(any_of_stop, .before = RUN_IT, .command = {"stop", "-t", "0s", "a"}, .next = {"stop", "-t", "0s", "a"},
	.clear = REMOVE, .states = "a=stopped", .width = 50)
FAULT_TEST(any_of_rm, .before = RUN_ALONE, .command = REMOVE, .next = REMOVE_ALL, .clear = REMOVE_ALL, .repaired = true,
	.states = "", .width = 60)
FAULT_TEST(any_of_apply, .command = APPLY, .next = APPLY, .clear = {"down", "-q", "shop"},
	.states = "a-1=running a-2=running", .width = 250)

/* The same for others, which are typed less often or cost more. */
#define RARE .rare = true
#define UPDATE                                                                                                         \
	{                                                                                                              \
		"apply", "-q", "-j", "1", "UPDATED"                                                                    \
	}
#define SET                                                                                                            \
	{                                                                                                              \
		"set", "--pids-limit", "50", "-p", "8091:81", "--publish-rm", "8090", "--label-add", "x=y", "a"        \
	}
#define NETWORK                                                                                                        \
	{                                                                                                              \
		"network", "create", "n"                                                                               \
	}
#define NO_NETWORK                                                                                                     \
	{                                                                                                              \
		"network", "rm", "n"                                                                                   \
	}
#define SNAPSHOT                                                                                                       \
	{                                                                                                              \
		"snapshot", "create", "a", "one"                                                                       \
	}
#define SNAPSHOT_GONE                                                                                                  \
	{                                                                                                              \
		"snapshot", "rm", "a", "one"                                                                           \
	}
#define ON_RUNNING .before = RUN_IT, .clear = REMOVE, .states = "a=running"
FAULT_TEST(any_of_rm_with_network_and_ports, RARE, .before = RUN_IT, .command = REMOVE, .next = REMOVE_ALL,
	.clear = REMOVE_ALL, .states = "", .width = 60)
/* Not the same again: when only its output could not be written, the port is published already. */
FAULT_TEST(any_of_set, RARE, ON_RUNNING, .command = SET, .next = {"set", "--pids-limit", "50", "a"}, .width = 60)
FAULT_TEST(any_of_restart, RARE, ON_RUNNING, .command = RESTART, .next = RESTART, .width = 150)
FAULT_TEST(any_of_exec, RARE, ON_RUNNING, .command = {"exec", "a", "true"}, .next = {"exec", "a", "true"}, .width = 40)
FAULT_TEST(any_of_update, RARE, .before = APPLY, .command = UPDATE, .next = UPDATE, .clear = {"down", "-q", "shop"},
	.states = "a-1=running a-2=running", .width = 250)
FAULT_TEST(pidfd_open_of_update, RARE, .before = APPLY, .command = UPDATE, .next = UPDATE,
	.clear = {"down", "-q", "shop"}, .states = "a-1=running a-2=running", .call = SYS_pidfd_open, .width = 1)
FAULT_TEST(any_of_down, RARE, .before = APPLY, .command = {"down", "-q", "shop"}, .next = REMOVE_ALL,
	.clear = {"down", "-q", "shop"}, .states = "", .width = 100)
FAULT_TEST(any_of_network_create, RARE, .command = NETWORK, .clear = NO_NETWORK, .states = "", .width = 20)
FAULT_TEST(any_of_network_rm, RARE, .before = NETWORK, .command = NO_NETWORK, .next = REMOVE_ALL, .clear = NO_NETWORK,
	.states = "", .width = 20)
FAULT_TEST(any_of_network_set, RARE, .before = NETWORK,
	.command = {"network", "set", "--isolated", "yes", "--service", "udp/53", "n"},
	.next = {"network", "set", "--isolated", "no", "n"}, .clear = NO_NETWORK, .states = "", .width = 20)
FAULT_TEST(
	any_of_snapshot, RARE, ON_RUNNING, .command = SNAPSHOT, .next = {"snapshot", "create", "a", "two"}, .width = 60)
FAULT_TEST(any_of_snapshot_rm, RARE, ON_RUNNING, .then = SNAPSHOT, .command = SNAPSHOT_GONE,
	.next = {"snapshot", "create", "a", "two"}, .width = 60)
FAULT_TEST(any_of_clone, RARE, .before = CREATE, .command = {"clone", "a", "b"}, .next = {"clone", "a", "c"},
	.clear = REMOVE_ALL, .width = 60)
