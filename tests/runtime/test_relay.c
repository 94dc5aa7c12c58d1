/* Tests of runtime/start/relay.c: our own stdio is a pipe or a terminal of the test's. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/process.h"
#include "runtime/runtime.h"
#include "tests/test.h"

/* A process with pipes for 0, 1, 2, as a container's would be. */
struct piped {
	pid_t pid;
	int pidfd, input, output, error;
};

static void piped_start(struct piped *piped, const char *script)
{
	int in[2], out[2], err[2];

	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	piped->pid = fork();
	if (piped->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*piped = (struct piped){piped->pid, pidfd_open(piped->pid, 0), in[1], out[0], err[0]};
}

static struct stdio_relay relay_of(const struct piped *piped)
{
	return (struct stdio_relay){.console = -1,
		.input = piped->input,
		.output = piped->output,
		.error = piped->error,
		.pidfd = piped->pidfd};
}

static void piped_drop(struct piped *piped)
{
	close(piped->pidfd);
	close(piped->input);
	close(piped->output);
	close(piped->error);
}

/* Runs the relay in a child whose 0, 1, 2 are given; gives the child. */
static pid_t relay_fork(const char *script, int in, int out, int err)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct piped piped;
		struct stdio_relay relay;
		struct error error;
		int status;

		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		close_range(3, ~0U, 0); /* the other ends of the test's pipes */
		piped_start(&piped, script);
		relay = relay_of(&piped);
		if (stdio_relay_run(&relay, &error) < 0)
			_exit(99);
		waitpid(piped.pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	return pid;
}

static int relay_wait(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;

	while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
}

TEST(relay, carries_input_and_both_outputs_and_the_end_of_the_input)
{
	int in[2], out[2], err[2];
	char text[256];

	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	pid_t pid = relay_fork("cat; echo wrong >&2; exit 3", in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	cr_assert(write(in[1], "hello\n", 6) == 6);
	close(in[1]);
	read_all(out[0], text, sizeof(text));
	cr_assert(strcmp(text, "hello\n") == 0, "%s", text);
	read_all(err[0], text, sizeof(text));
	cr_assert(strcmp(text, "wrong\n") == 0, "%s", text);
	cr_assert(relay_wait(pid) == 3);
	close(out[0]);
	close(err[0]);
}

/* The reader takes nothing until the writer must have been stopped by a full pipe; then all of it comes. */
TEST(relay, holds_back_and_loses_nothing)
{
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char piece[65536];
	size_t total = 0;
	ssize_t got;
	int waiting;

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	pid_t pid = relay_fork("head -c 3000000 /dev/zero", null, out[1], null);
	close(out[1]);
	do
		cr_assert(ioctl(out[0], FIONREAD, &waiting) == 0);
	while (waiting < 65536 - 4096);
	while ((got = read(out[0], piece, sizeof(piece))) > 0)
		total += (size_t)got;
	cr_assert(total == 3000000, "%zu", total);
	cr_assert(relay_wait(pid) == 0);
	close(out[0]);
	close(null);
}

TEST(relay, goes_on_when_nobody_reads_the_output)
{
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	pid_t pid = relay_fork("head -c 300000 /dev/zero && exit 4", null, out[1], null);
	close(out[1]);
	close(out[0]);
	cr_assert(relay_wait(pid) == 4);
	close(null);
}

TEST(relay, forwards_signals)
{
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char text[16];

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	pid_t pid = relay_fork("trap 'exit 44' TERM; echo up; while :; do sleep 0.1; done", null, out[1], null);
	close(out[1]);
	cr_assert(read(out[0], text, 3) == 3);
	kill(pid, SIGTERM);
	cr_assert(relay_wait(pid) == 44);
	close(out[0]);
	close(null);
}

/* Something in the background keeps the output open: the end of the process counts. */
TEST(relay, ends_with_the_process_though_its_output_stays_open)
{
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char text[64];

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	pid_t pid = relay_fork("sleep 3 & echo $!; exit 5", null, out[1], null);
	close(out[1]);
	int64_t before = clock_ms();
	cr_assert(relay_wait(pid) == 5);
	cr_assert(clock_ms() - before < 2500);
	read_all(out[0], text, sizeof(text));
	int sleeper = atoi(text);
	cr_assert(sleeper > 1, "%s", text);
	cr_assert(kill(sleeper, SIGKILL) == 0, "what keeps the output open has ended");
	close(out[0]);
	close(null);
}

static size_t teed;
static void count_bytes(void *context, int stream, const char *bytes, size_t length)
{
	(void)context, (void)bytes;
	teed += stream == 1 ? length : 1000 * length;
}

TEST(relay, shows_the_output_to_a_tee)
{
	struct piped piped;
	struct stdio_relay relay;
	struct error err;
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 3), saved_error = fcntl(2, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	piped_start(&piped, "echo 123; echo 1 >&2");
	dup2(null, 1);
	dup2(null, 2);
	relay = relay_of(&piped);
	relay.input = -1;
	relay.tee = count_bytes;
	int result = stdio_relay_run(&relay, &err);
	dup2(saved, 1);
	dup2(saved_error, 2);
	cr_assert(result == 0 && teed == 4 + 2000, "%zu", teed);
	waitpid(piped.pid, NULL, 0);
	piped_drop(&piped);
	close(saved);
	close(saved_error);
	close(null);
}

/* --- terminals ---------------------------------------------------------------------------------------------------- */

/* A user's terminal, on whose slave a relay runs that has a process on a terminal of its own. */
static pid_t console_relay_fork(int *user, const char *script)
{
	int master, slave;
	struct winsize size = {.ws_row = 11, .ws_col = 22};

	cr_assert(openpty(&master, &slave, NULL, NULL, &size) == 0);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		struct stdio_relay relay = {.input = -1, .output = -1, .error = -1};
		struct error err;
		struct termios after;
		pid_t inner;
		int status;

		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		for (int i = 0; i < 3; i++)
			dup2(slave, i);
		inner = forkpty(&relay.console, NULL, NULL, NULL);
		if (inner == 0) {
			signal(SIGINT, SIG_DFL); /* ignored in a background job, and then a shell cannot trap it */
			execl("/bin/sh", "sh", "-c", script, NULL);
			_exit(127);
		}
		relay.pidfd = pidfd_open(inner, 0);
		if (stdio_relay_run(&relay, &err) < 0)
			_exit(99);
		waitpid(inner, &status, 0);
		if (tcgetattr(0, &after) < 0 || !(after.c_lflag & ICANON) || !(after.c_lflag & ECHO))
			_exit(98); /* still raw */
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	close(slave);
	*user = master;
	return pid;
}

static void read_until(int fd, const char *wanted)
{
	char text[1024] = "";
	size_t used = 0;

	while (!strstr(text, wanted)) {
		ssize_t got = read(fd, text + used, sizeof(text) - 1 - used);

		cr_assert(got > 0, "\"%s\" does not come: \"%s\"", wanted, text);
		used += (size_t)got;
		text[used] = '\0';
	}
}

TEST(relay, gives_the_terminals_size_follows_it_and_restores_its_mode)
{
	int user;
	struct winsize larger = {.ws_row = 33, .ws_col = 44};

	pid_t pid = console_relay_fork(&user,
		"while test \"$(stty size)\" = '0 0'; do sleep 0.1; done; "
		"trap 'stty size; exit 7' WINCH; stty size; echo ready; while :; do sleep 0.1; done");
	read_until(user, "11 22\r\nready");
	cr_assert(ioctl(user, TIOCSWINSZ, &larger) == 0);
	read_until(user, "33 44");
	cr_assert(relay_wait(pid) == 7);
	close(user);
}

TEST(relay, passes_control_characters_to_the_process)
{
	int user;

	pid_t pid = console_relay_fork(
		&user, "trap 'echo interrupted; exit 8' INT; echo ready; while :; do sleep 0.1; done");
	read_until(user, "ready");
	cr_assert(write(user, "\x03", 1) == 1);
	read_until(user, "interrupted");
	cr_assert(relay_wait(pid) == 8);
	close(user);
}

TEST(relay, restores_the_terminal_when_a_signal_ends_it)
{
	int user;

	pid_t pid = console_relay_fork(&user, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done");
	read_until(user, "ready");
	kill(pid, SIGTERM);
	cr_assert(relay_wait(pid) == 9);
	close(user);
}
