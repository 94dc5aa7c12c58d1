#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/test.h"

#define SHELL(script)                                                                                                  \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		"/bin/sh", "-c", script, NULL                                                                          \
	}

TEST(helper, gives_output_and_status)
{
	const struct helper helper = {.argv = SHELL("echo out; echo err >&2; exit 3"), .timeout_ms = 10000};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	cr_assert_str_eq(text_string(&output), "out\nerr\n");
}

TEST(helper, asked_for_its_answer_alone_gives_that_and_more_of_it)
{
	struct helper helper = {.argv = SHELL("echo err >&2; head -c 6000 /dev/zero | tr '\\0' x"),
		.timeout_ms = 10000,
		.answer_max = 5000};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_eq(output.length, 5000);
	cr_assert_eq(strspn(output.data, "x"), 5000, "its stderr is not among it");
}

TEST(helper, reads_its_input_also_when_it_opens_stdin_anew)
{
	struct text output AUTO(text_drop) = {0};
	struct helper helper = {
		.argv = SHELL("cat /dev/stdin; cat"), .input = "hello", .input_length = 5, .timeout_ms = 10000};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_str_eq(text_string(&output), "hellohello");
	text_clear(&output);
	helper.input = NULL;
	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_str_eq(text_string(&output), "");
}

TEST(helper, neither_side_blocks_on_much_input_or_output)
{
	static char input[1 << 20];
	struct helper helper = {.argv = SHELL("head -c 3000000 /dev/zero; cat; cat >&2"),
		.input = input,
		.input_length = sizeof(input),
		.timeout_ms = 30000};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int status;

	memset(input, 'x', sizeof(input));
	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_eq(status, 0);
	cr_assert_eq(output.length, 4096);
	helper.argv = SHELL("exit 0"); /* does not read at all */
	ASSERT_OK(process_run(&helper, NULL, &status, &err));
	cr_assert_eq(status, 0);
}

TEST(helper, is_killed_with_all_it_started_when_the_time_is_out)
{
	const struct helper helper = {.argv = SHELL("sleep 1000 & echo $!; wait"), .timeout_ms = SLOWLY(300)};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int64_t before = clock_ms();
	int status;
	struct process_id id = {0};

	ASSERT_FAILS(process_run(&helper, &output, &status, &err), ERROR_SYSTEM, "/bin/sh did not end within ");
	cr_assert(clock_ms() - before < SLOWLY(5000));
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	id.pid = atoi(text_string(&output));
	cr_assert_gt(id.pid, 1);
	/* Not our child, so it may take a moment; a pidfd tells when. */
	if (process_identify(id.pid, &id, &err) == 0) {
		auto_fd pidfd = process_open(&id, &err);

		cr_assert(pidfd < 0 || process_wait_end(pidfd, 10000) == 1);
	}
}

TEST(helper, that_leaves_something_running_does_not_hold_us)
{
	const struct helper helper = {.argv = SHELL("sleep 1000 & echo $!"), .timeout_ms = 10000};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int64_t before = clock_ms();
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert(clock_ms() - before < 5000);
	kill(atoi(text_string(&output)), SIGKILL);
}

TEST(helper, starts_clean_whatever_we_are)
{
	const struct helper helper = {
		.argv = SHELL("ls /proc/self/fd | tr '\\n' ' '; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort;"
			      "grep -e SigBlk -e SigIgn /proc/self/status"),
		.timeout_ms = 10000};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	auto_fd stray = fcntl(0, F_DUPFD, 50); /* not close-on-exec */
	sigset_t all;
	int status;

	cr_assert_geq(stray, 50);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_str_eq(text_string(&output), "0 1 2 3 PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
					       "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(helper, takes_an_environment_and_a_program_beside_its_name)
{
	static const char *const env[] = {"A=1", NULL}, *const argv[] = {"hook", "-c", "echo $0 $A", NULL};
	const struct helper helper = {.argv = argv, .env = env, .program = "/bin/sh", .timeout_ms = -1};
	struct text output AUTO(text_drop) = {0};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert_str_eq(text_string(&output), "hook 1\n");
}

TEST(helper, that_cannot_be_started_says_why)
{
	const struct helper none = {.argv = (const char *const[]){"/no/such/program", NULL}, .timeout_ms = 1000};
	const struct helper directory = {.argv = (const char *const[]){"/etc", NULL}, .timeout_ms = 1000};
	struct error err;
	int status;

	ASSERT_FAILS(process_run(&none, NULL, &status, &err), ERROR_SYSTEM,
		"run /no/such/program: No such file or directory");
	ASSERT_FAILS(process_run(&directory, NULL, &status, &err), ERROR_SYSTEM, "run /etc: Permission denied");
}
