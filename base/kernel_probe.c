/* How each feature is tried.
 *
 * System calls are made with arguments that can only fail: whatever they say, except that there is no such call, means
 * that it is there. The rest is really done, on things that exist only as a descriptor (a detached tmpfs, a pidfd of a
 * child that has ended), so that nobody else can see or keep them. */
#include "base/kernel_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/process.h"

/* Younger than the headers that we are built with. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static enum kernel_answer yes_if(bool yes)
{
	return yes ? KERNEL_YES : KERNEL_NO;
}

static bool call_exists(long result)
{
	return result >= 0 || errno != ENOSYS;
}

/* What a failure says about the kernel: these errors come from one that does not know the thing; others (no memory, no
 * descriptors, no rights) may pass. */
static enum kernel_answer no_or_unknown(int errnum)
{
	return errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENODEV || errnum == ENOSYS ? KERNEL_NO
												: KERNEL_UNKNOWN;
}

/* --- system calls ------------------------------------------------------------------------------------------------- */

static enum kernel_answer ask_openat2(void)
{
	return yes_if(call_exists(syscall(SYS_openat2, -1, "", NULL, 0)));
}

static enum kernel_answer ask_clone3(void)
{
	return yes_if(call_exists(syscall(SYS_clone3, NULL, 0)));
}

/* The flag is known when the kernel gets as far as to look at the descriptor, which is none. */
static enum kernel_answer ask_clone_into_cgroup(void)
{
	struct clone_args arguments = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = INT32_MAX};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		_exit(0);
	return yes_if(pid < 0 && errno == EBADF);
}

static enum kernel_answer ask_pidfd(void)
{
	return yes_if(call_exists(syscall(SYS_pidfd_open, 0, ~0U)) &&
		      call_exists(syscall(SYS_pidfd_send_signal, -1, 0, NULL, ~0U)));
}

/* An empty range: nothing is closed, and an unknown flag would be refused all the same. */
static enum kernel_answer ask_close_range(void)
{
	return yes_if(syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_CLOEXEC) == 0);
}

static enum kernel_answer ask_mount_api(void)
{
	return yes_if(call_exists(syscall(SYS_open_tree, -1, "", ~0U)) &&
		      call_exists(syscall(SYS_move_mount, -1, "", -1, "", ~0U)) &&
		      call_exists(syscall(SYS_fsopen, "", ~0U)) &&
		      call_exists(syscall(SYS_fsconfig, -1, ~0U, NULL, NULL, 0)) &&
		      call_exists(syscall(SYS_fsmount, -1, ~0U, 0)));
}

static enum kernel_answer ask_mount_setattr(void)
{
	return yes_if(call_exists(syscall(SYS_mount_setattr, -1, "", ~0U, NULL, 0)));
}

static enum kernel_answer ask_quota(void)
{
	return yes_if(call_exists(syscall(SYS_quotactl_fd, -1, ~0U, 0, NULL)));
}

/* seccomp(2): a flag that the kernel knows gets as far as reading the (missing) filter. */
bool kernel_has_seccomp_flag(unsigned flag)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

static enum kernel_answer ask_seccomp(void)
{
	return yes_if(kernel_has_seccomp_flag(0));
}

/* EOPNOTSUPP: built in and switched off. */
static enum kernel_answer ask_landlock(void)
{
	return yes_if(syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0);
}

static enum kernel_answer ask_session_keyring(void)
{
	long keyring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	return yes_if(call_exists(keyring));
}

static enum kernel_answer ask_memfd_exec(void)
{
	auto_fd file = memfd_create("probe", MFD_CLOEXEC | MFD_EXEC);

	return yes_if(file >= 0 || errno != EINVAL);
}

/* --- namespaces --------------------------------------------------------------------------------------------------- */

/* /proc/self/ns has a link for each kind that the kernel was built with. */
static enum kernel_answer namespace_ask(const char *link)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", link);
	if (access(path, F_OK) == 0)
		return KERNEL_YES;
	return access("/proc/self/ns", F_OK) == 0 ? KERNEL_NO : KERNEL_UNKNOWN;
}

