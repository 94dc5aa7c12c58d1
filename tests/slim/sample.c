/* Tests of the runner itself. The suite says what must come of a test; slim/self-test compares. */
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static int touched;

static void touched_expect_none(void)
{
	cr_assert_eq(touched, 0, "another test's process: %d", touched);
}

static void fini_say(void)
{
	fprintf(stderr, "fini ran\n");
}

static void fini_fail(void)
{
	cr_assert(false, "in fini");
}

TEST(passes, and_nothing_of_it_is_seen_by_another, .init = touched_expect_none, .fini = fini_say)
{
	touched = 1;
	setenv("SLIM_SAMPLE", "set", 1);
}

TEST(passes, and_nothing_of_another_is_seen_by_it, .init = touched_expect_none, .timeout = 100)
{
	touched = 1;
	cr_assert_null(getenv("SLIM_SAMPLE"));
}

TEST(passes, what_holds)
{
	cr_assert(true);
	cr_assert_not(false, "%d", 1);
	cr_assert_str_eq("a", "a");
	cr_assert_lt(1, 2);
	cr_expect_eq(1, 1);
}

TEST(passes, with_a_forked_process_that_exits)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(3);
	cr_assert(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
}

TEST(skips, with_its_reason, .fini = fini_say)
{
	SKIP_UNLESS(false, "needs %s\nand more", "luck");
	cr_assert(false);
}

TEST(fails, an_assertion, .fini = fini_say)
{
	cr_assert_eq(1, 2, "one and %s", "two");
	fprintf(stderr, "went on\n");
}

TEST(fails, an_expectation_and_goes_on)
{
	cr_expect(false);
	fprintf(stderr, "goes on\n");
}

TEST(fails, an_assertion_in_fini, .fini = fini_fail)
{
}

TEST(fails, an_assertion_in_init, .init = fini_fail)
{
	fprintf(stderr, "went on\n");
}

TEST(fails, a_skip_whose_fini_fails, .fini = fini_fail)
{
	cr_skip_test("needs nothing");
}

TEST(fails, an_assertion_of_a_forked_process)
{
	pid_t pid = fork();

	if (!pid)
		cr_assert(false);
	waitpid(pid, NULL, 0);
}

TEST(fails, a_forked_process_that_comes_to_the_end)
{
	pid_t pid = fork();

	if (pid)
		waitpid(pid, NULL, 0);
}

static void *thread_fail(void *none)
{
	cr_assert(false);
	return none;
}

TEST(fails, an_assertion_of_a_thread)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_fail, NULL);
	pthread_join(thread, NULL);
}

TEST(fails, a_crash)
{
	abort();
}

TEST(fails, an_end_by_exit_zero)
{
	exit(0);
}

TEST(fails, an_end_by_exit_zero_without_a_word)
{
	_exit(0);
}

static void exit_badly(void)
{
	_exit(5);
}

TEST(fails, a_bad_status_after_its_end)
{
	atexit(exit_badly);
}

TEST(fails, a_program_put_in_its_place)
{
	execl("/bin/true", "true", NULL);
}

TEST(fails, too_late, .timeout = 0.2)
{
	fork();
	for (;;)
		pause();
}

TEST(fails, a_wait_without_end)
{
	if (fork())
		fprintf(stderr, "waits\n");
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

TEST(fails, a_process_left_behind)
{
	if (!fork())
		for (;;)
			pause();
}

TEST(fails, a_descriptor_left_open)
{
	cr_assert_geq(dup(0), 0);
}
