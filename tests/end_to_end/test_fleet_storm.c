/* As a host of three hundred sites has it on its worst day: commands at once on the same instances and the same fleet,
 * commands, monitors and first processes that are killed at any moment. Afterwards all is as the last word says,
 * nothing is there twice, nothing that was promised is lost, and nothing is left. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_victims.h"
#include "tests/test.h"

#define SLEEPER "\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], \"stop_grace_period\": 0"
#define SHOP(instances)                                                                                                \
	"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": {" instances "}}\n"

/* What one of them says costs the other a live change, a restart, a removal and a creation. */
static const char *const fleets[] = {
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 8, \"network\": \"inside\", \"resources\": {\"pids\": 50}}"),
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 6, \"network\": \"inside\", \"resources\": {\"pids\": 60}, "
	     "\"ports\": [\"8090:80\"]}, \"t\": {" SLEEPER "}"),
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 7, \"environment\": {\"A\": \"1\"}, \"restart\": {\"policy\": "
	     "\"always\", \"delay\": \"10ms\"}}"),
};
static const char *const running[] = {
	"s-1\ns-2\ns-3\ns-4\ns-5\ns-6\ns-7\ns-8\n",
	"s-1\ns-2\ns-3\ns-4\ns-5\ns-6\nt\n",
	"s-1\ns-2\ns-3\ns-4\ns-5\ns-6\ns-7\n",
};
static const int running_count[] = {8, 7, 7};

/* A generator of its own for each who throws, so that a run can be repeated by its seed. */
static unsigned dice(uint64_t *random, unsigned sides)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*random >> 33) % sides;
}

static bool is_long(void)
{
	return getenv("WARREN_TEST_ALL_POINTS") != NULL;
}

/* Told by whoever looks for something: how often, and other moments. */
static int number_from(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

static void fleets_write(struct playground *here, const char *files[ARRAY_SIZE(fleets)])
{
	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++) {
		const char *name = arena_format(&here->arena, "shop-%zu.json", i);

		run_write_file(here->directory.path, name, 0600, fleets[i]);
		files[i] = arena_format(&here->arena, "%s/%s", here->directory.path, name);
	}
}

static struct run_result warren(const struct playground *here, const char *const *words, int64_t timeout_ms)
{
	const struct run_options options = {.reaps = true, .timeout_ms = timeout_ms};

	return playground_warren(here, words, &options);
}

#define SAY(here, ...) warren(here, (const char *const[]){__VA_ARGS__, NULL}, 0)
#define SAY_OK(here, ...)                                                                                              \
	do {                                                                                                           \
		auto_run said = SAY(here, __VA_ARGS__);                                                                \
		cr_assert(said.status == 0, "status %d: %s%s", said.status, said.out, said.err);                       \
	} while (0)

/* What the host is like once it has had a fleet. */
static char *before_take(struct playground *here, const char *file)
{
	remains_adopt();
	SAY_OK(here, "apply", "-q", file);
	SAY_OK(here, "down", "-q", "shop");
	return remains_describe(here->root, here->parent);
}

static void nothing_left(struct playground *here, const char *before)
{
	auto_free char *difference = remains_await(here->root, here->parent, before);

	if (difference)
		remains_end();
	cr_assert(!difference, "%s", difference);
}

/* --- apply is killed, and what it starts -------------------------------------------------------------------------- */

/* Kills some of what is there every few milliseconds, and then the command. */
static void kill_about(struct playground *here, const char *file, uint64_t *random)
{
	struct playground *const world = here;
	const char *argv[] = {WARREN_PROGRAM, "--root", world->root, "--cgroup-parent", world->parent, "apply", "-q",
		"-j", "3", file, NULL};
	int64_t end_ms = clock_ms() + dice(random, 600);
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0) {
		setpgid(0, 0);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	while (clock_ms() < end_ms) {
		poll(NULL, 0, (int)dice(random, 60));
		victim_kill(world->parent, dice(random, 1000));
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0)
		;
	remains_reap();
}

/* One whose first process was killed is back when its delay is over. */
static void await_running(struct playground *here, const char *names, int round)
{
	int64_t deadline_ms = clock_ms() + SLOWLY(20000);

	for (;;) {
		auto_run list = SAY(here, "list", "-r", "-q");

		if (!strcmp(list.out, names))
			return;
		cr_assert(clock_ms() < deadline_ms, "round %d: %s%s", round, list.out, list.err);
		poll(NULL, 0, 20);
	}
}

/* As the file says: nobody is missing, nobody is there twice, and all have a monitor of their own. */
static void expect_converged(struct playground *here, const char *file, int which, int round)
{
	SAY_OK(here, "apply", "-q", file);
	auto_run plan = SAY(here, "plan", file);
	cr_assert(plan.status == 0, "round %d: %s%s", round, plan.out, plan.err);
	await_running(here, running[which], round);
	auto_run check = SAY(here, "check");
	cr_assert(check.status == 0, "round %d: %s%s", round, check.out, check.err);
	remains_reap();
	int sleepers = victims_count(here->parent, "sleep"), monitors = victims_count(here->parent, "warren");
	cr_assert(sleepers == running_count[which], "round %d: %d first processes", round, sleepers);
	cr_assert(monitors == running_count[which], "round %d: %d monitors", round, monitors);
}

