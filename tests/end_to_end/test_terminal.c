/* A terminal inside feels like one outside: prompt, arrow keys, Ctrl-C, window size, exit status; and the caller's own
 * terminal is afterwards as it was. */
#include <signal.h>
#include <sys/ioctl.h>

#include "base/process.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_session.h"
#include "tests/test.h"

#define WORDS_MAX 32
#define UP "\x1b[A"
#define LEFT "\x1b[D"
#define CTRL_C "\x03"
#define CTRL_D "\x04"
#define CTRL_Z "\x1a"

static void session_open_warren(struct session *session, const struct playground *playground, const char *const *words)
{
	const char *argv[WORDS_MAX] = {
		WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent};
	size_t count = 5;

	while (*words)
		argv[count++] = *words++;
	session_open(session, argv);
}

#define SESSION(session, playground, ...)                                                                              \
	session_open_warren(session, playground, (const char *const[]){__VA_ARGS__, NULL})

/* A command line whose output cannot be taken for the echo of what was typed. */
static void assert_answers(struct session *session)
{
	session_type(session, "echo one$((1))two\r");
	session_await(session, "one1two\r\n");
	session_await(session, "# ");
}

static void assert_edits_lines_and_remembers(struct session *session)
{
	session_type(session, "echo n$((20+3))n\r");
	session_await(session, "n23n\r\n");
	session_await(session, "# ");
	/* Up, then back over the last n, two figures and a bracket: 20+33. */
	session_type(session, UP LEFT LEFT LEFT "3\r");
	session_await(session, "n53n\r\n");
	session_await(session, "# ");
}

/* That sh says so after its execve(2): before, a signal would meet bash's own child in the middle of its preparations.
 */
#define BEGIN_SLEEP "sh -c 'echo be$((1))gun; exec sleep 1000'"

static void assert_ctrl_c_ends_the_command_only(struct session *session)
{
	session_type(session, BEGIN_SLEEP "; echo not$((1))here\r");
	session_await(session, "be1gun\r\n");
	session_type(session, CTRL_C);
	session_await(session, "# ");
	session_type(session, "echo status $?\r");
	session_await(session, "status 130\r\n");
	session_await(session, "# ");
	cr_assert(!strstr(session->seen.data, "not1here"));
}

static void assert_job_control(struct session *session)
{
	session_type(session, BEGIN_SLEEP "\r");
	session_await(session, "be1gun\r\n");
	session_type(session, CTRL_Z);
	session_await(session, "Stopped");
	session_await(session, "# ");
	session_type(session, "kill %1; fg; echo j$((1))b\r");
	session_await(session, "j1b\r\n");
	session_await(session, "# ");
}

/* The trap says when the new size has come; bash runs it at its prompt. */
static void assert_size_arrives(struct session *session)
{
	session_type(session, "stty size\r");
	session_await(session, "24 80\r\n");
	session_await(session, "# ");
	session_type(session, "trap 'echo changed $(stty size)' WINCH; echo trap$((1))set\r");
	session_await(session, "trap1set\r\n");
	session_await(session, "# ");
	session_resize(session, 47, 111);
	session_type(session, "\r");
	session_await(session, "changed 47 111\r\n");
	session_type(session, "trap - WINCH; stty size\r");
	session_await(session, "47 111\r\n");
	session_await(session, "# ");
}

static void assert_ends_with_its_status(struct session *session)
{
	session_type(session, "exit 37\r");
	int status = session_end(session);
	cr_assert(status == 37, "status %d:\n%s", status, session->seen.data);
	cr_assert(session_is_restored(session));
}

static void assert_feels_like_a_shell(struct session *session)
{
	session_await(session, "# ");
	assert_answers(session);
	assert_edits_lines_and_remembers(session);
	assert_ctrl_c_ends_the_command_only(session);
	assert_job_control(session);
	assert_size_arrives(session);
	assert_ends_with_its_status(session);
}

TEST(terminal, run_feels_like_a_shell, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	SESSION(&session, &playground, "run", "--rm", "-it", "host", "--", "bash");
	assert_feels_like_a_shell(&session);
	auto_run list = WARREN(&playground, "list", "-q");
	cr_assert_str_eq(list.out, "");
}

