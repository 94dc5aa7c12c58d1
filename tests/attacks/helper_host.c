/* What the attacks' helper does on the host: racers, and callers of a runtime that carry something they should not
 * lose. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/attacks/helper.h"

#define ROUND_MS 200000	 /* what hangs longer is ended */
#define CONSOLE_MS 10000 /* how long a terminal may stay silent */
#define WORDS_MAX 64
#define FDS_END 20

static int complain(const char *what)
{
	fprintf(stderr, "attack-helper: %s: %s\n", what, strerror(errno));
	return 2;
}

static _Noreturn void execute(char **words)
{
	execvp(words[0], words);
	_exit(complain(words[0]) + 125);
}

/* --- racers ------------------------------------------------------------------------------------------------------- */

int host_exchange(char **words)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned turn = 0;; turn++) {
		if (renameat2(AT_FDCWD, words[0], AT_FDCWD, words[1], RENAME_EXCHANGE) < 0 && errno != ENOENT)
			return complain("renameat2");
		/* On two processors the one that is raced must get its turn, and not always the same one. */
		if (turn % 16 == 0)
			usleep(turn * 37 % 500);
		else
			sched_yield();
	}
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void words_fill(char **from, char **to, char *number)
{
	size_t i = 0;

	for (; from[i] && i < WORDS_MAX - 1; i++)
		to[i] = strcmp(from[i], "{}") == 0 ? number : from[i];
	to[i] = NULL;
}

/* The exit status, 128 and more for a signal, -1 for one that hung. */
static int round_run(char **words)
{
	pid_t pid = fork();
	struct pollfd ended = {.events = POLLIN};
	int status, in_time;

	if (pid == 0) {
		setpgid(0, 0);
		execute(words);
	}
	ended.fd = pidfd_open(pid, 0);
	in_time = poll(&ended, 1, ROUND_MS);
	close(ended.fd);
	if (in_time != 1)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (in_time != 1)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int host_repeat(char **words)
{
	int rounds = atoi(words[0]), done = 0, refused = 0, hung = 0;
	double end = seconds_now() + atof(words[1]);

	while (done < rounds && seconds_now() < end && !hung) {
		char number[16], *filled[WORDS_MAX];
		int status;

		snprintf(number, sizeof(number), "r%d", done++);
		words_fill(words + 2, filled, number);
		status = round_run(filled);
		refused += status != 0;
		hung += status < 0;
	}
	fprintf(stderr, "%d rounds, %d refused, %d hung\n", done, refused, hung);
	return hung != 0;
}

/* --- callers ------------------------------------------------------------------------------------------------------ */

int host_with_fds(char **words)
{
	int fd = open(words[0], O_RDONLY);

	if (fd < 0)
		return complain(words[0]);
	for (int copy = 3; copy < FDS_END; copy++)
		if (copy != fd && dup2(fd, copy) < 0)
			return complain("dup2");
	execute(words + 1);
}

int host_with_key(char **words)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
		syscall(SYS_add_key, "user", words[0], "x", 1, KEY_SPEC_SESSION_KEYRING) < 0)
		return complain("add a key");
	execute(words + 1);
}

/* clone3(2): set_tid since 5.5. */
int host_as_pid(char **words)
{
	pid_t wanted = atoi(words[0]);
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (__u64)(uintptr_t)&wanted, .set_tid_size = 1};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	int status;

	if (pid < 0)
		return complain("clone3");
	if (pid == 0)
		execute(words + 1);
	printf("made %ld\n", pid);
	fflush(stdout);
	waitpid((pid_t)pid, &status, 0);
	printf("ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}

int host_mapped_uid(char **words)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d", atoi(words[0]));
	if (stat(path, &status) < 0)
		return complain(path);
	printf("%u\n", status.st_uid);
	return 0;
}

/* --- terminals ---------------------------------------------------------------------------------------------------- */

static int console_receive(int socket_fd)
{
	char byte[64], control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {byte, sizeof(byte)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(socket_fd, &message, 0) > 0 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void console_describe(int fd)
{
	struct stat status;
	unsigned number = 0;

	if (fd < 0)
		printf("nothing was handed over\n");
	else if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2) ||
		 ioctl(fd, TIOCGPTN, &number) < 0)
		printf("master is no terminal\n");
	else
		printf("master of pts %u\n", number);
	fflush(stdout);
}

int host_console(char **words)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd ready = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .events = POLLIN};
	char buffer[4096];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", words[0]);
	if (bind(ready.fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(ready.fd, 1) < 0)
		return complain(words[0]);
	for (int step = 0; poll(&ready, 1, CONSOLE_MS) == 1; step++) {
		ssize_t length;

		if (step == 0)
			ready.fd = accept(ready.fd, NULL, NULL);
		else if (step == 1)
			console_describe(ready.fd = console_receive(ready.fd));
		else if ((length = read(ready.fd, buffer, sizeof(buffer))) <= 0 || write(1, buffer, (size_t)length) < 0)
			break;
	}
	return 0;
}

static _Noreturn void terminal_child(int slave, char **words)
{
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(slave, i);
	execute(words);
}

int host_terminal(char **words)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, waiting = 0, status;
	struct termios raw;
	struct pollfd output = {.fd = master, .events = POLLIN};
	char buffer[4096];
	pid_t pid;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return complain("make a terminal");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	pid = fork();
	if (pid == 0)
		terminal_child(slave, words);
	while (waitpid(pid, &status, WNOHANG) == 0 || poll(&output, 1, 0) == 1) {
		ssize_t length = poll(&output, 1, 50) == 1 ? read(master, buffer, sizeof(buffer)) : 0;

		if (length > 0 && write(1, buffer, (size_t)length) < 0)
			break;
	}
	ioctl(slave, FIONREAD, &waiting);
	printf("%s\n", waiting ? "typed into the caller's terminal" : "quiet");
	return 0;
}

/* --- who opens what ----------------------------------------------------------------------------------------------- */

int host_opens(char **words)
{
	int watch = inotify_init1(IN_CLOEXEC);
	char buffer[4096] __attribute__((aligned(8)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (char **word = words; *word; word++)
		if (inotify_add_watch(watch, *word, IN_OPEN) < 0)
			return complain(*word);
	printf("ready\n");
	fflush(stdout);
	for (ssize_t length; (length = read(watch, buffer, sizeof(buffer))) > 0;) {
		for (char *at = buffer; at < buffer + length;) {
			struct inotify_event *event = (struct inotify_event *)at;

			if (!(event->mask & IN_ISDIR))
				printf("opened %s\n", event->len ? event->name : "it");
			at += sizeof(*event) + event->len;
		}
		fflush(stdout);
	}
	return 0;
}
