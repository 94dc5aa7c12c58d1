/* Starting CRIU and talking with it.
 *
 * It works in a mount namespace of its own with an empty file system at /tmp, where it makes its scratch directories:
 * whenever it is killed, none of them stays on the host. It sees nothing of our environment, no configuration of a
 * user's, and no descriptors but those it is meant to have. */
#include "runtime/criu/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/socket.h"

#define MESSAGE_MAX 65536
#define FIRST_FREE_FD 20 /* above what CRIU gets under fixed numbers */

/* --- finding ------------------------------------------------------------------------------------------------------ */

static int program_check(int fd, const char *path, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail_errno(err, "%s", path);
	if (!S_ISREG(status.st_mode) || !(status.st_mode & S_IXUSR))
		return fail(err, ERROR_SYSTEM, "%s: is not a program", path);
	if ((status.st_uid != 0 && status.st_uid != geteuid()) || status.st_mode & (S_IWGRP | S_IWOTH))
		return fail(err, ERROR_SYSTEM, "%s: must belong to root or to uid %u and be writable by nobody else",
			path, geteuid());
	return 0;
}

int criu_find(const char *program, struct error *err)
{
	static const char *const places[] = {
		"/usr/local/sbin/criu", "/usr/local/bin/criu", "/usr/sbin/criu", "/usr/bin/criu"};
	auto_fd fd = -1;

	if (program && *program != '/')
		return fail(err, ERROR_USAGE, "--criu %s: must be an absolute path", program);
	if (program)
		fd = open(program, O_PATH | O_CLOEXEC);
	for (size_t i = 0; !program && fd < 0 && i < ARRAY_SIZE(places); i++)
		fd = open(places[i], O_PATH | O_CLOEXEC);
	if (fd < 0 && program)
		return fail_errno(err, "--criu %s", program);
	if (fd < 0)
		return fail(err, ERROR_MISSING,
			"the program criu is not installed, which checkpoint and restore need; on Debian: apt-get "
			"install criu");
	if (program_check(fd, program ? program : "criu", err) < 0)
		return -1;
	return take_fd(&fd);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

/* The child's view. */
struct birth {
	const struct criu_start *start;
	int program, announce, errors;
	int work; /* a clone of the directory's mount */
	const struct cgroup_flags *cgroup_flags;
};

/* Nobody but CRIU and what it restores is in the namespace; the latter makes files there with ids of its own. */
static int scratch_make(struct birth *birth, struct error *err)
{
	static const struct mount_option options[] = {{.name = "mode", .value = "1777", .fd = -1}};
	const struct criu_start *start = birth->start;
	struct mount_attr private = {.propagation = MS_PRIVATE};
	auto_fd tmp = -1;

	if (unshare(CLONE_NEWNS) < 0)
		return fail_errno(err, "make a mount namespace");
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0)
		return fail_errno(err, "cut the mounts off from the host's");
	tmp = filesystem_mount("tmpfs", NULL, options, ARRAY_SIZE(options), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (tmp < 0 || mount_attach(tmp, AT_FDCWD, "/tmp", err) < 0)
		return blame(err, "make a scratch directory");
	/* CRIU mounts in its working directory, which must be of this namespace for that. */
	if (mkdirat(tmp, "work", 0700) < 0)
		return fail_errno(err, "make a scratch directory");
	if (mount_attach(birth->work, tmp, "work", err) < 0)
		return blame(err, "work directory");
	return start->stage ? start->stage(start->context, tmp, err) : 0;
}

/* dup2(2) of a descriptor on itself leaves close-on-exec set. */
static int fd_place(int fd, int number)
{
	return fd == number ? fcntl(fd, F_SETFD, 0) : dup2(fd, number);
}

/* Out of the way of the numbers that are given. */
static int fd_raise(int *fd)
{
	int high = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	if (*fd >= 0 && high < 0)
		return -1;
	*fd = high;
	return 0;
}

static int descriptors_place(const struct birth *birth, int conversation)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from[] = {
		null, null, birth->errors, conversation, birth->start->images, birth->work, birth->start->status_fd};
	int result = null < 0 ? -1 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(from) && result >= 0; i++)
		result = fd_raise(&from[i]);
	for (size_t i = 0; i < ARRAY_SIZE(from) && result >= 0; i++)
		result = from[i] < 0 ? 0 : fd_place(from[i], (int)i);
	if (result < 0 || fds_close_on_exec_from(CRIU_STATUS_FD + 1) < 0)
		return -1;
	for (size_t i = 0; i < birth->start->keep_count; i++)
		if (fcntl(birth->start->keep[i], F_SETFD, 0) < 0)
			return -1;
	return 0;
}

