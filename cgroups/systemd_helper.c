/* Finding warren-systemd, starting it, and asking it.
 *
 * It is executed by descriptor (base/companion.c). A runtime that executes itself anew from a private mount or from
 * memory has no directory any more; it hands the descriptor to itself in the environment, which is believed only as far
 * as the file behind it passes the same check. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "cgroups/systemd.h"

#define PROGRAM "warren-systemd"
#define KEPT "WARREN_SYSTEMD_FD"
#define ANSWER_GRACE_MS 10000 /* on top of what the request gives systemd */

/* --- which manager ------------------------------------------------------------------------------------------------ */

/* "0 0 4294967295" in any spacing: user_namespaces(7). */
static bool is_initial_user_namespace(void)
{
	char text[256];
	unsigned inside = 1, outside = 1, count = 0;
	auto_fd map = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	ssize_t length = map < 0 ? -1 : read(map, text, sizeof(text) - 1);

	if (length <= 0)
		return true;
	text[length] = '\0';
	return sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && !inside && !outside && count == UINT32_MAX;
}

enum systemd_bus systemd_bus_choose(void)
{
	return geteuid() == 0 && is_initial_user_namespace() ? SYSTEMD_SYSTEM : SYSTEMD_USER;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static bool is_named_so(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	return text_ends_with(path, "/" PROGRAM);
}

/* The number in the environment, when it is that of a program of the name; else -1. */
static int kept_number(void)
{
	const char *text = getenv(KEPT);
	struct error ignored;
	int64_t number;

	if (!text || number_parse(text, 3, INT_MAX, &number, &ignored) < 0 || !is_named_so((int)number))
		return -1;
	return (int)number;
}

int systemd_helper_find(struct error *err)
{
	int kept = kept_number();
	auto_fd program = kept >= 0 ? fcntl(kept, F_DUPFD_CLOEXEC, 3) : companion_open(PROGRAM, WARREN_LIBEXEC, err);

	if (program < 0 && kept >= 0)
		return fail_errno(err, PROGRAM);
	if (program < 0 && err->kind == ERROR_MISSING)
		return fail(err, ERROR_MISSING,
			"the program " PROGRAM " is neither beside this one nor in " WARREN_LIBEXEC
			"; it is built where libsystemd is");
	if (program < 0 || companion_check(program, PROGRAM, err) < 0)
		return -1;
	return take_fd(&program);
}

bool systemd_helper_is_there(void)
{
	struct error ignored;
	auto_fd program = systemd_helper_find(&ignored);

	return program >= 0;
}

int systemd_helper_keep(struct error *err)
{
	int kept = kept_number();
	auto_fd program = kept >= 0 ? -1 : systemd_helper_find(err);
	char number[16];

	if (kept >= 0)
		return kept;
	if (program < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", program);
	if (fcntl(program, F_SETFD, 0) < 0 || setenv(KEPT, number, 1) < 0)
		return fail_errno(err, "keep " PROGRAM);
	return take_fd(&program);
}

void systemd_helper_seal(void)
{
	int kept = kept_number();

	if (kept >= 0)
		(void)fcntl(kept, F_SETFD, FD_CLOEXEC);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

/* Where the buses are; nothing else of our environment goes there. */
static char *const *environment_make(struct arena *arena)
{
	static const char *const names[] = {"DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"};
	struct strings list = {0};

	strings_add(arena, &list, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			strings_add(arena, &list, arena_format(arena, "%s=%s", names[i], value));
	}
	return (char *const *)list.items;
}

/* In the child: its standard input is the socket, its output goes where our errors go. */
static void execute(int program, int socket, char *const *environment)
{
	static char *const arguments[] = {PROGRAM, NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(socket, 0) < 0 || dup2(2, 1) < 0 || fds_close_on_exec_from(3) < 0)
		_exit(126);
	execveat(program, "", arguments, environment, AT_EMPTY_PATH);
	_exit(127);
}

int systemd_helper_start(struct systemd_helper *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd program = systemd_helper_find(err);
	char *const *environment = environment_make(&arena);
	auto_fd ours = -1, theirs = -1;
	int ends[2];
	pid_t pid;

	*out = SYSTEMD_HELPER_NONE;
	if (program < 0 || socket_pair(ends, err) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	pid = process_clone(0, -1, &out->pidfd);
	if (pid < 0)
		return fail_errno(err, "start " PROGRAM);
	if (pid == 0)
		execute(program, theirs, environment);
	out->socket = take_fd(&ours);
	return 0;
}

void systemd_helper_drop(struct systemd_helper *helper)
{
	struct error ignored;
	int status;

	if (helper->pidfd >= 0 && process_signal(helper->pidfd, SIGKILL, &ignored) == 0)
		(void)!process_reap(helper->pidfd, &status, &ignored);
	fd_drop(&helper->socket);
	fd_drop(&helper->pidfd);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int fail_silent(const struct systemd_helper *helper, struct error *err)
{
	struct error ignored;
	int status;

	if (process_wait_end(helper->pidfd, 1000) != 1 || process_reap(helper->pidfd, &status, &ignored) < 0)
		return fail(err, ERROR_SYSTEM, PROGRAM " said nothing");
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 126)
		return fail(err, ERROR_SYSTEM, PROGRAM " could not be executed");
	if (WIFSIGNALED(status))
		return fail(err, ERROR_SYSTEM, PROGRAM " was killed by signal %d", WTERMSIG(status));
	return fail(err, ERROR_SYSTEM, PROGRAM " ended with status %d and said nothing", WEXITSTATUS(status));
}

static int answer_wait(const struct systemd_helper *helper, int64_t timeout_ms, struct error *err)
{
	int64_t deadline = clock_deadline_ms(timeout_ms);
	struct pollfd readable = {.fd = helper->socket, .events = POLLIN};
	int result, left;

	do {
		left = clock_poll_ms(deadline);
		result = poll(&readable, 1, left);
		if (result < 0 && errno != EINTR)
			return fail_errno(err, "wait for " PROGRAM);
	} while (result <= 0 && left != 0);
	if (result <= 0)
		return fail(err, ERROR_BUSY, PROGRAM " has not answered within %lld s", (long long)timeout_ms / 1000);
	return 0;
}

static int answer_receive(const struct systemd_helper *helper, struct arena *arena, struct systemd_answer *out,
	int64_t timeout_ms, struct error *err)
{
	char *text = arena_alloc(arena, SYSTEMD_MESSAGE_MAX);
	ssize_t length;

	if (answer_wait(helper, timeout_ms, err) < 0)
		return -1;
	length = socket_receive(helper->socket, text, SYSTEMD_MESSAGE_MAX, NULL, NULL);
	if (length == 0 || (length < 0 && errno == ECONNRESET))
		return fail_silent(helper, err);
	if (length < 0)
		return fail_errno(err, "listen to " PROGRAM);
	return systemd_answer_decode(arena, text, (size_t)length, out, err) < 0 ? blame(err, PROGRAM) : 0;
}

int systemd_helper_ask(struct systemd_helper *helper, struct arena *arena, const struct systemd_request *request,
	const char **cgroup, struct error *err)
{
	struct systemd_answer answer;
	size_t length;
	auto_free char *text = systemd_request_encode(request, &length);

	if (length > SYSTEMD_MESSAGE_MAX)
		return fail(err, ERROR_USAGE, "%s: its properties take %zu bytes, at most %d", request->unit, length,
			SYSTEMD_MESSAGE_MAX);
	if (socket_send(helper->socket, text, length, NULL, 0) < 0)
		return errno == EPIPE || errno == ECONNRESET ? fail_silent(helper, err)
							     : fail_errno(err, "ask " PROGRAM);
	if (answer_receive(helper, arena, &answer, request->timeout_ms + ANSWER_GRACE_MS, err) < 0)
		return -1;
	if (answer.error)
		return fail(err, (enum error_kind)answer.kind, "%s", answer.error);
	if (cgroup)
		*cgroup = answer.cgroup;
	return 0;
}

int systemd_ask(const struct systemd_request *request, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(systemd_helper_drop) struct systemd_helper helper = SYSTEMD_HELPER_NONE;

	if (systemd_helper_start(&helper, err) < 0)
		return -1;
	return systemd_helper_ask(&helper, &arena, request, NULL, err);
}
