/* The parent's half of a start: prepares, clones, serves the child until it executes.
 *
 * Everything that can fail without the child is done before it exists. Then the parent does what only the host's root
 * can do for it: writes the id maps, lets prepare() make root and network, sends the mounts, hears how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/socket.h"
#include "runtime/mounts/root.h"
#include "runtime/process/schedule.h"
#include "runtime/start/child.h"
#include "runtime/start/seed.h"

void launched_drop(struct launched *launched)
{
	fd_drop(&launched->pidfd);
	fd_drop(&launched->userns);
	fd_drop(&launched->netns);
	fd_drop(&launched->console);
}

/* The parent's view of one start. */
struct launching {
	const struct launch *launch;
	struct child *child;
	struct launched made;
	int channel;
	int root; /* bundle form: our clone of it */
	int proc; /* /proc/PID of the child */
	int null;
	bool prepared;
};

static void launching_drop(struct launching *l)
{
	if (l->prepared && l->launch->callbacks.release)
		l->launch->callbacks.release(l->launch->callbacks.context);
	l->prepared = false;
	/* In the order in which they are opened. */
	int opened[] = {take_fd(&l->root), take_fd(&l->child->devices.null), take_fd(&l->child->host_cgroup_namespace),
		take_fd(&l->child->seed), take_fd(&l->null), take_fd(&l->channel), take_fd(&l->child->channel),
		take_fd(&l->proc)};

	fds_drop(opened, ARRAY_SIZE(opened));
	mounts_drop(&l->child->mounts);
	devices_drop(&l->child->devices);
	namespaces_drop(&l->child->namespaces);
	report_drop(&l->child->report);
	launched_drop(&l->made);
}

/* --- before the child --------------------------------------------------------------------------------------------- */

/* A descriptor that is close-on-exec is one of ours, not one that was handed to us. */
static int check_preserved(int preserve, struct error *err)
{
	if (process_check_preserved(preserve, err) < 0)
		return -1;
	for (int fd = 3; fd < 3 + preserve; fd++)
		if (fcntl(fd, F_GETFD) & FD_CLOEXEC)
			return fail(err, ERROR_USAGE,
				"%d descriptors to preserve, but descriptor %d was not given to us", preserve, fd);
	return 0;
}

static int stdio_prepare(struct launching *l, struct error *err)
{
	for (int i = 0; i < 3; i++) {
		l->child->stdio[i] = l->launch->stdio[i];
		if (l->child->stdio[i] >= 0 || l->launch->spec->process.terminal)
			continue;
		if (l->null < 0)
			l->null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (l->null < 0)
			return fail_errno(err, "open /dev/null");
		l->child->stdio[i] = l->null;
	}
	return 0;
}

/* Cgroup mounts are always those of the container's own cgroup, which takes a namespace at least while they are made.
 */
static int cgroup_namespace_prepare(struct child *child, struct error *err)
{
	if (!child->mounts.wants_cgroup || !namespaces_share_host(&child->namespaces, NS_CGROUP))
		return 0;
	child->host_cgroup_namespace = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	if (child->host_cgroup_namespace < 0)
		return fail_errno(err, "open the cgroup namespace");
	return 0;
}

static bool has_early_hooks(const struct spec_hooks *hooks)
{
	return hooks->of[HOOK_PRESTART].count || hooks->of[HOOK_CREATE_RUNTIME].count ||
	       hooks->of[HOOK_CREATE_CONTAINER].count;
}

/* A hook before the change of the root finds the host's files in the child's namespace, and may mount there; a disk is
 * mounted by its path; and of a user namespace the kernel asks that it sees the host's proc. For all else the child
 * goes without the host's mounts. */
static void seed_prepare(struct launching *l)
{
	struct child *child = l->child;

	if (l->launch->many_mounts && !child->namespaces.own_ids && !has_early_hooks(&l->launch->spec->hooks) &&
		!mounts_need_host(&child->mounts))
		child->seed = seed_open(SEED_PLACE);
	if (child->seed >= 0)
		child->namespaces.create &= ~(uint64_t)CLONE_NEWNS;
}