TEST(terminal, exec_feels_like_a_shell, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sleep", "1000");
	SESSION(&session, &playground, "exec", "-it", "inside", "bash");
	assert_feels_like_a_shell(&session);
	cr_assert_str_eq(instance_fact(&playground, "inside", "state"), "running");
}

TEST(terminal, shell_feels_like_a_shell, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sleep", "1000");
	SESSION(&session, &playground, "shell", "inside");
	assert_feels_like_a_shell(&session);
	cr_assert_str_eq(instance_fact(&playground, "inside", "state"), "running");
}

TEST(terminal, ctrl_d_ends_the_shell, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	SESSION(&session, &playground, "run", "--rm", "-it", "host", "--", "bash");
	session_await(&session, "# ");
	session_type(&session, CTRL_D);
	cr_assert(session_end(&session) == 0);
	cr_assert(session_is_restored(&session));
}

TEST(terminal, of_inside_is_its_own_and_not_the_callers, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	SESSION(&session, &playground, "run", "--rm", "-it", "host", "--", "sh", "-c",
		"tty; ls -l /proc/self/fd/0; ls /dev/pts; stat -c %t:%T /dev/console; exit 3");
	cr_assert(session_end(&session) == 3);
	/* The first of a devpts of its own, however many the host has. */
	cr_assert(strstr(session.seen.data, "/dev/pts/0\r\n") || strstr(session.seen.data, "/dev/console\r\n"), "%s",
		session.seen.data);
	cr_assert(strstr(session.seen.data, "88:0\r\n"), "%s", session.seen.data);
}

/* The end by a signal from elsewhere also gives the terminal back. */
TEST(terminal, is_given_back_when_the_instance_is_killed, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	SESSION(&session, &playground, "run", "--name", "inside", "-it", "host", "--", "bash");
	session_await(&session, "# ");
	WARREN_OK(&playground, "kill", "--signal", "KILL", "inside");
	int status = session_end(&session);
	cr_assert(status == 137, "status %d: %s", status, session.seen.data);
	cr_assert(session_is_restored(&session));
}

/* Signals to the command go on to the program inside. */
TEST(terminal, is_given_back_when_the_command_is_told_to_end, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sleep", "1000");
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		auto_session session;

		SESSION(&session, &playground, "exec", "-it", "inside", "sh", "-c", "echo begun; exec sleep 1000");
		session_await(&session, "begun\r\n");
		cr_assert(kill(session.pid, signals[i]) == 0);
		int status = session_end(&session);
		cr_assert(
			status == 128 + signals[i], "signal %d: status %d: %s", signals[i], status, session.seen.data);
		cr_assert(session_is_restored(&session));
	}
	auto_run left = WARREN(&playground, "exec", "inside", "ps", "-eo", "args=");
	cr_assert(!strstr(left.out, "begun"), "%s", left.out);
}

/* Without a terminal, standard input reaches the program and its end does too. */
TEST(terminal, is_not_needed_for_input, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	struct run_options options = {.input = "through\na pipe\n"};
	const char *run[] = {"run", "--rm", "-i", "host", "--", "sh", "-c", "cat; echo end; exit 5", NULL};
	const char *exec[] = {"exec", "-i", "inside", "sh", "-c", "cat; echo end; exit 5", NULL};

	auto_run first = playground_warren(&playground, run, &options);
	cr_assert_str_eq(first.out, "through\na pipe\nend\n", "%s%s", first.out, first.err);
	cr_assert(first.status == 5);
	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sleep", "1000");
	auto_run second = playground_warren(&playground, exec, &options);
	cr_assert_str_eq(second.out, "through\na pipe\nend\n", "%s%s", second.out, second.err);
	cr_assert(second.status == 5);
}

TEST(terminal, follows_a_log_to_the_end_of_the_instance, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_session session;

	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sh", "-c",
		"trap 'echo last; exit 0' TERM; echo first; sleep 1000 & wait");
	SESSION(&session, &playground, "logs", "-f", "inside");
	session_await(&session, "first\r\n");
	/* What is written after the start of the command comes too. */
	WARREN_OK(&playground, "exec", "inside", "sh", "-c", "echo later > /proc/1/fd/1");
	session_await(&session, "later\r\n");
	WARREN_OK(&playground, "stop", "inside");
	session_await(&session, "last\r\n");
	cr_assert(session_end(&session) == 0, "%s", session.seen.data);
}
