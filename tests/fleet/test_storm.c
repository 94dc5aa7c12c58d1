/* Many commands at once, on one name and on many: each does its work or is refused, and afterwards nothing is left. */
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "support_host.h"

enum { COMMANDS = 20, ROUNDS = 25 };

static const struct optional at_once = {.set = true, .value = 0};

static int do_create(struct test_host *test, struct host *host, struct error *err)
{
	struct instance_spec spec = test_spec(test, "web", "exec sleep 1000");

	return instance_create(host, &spec, err);
}

static int do_start(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_start(host, "web", &(struct start_options){0}, err);
}

static int do_stop(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_stop(host, "web", at_once, err);
}

static int do_restart(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_restart(host, "web", at_once, err);
}

static int do_kill(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_kill(host, "web", SIGKILL, err);
}

static int do_pause(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_pause(host, "web", true, err);
}

static int do_remove(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_remove(host, "web", true, err);
}

static int do_list(struct test_host *test, struct host *host, struct error *err)
{
	struct instance_list list;

	return instance_list_read(&test->arena, host, &list, err);
}

static int (*const verbs[])(struct test_host *, struct host *, struct error *) = {
	do_create, do_start, do_create, do_start, do_stop, do_restart, do_kill, do_pause, do_remove, do_list};

static void command_run(struct test_host *test, unsigned number)
{
	struct host host;
	struct error err;
	bool wrong = false;

	test_host_again(test, &host);
	for (unsigned round = 0; round < ROUNDS; round++) {
		err = (struct error){0};
		if (verbs[(number * 7 + round * 3) % ARRAY_SIZE(verbs)](test, &host, &err) == 0)
			continue;
		/* Busy and missing are answers; anything else is a step that another command broke. */
		if (err.kind == ERROR_BUSY || err.kind == ERROR_MISSING)
			continue;
		fprintf(stderr, "command %u: %s\n", number, err.text);
		wrong = true;
	}
	host_close(&host);
	_exit(wrong);
}

TEST(storm, of_commands_on_one_name_breaks_nothing, .timeout = 120)
{
	struct test_host test;
	pid_t pids[COMMANDS];
	int status, wrong = 0;

	test_host_open(&test);
	for (unsigned i = 0; i < COMMANDS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			command_run(&test, i);
	}
	for (unsigned i = 0; i < COMMANDS; i++) {
		cr_assert(waitpid(pids[i], &status, 0) == pids[i]);
		wrong += status != 0;
	}
	cr_assert(wrong == 0, "%d commands failed otherwise than by being refused", wrong);
	test_host_close(&test);
}

/* --- random commands on many names -------------------------------------------------------------------------------- */

enum { PROCESSES = 8, NAMES = 50 };
#define STORM_MS 5000
#define FULL_STORM_MS 600000

/* Of one process: a generator of its own, so that a run can be repeated by its seed. */
struct thrower {
	struct test_host *test;
	struct host host;
	uint64_t random;
	const char *name, *other;
};

static unsigned dice(struct thrower *thrower, unsigned sides)
{
	thrower->random = thrower->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(thrower->random >> 33) % sides;
}

static int throw_create(struct thrower *thrower, struct error *err)
{
	struct instance_spec spec = test_spec(thrower->test, thrower->name, "exec sleep 1000");

	spec.network = dice(thrower, 2) ? NETWORK_DEFAULT : "none";
	spec.restart.policy = dice(thrower, 2) ? RESTART_ALWAYS : RESTART_NO;
	spec.stop_grace_ms = 50;
	return instance_create(&thrower->host, &spec, err);
}

static int throw_start(struct thrower *thrower, struct error *err)
{
	return instance_start(&thrower->host, thrower->name, &(struct start_options){0}, err);
}

static int throw_run(struct thrower *thrower, struct error *err)
{
	return throw_create(thrower, err) < 0 ? -1 : throw_start(thrower, err);
}

static int throw_stop(struct thrower *thrower, struct error *err)
{
	return instance_stop(&thrower->host, thrower->name, (struct optional){0}, err);
}

static int throw_restart(struct thrower *thrower, struct error *err)
{
	return instance_restart(&thrower->host, thrower->name, at_once, err);
}

static int throw_kill(struct thrower *thrower, struct error *err)
{
	return instance_kill(&thrower->host, thrower->name, dice(thrower, 2) ? SIGKILL : SIGTERM, err);
}

static int throw_pause(struct thrower *thrower, struct error *err)
{
	return instance_pause(&thrower->host, thrower->name, dice(thrower, 2), err);
}

static int throw_remove(struct thrower *thrower, struct error *err)
{
	return instance_remove(&thrower->host, thrower->name, dice(thrower, 2), err);
}

static int throw_rename(struct thrower *thrower, struct error *err)
{
	return instance_rename(&thrower->host, thrower->name, thrower->other, err);
}

