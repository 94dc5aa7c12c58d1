/* The child's half of a start: a table of steps from clone3 to execve.
 *
 * Single-threaded, a copy of the parent's memory. Nothing here allocates, logs or parses; all it needs lies in struct
 * child. A step that fails ends it: the error, with the step's name in front, goes to the page shared with the parent.
 * The order is the documentation: docs/start.md has the same list with the reasons, and a test compares them. */
#include "runtime/start/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/socket.h"
#include "runtime/mounts/masks.h"
#include "runtime/mounts/root.h"
#include "runtime/namespaces/network.h"
#include "runtime/namespaces/sysctls.h"
#include "runtime/process/listener.h"
#include "runtime/process/schedule.h"
#include "runtime/process/terminal.h"
#include "runtime/start/hooks.h"

#define PRESERVE_MAX 256

/* --- waiting for the parent --------------------------------------------------------------------------------------- */

/* The parent is gone or has given up: nobody is left to report to. */
static int fail_abandoned(struct error *err)
{
	return fail(err, ERROR_SYSTEM, "the starting process is gone");
}

static int fail_received(ssize_t got, struct error *err)
{
	return got < 0 ? fail_errno(err, "listen to the starting process") : fail_abandoned(err);
}

static int maps_await(struct child *child, struct error *err)
{
	ssize_t got;
	char message;

	if (!child->namespaces.new_user)
		return 0;
	got = socket_receive(child->channel, &message, 1, NULL, NULL);
	return got == 1 && message == CHANNEL_MAPS ? 0 : fail_received(got, err);
}

/* Notes one message's parts; their names move to a place of ours. */
static int parts_note(struct child *child, const struct channel_parts *message, const int *mounts, size_t *names_used)
{
	const char *target = message->targets;

	for (size_t i = 0; i < message->count; i++) {
		size_t length = strlen(target) + 1;
		char *name = child->part_names + *names_used;

		if (child->part_count == LAUNCH_PARTS || *names_used + length > sizeof(child->part_names))
			return -1;
		memcpy(name, target, length);
		*names_used += length;
		child->parts[child->part_count++] =
			(struct launch_part){.target = name, .mount = mounts[i], .is_file = message->is_file[i]};
		target += length;
	}
	return 0;
}

static int parts_await(struct child *child, struct error *err)
{
	struct channel_parts message;
	int mounts[CHANNEL_PARTS_MAX];
	size_t count, names_used = 0;
	ssize_t got;

	do {
		count = CHANNEL_PARTS_MAX;
		got = socket_receive(child->channel, &message, sizeof(message), mounts, &count);
		if (got != (ssize_t)sizeof(message) || message.kind != CHANNEL_PARTS || message.count != count)
			return fail_received(got, err);
		if (parts_note(child, &message, mounts, &names_used) < 0)
			return fail(err, ERROR_USAGE, "more than %d parts", LAUNCH_PARTS);
	} while (!message.last);
	if (child->part_count)
		child->root = child->parts[0].mount;
	if (child->root < 0)
		return fail(err, ERROR_USAGE, "there is no root");
	return child_ask_for_proc(child, err);
}

/* --- identity in the namespaces ----------------------------------------------------------------------------------- */

static int cgroup_step(struct child *child, struct error *err)
{
	const struct cgroup_entrance *entrance = child->launch->entrance;
	bool leave = child->namespaces.cgroup_late || child->host_cgroup_namespace >= 0;
	const char *path = child->spec->cgroup_path ? child->spec->cgroup_path : "";

	umask(0);
	if (entrance && cgroup_enter(entrance, err) < 0)
		return -1;
	if (child->mounts.wants_cgroup && mounts_note_hierarchies(&child->mounts, path, err) < 0)
		return -1;
	/* After the cgroup was entered: the namespace takes where it is now as its root (cgroup_namespaces(7)). */
	if (leave && unshare(CLONE_NEWCGROUP) < 0)
		return fail_errno(err, "make a cgroup namespace");
	return 0;
}

static int join_step(struct child *child, struct error *err)
{
	if (process_note_host(&child->process, err) < 0)
		return -1;
	return namespaces_join(&child->namespaces, err);
}

/* What was joined had its paths in the host's namespace. */
static int mount_namespace_step(struct child *child, struct error *err)
{
	if (child->seed < 0)
		return 0;
	child->cut_off = setns(child->seed, CLONE_NEWNS) == 0;
	/* A copy of the host's mounts does as well. */
	return unshare(CLONE_NEWNS) < 0 ? fail_errno(err, "make a mount namespace") : 0;
}

static int keyring_step(struct child *child, struct error *err)
{
	return child->launch->keep_keyring ? 0 : child_leave_keyring(err);
}

static int become_root_step(struct child *child, struct error *err)
{
	return namespaces_become_root(child->namespaces.own_ids, child->spec->process.keep_groups, err);
}

/* --- file systems ------------------------------------------------------------------------------------------------- */

static int make_step(struct child *child, struct error *err)
{
	return child_make_mounts(child, err);
}

