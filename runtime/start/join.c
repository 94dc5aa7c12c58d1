/* A second process in a running container.
 *
 * The caller itself takes the container's pid namespace for its children (and gives it back), so the new process is its
 * own child and born in there: no process in between. The child joins everything else by one setns(2) on the first
 * process's pidfd, all or nothing, no path of /proc. It is undumpable from before its birth until execve: those inside
 * see a process whose files and memory are closed to them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/socket.h"
#include "runtime/process/schedule.h"
#include "runtime/process/terminal.h"
#include "runtime/start/child.h"
#include "runtime/start/guard.h"

struct joining {
	const struct join *join;
	struct process_plan plan;
	struct report *report;
	struct launched made;
	int target; /* pidfd of the first process */
	int flags;  /* namespaces that it does not share with us */
	bool own_ids;
	int channel, theirs;
	int own_pid_namespace;
	int stdio[3];
	int null;
};

static void joining_drop(struct joining *j)
{
	fd_drop(&j->target);
	fd_drop(&j->channel);
	fd_drop(&j->theirs);
	fd_drop(&j->own_pid_namespace);
	fd_drop(&j->null);
	report_drop(&j->report);
	launched_drop(&j->made);
}

/* --- parent side -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *file;
	int flag;
} kinds[] = {
	{"user", CLONE_NEWUSER},
	{"mnt", CLONE_NEWNS},
	{"pid", CLONE_NEWPID},
	{"uts", CLONE_NEWUTS},
	{"ipc", CLONE_NEWIPC},
	{"net", CLONE_NEWNET},
	{"cgroup", CLONE_NEWCGROUP},
	{"time", CLONE_NEWTIME},
};

/* 1: a namespace that is not ours; 0: ours, or a kind that this kernel lacks. */
static int differs(int target_ns, int own_ns, const char *file, struct error *err)
{
	struct stat theirs, ours;

	if (fstatat(own_ns, file, &ours, 0) < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "look at our own %s namespace", file);
	if (fstatat(target_ns, file, &theirs, 0) < 0)
		return fail_errno(err, "look at the container's %s namespace", file);
	return theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev;
}

static int namespaces_compare(struct joining *j, struct error *err)
{
	char path[32];
	auto_fd theirs = -1;
	auto_fd ours = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/ns", j->join->target->pid);
	theirs = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (theirs < 0 || ours < 0)
		return fail_errno(err, "open %s", theirs < 0 ? path : "/proc/self/ns");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int result = differs(theirs, ours, kinds[i].file, err);

		if (result < 0)
			return -1;
		if (result)
			j->flags |= kinds[i].flag;
	}
	if (!(j->flags & CLONE_NEWNS))
		return fail(err, ERROR_SYSTEM, "process %d is in our own mount namespace: it is no container's",
			j->join->target->pid);
	return 0;
}

/* Only who has rights in the container's user namespace may enter the others. Root has them from outside; the user who
 * made it must be in it. */
static int user_enter(struct joining *j, struct error *err)
{
	j->own_ids = j->flags & CLONE_NEWUSER;
	if (!j->own_ids || geteuid() == 0)
		return 0;
	if (setns(j->target, CLONE_NEWUSER) < 0)
		return fail_errno(err, "join the user namespace");
	j->flags &= ~CLONE_NEWUSER;
	return 0;
}

static int stdio_prepare(struct joining *j, struct error *err)
{
	for (int i = 0; i < 3; i++) {
		j->stdio[i] = j->join->stdio[i];
		if (j->stdio[i] >= 0 || j->join->process->terminal)
			continue;
		if (j->null < 0)
			j->null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (j->null < 0)
			return fail_errno(err, "open /dev/null");
		j->stdio[i] = j->null;
	}
	return 0;
}

static int prepare(struct joining *j, struct arena *arena, struct error *err)
{
	const struct join *join = j->join;
	int ends[2];

	if (join->guard_own_binary && guard_check(err) < 0)
		return -1;
	if (process_check_preserved(join->preserve_fds, err) < 0)
		return -1;
	if (process_plan_prepare(arena, join->process, NULL, &j->plan, err) < 0)
		return -1;
	j->plan.listener = join->listener;
	j->target = process_open(join->target, err);
	if (j->target < 0 || namespaces_compare(j, err) < 0 || user_enter(j, err) < 0 || stdio_prepare(j, err) < 0)
		return -1;
	if (socket_pair(ends, err) < 0)
		return -1;
	j->channel = ends[0];
	j->theirs = ends[1];
	if (report_set_limit(j->channel, 0, err) < 0)
		return -1;
	j->report = report_new(err);
	return j->report ? 0 : -1;
}

static pid_t clone_inside(struct joining *j, struct error *err)
{
	int into = j->join->entrance ? j->join->entrance->into : -1;
	pid_t pid;

	if ((j->flags & CLONE_NEWPID) && setns(j->target, CLONE_NEWPID) < 0)
		return fail_errno(err, "join the pid namespace");
	pid = process_clone(0, into, &j->made.pidfd);
	if (pid < 0)
		fail_errno(err, "make a process in the container");
	/* Children of the caller's that come later are its own again. */
	if (pid != 0 && (j->flags & CLONE_NEWPID) && setns(j->own_pid_namespace, CLONE_NEWPID) < 0 && pid < 0)
		return fail_errno(err, "return to our own pid namespace");
	return pid;
}

static pid_t clone_undumpable(struct joining *j, struct error *err)
{
	int dumpable = prctl(PR_GET_DUMPABLE);
	pid_t pid;

	j->own_pid_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (j->own_pid_namespace < 0)
		return fail_errno(err, "open our own pid namespace");
	/* Ours from here on, and inherited: we have nothing left to do but to wait. */
	if (schedule_set_processors(j->join->process->exec_cpus_initial, err) < 0)
		return -1;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	pid = clone_inside(j, err);
	if (pid != 0)
		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
	return pid;
}

