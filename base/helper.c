/* Running one helper program of the host to its end.
 *
 * Its input is a memory file, not a pipe: nothing blocks, there is no SIGPIPE when it does not read, and it may open
 * /dev/stdin anew (nft does). Its two outputs share one pipe, of which the first 4 KiB are kept and the rest thrown
 * away, so it never blocks on us. It leads a process group of its own: a Ctrl-C at the terminal does not stop it
 * half-way, and what it started ends with it when the time is out. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

#define OUTPUT_MAX 4096

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Hosts with vm.memfd_noexec = 2 demand MFD_NOEXEC_SEAL, kernels before 6.3 do not know it. */
static int memory_file(void)
{
	int fd = memfd_create("input", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("input", MFD_CLOEXEC) : fd;
}

static int input_open(const struct helper *helper)
{
	auto_fd fd = -1;

	if (!helper->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memory_file();
	if (fd < 0 || write_all(fd, helper->input, helper->input_length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return take_fd(&fd);
}

static void actions_set(posix_spawn_file_actions_t *actions, const struct helper *helper, int input, int output)
{
	posix_spawn_file_actions_init(actions);
	posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (!helper->answer_max)
		posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static void attributes_set(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	memset(&all, 0xff, sizeof(all)); /* sigfillset(3) leaves out two of the C library's own */
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static const char *program_of(const struct helper *helper)
{
	return helper->program ? helper->program : helper->argv[0];
}

/* posix_spawn() gives execve()'s error to the parent and copies no memory. -1 with errno. */
static pid_t helper_spawn(const struct helper *helper, int input, int output)
{
	static const char *const default_env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	const char *const *env = helper->env ? helper->env : default_env;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int result;

	actions_set(&actions, helper, input, output);
	attributes_set(&attributes);
	result = posix_spawn(
		&pid, program_of(helper), &actions, &attributes, (char *const *)helper->argv, (char *const *)env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	errno = result;
	return result ? -1 : pid;
}

static size_t output_max(const struct helper *helper)
{
	return helper->answer_max ? helper->answer_max : OUTPUT_MAX;
}

/* Takes what is there; keeps what fits. False at the end of the file. */
static bool output_drain(const struct helper *helper, int fd, struct text *output)
{
	char piece[OUTPUT_MAX];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0) {
		size_t room = output && output->length < output_max(helper) ? output_max(helper) - output->length : 0;

		if (room)
			text_append_bytes(output, piece, (size_t)got < room ? (size_t)got : room);
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until the process ends: what it leaves running may hold the pipe open for ever. 1 ended, 0 the time is out. */
static int helper_watch(const struct helper *helper, int pidfd, int pipe, struct text *output)
{
	int64_t deadline = clock_deadline_ms(helper->timeout_ms);
	struct pollfd events[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = pipe, .events = POLLIN}};
	int left;

	for (;;) {
		left = clock_poll_ms(deadline);
		if (left == 0)
			return 0;
		if (poll(events, 2, left) < 0)
			continue;
		if (events[1].revents && !output_drain(helper, pipe, output))
			events[1].fd = -1;
		if (events[0].revents) {
			if (events[1].fd >= 0)
				output_drain(helper, pipe, output);
			return 1;
		}
	}
}

static int helper_finish(
	pid_t pid, const struct helper *helper, int pipe, struct text *output, int *status, struct error *err)
{
	auto_fd pidfd = pidfd_open(pid, 0);
	int ended;

	if (pidfd < 0) {
		fail_errno(err, "%s", program_of(helper));
		kill(-pid, SIGKILL);
		waitpid(pid, status, 0);
		return -1;
	}
	ended = helper_watch(helper, pidfd, pipe, output);
	if (!ended)
		kill(-pid, SIGKILL); /* not reaped yet: the number is still its own */
	if (process_reap(pidfd, status, err) < 0)
		return blame(err, "%s", program_of(helper));
	if (!ended)
		return fail(err, ERROR_SYSTEM, "%s did not end within %lld ms", program_of(helper),
			(long long)helper->timeout_ms);
	return 0;
}

int process_run(const struct helper *helper, struct text *output, int *status, struct error *err)
{
	auto_fd input = -1, read_end = -1, write_end = -1;
	int ends[2];
	pid_t pid;

	assert(*program_of(helper) == '/');
	input = input_open(helper);
	if (input < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "run %s", program_of(helper));
	read_end = ends[0];
	write_end = ends[1];
	if (fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, "run %s", program_of(helper));
	pid = helper_spawn(helper, input, write_end);
	if (pid < 0)
		return fail_errno(err, "run %s", program_of(helper));
	fd_drop(&write_end);
	return helper_finish(pid, helper, read_end, output, status, err);
}