TEST(fleet_storm, apply_converges_whoever_was_killed, .fini = playground_rescue, .timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	const char *files[ARRAY_SIZE(fleets)];
	uint64_t random = 88172645463325252u + (uint64_t)number_from("WARREN_STORM_SEED", 0) * 7919u;
	int rounds = number_from("WARREN_STORM_ROUNDS", is_long() ? 50 : 2);

	fleets_write(&here, files);
	auto_free char *before = before_take(&here, files[1]);
	for (int i = 0; i < rounds; i++) {
		kill_about(&here, files[i % 3], &random);
		expect_converged(&here, files[i % 3], i % 3, i);
	}
	SAY_OK(&here, "down", "-q", "shop");
	nothing_left(&here, before);
}

/* --- nobody's word is lost ---------------------------------------------------------------------------------------- */

static const struct {
	const char *before, *after;
} keys[] = {
	{"labels.a=", ""},
	{"labels.b=", ""},
	{"labels.c=", ""},
	{"resources.pids=", ""},
	{"resources.memory=", "M"},
	{"resources.cpu_weight=", ""},
	{"description=site ", ""},
	{"stop_grace_period=", "s"},
};

enum { SETTERS = ARRAY_SIZE(keys), PIDS_SETTER = 3, SITES = 2 };

static const char *key_format(struct arena *arena, int setter, int value)
{
	return arena_format(arena, "%s%d%s", keys[setter].before, value, keys[setter].after);
}

/* Values go up, on both sites in turn: what is lost is seen at the end. */
static _Noreturn void setter_main(struct playground *here, int setter, int from, int values)
{
	bool well = true;

	for (int i = 0; i < values; i++) {
		const char *word = key_format(&here->arena, setter, from + i);
		const char *site = arena_format(&here->arena, "site-%d", (i + setter) % SITES);
		auto_run run = WARREN(here, "set", "-q", site, word);

		if (run.status != 0)
			fprintf(stderr, "set %s %s: %s", site, word, run.err);
		well &= run.status == 0;
	}
	_exit(!well);
}

static void setters_run(struct playground *here, int from, int values)
{
	pid_t pids[SETTERS];
	int status;

	for (int i = 0; i < SETTERS; i++) {
		pids[i] = fork();
		cr_assert(pids[i] >= 0);
		if (pids[i] == 0)
			setter_main(here, i, from, values);
	}
	for (int i = 0; i < SETTERS; i++)
		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "setter %d was refused", i);
}

/* The last that a setter set on a site: he went from one to the next. */
static int last_value(int setter, int site, int from, int values)
{
	bool is_last = (values - 1 + setter) % SITES == site;

	return from + values - (is_last ? 1 : 2);
}

/* To set all to what they are changes nothing, says set. */
static void expect_last(struct playground *here, int site, int from, int values)
{
	const char *name = arena_format(&here->arena, "site-%d", site), *words[SETTERS + 3] = {"set", name};

	for (int i = 0; i < SETTERS; i++)
		words[2 + i] = key_format(&here->arena, i, last_value(i, site, from, values));
	auto_run run = playground_warren(here, words, NULL);
	cr_assert_str_eq(run.out, arena_format(&here->arena, "%s: as it was\n", name), "not what was set last: %s%s",
		run.out, run.err);
	cr_assert_str_eq(instance_cgroup_file(here, name, "pids", "pids.max", "pids.max"),
		arena_format(&here->arena, "%d\n", last_value(PIDS_SETTER, site, from, values)),
		"the kernel has another limit");
}

TEST(fleet_storm, of_eight_who_set_keys_of_the_same_instances_nobody_loses_one, .fini = playground_rescue,
	.timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	const int from = 100, values = is_long() ? 200 : 2;

	for (int i = 0; i < SITES; i++)
		WARREN_OK(&here, "run", "-d", "--name", arena_format(&here.arena, "site-%d", i), "--network", "none",
			"--stop-timeout", "0s", "host", "sleep", "infinity");
	setters_run(&here, from, values);
	for (int i = 0; i < SITES; i++)
		expect_last(&here, i, from, values);
}

/* --- two who apply ------------------------------------------------------------------------------------------------ */

static pid_t warren_begin(const struct playground *here, const char *const words[])
{
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid)
		return pid;
	auto_run run = playground_warren(here, words, NULL);
	if (run.status && run.status != 4)
		fprintf(stderr, "%s: status %d: %s", words[0], run.status, run.err);
	_exit(run.status == 4 ? 0 : run.status);
}

static void expect_end(pid_t pid)
{
	int status;

	cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "status %d", WEXITSTATUS(status));
}

/* One after the other, or one of them is refused: never some of the one file and some of the other. */
TEST(fleet_storm, of_two_who_apply_at_once_one_has_the_last_word, .fini = playground_rescue, .timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	const char *files[ARRAY_SIZE(fleets)];
	int rounds = is_long() ? 30 : 1;

	fleets_write(&here, files);
	auto_free char *before = before_take(&here, files[1]);
	for (int i = 0; i < rounds; i++) {
		const char *one = files[i % 3], *other = files[(i + 1) % 3];
		pid_t pids[] = {warren_begin(&here, (const char *const[]){"apply", "-q", one, NULL}),
			warren_begin(&here, (const char *const[]){"apply", "-q", other, NULL})};

		expect_end(pids[0]);
		expect_end(pids[1]);
		auto_run plan = SAY(&here, "plan", one), other_plan = SAY(&here, "plan", other);
		cr_assert(
			(plan.status == 0) != (other_plan.status == 0), "round %d: %s%s", i, plan.out, other_plan.out);
		SAY_OK(&here, "check");
	}
	SAY_OK(&here, "down", "-q", "shop");
	nothing_left(&here, before);
}
