/* Namespaces: made by one clone3, joined by descriptor.
 *
 * A user namespace must be joined before the process is born, and a pid namespace takes only children. Both would
 * change the caller for good, so a helper process does it: it joins everything and clones with CLONE_PARENT, which
 * makes the new process a child of ours (we must be able to reap it and to die with it). The helper leaves the user
 * namespace for the last: before it, it still has the host's capabilities over the others. Without these two kinds the
 * child joins by itself and no helper is needed. */
#include "runtime/namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "runtime/namespaces/assistant.h"

/* A namespace that is joined last comes last. */
static const enum spec_namespace join_order[] = {NS_PID, NS_UTS, NS_IPC, NS_NET, NS_CGROUP, NS_TIME, NS_USER};

void namespaces_drop(struct namespaces *namespaces)
{
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (namespaces->opened[ns])
			fd_drop(&namespaces->join[ns]);
}

bool namespaces_share_host(const struct namespaces *namespaces, enum spec_namespace ns)
{
	if (ns == NS_CGROUP && namespaces->cgroup_late)
		return false;
	return !(namespaces->create & namespace_flag(ns)) && namespaces->join[ns] < 0;
}

static int check_kind(int fd, enum spec_namespace ns, const char *path, struct error *err)
{
	int kind = ioctl(fd, NS_GET_NSTYPE);

	if (kind >= 0 && (uint64_t)(unsigned)kind == namespace_flag(ns))
		return 0;
	return fail(err, ERROR_USAGE, "join the %s namespace %s: it is no %s namespace", namespace_names[ns], path,
		namespace_names[ns]);
}

static int open_joined(
	const struct spec_namespaces *spec, enum spec_namespace ns, struct namespaces *out, struct error *err)
{
	out->join[ns] = spec->fd[ns];
	if (spec->fd[ns] >= 0)
		return check_kind(spec->fd[ns], ns, "given by descriptor", err);
	if (!spec->path[ns])
		return 0;
	out->join[ns] = open(spec->path[ns], O_RDONLY | O_CLOEXEC);
	if (out->join[ns] < 0)
		return fail_errno(err, "join the %s namespace %s", namespace_names[ns], spec->path[ns]);
	out->opened[ns] = true;
	return check_kind(out->join[ns], ns, spec->path[ns], err);
}

static int prepare_one(
	const struct spec_namespaces *spec, enum spec_namespace ns, struct namespaces *out, struct error *err)
{
	if (open_joined(spec, ns, out, err) < 0)
		return -1;
	if (out->join[ns] >= 0)
		return 0;
	if (spec->create[ns])
		out->create |= namespace_flag(ns);
	return 0;
}

int namespaces_prepare(const struct spec *spec, bool into_cgroup, struct namespaces *out, struct error *err)
{
	*out = (struct namespaces){.time_offsets = spec->time_offsets};
	memset(out->join, -1, sizeof(out->join));
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (prepare_one(&spec->namespaces, (enum spec_namespace)ns, out, err) < 0) {
			namespaces_drop(out);
			return -1;
		}
	if (!(out->create & CLONE_NEWNS)) {
		namespaces_drop(out);
		return fail(err, ERROR_USAGE,
			"a container needs a new mount namespace: without one its mounts would be the host's");
	}
	/* In clone3 the parent's cgroup would become the root of the new namespace, unless the child is born in its
	 * own. */
	if ((out->create & CLONE_NEWCGROUP) && !into_cgroup) {
		out->create &= ~(uint64_t)CLONE_NEWCGROUP;
		out->cgroup_late = true;
	}
	out->new_user = out->create & CLONE_NEWUSER;
	out->own_ids = out->new_user || out->join[NS_USER] >= 0;
	out->shares_user = spec->namespaces.shares_user && !out->own_ids;
	/* A new user namespace has no rights over namespaces of its parent's: those must be joined before it is made.
	 */
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (out->join[ns] >= 0 && (out->own_ids || ns == NS_PID))
			out->by_helper = true;
	out->own_ids |= out->shares_user;
	return 0;
}

static int join_all(const struct namespaces *namespaces, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(join_order); i++) {
		enum spec_namespace ns = join_order[i];

		if (namespaces->join[ns] >= 0 && setns(namespaces->join[ns], (int)namespace_flag(ns)) < 0)
			return fail_errno(err, "join the %s namespace", namespace_names[ns]);
	}
	return 0;
}

int namespaces_join(const struct namespaces *namespaces, struct error *err)
{
	return namespaces->by_helper ? 0 : join_all(namespaces, err);
}

/* A time namespace takes offsets until the first process is in it (time_namespaces(7)), so it cannot be made by the
 * clone: we make one for our children, and take our own for them afterwards. */
