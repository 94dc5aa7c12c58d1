/* System calls that an instance must not have, each with arguments that would give another errno, or succeed, if the
 * call came through. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/end_to_end/support_probe.h"

#define AF_ALG_ 38
#define AF_VSOCK_ 40
#define NETLINK_NETFILTER_ 12
#define NETLINK_XFRM_ 6
#define CLONE_NEWTIME_ 0x80
#define UNKNOWN_CALL 100000

struct attempt {
	const char *name;
	int expected; /* errno */
	long number;
	unsigned long args[6];
};
#define ADDRESS(object) (unsigned long)(object)

static const struct attempt attempts[] = {
	/* namespaces */
	{"unshare user", EPERM, SYS_unshare, {CLONE_NEWUSER}},
	{"unshare mount", EPERM, SYS_unshare, {CLONE_NEWNS}},
	{"unshare pid", EPERM, SYS_unshare, {CLONE_NEWPID}},
	{"unshare net", EPERM, SYS_unshare, {CLONE_NEWNET}},
	{"unshare ipc", EPERM, SYS_unshare, {CLONE_NEWIPC}},
	{"unshare uts", EPERM, SYS_unshare, {CLONE_NEWUTS}},
	{"unshare cgroup", EPERM, SYS_unshare, {CLONE_NEWCGROUP}},
	{"unshare time", EPERM, SYS_unshare, {CLONE_NEWTIME_}},
	{"unshare files", EPERM, SYS_unshare, {CLONE_FILES}},
	{"setns", EPERM, SYS_setns, {-1UL, 0}},
	{"clone3", ENOSYS, SYS_clone3, {0, 0}},
	/* mounts */
	{"mount", EPERM, SYS_mount, {0, 0, 0, 0, 0}},
	{"umount2", EPERM, SYS_umount2, {0, 0}},
	{"pivot_root", EPERM, SYS_pivot_root, {0, 0}},
	{"fsopen", EPERM, SYS_fsopen, {0, 0}},
	{"fsconfig", EPERM, SYS_fsconfig, {-1UL, 0}},
	{"fsmount", EPERM, SYS_fsmount, {-1UL, 0}},
	{"fspick", EPERM, SYS_fspick, {-1UL, 0}},
	{"open_tree", EPERM, SYS_open_tree, {-1UL, 0}},
	{"move_mount", EPERM, SYS_move_mount, {-1UL, 0}},
	{"mount_setattr", EPERM, SYS_mount_setattr, {-1UL, 0}},
	/* the kernel */
	{"bpf", EPERM, SYS_bpf, {0, 0, 0}},
	{"io_uring_setup", EPERM, SYS_io_uring_setup, {1, 0}},
	{"io_uring_enter", EPERM, SYS_io_uring_enter, {-1UL}},
	{"io_uring_register", EPERM, SYS_io_uring_register, {-1UL}},
	{"userfaultfd", EPERM, SYS_userfaultfd, {-1UL}},
	{"perf_event_open", EPERM, SYS_perf_event_open, {0, 0, -1UL, -1UL, 0}},
	{"kexec_load", EPERM, SYS_kexec_load, {0, 0, 0, 0}},
	{"kexec_file_load", EPERM, SYS_kexec_file_load, {-1UL}},
	{"init_module", EPERM, SYS_init_module, {0, 0, 0}},
	{"finit_module", EPERM, SYS_finit_module, {-1UL}},
	{"delete_module", EPERM, SYS_delete_module, {0, 0}},
	{"reboot", EPERM, SYS_reboot, {0, 0, 0, 0}},
	{"swapon", EPERM, SYS_swapon, {0, 0}},
	{"swapoff", EPERM, SYS_swapoff, {0}},
	{"acct", EPERM, SYS_acct, {1}},
	{"syslog", EPERM, SYS_syslog, {10, 0, 0}},
	{"quotactl", EPERM, SYS_quotactl, {-1UL, 0, 0, 0}},
	{"fanotify_init", EPERM, SYS_fanotify_init, {-1UL, 0}},
	/* keys */
	{"keyctl", EPERM, SYS_keyctl, {-1UL}},
	{"add_key", EPERM, SYS_add_key, {0, 0, 0, 0, 0}},
	{"request_key", EPERM, SYS_request_key, {0, 0, 0, 0}},
	/* clock and name */
	{"settimeofday", EPERM, SYS_settimeofday, {1, 0}},
	{"clock_settime", EPERM, SYS_clock_settime, {-1UL, 0}},
	{"adjtimex", EPERM, SYS_adjtimex, {0}},
	{"sethostname", EPERM, SYS_sethostname, {0, 1000}},
	{"setdomainname", EPERM, SYS_setdomainname, {0, 1000}},
	/* files and processes around the usual checks */
	{"open_by_handle_at", EPERM, SYS_open_by_handle_at, {-1UL, 0, 0}},
	{"name_to_handle_at", EPERM, SYS_name_to_handle_at, {-1UL, 0, 0, 0, 0}},
	{"pidfd_getfd", EPERM, SYS_pidfd_getfd, {-1UL, 0, 0}},
	{"kcmp", EPERM, SYS_kcmp, {-1UL, 0, 0, 0, 0}},
	{"process_madvise", EPERM, SYS_process_madvise, {-1UL}},
	{"move_pages", EPERM, SYS_move_pages, {-1UL}},
	{"personality without ASLR", EPERM, SYS_personality, {ADDR_NO_RANDOMIZE}},
	/* terminals; without the filter the descriptor's EBADF */
	{"TIOCSTI", EIO, SYS_ioctl, {-1UL, TIOCSTI, 0}},
	{"TIOCSTI with high bits", EIO, SYS_ioctl, {-1UL, (1UL << 32) | TIOCSTI, 0}},
	{"TIOCSTI with all high bits", EIO, SYS_ioctl, {-1UL, (0xffffffffUL << 32) | TIOCSTI, 0}},
	{"TIOCLINUX", EIO, SYS_ioctl, {-1UL, TIOCLINUX, 0}},
	{"TIOCLINUX with high bits", EIO, SYS_ioctl, {-1UL, (1UL << 32) | TIOCLINUX, 0}},
	{"another ioctl", EBADF, SYS_ioctl, {-1UL, TIOCGWINSZ, 0}},
	/* sockets */
	{"AF_ALG", EPERM, SYS_socket, {AF_ALG_, SOCK_SEQPACKET, 0}},
	{"AF_VSOCK", EPERM, SYS_socket, {AF_VSOCK_, SOCK_STREAM, 0}},
	{"AF_ALG with high bits", EPERM, SYS_socket, {(1UL << 32) | AF_ALG_, SOCK_SEQPACKET, 0}},
	{"NETLINK_NETFILTER", EPERM, SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER_}},
	{"NETLINK_XFRM", EPERM, SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_XFRM_}},
	{"raw IP socket", EPERM, SYS_socket, {AF_INET, SOCK_RAW, 1}},
	/* capabilities decide these */
	{"bounding set", EINVAL, SYS_prctl, {PR_CAPBSET_DROP, 1000}},
	{"ambient set", EPERM, SYS_prctl, {PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0}},
	{"a call newer than all", ENOSYS, UNKNOWN_CALL, {0}},