#define NAMESPACE_QUESTION(name)                                                                                       \
	static enum kernel_answer ask_namespace_##name(void)                                                           \
	{                                                                                                              \
		return namespace_ask(#name);                                                                           \
	}

NAMESPACE_QUESTION(user)
NAMESPACE_QUESTION(mnt)
NAMESPACE_QUESTION(pid)
NAMESPACE_QUESTION(uts)
NAMESPACE_QUESTION(ipc)
NAMESPACE_QUESTION(net)
NAMESPACE_QUESTION(cgroup)
NAMESPACE_QUESTION(time)

/* --- mounts ------------------------------------------------------------------------------------------------------- */

/* A file system type: an unknown one is ENODEV, after the kernel has tried to load its module. */
static enum kernel_answer filesystem_ask(const char *type)
{
	auto_fd context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

	return context >= 0 ? KERNEL_YES : no_or_unknown(errno);
}

static enum kernel_answer ask_overlay(void)
{
	return filesystem_ask("overlay");
}

static enum kernel_answer ask_tmpfs(void)
{
	return filesystem_ask("tmpfs");
}

/* Two directories of a detached tmpfs as layers, each given as a descriptor. */
static enum kernel_answer ask_overlay_detached(void)
{
	struct error err = {0};
	auto_fd tmpfs = filesystem_mount("tmpfs", NULL, NULL, 0, 0, &err);

	if (tmpfs < 0)
		return no_or_unknown(err.errnum);
	if (mkdirat(tmpfs, "a", 0700) < 0 || mkdirat(tmpfs, "b", 0700) < 0)
		return KERNEL_UNKNOWN;
	auto_fd first = openat(tmpfs, "a", O_PATH | O_CLOEXEC);
	auto_fd second = openat(tmpfs, "b", O_PATH | O_CLOEXEC);
	if (first < 0 || second < 0)
		return KERNEL_UNKNOWN;
	const struct mount_option layers[] = {{.name = "lowerdir+", .fd = first}, {.name = "lowerdir+", .fd = second}};
	auto_fd overlay = filesystem_mount("overlay", NULL, layers, ARRAY_SIZE(layers), 0, &err);
	return overlay >= 0 ? KERNEL_YES : no_or_unknown(err.errnum);
}

static enum kernel_answer ask_clone_detached(void)
{
	struct error err = {0};
	auto_fd tmpfs = filesystem_mount("tmpfs", NULL, NULL, 0, 0, &err);
	auto_fd clone = tmpfs < 0 ? -1 : mount_clone(tmpfs, "", false, &err);

	return clone >= 0 ? KERNEL_YES : no_or_unknown(err.errnum);
}

static enum kernel_answer ask_proc_for_child(void)
{
	auto_fd namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	auto_fd context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (namespace < 0 || context < 0)
		return KERNEL_UNKNOWN;
	return yes_if(syscall(SYS_fsconfig, context, FSCONFIG_SET_FD, "pidns", NULL, namespace) == 0);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

#define PIDFD_EXIT_BIT 8U /* PIDFD_INFO_EXIT; linux/pidfd.h of 6.15 */
#define PIDFD_GET_INFO_ _IOWR(0xFF, 11, uint64_t[8])

/* Of a child that has ended and been reaped, which is when nobody else can tell any more. */
static enum kernel_answer ask_pidfd_exit(void)
{
	uint64_t information[8] = {PIDFD_EXIT_BIT};
	auto_fd pidfd = -1;
	struct error ignored = {0};
	int status;
	pid_t pid = process_clone(0, -1, &pidfd);

	if (pid == 0)
		_exit(0);
	if (pid < 0 || process_reap(pidfd, &status, &ignored) < 0)
		return KERNEL_UNKNOWN;
	return yes_if(ioctl(pidfd, PIDFD_GET_INFO_, information) == 0 && information[0] & PIDFD_EXIT_BIT);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static enum kernel_answer (*const questions[KERNEL_FEATURES])(void) = {
	[KERNEL_OPENAT2] = ask_openat2,
	[KERNEL_CLONE3] = ask_clone3,
	[KERNEL_CLONE_INTO_CGROUP] = ask_clone_into_cgroup,
	[KERNEL_PIDFD] = ask_pidfd,
	[KERNEL_CLOSE_RANGE] = ask_close_range,
	[KERNEL_MOUNT_API] = ask_mount_api,
	[KERNEL_MOUNT_SETATTR] = ask_mount_setattr,
	[KERNEL_OVERLAY] = ask_overlay,
	[KERNEL_TMPFS] = ask_tmpfs,
	[KERNEL_SECCOMP] = ask_seccomp,
	[KERNEL_NAMESPACE_USER] = ask_namespace_user,
	[KERNEL_NAMESPACE_MNT] = ask_namespace_mnt,
	[KERNEL_NAMESPACE_PID] = ask_namespace_pid,
	[KERNEL_NAMESPACE_UTS] = ask_namespace_uts,
	[KERNEL_NAMESPACE_IPC] = ask_namespace_ipc,
	[KERNEL_NAMESPACE_NET] = ask_namespace_net,
	[KERNEL_NAMESPACE_CGROUP] = ask_namespace_cgroup,
	[KERNEL_NAMESPACE_TIME] = ask_namespace_time,
	[KERNEL_OVERLAY_DETACHED] = ask_overlay_detached,
	[KERNEL_CLONE_DETACHED] = ask_clone_detached,
	[KERNEL_PROC_FOR_CHILD] = ask_proc_for_child,
	[KERNEL_PIDFD_EXIT] = ask_pidfd_exit,
	[KERNEL_MEMFD_EXEC] = ask_memfd_exec,
	[KERNEL_SESSION_KEYRING] = ask_session_keyring,
	[KERNEL_QUOTA] = ask_quota,
	[KERNEL_LANDLOCK] = ask_landlock,
};

enum kernel_answer kernel_probe(enum kernel_feature feature)
{
	int saved = errno;
	enum kernel_answer answer = questions[feature]();

	errno = saved;
	return answer;
}