static int root_step(struct child *child, struct error *err)
{
	bool cut_off = child->cut_off || (child->namespaces.own_ids && !child->namespaces.shares_user);

	return root_attach(child->root, cut_off, err);
}

static int mount_step(struct child *child, struct error *err)
{
	if (child_attach_mounts(child, err) < 0)
		return -1;
	/* The cgroup mounts are made: the host's namespace was asked for. */
	if (child->host_cgroup_namespace >= 0 && !child->namespaces.own_ids &&
		setns(child->host_cgroup_namespace, CLONE_NEWCGROUP) < 0)
		return fail_errno(err, "return to the host's cgroup namespace");
	return 0;
}

static int devices_step(struct child *child, struct error *err)
{
	return devices_make(&child->devices, child->root, child->mounts.dev, err);
}

static int send_master(struct child *child, int master, struct error *err)
{
	char message = CHANNEL_CONSOLE;

	if (socket_send(child->channel, &message, 1, &master, 1) < 0)
		return fail_errno(err, "hand over the terminal");
	return 0;
}

static int terminal_step(struct child *child, struct error *err)
{
	AUTO(terminal_drop) struct terminal terminal = {-1, -1};
	auto_fd devpts = -1;
	auto_fd dev = -1;

	if (!child->spec->process.terminal)
		return 0;
	devpts = terminal_open_directory(child->root, err);
	if (devpts < 0 || terminal_open(devpts, &child->spec->process, &terminal, err) < 0)
		return -1;
	if (child->devices.populate) {
		dev = devices_open_directory(child->root, err);
		if (dev < 0 || terminal_attach_console(&terminal, dev, err) < 0)
			return -1;
	}
	if (send_master(child, terminal.master, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		child->stdio[i] = terminal.slave;
	terminal.slave = -1;
	return 0;
}

static int hooks_step(struct child *child, enum hook_kind kind, struct error *err)
{
	int result;

	atomic_store(&child->report->has_own_limit, true);
	result = hooks_run_inside(&child->spec->hooks, kind, child->launch->hooks, err);
	atomic_store(&child->report->has_own_limit, false);
	return result;
}

static int create_hooks_step(struct child *child, struct error *err)
{
	return hooks_step(child, HOOK_CREATE_CONTAINER, err);
}

static int pivot_step(struct child *child, struct error *err)
{
	(void)child;
	return root_enter(err);
}

static int sysctl_step(struct child *child, struct error *err)
{
	return sysctls_write(child->spec, child->mounts.proc, err);
}

static int mask_step(struct child *child, struct error *err)
{
	return masks_apply(child->spec, &child->mounts, child->root, child->devices.null, err);
}

static int protect_step(struct child *child, struct error *err)
{
	if (masks_protect(child->spec, &child->mounts, child->root, err) < 0)
		return -1;
	if (mounts_make_read_only(&child->mounts, err) < 0)
		return -1;
	return root_finish(child->spec, child->root, err);
}

/* --- the rest of its namespaces ----------------------------------------------------------------------------------- */

static int network_step(struct child *child, struct error *err)
{
	const struct launch_callbacks *callbacks = &child->launch->callbacks;

	if (!(child->namespaces.create & CLONE_NEWNET))
		return 0;
	return callbacks->configure_network ? callbacks->configure_network(callbacks->context, err) : loopback_up(err);
}

static int name_step(struct child *child, struct error *err)
{
	const struct spec *spec = child->spec;

	if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
		return fail_errno(err, "host name %s", spec->hostname);
	if (spec->domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
		return fail_errno(err, "domain name %s", spec->domainname);
	return 0;
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static int stdio_step(struct child *child, struct error *err)
{
	return child_connect_stdio(child->stdio, child->spec->process.terminal, err);
}

/* ENOENT, EACCES when it is no program, else 0: execve(2) would say more, and does. */
static int candidate_fault(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno == ENOENT ? ENOENT : 0;
	return S_ISREG(status.st_mode) && (status.st_mode & 0111) ? 0 : EACCES;
}

/* So that what cannot be executed is told at `create`: docker is at a loss with a container whose `start` fails. */
static int find_step(struct child *child, struct error *err)
{
	int fault, worst = ENOENT;

	if (process_enter_directory(&child->process, err) < 0)
		return -1;
	process_find_home(&child->process);
	if (child->launch->hold < 0)
		return 0;
	for (const char *const *path = child->process.candidates; *path; path++) {
		fault = candidate_fault(*path);
		if (!fault)
			return 0;
		if (fault == EACCES)
			worst = EACCES;
	}
	errno = worst;
	child->report->exec_failed = true;
	return process_fail_execute(child->process.name, err);
}

/* What waits for "start" may wait for days: it keeps nothing but what it needs, above all not the lock of its own
 * record. */
static int close_all_but_needed(const struct child *child, struct error *err)
{
	const struct launch *launch = child->launch;
	int keep[5 + PRESERVE_MAX] = {child->channel, launch->hold, launch->hold_lock,
		launch->listener ? launch->listener->socket : -1, child->process.label};
	size_t count = 5;

	for (int i = 0; i < launch->preserve_fds && i < PRESERVE_MAX; i++)
		keep[count++] = 3 + i;
	return fds_close_all_but(keep, count) < 0 ? fail_errno(err, "close what is not needed") : 0;
}

/* The connection. A created container is not lost because the host has no memory or no descriptors for a moment: only
 * for what will never be better. */
static int start_await(int listener)
{
	static const struct timespec pause = {.tv_nsec = 10000000};
	int connection;

	while ((connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
		if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP)
			return -1;
		if (errno != EINTR && errno != ECONNABORTED)
			nanosleep(&pause, NULL);
	}
	return connection;
}

/* From here on nobody of ours waits: the container is created. `start` connects to the socket and gets the end of the
 * connection when the program runs, or the error. A second `start` finds no listener. */
static int hold_step(struct child *child, struct error *err)
{
	int listener = child->launch->hold;
	char message = CHANNEL_HELD;

	if (listener < 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return fail_errno(err, "clear the parent-death signal");
	if (close_all_but_needed(child, err) < 0)
		return -1;
	if (socket_send(child->channel, &message, 1, NULL, 0) < 0)
		return errno == EPIPE || errno == ECONNRESET ? fail_abandoned(err)
							     : fail_errno(err, "say that the container is created");
	close(child->channel);
	child->channel = -1;
	child->answer = start_await(listener);
	if (child->answer < 0)
		return fail_errno(err, "wait");
	close(listener);
	return 0;
}

static int start_hooks_step(struct child *child, struct error *err)
{
	return hooks_step(child, HOOK_START_CONTAINER, err);
}

/* To `start`: an empty error, then the end of the connection, say that the program runs. The end alone is a death
 * without a word. Sent before the filter is loaded, which might refuse it. */
static int announce(const struct child *child, struct error *err)
{
	static const struct error none;

	/* Who started us may be gone; that is no reason not to run. */
	if (child->answer >= 0 && send(child->answer, &none, sizeof(none), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		return fail_errno(err, "answer to start");
	return 0;
}

static int become_step(struct child *child, struct error *err)
{
	if (announce(child, err) < 0)
		return -1;
	/* With ids of its own the parent has done it, by rights that the child lacks. */
	if (!child->namespaces.own_ids && schedule_apply(0, &child->spec->process, err) < 0)
		return -1;
	return process_become(&child->process, child->launch->seccomp, err);
}

static int execute_step(struct child *child, struct error *err)
{
	const struct launch *launch = child->launch;

	/* The channel's end tells the parent that the program runs. */
	if (process_place(launch->sockets, launch->socket_count, &child->channel, err) < 0 ||
		process_close_others(launch->preserve_fds + (int)launch->socket_count, err) < 0)
		return -1;
	report_executing(child->report);
	process_execute(&child->process, err);
	child->report->exec_failed = true;
	return -1;
}

struct step {
	const char *name;
	int (*run)(struct child *child, struct error *err);
	bool says_itself; /* its errors begin with what it did */
};

static const struct step steps[] = {
	{"enter the cgroup", cgroup_step, false},
	{"join namespaces", join_step, true},
	{"leave the host's mounts", mount_namespace_step, false},
	{"wait for the id maps", maps_await, false},
	{"become root inside", become_root_step, false},
	{"make a session keyring", keyring_step, false},
	{"make file systems", make_step, false},
	{"wait for the root", parts_await, false},
	{"attach the root", root_step, false},
	{"mount", mount_step, false},
	{"make devices", devices_step, false},
	{"open the terminal", terminal_step, false},
	{"run createContainer hooks", create_hooks_step, true},
	{"change the root", pivot_step, false},
	{"set kernel parameters", sysctl_step, false},
	{"mask paths", mask_step, false},
	{"protect paths", protect_step, false},
	{"bring up the network", network_step, false},
	{"set the names", name_step, false},
	{"connect standard streams", stdio_step, false},
	{"find the program", find_step, true},
	{"wait for start", hold_step, false},
	{"run startContainer hooks", start_hooks_step, true},
	{"become the user", become_step, false},
	{"execute", execute_step, true},
};

const char *child_step_name(size_t index)
{
	return index < ARRAY_SIZE(steps) ? steps[index].name : NULL;
}

_Noreturn static void child_fail(struct child *child, const struct step *step, struct error *err)
{
	if (!step->says_itself)
		blame(err, "%s", step->name);
	report_failure(child->report, err, child->report->exec_failed);
	/* Not under the page's protection against filters, but nobody else could tell `start`. */
	if (child->answer >= 0 && write(child->answer, err, sizeof(*err)) < 0)
		_exit(2);
	_exit(1);
}

_Noreturn void child_run(struct child *child)
{
	struct error err = {0};

	child->report->exec_failed = false;
	child->answer = -1;
	child_reset_signals();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		report_step(child->report, steps[i].name);
		if (steps[i].run(child, &err) < 0)
			child_fail(child, &steps[i], &err);
	}
	_exit(1); /* not reached: the last step executes or fails */
}
