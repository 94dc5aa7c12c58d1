#include "tests/end_to_end/support_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/test.h"

#define AWAIT_MS SLOWLY(20000)

static void child_exec(int terminal, const char *const argv[])
{
	login_tty(terminal);
	close_range(3, ~0U, 0);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

void session_open(struct session *session, const char *const argv[])
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	*session = (struct session){.pidfd = -1};
	cr_assert(openpty(&session->terminal, &session->other_end, NULL, NULL, &size) == 0);
	fcntl(session->terminal, F_SETFD, FD_CLOEXEC);
	fcntl(session->other_end, F_SETFD, FD_CLOEXEC);
	cr_assert(tcgetattr(session->other_end, &session->before) == 0);
	session->pid = fork();
	cr_assert(session->pid >= 0);
	if (session->pid == 0)
		child_exec(session->other_end, argv);
	session->pidfd = pidfd_open(session->pid, 0);
}

void session_type(struct session *session, const char *keys)
{
	cr_assert(write_all(session->terminal, keys, strlen(keys)) == 0);
}

/* False when nothing came in time. */
static bool screen_read(struct session *session, int64_t deadline_ms)
{
	struct pollfd ready = {.fd = session->terminal, .events = POLLIN};
	char buffer[4096];

	if (poll(&ready, 1, clock_poll_ms(deadline_ms)) != 1)
		return false;
	ssize_t length = read(session->terminal, buffer, sizeof(buffer));
	if (length > 0)
		text_append_bytes(&session->seen, buffer, (size_t)length);
	return length > 0;
}

void session_await(struct session *session, const char *text)
{
	int64_t deadline_ms = clock_ms() + AWAIT_MS;

	for (;;) {
		const char *rest = text_string(&session->seen) + session->read_up_to;
		const char *found = strstr(rest, text);

		if (found) {
			session->read_up_to += (size_t)(found - rest) + strlen(text);
			return;
		}
		cr_assert(screen_read(session, deadline_ms), "\"%s\" never came; all that did:\n%s", text,
			text_string(&session->seen));
	}
}

void session_resize(struct session *session, unsigned short rows, unsigned short columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	cr_assert(ioctl(session->terminal, TIOCSWINSZ, &size) == 0);
}

int session_end(struct session *session)
{
	int64_t deadline_ms = clock_ms() + AWAIT_MS;
	struct pollfd watch[2] = {
		{.fd = session->pidfd, .events = POLLIN}, {.fd = session->terminal, .events = POLLIN}};
	int status;

	/* What it prints is read all the while: a full terminal would stop it. */
	while (poll(watch, 2, clock_poll_ms(deadline_ms)) > 0 && !watch[0].revents)
		screen_read(session, deadline_ms);
	cr_assert(watch[0].revents, "it does not end; all that appeared:\n%s", text_string(&session->seen));
	cr_assert(waitpid(session->pid, &status, 0) == session->pid);
	fd_drop(&session->pidfd);
	while (screen_read(session, clock_ms()))
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool session_is_restored(const struct session *session)
{
	struct termios now = {0}, before = session->before;

	cr_assert(tcgetattr(session->other_end, &now) == 0);
	return now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag && now.c_cflag == before.c_cflag &&
	       now.c_lflag == before.c_lflag && !memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc));
}

void session_drop(struct session *session)
{
	if (session->pidfd >= 0) {
		pidfd_send_signal(session->pidfd, SIGKILL, NULL, 0);
		waitpid(session->pid, NULL, 0);
	}
	fd_drop(&session->pidfd);
	close(session->terminal);
	close(session->other_end);
	text_drop(&session->seen);
}