static int child_prepare(struct birth *birth, struct error *err)
{
	const struct criu_start *start = birth->start;
	int ends[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (start->entrance && cgroup_enter(start->entrance, err) < 0)
		return blame(err, "enter the cgroup");
	if (start->own_cgroups)
		cgroup_flags_shield(birth->cgroup_flags);
	if (scratch_make(birth, err) < 0 || socket_pair(ends, err) < 0)
		return -1;
	if (socket_send(birth->announce, "", 1, &ends[0], 1) < 0)
		return fail_errno(err, "hand over the connection");
	if (descriptors_place(birth, ends[1]) < 0)
		return fail_errno(err, "place descriptors");
	if (start->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, "no_new_privs");
	return 0;
}

/* The program's descriptor is raised first: it would be overwritten. */
_Noreturn static void execute(struct birth *birth)
{
	static char *const arguments[] = {"criu", "swrk", "3", NULL};
	static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct error err = {0};

	if (fd_raise(&birth->program) == 0 && fd_raise(&birth->errors) == 0 && child_prepare(birth, &err) == 0) {
		execveat(birth->program, "", arguments, environment, AT_EMPTY_PATH);
		fail_errno(&err, "execute criu");
	}
	(void)!write(birth->errors, err.text, strlen(err.text));
	_exit(126);
}

static int fail_silent(const struct criu *criu, struct error *err);

static int connection_await(struct criu *criu, int announced, struct error *err)
{
	size_t count = 1;
	char byte;
	ssize_t length = socket_receive(announced, &byte, 1, &criu->socket, &count);

	if (length == 1 && count == 1)
		return 0;
	criu->socket = -1;
	return fail_silent(criu, err);
}

int criu_start(const struct criu_start *start, struct criu *out, struct error *err)
{
	auto_fd program = criu_find(start->program, err);
	auto_fd ours = -1, theirs = -1, work = -1;
	int ends[2];

	*out = CRIU_NONE;
	if (program < 0)
		return -1;
	work = mount_clone(start->work, "", false, err);
	if (work < 0)
		return blame(err, "work directory");
	out->work = start->work;
	out->errors = memfd_create("criu", MFD_CLOEXEC);
	if (out->errors < 0)
		return fail_errno(err, "make a file in memory");
	if (socket_pair(ends, err) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	cgroup_flags_note(&out->cgroup_flags);
	out->pid = process_clone(0, start->entrance ? start->entrance->into : -1, &out->pidfd);
	if (out->pid < 0)
		return fail_errno(err, "start criu");
	if (out->pid == 0) {
		struct birth birth = {.start = start,
			.program = program,
			.announce = theirs,
			.errors = out->errors,
			.work = work,
			.cgroup_flags = &out->cgroup_flags};

		execute(&birth);
	}
	fd_drop(&theirs);
	return connection_await(out, ours, err);
}

void criu_drop(struct criu *criu)
{
	struct error ignored;
	int status;

	if (criu->pidfd >= 0 && process_signal(criu->pidfd, SIGKILL, &ignored) == 0)
		(void)!process_reap(criu->pidfd, &status, &ignored);
	cgroup_flags_restore(&criu->cgroup_flags);
	criu->cgroup_flags = NO_CGROUP_FLAGS;
	fd_drop(&criu->socket);
	fd_drop(&criu->pidfd);
	fd_drop(&criu->errors);
}

/* --- talking ------------------------------------------------------------------------------------------------------ */

static int send_text(const struct criu *criu, const struct text *text, struct error *err)
{
	if (socket_send(criu->socket, text_string(text), text->length, NULL, 0) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		return fail_errno(err, "talk to criu");
	return 0;
}

/* The last thing it wrote before it went away without an answer. */
static int fail_silent(const struct criu *criu, struct error *err)
{
	char text[320];
	ssize_t length = pread(criu->errors, text, sizeof(text) - 1, 0);

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	text[length > 0 ? length : 0] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ';';
	return fail(err, ERROR_SYSTEM, "criu does not work here: %s", *text ? text : "it ended without a word");
}

static int fail_answered(const struct criu *criu, const struct criu_request *request, const struct criu_answer *answer,
	struct error *err)
{
	static const char *const verbs[] = {
		[CRIU_DUMP] = "dump", [CRIU_RESTORE] = "restore", [CRIU_PRE_DUMP] = "pre-dump"};
	const char *reason = *answer->message	? answer->message
			     : answer->cr_errno ? strerror(answer->cr_errno)
						: "no reason given";
	char errors[300];

	criu_log_errors(criu->work, request->log_file, errors, sizeof(errors));
	return fail(err, ERROR_SYSTEM, "criu could not %s: %s", verbs[request->verb], *errors ? errors : reason);
}

static void notification_answer(struct criu *criu, const struct criu_events *events, const struct criu_answer *answer,
	int *fd, struct error *refused)
{
	AUTO(text_drop) struct text text = {0};
	struct error ignored;
	int result = 0;

	if (events && refused->kind == ERROR_NONE)
		result = events->notify(events->context, answer->notification, answer->notified_pid, fd, refused);
	criu_notified_encode(result == 0, &text);
	if (send_text(criu, &text, &ignored) < 0 && refused->kind == ERROR_NONE)
		*refused = ignored;
}

/* One message; 0 at the end of the connection. */
static int answer_receive(struct criu *criu, struct criu_answer *answer, int *fd, struct error *err)
{
	static unsigned char bytes[MESSAGE_MAX];
	size_t count = 1;
	ssize_t length = socket_receive(criu->socket, bytes, sizeof(bytes), fd, &count);

	if (length == 0 || (length < 0 && errno == ECONNRESET))
		return 0;
	if (length < 0)
		return fail_errno(err, "listen to criu");
	if (!count)
		*fd = -1;
	return criu_answer_decode(bytes, (size_t)length, answer, err) < 0 ? -1 : 1;
}

/* After a notification that was refused, CRIU undoes what it did and says that it failed: the refusal is the reason. */
int criu_ask(struct criu *criu, const struct criu_request *request, const struct criu_events *events, pid_t *pid,
	struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	struct criu_answer answer;
	struct error refused = {0};
	int got;

	criu_request_encode(request, &text);
	if (send_text(criu, &text, err) < 0)
		return -1;
	do {
		auto_fd fd = -1;

		got = answer_receive(criu, &answer, &fd, err);
		if (got > 0 && answer.verb == CRIU_NOTIFY)
			notification_answer(criu, events, &answer, &fd, &refused);
	} while (got > 0 && answer.verb == CRIU_NOTIFY);
	if (refused.kind != ERROR_NONE) {
		*err = refused;
		return -1;
	}
	if (got < 0)
		return -1;
	if (got == 0 || answer.verb != request->verb)
		return fail_silent(criu, err);
	if (!answer.success)
		return fail_answered(criu, request, &answer, err);
	if (pid)
		*pid = answer.pid;
	return 0;
}
