/* The table of kernel features, the answers, and the words for a kernel that is too old. */
#include "base/kernel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/kernel_probe.h"

#define NEWER "run Linux " KERNEL_OLDEST " or newer"
#define CONFIGURED "run a kernel built with "
#define STOPS "nothing starts"

/* Rows that are attempted, and why no question goes before:
 *  - a detached clone: masks keep the first cover attached and clone that, which works everywhere; a question would
 * cost more than it saves;
 *  - proc for the child: wanted only where the host's /proc is partly covered, and then the failure is the answer;
 *  - a pidfd's exit: one ioctl(2) at the end of an instance whose monitor died, which gives the value or does not;
 *  - memory files: one call with the flag and, refused, one without;
 *  - the session keyring: one call in the child, where nothing is asked that could be done. */
static const struct kernel_row rows[KERNEL_FEATURES] = {
	[KERNEL_OPENAT2] = {"openat2(2)", "paths inside an instance that cannot lead out of it", "5.6", KERNEL_NEEDED,
		false, STOPS, NEWER},
	[KERNEL_CLONE3] = {"clone3(2)", "the first process, born in its namespaces", "5.3", KERNEL_NEEDED, false, STOPS,
		NEWER},
	[KERNEL_CLONE_INTO_CGROUP] = {"clone3(2) CLONE_INTO_CGROUP", "the first process, born in its control group",
		"5.7", KERNEL_NEEDED, false, "nothing starts on cgroup version 2", NEWER},
	[KERNEL_PIDFD] = {"pidfd_open(2)", "signals and waiting that cannot meet another process", "5.3", KERNEL_NEEDED,
		false, STOPS, NEWER},
	[KERNEL_CLOSE_RANGE] = {"close_range(2) CLOSE_RANGE_CLOEXEC", "no descriptor of ours in an instance", "5.11",
		KERNEL_NEEDED, false, STOPS, NEWER},
	[KERNEL_MOUNT_API] = {"fsopen(2), open_tree(2), move_mount(2)", "mounts that no mount table shows", "5.2",
		KERNEL_NEEDED, false, STOPS, NEWER},
	[KERNEL_MOUNT_SETATTR] = {"mount_setattr(2)", "id maps and flags of mounts", "5.12", KERNEL_NEEDED, false,
		STOPS, NEWER},
	[KERNEL_OVERLAY] = {"overlay", "an instance's own files over an image", "3.18", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_OVERLAY_FS, or load the module: modprobe overlay"},
	[KERNEL_TMPFS] = {"tmpfs", "/dev, /run and /tmp of instances", "2.4", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_TMPFS"},
	[KERNEL_SECCOMP] = {"seccomp filters", "the list of allowed system calls", "3.5", KERNEL_NEEDED, false,
		"nothing starts unless its filter is switched off", CONFIGURED "CONFIG_SECCOMP_FILTER"},
	[KERNEL_NAMESPACE_USER] = {"user namespaces", "ids of its own for each instance", "3.8", KERNEL_NEEDED, false,
		STOPS, CONFIGURED "CONFIG_USER_NS"},
	[KERNEL_NAMESPACE_MNT] = {"mount namespaces", "a root of its own", "2.4.19", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_NAMESPACES"},
	[KERNEL_NAMESPACE_PID] = {"pid namespaces", "processes of its own", "2.6.24", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_PID_NS"},
	[KERNEL_NAMESPACE_UTS] = {"uts namespaces", "a host name of its own", "2.6.19", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_UTS_NS"},
	[KERNEL_NAMESPACE_IPC] = {"ipc namespaces", "shared memory and queues of its own", "2.6.19", KERNEL_NEEDED,
		false, STOPS, CONFIGURED "CONFIG_IPC_NS"},
	[KERNEL_NAMESPACE_NET] = {"network namespaces", "a network of its own", "2.6.29", KERNEL_NEEDED, false, STOPS,
		CONFIGURED "CONFIG_NET_NS"},
	[KERNEL_NAMESPACE_CGROUP] = {"cgroup namespaces", "hides where on the host its control group lies", "4.6",
		KERNEL_NEEDED, false, STOPS, CONFIGURED "CONFIG_CGROUPS"},
	[KERNEL_NAMESPACE_TIME] = {"time namespaces", "clocks of its own, for warren-oci", "5.6", KERNEL_BETTER, false,
		"a container that asks for one is refused", CONFIGURED "CONFIG_TIME_NS"},
	[KERNEL_OVERLAY_DETACHED] = {"overlay over detached layers", "roots built without a mount namespace in between",
		"6.13", KERNEL_BETTER, false,
		"layers are attached for a moment in a private mount namespace, which costs some system calls a start",
		"nothing to do"},
	[KERNEL_CLONE_DETACHED] = {"open_tree(2) of a detached mount", "covers for what an instance may not see",
		"6.15", KERNEL_BETTER, true, "the first cover is attached, the others are clones of it",
		"nothing to do"},
	[KERNEL_PROC_FOR_CHILD] = {"proc of another pid namespace", "hosts whose /proc is partly covered by mounts",
		"6.17", KERNEL_BETTER, true, "on such a host nothing starts until its /proc is uncovered",
		"nothing to do unless something is mounted below the host's /proc"},
	[KERNEL_PIDFD_EXIT] = {"pidfd that tells how a process ended", "how an instance ended whose monitor is dead",
		"6.15", KERNEL_BETTER, true, "list says \"host restarted or monitor lost\" for such an end",
		"nothing to do"},
	[KERNEL_MEMFD_EXEC] = {"memory files that say whether they are programs", "hosts with vm.memfd_noexec set",
		"6.3", KERNEL_BETTER, true, "nothing is missing: such a kernel has no vm.memfd_noexec",
		"nothing to do"},
	[KERNEL_SESSION_KEYRING] = {"session keyrings", "keeps the caller's keys out of instances", "2.6.10",
		KERNEL_BETTER, true, "there are no keys to keep out", "nothing to do"},
	[KERNEL_QUOTA] = {"quotactl_fd(2)", "limits of disk space by project quota", "5.14", KERNEL_BETTER, false,
		"no project quotas", CONFIGURED "CONFIG_QUOTA and CONFIG_QFMT_V2 (ext4) or CONFIG_XFS_QUOTA"},
	[KERNEL_LANDLOCK] = {"Landlock", "rules that programs set for themselves", "5.13", KERNEL_UNUSED, false,
		"programs inside that would confine themselves with it cannot",
		CONFIGURED "CONFIG_SECURITY_LANDLOCK, and name landlock in its lsm= parameter"},
};

/* The answers stay true for as long as the kernel runs; any thread may write one, and all write the same. */
static _Atomic unsigned char answers[KERNEL_FEATURES];

const struct kernel_row *kernel_about(enum kernel_feature feature)
{
	return &rows[feature];
}

enum kernel_answer kernel_ask(enum kernel_feature feature)
{
	enum kernel_answer answer = atomic_load_explicit(&answers[feature], memory_order_relaxed);

	if (answer == KERNEL_UNASKED) {
		answer = kernel_probe(feature);
		kernel_pretend(feature, answer);
	}
	return answer;
}

void kernel_pretend(enum kernel_feature feature, enum kernel_answer answer)
{
	atomic_store_explicit(&answers[feature], (unsigned char)answer, memory_order_relaxed);
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

const char *kernel_release(void)
{
	static struct utsname name;

	if (!name.release[0])
		uname(&name);
	return name.release;
}

bool kernel_is_at_least(unsigned major, unsigned minor)
{
	unsigned own_major = 0, own_minor = 0;

	sscanf(kernel_release(), "%u.%u", &own_major, &own_minor);
	return own_major > major || (own_major == major && own_minor >= minor);
}

/* --- explaining --------------------------------------------------------------------------------------------------- */

/* What kernels say to a call, a flag or a type that they do not know. */
static bool may_be_the_kernel(int errnum)
{
	static const int errnums[] = {0 /* not told */, ENOSYS, EINVAL, EOPNOTSUPP, ENODEV, E2BIG, ENOTTY};

	for (size_t i = 0; i < ARRAY_SIZE(errnums); i++)
		if (errnum == errnums[i])
			return true;
	return false;
}

void kernel_explain(struct error *err)
{
	if (err->kind != ERROR_SYSTEM || !may_be_the_kernel(err->errnum))
		return;
	for (int feature = 0; feature < KERNEL_FEATURES; feature++) {
		const struct kernel_row *row = &rows[feature];

		if (row->need != KERNEL_NEEDED || kernel_ask((enum kernel_feature)feature) != KERNEL_NO)
			continue;
		(void)blame(err, "this kernel (%s) has no %s, which Linux has since %s", kernel_release(), row->name,
			row->since);
		return;
	}
}