#ifdef __x86_64__
	{"iopl", EPERM, SYS_iopl, {3}},
	{"ioperm", EPERM, SYS_ioperm, {0x80, 1, 1}},
	{"modify_ldt", EPERM, SYS_modify_ldt, {-1UL, 0, 0}},
#endif
};

/* In a process of its own, so that one that comes through (into a new namespace, say) changes nothing for the next. */
static long attempt_make(const struct attempt *attempt)
{
	const unsigned long *a = attempt->args;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : ENOTRECOVERABLE;
	return errno ? -1 : 0;
}

static void attempts_make(struct probe_count *count)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		probe_check(count, attempts[i].name, attempt_make(&attempts[i]), attempts[i].expected);
}

/* Not in the table: where it works, there are two of us afterwards. */
static void clones_make(struct probe_count *count)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} kinds[] = {{"clone user", CLONE_NEWUSER}, {"clone mount", CLONE_NEWNS}, {"clone pid", CLONE_NEWPID},
		{"clone net", CLONE_NEWNET}, {"clone ipc", CLONE_NEWIPC}, {"clone uts", CLONE_NEWUTS},
		{"clone cgroup", CLONE_NEWCGROUP}, {"clone user and all", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		long pid = syscall(SYS_clone, kinds[i].flag | SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			_exit(0);
		probe_check(count, kinds[i].name, pid, EPERM);
	}
}

/* All families but those four of which a server needs. */
static void families_make(struct probe_count *count)
{
	for (int family = 0; family < 64; family++) {
		char name[32];

		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
			continue;
		snprintf(name, sizeof(name), "socket family %d", family);
		probe_check(count, name, socket(family, SOCK_DGRAM, 0), EPERM);
	}
}

static void devices_make(struct probe_count *count)
{
	probe_check(count, "block device", mknod("/tmp/block", S_IFBLK | 0600, makedev(8, 0)), EPERM);
	probe_check(count, "character device", mknod("/tmp/memory", S_IFCHR | 0600, makedev(1, 1)), EPERM);
}

/* The bounding set has no CAP_SYS_ADMIN to take from. */
static void capabilities_raise(struct probe_count *count)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	syscall(SYS_capget, &header, data);
	data[0].permitted |= 1u << CAP_SYS_ADMIN;
	probe_check(count, "capset permitted", syscall(SYS_capset, &header, data), EPERM);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	data[0].inheritable |= 1u << CAP_SYS_ADMIN;
	probe_check(count, "capset inheritable", syscall(SYS_capset, &header, data), EPERM);
}

#ifdef __x86_64__
static void call_i386(void)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(20) /* getpid */ : "memory", "r8", "r9", "r10", "r11");
}

static void call_x32(void)
{
	syscall(0x40000000 | SYS_getpid);
}

/* Another ABI's numbers would pass the filter by: the process ends. */
static void foreign_calls_make(struct probe_count *count)
{
	static const struct {
		const char *name;
		void (*call)(void);
	} foreign[] = {{"i386 call", call_i386}, {"x32 call", call_x32}};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		pid_t pid = fork();
		int status;

		count->tried++;
		if (pid == 0) {
			foreign[i].call();
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			probe_wrong(count, foreign[i].name, "came through");
	}
}
#else
static void foreign_calls_make(struct probe_count *count)
{
	(void)count;
}
#endif

int probe_calls(void)
{
	struct probe_count count = {0};

	attempts_make(&count);
	clones_make(&count);
	families_make(&count);
	devices_make(&count);
	capabilities_raise(&count);
	foreign_calls_make(&count);
	return probe_count_print(&count);
}