static pid_t clone_with_offsets(
	const struct namespaces *namespaces, uint64_t flags, int cgroup, int *pidfd, struct error *err)
{
	auto_fd own = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (own < 0)
		return fail_errno(err, "open our own time namespace");
	if (unshare(CLONE_NEWTIME) < 0)
		return fail_errno(err, "make a time namespace");
	if (file_write(AT_FDCWD, "/proc/self/timens_offsets", namespaces->time_offsets, err) < 0)
		return blame(err, "set the time offsets");
	pid = process_clone(flags & ~(uint64_t)CLONE_NEWTIME, cgroup, pidfd);
	if (pid < 0)
		fail_errno(err, "make namespaces");
	if (pid != 0 && setns(own, CLONE_NEWTIME) < 0 && pid < 0)
		return -1;
	return pid;
}

static pid_t clone_directly(uint64_t flags, int cgroup, int *pidfd, struct error *err)
{
	pid_t pid = process_clone(flags, cgroup, pidfd);

	if (pid < 0 && errno == ENOSPC)
		return fail_errno(err, "make namespaces (the limit in /proc/sys/user/max_*_namespaces is reached)");
	if (pid < 0)
		return fail_errno(err, "make namespaces");
	return pid;
}

static pid_t clone_new(const struct namespaces *namespaces, uint64_t flags, int cgroup, int *pidfd, struct error *err)
{
	if (namespaces->time_offsets)
		return clone_with_offsets(namespaces, namespaces->create | flags, cgroup, pidfd, err);
	return clone_directly(namespaces->create | flags, cgroup, pidfd, err);
}

struct helper_answer {
	pid_t pid;
	struct error error;
};

/* In the helper. Gives 0 in the new process; the helper itself does not return. */
static pid_t helper_clone(const struct namespaces *namespaces, int cgroup, int channel)
{
	struct helper_answer answer = {.pid = -1};
	int pidfd = -1;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a joined pid namespace may hold someone who looks */
	if (join_all(namespaces, &answer.error) == 0)
		answer.pid = clone_new(namespaces, CLONE_PARENT, cgroup, &pidfd, &answer.error);
	if (answer.pid == 0)
		return 0;
	_exit(socket_send(channel, &answer, sizeof(answer), &pidfd, answer.pid > 0 ? 1 : 0) < 0);
}

static pid_t helper_answer_await(int channel, int *pidfd, struct error *err)
{
	struct helper_answer answer;
	size_t count = 1;
	ssize_t length = socket_receive(channel, &answer, sizeof(answer), pidfd, &count);

	if (length != sizeof(answer))
		return fail(err, ERROR_SYSTEM, "the process that joins namespaces died");
	if (answer.pid > 0 && count == 1)
		return answer.pid;
	*err = answer.error;
	return -1;
}

static pid_t clone_by_helper(const struct namespaces *namespaces, int cgroup, int *pidfd, struct error *err)
{
	AUTO(assistant_drop) struct assistant helper;
	pid_t pid = assistant_start(&helper, "joins namespaces", err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		return helper_clone(namespaces, cgroup, helper.channel);
	return helper_answer_await(helper.channel, pidfd, err);
}

pid_t namespaces_clone(const struct namespaces *namespaces, int cgroup, int *pidfd, struct error *err)
{
	if (namespaces->by_helper)
		return clone_by_helper(namespaces, cgroup, pidfd, err);
	return clone_new(namespaces, 0, cgroup, pidfd, err);
}

/* All lines in one write: the kernel takes no second one. */
static int map_write(int proc_dir, const char *file, const struct id_map *maps, size_t count, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; i < count; i++)
		text_appendf(&text, "%u %u %u\n", maps[i].inside, maps[i].host, maps[i].count);
	if (file_write(proc_dir, file, text_string(&text), err) == 0)
		return 0;
	if (err->errnum == EROFS)
		return blame(err, "write the id maps: this host's /proc is read-only");
	return blame(err, "write the id maps");
}

int namespaces_write_maps(const struct spec *spec, int proc_dir, struct error *err)
{
	if (map_write(proc_dir, "gid_map", spec->gid_maps.items, spec->gid_maps.count, err) < 0)
		return -1;
	return map_write(proc_dir, "uid_map", spec->uid_maps.items, spec->uid_maps.count, err);
}

/* Raw calls: the C library's would tell other threads. */
int namespaces_become_root(bool own_ids, bool keep_groups, struct error *err)
{
	if (own_ids) {
		if (!keep_groups && syscall(SYS_setgroups, 0, NULL) < 0)
			return fail_errno(err, "drop supplementary groups");
		if (syscall(SYS_setresgid, 0, 0, 0) < 0)
			return fail_errno(err, "set gid 0");
		if (syscall(SYS_setresuid, 0, 0, 0) < 0)
			return fail_errno(err, "set uid 0");
	}
	/* Only now: setresuid clears it (prctl(2)). A parent that died before is noticed by the end of the channel. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail_errno(err, "set the parent-death signal");
	return 0;
}
