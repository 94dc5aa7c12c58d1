/* Processes: making, recognising, signalling and awaiting them, and the clocks used while waiting. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define POLL_MAX_MS (60 * 60 * 1000)

pid_t process_clone(uint64_t flags, int cgroup, int *pidfd)
{
	int fd = -1;
	struct clone_args args = {
		.flags = flags | (pidfd ? CLONE_PIDFD : 0) | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&fd,
		/* clone3(2) wants none with CLONE_PARENT: the child inherits ours. */
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid > 0 && pidfd)
		*pidfd = fd;
	return pid;
}

static int fail_gone(struct error *err, pid_t pid)
{
	return fail(err, ERROR_MISSING, "process %d has ended", pid);
}

/* Field 22 of /proc/PID/stat; proc(5). The name in field 2 may hold anything, also ')': so from the last one on. */
static int stat_parse(const char *stat, char *state, uint64_t *start_time, struct error *err)
{
	const char *rest = strrchr(stat, ')');
	struct text number AUTO(text_drop) = {0};

	if (!rest || rest[1] != ' ' || !rest[2])
		return fail(err, ERROR_SYSTEM, "/proc/PID/stat has an unknown form");
	*state = rest[2];
	rest++;
	for (int field = 3; field <= 22; field++) {
		rest = strchr(rest, ' ');
		if (!rest)
			return fail(err, ERROR_SYSTEM, "/proc/PID/stat is too short");
		rest++;
	}
	text_append_bytes(&number, rest, strcspn(rest, " \n"));
	return number_parse_u64(text_string(&number), UINT64_MAX, start_time, err);
}

int process_identify(pid_t pid, struct process_id *out, struct error *err)
{
	char path[32], stat[1024], state = '\0';
	auto_fd fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0 && pid > 0 && errno != ENOENT)
		return fail_errno(err, "open %s", path);
	if (fd < 0)
		return fail_gone(err, pid);
	length = read_retried(fd, stat, sizeof(stat) - 1);
	if (length < 0 && errno == ESRCH)
		return fail_gone(err, pid);
	if (length < 0)
		return fail_errno(err, "read %s", path);
	stat[length] = '\0';
	if (stat_parse(stat, &state, &out->start_time, err) < 0)
		return -1;
	if (state == 'Z' || state == 'X')
		return fail_gone(err, pid);
	out->pid = pid;
	return 0;
}

int process_look(const struct process_id *id, struct error *err)
{
	struct process_id now;

	if (process_identify(id->pid, &now, err) == 0)
		return now.start_time == id->start_time;
	return err->kind == ERROR_MISSING ? 0 : -1;
}

bool process_is_alive(const struct process_id *id)
{
	struct error ignored;

	return process_look(id, &ignored) == 1;
}

int process_open(const struct process_id *id, struct error *err)
{
	auto_fd pidfd = id->pid > 0 ? pidfd_open(id->pid, 0) : -1;

	if (pidfd < 0 && id->pid > 0 && errno != ESRCH)
		return fail_errno(err, "open process %d", id->pid);
	int alive = pidfd >= 0 ? process_look(id, err) : 0;
	if (alive == 0)
		return fail_gone(err, id->pid);
	return alive < 0 ? -1 : take_fd(&pidfd);
}

int process_namespace_open(const struct process_id *id, const char *name, struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", id->pid, name);
	auto_fd namespace = open(path, O_RDONLY | O_CLOEXEC);
	/* A zombie has none: ENOENT. */
	int opening_errno = errno, alive = process_look(id, err);

	if (alive == 0)
		return fail_gone(err, id->pid);
	if (namespace >= 0)
		return alive < 0 ? -1 : take_fd(&namespace);
	errno = opening_errno;
	return fail_errno(err, "open %s", path);
}

int process_signal(int pidfd, int signal, struct error *err)
{
	char name[16];

	if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
		return 0;
	if (errno == ESRCH)
		return fail(err, ERROR_MISSING, "the process has ended");
	return fail_errno(err, "send signal %s", signal_name(signal, name));
}

int process_wait_end(int pidfd, int64_t timeout_ms)
{
	int64_t deadline = clock_deadline_ms(timeout_ms);
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	int left;

	for (;;) {
		left = clock_poll_ms(deadline);
		if (poll(&ended, 1, left) > 0)
			return 1;
		if (left == 0)
			return 0;
	}
}

int process_reap(int pidfd, int *status, struct error *err)
{
	siginfo_t info = {0};
	int result;

	do
		result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return fail_errno(err, "wait for a process");
	if (info.si_code == CLD_EXITED)
		*status = (info.si_status & 0xff) << 8;
	else
		*status = info.si_status | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
	return 0;
}

static int64_t clock_read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
	return clock_read_ms(CLOCK_BOOTTIME);
}

int64_t clock_real_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

int64_t clock_deadline_ms(int64_t timeout_ms)
{
	int64_t deadline;

	if (timeout_ms < 0 || __builtin_add_overflow(clock_ms(), timeout_ms, &deadline))
		return INT64_MAX;
	return deadline;
}

int clock_poll_ms(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == INT64_MAX)
		return -1;
	left = deadline_ms - clock_ms();
	return left <= 0 ? 0 : left > POLL_MAX_MS ? POLL_MAX_MS : (int)left;
}

static char boot[37]; /* a constant of this boot, kept after the first reading */

int boot_id_read(struct error *err)
{
	char id[sizeof(boot)] = {0};
	auto_fd fd = -1;

	if (*boot)
		return 0;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read_retried(fd, id, sizeof(id) - 1) != sizeof(id) - 1)
		return fail_errno(err, "read the kernel's boot id");
	memcpy(boot, id, sizeof(boot));
	return 0;
}

const char *boot_id(void)
{
	struct error ignored;

	return boot_id_read(&ignored) < 0 ? "00000000-0000-0000-0000-000000000000" : boot;
}