static int throw_update(struct thrower *thrower, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;

	if (instance_status_read(&arena, &thrower->host, thrower->name, &status, err) < 0)
		return -1;
	if (!status.spec)
		return fail(err, ERROR_BUSY, "removed meanwhile");
	struct instance_spec spec = *status.spec;

	spec.resources.pids = (struct optional){true, 100 + dice(thrower, 100)};
	return instance_update(&thrower->host, &spec, err);
}

static int throw_look(struct thrower *thrower, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_list list;
	struct stats_sample sample;
	struct usage_list usage;

	if (dice(thrower, 3) == 0)
		return usage_read(&arena, &thrower->host, &(struct strings){0}, NULL, &usage, err);
	if (dice(thrower, 2))
		return instance_list_read(&arena, &thrower->host, &list, err);
	return instance_stats_read(&arena, &thrower->host, &(struct strings){0}, STATS_DETAILS, NULL, &sample, err);
}

/* Somebody's kill -9 of a monitor. */
static int throw_monitor_kill(struct thrower *thrower, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;

	if (dice(thrower, 4) || instance_status_read(&arena, &thrower->host, thrower->name, &status, err) < 0)
		return 0;
	if (status.monitor > 1)
		kill(status.monitor, SIGKILL);
	return 0;
}

static int (*const throws[])(struct thrower *, struct error *) = {throw_create, throw_run, throw_run, throw_start,
	throw_start, throw_stop, throw_stop, throw_restart, throw_kill, throw_pause, throw_pause, throw_remove,
	throw_rename, throw_update, throw_look, throw_monitor_kill};

/* Busy and missing are answers, and so is what a kill of a monitor during a start leads to. */
static bool is_answer(const struct error *err)
{
	return err->kind == ERROR_BUSY || err->kind == ERROR_MISSING || strstr(err->text, "died while starting it") ||
	       strstr(err->text, "keeps being removed");
}

static void throw_until(struct thrower *thrower, int64_t end_ms)
{
	while (clock_ms() < end_ms) {
		struct error err = {0};
		char names[2][16];

		snprintf(names[0], sizeof(names[0]), "i-%u", dice(thrower, NAMES));
		snprintf(names[1], sizeof(names[1]), "i-%u", dice(thrower, NAMES));
		thrower->name = names[0];
		thrower->other = names[1];
		if (throws[dice(thrower, ARRAY_SIZE(throws))](thrower, &err) == 0 || is_answer(&err))
			continue;
		fprintf(stderr, "%s\n", err.text);
		_exit(1);
	}
}

static _Noreturn void thrower_main(struct test_host *test, unsigned number, int64_t end_ms)
{
	struct thrower thrower = {.test = test, .random = 88172645463325252u + number * 1000003u};

	test_host_again(test, &thrower.host);
	throw_until(&thrower, end_ms);
	host_close(&thrower.host);
	_exit(0);
}

/* A killed command: its process is ended at some moment, and another takes its place. */
static pid_t thrower_fork(struct test_host *test, unsigned number, int64_t end_ms)
{
	pid_t pid = fork();

	if (pid == 0)
		thrower_main(test, number, end_ms);
	return pid;
}

static void storm(struct test_host *test, int64_t length_ms)
{
	int64_t end_ms = clock_ms() + length_ms;
	pid_t pids[PROCESSES];
	unsigned next = PROCESSES;
	int status;

	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = thrower_fork(test, i, end_ms);
	while (clock_ms() < end_ms - 1000) {
		unsigned victim = (unsigned)clock_ms() % PROCESSES;

		usleep(200000);
		cr_assert(kill(pids[victim], SIGKILL) == 0 && waitpid(pids[victim], &status, 0) == pids[victim]);
		cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) == 0,
			"a command failed otherwise than by being refused");
		pids[victim] = thrower_fork(test, next++, end_ms);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		cr_assert(waitpid(pids[i], &status, 0) == pids[i]);
		cr_assert(status == 0, "a command failed otherwise than by being refused");
	}
}

/* Monitors that are in the middle of a restart have time to come to an end. */
static void report_print(const struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		fprintf(stderr, "%s %s: %s (%s)\n", report->items[i].kind, report->items[i].name, report->items[i].text,
			report->items[i].repaired ? "repaired" : "left");
}

TEST(storm, of_random_commands_and_kills_leaves_nothing_that_check_cannot_repair, .timeout = 900)
{
	struct test_host test;
	struct check_report report;
	struct error err;

	test_host_open(&test);
	storm(&test, getenv("WARREN_TEST_ALL_POINTS") ? FULL_STORM_MS : STORM_MS);
	ASSERT_OK(host_check(&test.arena, &test.host, true, &report, &err));
	report_print(&report);
	cr_assert(report.left == 0, "%zu could not be repaired", report.left);
	ASSERT_OK(host_check(&test.arena, &test.host, false, &report, &err));
	report_print(&report);
	cr_assert(report.count == 0, "%zu findings after the repair", report.count);
	test_host_close(&test);
}