/* --- child side --------------------------------------------------------------------------------------------------- */

static int cgroup_step(struct joining *j, struct error *err)
{
	if (j->join->entrance && cgroup_enter(j->join->entrance, err) < 0)
		return -1;
	return schedule_set_processors(j->join->process->exec_cpus_final, err);
}

/* Before the user namespace: a hard limit is raised only with CAP_SYS_RESOURCE over the host, a priority with
 * CAP_SYS_NICE. Before the mount namespace: labels go through the host's /proc. */
static int limits_step(struct joining *j, struct error *err)
{
	if (process_raise_rlimits(0, j->join->process, err) < 0 || process_note_host(&j->plan, err) < 0)
		return -1;
	if (schedule_set_oom_score(j->join->process, err) < 0)
		return -1;
	return schedule_apply(0, j->join->process, err);
}

static int namespaces_step(struct joining *j, struct error *err)
{
	/* The pid namespace is the one we were born in. */
	if (setns(j->target, j->flags & ~CLONE_NEWPID) < 0)
		return fail_errno(err, "setns");
	return 0;
}

static int root_ids_step(struct joining *j, struct error *err)
{
	return namespaces_become_root(j->own_ids, j->join->process->keep_groups, err);
}

static int keyring_step(struct joining *j, struct error *err)
{
	(void)j;
	return child_leave_keyring(err);
}

static int terminal_step(struct joining *j, struct error *err)
{
	AUTO(terminal_drop) struct terminal terminal = {-1, -1};
	auto_fd root = -1;
	auto_fd devpts = -1;
	char message = CHANNEL_CONSOLE;

	if (!j->join->process->terminal)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	devpts = terminal_open_directory(root, err);
	if (devpts < 0 || terminal_open(devpts, j->join->process, &terminal, err) < 0)
		return -1;
	if (socket_send(j->theirs, &message, 1, &terminal.master, 1) < 0)
		return fail_errno(err, "hand over the terminal");
	for (int i = 0; i < 3; i++)
		j->stdio[i] = terminal.slave;
	terminal.slave = -1;
	return 0;
}

static int stdio_step(struct joining *j, struct error *err)
{
	return child_connect_stdio(j->stdio, j->join->process->terminal, err);
}

static int directory_step(struct joining *j, struct error *err)
{
	process_find_home(&j->plan);
	return process_enter_directory(&j->plan, err);
}

static int become_step(struct joining *j, struct error *err)
{
	return process_become(&j->plan, j->join->seccomp, err);
}

static int execute_step(struct joining *j, struct error *err)
{
	if (process_close_others(j->join->preserve_fds, err) < 0)
		return -1;
	report_executing(j->report);
	process_execute(&j->plan, err);
	j->report->exec_failed = true;
	return -1;
}

static const struct {
	const char *name;
	int (*run)(struct joining *j, struct error *err);
	bool says_itself;
} steps[] = {
	{"enter the cgroup", cgroup_step, false},
	{"raise limits", limits_step, false},
	{"join the namespaces", namespaces_step, false},
	{"become root inside", root_ids_step, false},
	{"make a session keyring", keyring_step, false},
	{"open the terminal", terminal_step, false},
	{"connect standard streams", stdio_step, false},
	{"enter the directory", directory_step, true},
	{"become the user", become_step, false},
	{"execute", execute_step, true},
};

_Noreturn static void run_child(struct joining *j)
{
	struct error err = {0};

	close(j->channel);
	child_reset_signals();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		report_step(j->report, steps[i].name);
		if (steps[i].run(j, &err) == 0)
			continue;
		if (!steps[i].says_itself)
			blame(&err, "%s", steps[i].name);
		report_failure(j->report, &err, j->report->exec_failed);
		break;
	}
	_exit(1);
}

/* --- parent side: until it runs ----------------------------------------------------------------------------------- */

static int serve(struct joining *j, struct error *err)
{
	const char *step = NULL;

	for (;;) {
		char kind;
		int fd = -1;
		size_t count = 1;
		ssize_t length = socket_receive(j->channel, &kind, 1, &fd, &count);

		if (length == 0 || (length < 0 && errno == ECONNRESET))
			return 0;
		if (length < 0 && errno == EAGAIN) {
			if (report_check_progress(j->report, &step, "the new process", err) < 0)
				return -1;
			continue;
		}
		if (length < 0)
			return fail_errno(err, "listen to the new process");
		fd_drop(&j->made.console);
		j->made.console = fd;
	}
}

static int start(struct joining *j, bool *exec_failed, struct error *err)
{
	pid_t pid = clone_undumpable(j, err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		run_child(j);
	j->made.pid = pid;
	fd_drop(&j->theirs);
	if (serve(j, err) == 0)
		return report_conclude(j->report, j->made.pidfd, "the new process", exec_failed, err);
	report_give_up(j->made.pidfd);
	return -1;
}

int join_start(const struct join *join, struct launched *out, bool *exec_failed, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(joining_drop)
	struct joining j = {
		.join = join,
		.made = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1},
		.target = -1,
		.channel = -1,
		.theirs = -1,
		.own_pid_namespace = -1,
		.null = -1,
	};

	if (exec_failed)
		*exec_failed = false;
	if (prepare(&j, &arena, err) < 0 || start(&j, exec_failed, err) < 0)
		return -1;
	*out = j.made;
	j.made = (struct launched){.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	return 0;
}
