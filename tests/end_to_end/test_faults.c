/* A system call that fails in the middle of `run -d`, anywhere: the command says in one line what could not be done and
 * why, and leaves nothing; or it does without. The same for kernels that lack a call altogether. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_stepper.h"
#include "tests/test.h"

#define POINTS_MAX 5000

struct fault {
	const char *name;
	long call;
	int errors[4];
	int width; /* from one point to the next */
};

struct trial {
	struct playground *playground;
	const char *volume;
	char *before; /* what is there when nothing is */
	int points, refused, faults;
};

static void trial_drop(struct trial *trial)
{
	free(trial->before);
}

static struct step_result run_with(const struct trial *trial, struct step step)
{
	const char *argv[] = {WARREN_PROGRAM, "--root", trial->playground->root, "--cgroup-parent",
		trial->playground->parent, "run", "-d", "--name", "a", "-p", "8090:80", "-v", trial->volume, "host",
		"sleep", "1000", NULL};

	step.argv = argv;
	step.where = STEP_ALL;
	return step_run(&step);
}

static void trial_open(struct trial *trial, struct playground *playground)
{
	*trial = (struct trial){.playground = playground};
	trial->volume = arena_format(&playground->arena, "%s/volume:/data", playground->directory.path);
	run_write_file(playground->directory.path, "volume/file", 0600, "");
	remains_adopt();
	auto_step first = run_with(trial, (struct step){0});
	cr_assert(first.status == 0, "%s", first.err);
	WARREN_OK(playground, "rm", "-f", "a");
	trial->before = remains_describe(playground->root, playground->parent);
}

/* NULL, or what is wrong with the way it was refused. */
static const char *refusal_judge(const struct step_result *result, int error)
{
	size_t length = strlen(result->err);

	if (result->timed_out)
		return "did not end";
	if (result->status >= 128)
		return "ended by a signal";
	if (!text_starts_with(result->err, "warren: ") || result->err[length - 1] != '\n' ||
		strchr(result->err, '\n') != result->err + length - 1)
		return "did not say one line";
	return strstr(result->err, strerror(error)) ? NULL : "does not say why";
}

static void fault_add(struct trial *trial, const char *place, const char *what, const char *detail)
{
	trial->faults++;
	fprintf(stderr, "%s: %s: %s\n", place, what, detail);
}

static void nothing_left(struct trial *trial, const char *place, const char *said)
{
	auto_free char *difference = remains_await(trial->playground->root, trial->playground->parent, trial->before);

	if (!difference)
		return;
	fault_add(trial, place, said, difference);
	auto_run removed = WARREN(trial->playground, "rm", "-f", "--all");
	remains_end();
	free(trial->before);
	trial->before = remains_describe(trial->playground->root, trial->playground->parent);
}

/* It did without: then it runs. */
static void expect_running(struct trial *trial, const char *place)
{
	auto_run list = WARREN(trial->playground, "list", "-r", "-q");

	if (strcmp(list.out, "a\n"))
		fault_add(trial, place, "reported success, but running are only", list.out);
	WARREN_OK(trial->playground, "rm", "-f", "a");
}

/* False when there are not that many calls. */
static bool fail_at(struct trial *trial, const struct fault *fault, int error, int at)
{
	auto_free char *place = text_format("%s %d: %s", fault->name, at, strerror(error));
	auto_step result = run_with(trial, (struct step){.at = at, .error = error, .call = fault->call});

	trial->points += result.reached;
	if (result.status == 0 && !result.timed_out) {
		expect_running(trial, place);
	} else {
		const char *wrong = refusal_judge(&result, error);

		trial->refused++;
		if (wrong)
			fault_add(trial, place, wrong, result.err);
	}
	nothing_left(trial, place, result.err);
	return result.reached;
}

static void fault_try(const struct fault *fault)
{
	auto_playground playground = playground_new();
	AUTO(trial_drop) struct trial trial;
	int width = step_width(fault->width);

	trial_open(&trial, &playground);
	for (size_t i = 0; i < ARRAY_SIZE(fault->errors) && fault->errors[i]; i++)
		for (int at = 1; at < POINTS_MAX && fail_at(&trial, fault, fault->errors[i], at); at += width)
			;
	fprintf(stderr, "%s: %d points, %d refused, %d faults\n", fault->name, trial.points, trial.refused,
		trial.faults);
	cr_assert(trial.faults == 0 && trial.points > 0, "%d faults at %d points", trial.faults, trial.points);
}

#define FAULT_TEST(call_, width_, ...)                                                                                 \
	TEST(faults, call_, .fini = playground_rescue, .timeout = SLOWLY(3600))                                        \
	{                                                                                                              \
		NEEDS_A_FAST_PROCESSOR();                                                                              \
		fault_try(&(struct fault){                                                                             \
			.name = #call_, .call = SYS_##call_, .width = width_, .errors = {__VA_ARGS__}});               \
	}

FAULT_TEST(openat, 29, EMFILE, ENOMEM, EIO)
FAULT_TEST(mkdirat, 11, ENOSPC, ENOMEM, EIO)
FAULT_TEST(clone3, 1, ENOMEM, ENOSPC, EMFILE)
FAULT_TEST(fsopen, 4, EMFILE, ENOMEM)
FAULT_TEST(mount_setattr, 4, ENOMEM, EIO)
FAULT_TEST(write, 5, ENOSPC, EIO)
FAULT_TEST(renameat, 3, ENOSPC)
FAULT_TEST(sendto, 3, ENOBUFS)

/* Its last message is the monitor's, with the outcome: nobody else can tell it. */
TEST(faults, what_became_of_a_start_is_told_when_there_is_memory_again, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ALL_THE_TIME();
	auto_playground playground = playground_new();
	const struct trial trial = {.playground = &playground, .volume = "data:/data"};

	auto_step told = run_with(&trial, (struct step){.at = 3, .error = ENOBUFS, .call = SYS_sendmsg});
	cr_assert(told.reached && told.tracee > 0 && told.status == 0, "status %d: %s", told.status, told.err);
	WARREN_OK(&playground, "rm", "-f", "a");
	auto_step last = run_with(&trial, (struct step){.at = 4, .error = ENOBUFS, .call = SYS_sendmsg});
	cr_assert(!last.reached && last.status == 0, "there are more messages now; which is the outcome?");
	WARREN_OK(&playground, "rm", "-f", "a");
}

/* --- kernels without a call --------------------------------------------------------------------------------------- */

static void lack_try(struct trial *trial, const char *name, long call)
{
	const long missing[] = {call, -1};
	auto_step result = run_with(trial, (struct step){.missing = missing});
	const char *wrong = result.status ? refusal_judge(&result, ENOSYS) : "succeeded";

	if (!wrong && !strstr(result.err, "Linux 6.1 or newer is needed"))
		wrong = "does not say what is needed";
	if (wrong)
		fault_add(trial, name, wrong, result.err);
	nothing_left(trial, name, result.err);
}

TEST(faults, kernel_without_a_call_that_is_needed, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	AUTO(trial_drop) struct trial trial;
	static const struct {
		const char *name;
		long call;
	} rows[] = {{"clone3", SYS_clone3}, {"open_tree", SYS_open_tree}, {"fsopen", SYS_fsopen},
		{"mount_setattr", SYS_mount_setattr}, {"move_mount", SYS_move_mount}};

	trial_open(&trial, &playground);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		lack_try(&trial, rows[i].name, rows[i].call);
	cr_assert(trial.faults == 0, "%d faults", trial.faults);
}
