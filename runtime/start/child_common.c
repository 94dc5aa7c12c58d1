/* What both kinds of children do: the first process of a container (child.c) and a later one (join.c). */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/process/terminal.h"
#include "runtime/start/child.h"

/* What the caller blocked or ignored is not the container's business: nohup(1), a shell's background jobs and language
 * runtimes ignore some, and a shell inside could not even trap those. Handlers go with execve. */
void child_reset_signals(void)
{
	static const int often_ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGCHLD};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(often_ignored); i++)
		signal(often_ignored[i], SIG_DFL);
}

/* Descriptors below 3 that are wanted at another place move away first. */
static int move_away(int stdio[3], struct error *err)
{
	for (int i = 0; i < 3; i++) {
		if (stdio[i] < 0 || stdio[i] > 2 || stdio[i] == i)
			continue;
		stdio[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3);
		if (stdio[i] < 0)
			return fail_errno(err, "duplicate a descriptor");
	}
	return 0;
}

int child_connect_stdio(int stdio[3], bool terminal, struct error *err)
{
	if (move_away(stdio, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		/* What we were started with has come through an execve already. */
		if (stdio[i] != i && dup2(stdio[i], i) < 0)
			return fail_errno(err, "connect descriptor %d", i);
	}
	setsid(); /* fails only for who leads a session already */
	if (terminal) {
		struct terminal opened = {.master = -1, .slave = STDIN_FILENO};

		return terminal_control(&opened, err);
	}
	return 0;
}

/* The caller's session keyring would be inherited, and with it the right to its keys. Where the kernel has no keys or
 * no room for more there is nothing to take along. */
int child_leave_keyring(struct error *err)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
		return 0;
	return errno == ENOSYS || errno == EDQUOT ? 0 : fail_errno(err, "keyctl");
}