static int prepare(struct launching *l, struct error *err)
{
	struct child *child = l->child;
	const struct spec *spec = l->launch->spec;
	const struct cgroup_entrance *entrance = l->launch->entrance;

	if (check_preserved(l->launch->preserve_fds, err) < 0)
		return -1;
	if (process_plan_prepare(child->arena, &spec->process, l->launch->program, &child->process, err) < 0)
		return -1;
	child->process.listener = l->launch->listener;
	if (namespaces_prepare(spec, entrance && entrance->into >= 0, &child->namespaces, err) < 0)
		return blame(err, "namespaces");
	if (spec->root) {
		l->root = child->root = root_clone(spec, err);
		if (l->root < 0)
			return -1;
	}
	if (mounts_prepare(child->arena, spec, &child->namespaces, &child->mounts, err) < 0)
		return -1;
	if (devices_prepare(child->arena, spec, &child->namespaces, &child->devices, err) < 0)
		return -1;
	if (cgroup_namespace_prepare(child, err) < 0 || stdio_prepare(l, err) < 0)
		return -1;
	seed_prepare(l);
	child->report = report_new(err);
	return child->report ? 0 : -1;
}

/* --- the clone ---------------------------------------------------------------------------------------------------- */

static int channel_open(struct launching *l, struct error *err)
{
	int ends[2];

	if (socket_pair(ends, err) < 0)
		return -1;
	l->channel = ends[0];
	l->child->channel = ends[1];
	return report_set_limit(l->channel, l->launch->step_limit_s, err);
}

/* Whoever shares the child's pid namespace could look at it (ptrace, /proc/PID/fd) until it executes: it is born
 * undumpable. With a pid namespace of its own there is nobody. */
static pid_t clone_child(struct launching *l, struct error *err)
{
	const struct cgroup_entrance *entrance = l->launch->entrance;
	bool seen = !(l->child->namespaces.create & CLONE_NEWPID);
	int dumpable = seen ? prctl(PR_GET_DUMPABLE) : 0;
	pid_t pid;

	if (seen)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	pid = namespaces_clone(&l->child->namespaces, entrance ? entrance->into : -1, &l->made.pidfd, err);
	if (seen && pid != 0)
		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
	return pid;
}

static int start_child(struct launching *l, struct error *err)
{
	pid_t pid;

	if (channel_open(l, err) < 0)
		return -1;
	pid = clone_child(l, err);
	if (pid < 0)
		return -1;
	if (pid == 0) {
		close(l->channel);
		child_run(l->child);
	}
	l->made.pid = pid;
	fd_drop(&l->child->channel);
	return 0;
}

/* --- what the host's root does for it ----------------------------------------------------------------------------- */

static int proc_open(struct launching *l, struct error *err)
{
	char path[32];

	if (l->proc >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d", l->made.pid);
	l->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return l->proc < 0 ? fail_errno(err, "open %s", path) : 0;
}

/* A hard limit is raised only with CAP_SYS_RESOURCE over the host, a priority with CAP_SYS_NICE, which a child in a
 * user namespace has not. */
static int limits_raise(struct launching *l, struct error *err)
{
	const struct spec_process *process = &l->launch->spec->process;

	if (!l->child->namespaces.own_ids)
		return 0;
	if (process_raise_rlimits(l->made.pid, process, err) < 0)
		return -1;
	return schedule_apply(l->made.pid, process, err);
}

static int maps_write(struct launching *l, struct error *err)
{
	char message = CHANNEL_MAPS;

	if (!l->child->namespaces.new_user)
		return 0;
	if (proc_open(l, err) < 0 || namespaces_write_maps(l->launch->spec, l->proc, err) < 0)
		return -1;
	/* A child that died meanwhile is found out below, with its reason. */
	if (socket_send(l->channel, &message, 1, NULL, 0) < 0 && errno != EPIPE)
		return fail_errno(err, "talk to the first process");
	return 0;
}

/* The child's own file would belong to the host's root once its ids have changed. */
static int oom_score_write(struct launching *l, struct error *err)
{
	const struct optional *score = &l->launch->spec->process.oom_score_adj;

	if (!score->set)
		return 0;
	if (proc_open(l, err) < 0)
		return -1;
	return file_writef(l->proc, "oom_score_adj", err, "%lld", (long long)score->value);
}

/* -1 in *out for the host's. Joined ones are duplicated: the caller owns what it gets. */
static int namespace_open(struct launching *l, enum spec_namespace ns, const char *file, int *out, struct error *err)
{
	const struct namespaces *namespaces = &l->child->namespaces;

	if (namespaces_share_host(namespaces, ns) || l->launch->no_namespace_fds)
		return 0;
	if (namespaces->join[ns] >= 0) {
		*out = fcntl(namespaces->join[ns], F_DUPFD_CLOEXEC, 3);
		return *out < 0 ? fail_errno(err, "duplicate a namespace's descriptor") : 0;
	}
	if (proc_open(l, err) < 0)
		return -1;
	*out = openat(l->proc, file, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? fail_errno(err, "open the first process's %s", file) : 0;
}

/* A pipe to a process without the right to open it anew (/dev/stderr) breaks servers that log there: it is given to the
 * process's user. Pipes only: a file or terminal is the caller's own. */
static void stdio_give(const struct spec *spec, const int stdio[3])
{
	uid_t uid = spec->process.uid;
	struct stat status;

	for (size_t i = 0; i < spec->uid_maps.count; i++) {
		const struct id_map *map = &spec->uid_maps.items[i];

		if (spec->process.uid >= map->inside && spec->process.uid - map->inside < map->count)
			uid = map->host + (spec->process.uid - map->inside);
	}
	if (uid == geteuid() || spec->process.terminal)
		return;
	for (int i = 0; i < 3; i++)
		if (stdio[i] >= 0 && fstat(stdio[i], &status) == 0 && S_ISFIFO(status.st_mode) &&
			status.st_uid != uid && fchown(stdio[i], uid, (gid_t)-1) < 0)
			return; /* a convenience; who may not give it away has the same pipe all the same */
}

/* --- the parts ---------------------------------------------------------------------------------------------------- */

static int parts_send_some(
	struct launching *l, const struct launch_part *parts, size_t count, bool last, struct error *err)
{
	struct channel_parts message = {.kind = CHANNEL_PARTS, .last = last, .count = (unsigned char)count};
	int mounts[CHANNEL_PARTS_MAX];
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(parts[i].target) + 1;

		memcpy(message.targets + used, parts[i].target, length);
		used += length;
		message.is_file[i] = parts[i].is_file;
		mounts[i] = parts[i].mount;
	}
	if (socket_send(l->channel, &message, sizeof(message), mounts, count) < 0 && errno != EPIPE)
		return fail_errno(err, "send mounts to the first process");
	return 0;
}

/* How many of them fit into one message. */
static size_t parts_fit(const struct launch_part *parts, size_t count)
{
	size_t used = 0, fit = 0;

	while (fit < count && fit < CHANNEL_PARTS_MAX) {
		used += strlen(parts[fit].target) + 1;
		if (used > sizeof(((struct channel_parts *)0)->targets))
			break;
		fit++;
	}
	return fit;
}

static int parts_send(struct launching *l, const struct launch_part *parts, size_t count, struct error *err)
{
	size_t sent = 0;

	do {
		size_t some = parts_fit(parts + sent, count - sent);

		if (!some && sent < count)
			return fail(err, ERROR_USAGE, "the path of a part is too long");
		if (parts_send_some(l, parts + sent, some, sent + some == count, err) < 0)
			return -1;
		sent += some;
	} while (sent < count);
	return 0;
}

static int parts_make(struct launching *l, struct error *err)
{
	const struct launch_callbacks *callbacks = &l->launch->callbacks;
	struct launch_part parts[LAUNCH_PARTS];
	size_t count = 0;
	struct launch_child view = {
		.pid = l->made.pid, .pidfd = l->made.pidfd, .userns = l->made.userns, .netns = l->made.netns};

	if (callbacks->prepare) {
		l->prepared = true;
		if (callbacks->prepare(callbacks->context, &view, parts, LAUNCH_PARTS, &count, err) < 0)
			return -1;
	}
	if (parts_send(l, parts, count, err) < 0)
		return -1;
	if (l->prepared && callbacks->release)
		callbacks->release(callbacks->context);
	l->prepared = false;
	return 0;
}

static int serve_setup(struct launching *l, struct error *err)
{
	if (limits_raise(l, err) < 0 || maps_write(l, err) < 0 || oom_score_write(l, err) < 0)
		return -1;
	if (namespace_open(l, NS_USER, "ns/user", &l->made.userns, err) < 0 ||
		namespace_open(l, NS_NET, "ns/net", &l->made.netns, err) < 0)
		return -1;
	if (mounts_map_ids(&l->child->mounts, l->made.userns, err) < 0)
		return -1;
	stdio_give(l->launch->spec, l->launch->stdio);
	return parts_make(l, err);
}

/* --- until it runs ------------------------------------------------------------------------------------------------ */

static int proc_make(struct launching *l, struct error *err)
{
	auto_fd namespace = -1;
	struct mount_option option = {.name = "pidns"};
	int proc;

	if (proc_open(l, err) < 0)
		return -1;
	namespace = openat(l->proc, "ns/pid", O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return fail_errno(err, "open the first process's ns/pid");
	option.fd = namespace;
	proc = filesystem_mount(
		"proc", NULL, &option, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (proc < 0)
		return fail(err, ERROR_SYSTEM,
			"this host's /proc is partly covered by other mounts; uncover it, or use Linux 6.17 or newer");
	return proc;
}

/* Something covers a part of the host's /proc, so the child may not make its own. */
static int proc_serve(struct launching *l, struct error *err)
{
	struct channel_proc answer = {.kind = CHANNEL_PROC};
	auto_fd proc = proc_make(l, &answer.error);

	if (socket_send(l->channel, &answer, sizeof(answer), &proc, proc >= 0 ? 1 : 0) < 0 && errno != EPIPE)
		return fail_errno(err, "talk to the first process");
	return 0;
}

/* 1: it waits for "start"; 0: the channel has ended; -1. */
static int serve(struct launching *l, struct error *err)
{
	const char *step = NULL;
	char kind;
	int fd;

	for (;;) {
		size_t count = 1;
		ssize_t length;

		fd = -1;
		length = socket_receive(l->channel, &kind, 1, &fd, &count);
		if (length == 0 || (length < 0 && errno == ECONNRESET))
			return 0;
		if (length < 0 && errno == EAGAIN) {
			if (report_check_progress(l->child->report, &step, "the first process", err) < 0)
				return -1;
			continue;
		}
		if (length < 0)
			return fail_errno(err, "listen to the first process");
		if (kind == CHANNEL_HELD)
			return 1;
		if (kind == CHANNEL_CONSOLE && count == 1) {
			fd_drop(&l->made.console);
			l->made.console = fd;
		}
		if (kind == CHANNEL_PROC && proc_serve(l, err) < 0)
			return -1;
	}
}

/* The end of the channel: the program runs, or the child has said why not. A failure of ours while the child had died
 * already is the consequence, not the cause. */
static int conclude(struct launching *l, bool *exec_failed, struct error *err)
{
	return report_conclude(l->child->report, l->made.pidfd, "the first process", exec_failed, err);
}

static int run(struct launching *l, bool *exec_failed, struct error *err)
{
	int result;

	if (serve_setup(l, err) < 0) {
		/* When the child failed on its own, its reason is the better one. */
		if (atomic_load(&l->child->report->stage) == REPORT_FAILED)
			return conclude(l, exec_failed, err);
		report_give_up(l->made.pidfd);
		return -1;
	}
	result = serve(l, err);
	if (result < 0)
		report_give_up(l->made.pidfd);
	if (result == 0)
		return conclude(l, exec_failed, err);
	return result < 0 ? -1 : 0;
}

int launch_start(const struct launch *launch, struct launched *out, bool *exec_failed, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct child *child = arena_new(&arena, struct child);
	AUTO(launching_drop)
	struct launching l = {
		.launch = launch,
		.child = child,
		.made = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1},
		.channel = -1,
		.root = -1,
		.proc = -1,
		.null = -1,
	};

	if (exec_failed)
		*exec_failed = false;
	*child = (struct child){
		.launch = launch,
		.spec = launch->spec,
		.arena = &arena,
		.devices = {.null = -1},
		.channel = -1,
		.seed = -1,
		.host_cgroup_namespace = -1,
		.root = -1,
		.answer = -1,
	};
	memset(child->namespaces.join, -1, sizeof(child->namespaces.join));
	if (prepare(&l, err) < 0 || start_child(&l, err) < 0 || run(&l, exec_failed, err) < 0)
		return -1;
	*out = l.made;
	l.made = (struct launched){.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	return 0;
}
