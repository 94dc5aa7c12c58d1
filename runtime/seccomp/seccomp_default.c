/* The default filter: which system calls a web server, a language runtime, a shell or a package manager needs.
 *
 * Allowed is what is listed here, and nothing else of what this list's kernel knows: EPERM. Calls newer than the list
 * get ENOSYS (seccomp.c), so that a libc falls back. Calls of another ABI (i386, x32, 32-bit ARM) kill the process:
 * they are a second, less tested way into the same kernel, and a filter must not have a second set of numbers to
 * forget.
 *
 * Decisions that are not plain:
 *   clone        without new namespaces: a user namespace of its own would give a process all capabilities over most of
 *                the kernel's attack surface. clone3 hides its flags behind a pointer: ENOSYS, libc uses clone then.
 *   socket       UNIX, INET, INET6 and five protocols of NETLINK (addresses, socket diagnosis, audit as PAM tries it,
 *                device events, generic). Of the forty other families a server needs none; AF_ALG and AF_VSOCK gave
 *                whole-host escapes or reach the hypervisor.
 *   ioctl        all but TIOCSTI and TIOCLINUX, which type into the caller's terminal; the kernel looks at the low 32
 *                bits only, and so do we. EIO is what a kernel answers whose administrator switched TIOCSTI off.
 *   ptrace       allowed, with process_vm_readv and …_writev: it reaches processes of the same user in the same pid
 *                namespace, which are no safer without it; filters apply after it (4.8); PHP's slow log, strace and gdb
 *                are what people look into a sick server with.
 *   personality  query and the native one only: ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC help exploits and nobody else.
 *   mbind, set_mempolicy: allowed, they place the caller's own memory; databases complain without.
 *   chroot, capset, setgroups …: the capability sets decide.
 *   io_uring     refused: it makes calls that no filter sees. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "runtime/spec.h"

/* --- calls allowed whatever their arguments ----------------------------------------------------------------------- */

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const *const allowed[] = {
	/* files: descriptors */
	NAMES("close", "close_range", "dup", "dup2", "dup3", "fcntl", "fdatasync", "flock", "fsync", "ftruncate",
		"lseek", "memfd_create", "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev",
		"pwritev2", "read", "readahead", "readv", "write", "writev"),
	/* files: copying and space */
	NAMES("copy_file_range", "fadvise64", "fallocate", "sendfile", "splice", "sync", "sync_file_range", "syncfs",
		"tee", "truncate", "vmsplice", "cachestat"),
	/* files: names */
	NAMES("access", "chdir", "faccessat", "faccessat2", "fchdir", "getcwd", "getdents", "getdents64", "link",
		"linkat", "mkdir", "mkdirat", "readlink", "readlinkat", "rename", "renameat", "renameat2", "rmdir",
		"symlink", "symlinkat", "unlink", "unlinkat"),
	/* files: attributes */
	NAMES("chown", "fchown", "fchownat", "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "fremovexattr",
		"fsetxattr", "fstat", "fstatfs", "futimesat", "getxattr", "getxattrat", "lchown", "lgetxattr",
		"listxattr", "listxattrat", "llistxattr", "lremovexattr", "lsetxattr", "lstat", "newfstatat",
		"removexattr", "removexattrat", "setxattr", "setxattrat", "stat", "statfs", "statx", "umask", "utime",
		"utimensat", "utimes"),
	/* waiting for events */
	NAMES("epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
		"eventfd2", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "poll", "ppoll",
		"pselect6", "select", "signalfd", "signalfd4"),
	/* asynchronous files, as nginx and databases use them */
	NAMES("io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit"),
	/* sockets; making one is in `conditions` */
	NAMES("accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
		"recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown"),
	/* memory */
	NAMES("brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "membarrier", "memfd_secret", "mincore",
		"mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall",
		"munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages", "set_mempolicy",
		"set_mempolicy_home_node"),
	/* processes and threads */
	NAMES("arch_prctl", "execve", "execveat", "exit", "exit_group", "fork", "get_robust_list", "getcpu", "getpgid",
		"getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid", "gettid",
		"get_thread_area", "ioprio_get", "ioprio_set", "kill", "pidfd_open", "pidfd_send_signal", "prctl",
		"prlimit64", "process_vm_readv", "process_vm_writev", "ptrace", "restart_syscall", "rseq",
		"set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority", "setrlimit",
		"setsid", "tgkill", "tkill", "vfork", "wait4", "waitid", "uretprobe", "uprobe"),
	/* scheduling */
	NAMES("sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
		"sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
		"sched_setparam", "sched_setscheduler", "sched_yield"),
	/* signals */
	NAMES("pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
		"rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack"),
	/* identity; capabilities decide */
	NAMES("capget", "capset", "chroot", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid",
		"getuid", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid",
		"setreuid", "setuid"),
	/* locks, and System V and POSIX communication inside the instance's own ipc namespace */
	NAMES("futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "mq_getsetattr", "mq_notify",
		"mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
		"semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget"),
	/* time */
	NAMES("alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
		"setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
		"timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times"),
	/* confining oneself further, chance, and what uname and free tell */
	NAMES("getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
		"sysinfo", "uname"),
	NULL,
};

/* Only for an instance that boots an init of its own: it mounts, makes namespaces for its services (in
 * conditions_system: all kinds but user namespaces, which would bring all capabilities back, and time, which no init
 * uses), and ends by reboot(2), which in a pid namespace stops that namespace only. */
static const char *const *const allowed_system[] = {
	NAMES("fsconfig", "fsmount", "fsopen", "fspick", "listmount", "mount", "mount_setattr", "move_mount",
		"open_tree", "open_tree_attr", "pivot_root", "statmount", "umount2"),
	NAMES("listns", "setns"),
	NAMES("name_to_handle_at", "reboot", "setdomainname", "sethostname"),
	NULL,
};

/* Files may be opened, made and given modes without further conditions, unless set-id bits are guarded against. */
static const char *const *const allowed_without_guard[] = {
	NAMES("chmod", "creat", "fchmod", "fchmodat", "fchmodat2", "mknod", "mknodat", "open", "openat", "openat2"),
	NULL,
};

/* --- calls that depend on an argument ----------------------------------------------------------------------------- */

#define NEW_NAMESPACES                                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
/* <sched.h> of glibc 2.36 lacks it; clone(2) has no bit for it. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define LOW 0xffffffff
#define SIGN 0x80000000

struct condition {
	const char *name;
	uint32_t action;
	struct seccomp_arg args[2];
	size_t count;
};

#define WHEN(name_, index_, op_, ...)                                                                                  \
	{                                                                                                              \
		.name = name_, .action = SCMP_ACT_ALLOW, .args = {{index_, SCMP_CMP_##op_, __VA_ARGS__}}, .count = 1   \
	}
#define FAMILY(family) WHEN("socket", 0, EQ, family, 0)
#define NETLINK(protocol)                                                                                              \
	{                                                                                                              \
		.name = "socket", .action = SCMP_ACT_ALLOW, .count = 2, .args = {                                      \
			{0, SCMP_CMP_EQ, AF_NETLINK, 0},                                                               \
			{2, SCMP_CMP_EQ, protocol, 0}                                                                  \
		}                                                                                                      \
	}
#define REFUSED_REQUEST(request)                                                                                       \
	{                                                                                                              \
		.name = "ioctl", .action = SCMP_ACT_ERRNO(EIO), .args = {{1, SCMP_CMP_MASKED_EQ, LOW, request}},       \
		.count = 1                                                                                             \
	}

static const struct condition conditions[] = {
	FAMILY(AF_UNIX),
	FAMILY(AF_INET),
	FAMILY(AF_INET6),
	NETLINK(NETLINK_ROUTE),
	NETLINK(NETLINK_SOCK_DIAG),
	NETLINK(NETLINK_AUDIT),
	NETLINK(NETLINK_KOBJECT_UEVENT),
	NETLINK(NETLINK_GENERIC),
	WHEN("socketpair", 0, EQ, AF_UNIX, 0),
	WHEN("personality", 0, EQ, 0, 0),
	WHEN("personality", 0, EQ, LOW, 0),
	/* "All others" is said by the sign bit in both its states: a rule without a condition would swallow the
	 * refusals, and of two masks libseccomp tests the one with more bits first. */
	REFUSED_REQUEST(TIOCSTI),
	REFUSED_REQUEST(TIOCLINUX),
	WHEN("ioctl", 1, MASKED_EQ, SIGN, 0),
	WHEN("ioctl", 1, MASKED_EQ, SIGN, SIGN),
};

static const struct condition conditions_plain[] = {
	WHEN("clone", 0, MASKED_EQ, NEW_NAMESPACES, 0),
};

static const struct condition conditions_system[] = {
	WHEN("clone", 0, MASKED_EQ, CLONE_NEWUSER, 0),
	WHEN("unshare", 0, MASKED_EQ, CLONE_NEWUSER | CLONE_NEWTIME, 0),
};

/* On a volume that the host or another instance sees, a file with a set-user-id bit is a way back out. A mode counts
 * only where a file is made; without O_CREAT and O_TMPFILE the argument is whatever the register held. */
#define SET_ID (S_ISUID | S_ISGID)
#define MAKES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

static const struct condition conditions_guard[] = {
	WHEN("chmod", 1, MASKED_EQ, SET_ID, 0),
	WHEN("creat", 1, MASKED_EQ, SET_ID, 0),
	WHEN("fchmod", 1, MASKED_EQ, SET_ID, 0),
	WHEN("fchmodat", 2, MASKED_EQ, SET_ID, 0),
	WHEN("fchmodat2", 2, MASKED_EQ, SET_ID, 0),
	WHEN("mknod", 1, MASKED_EQ, SET_ID, 0),
	WHEN("mknodat", 2, MASKED_EQ, SET_ID, 0),
	WHEN("open", 1, MASKED_EQ, MAKES, 0),
	WHEN("open", 2, MASKED_EQ, SET_ID, 0),
	WHEN("openat", 2, MASKED_EQ, MAKES, 0),
	WHEN("openat", 3, MASKED_EQ, SET_ID, 0),
};

/* --- calls that answer "no such call" ----------------------------------------------------------------------------- */

/* Their arguments lie in memory, where a filter cannot look, and there is an older call to fall back to. */
static const char *const *const missing[] = {
	NAMES("clone3"),
	NULL,
};
static const char *const *const missing_with_guard[] = {
	NAMES("openat2"),
	NULL,
};

/* --- calls refused with EPERM ------------------------------------------------------------------------------------- */

/* Not needed to refuse them (the default does that), but to know them: the highest number here is where "newer than
 * this list" begins, and the reader sees that nothing was forgotten. */
static const char *const *const refused[] = {
	/* the host's kernel and hardware */
	NAMES("acct", "create_module", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
		"kexec_file_load", "kexec_load", "modify_ldt", "query_module", "reboot", "swapoff", "swapon", "sysfs",
		"syslog", "uselib", "ustat", "vhangup", "nfsservctl", "lookup_dcookie", "quotactl", "quotactl_fd"),
	/* the host's clock and name */
	NAMES("adjtimex", "clock_adjtime", "clock_settime", "setdomainname", "sethostname", "settimeofday"),
	/* namespaces and mounts */
	NAMES("fsconfig", "fsmount", "fsopen", "fspick", "listmount", "listns", "mount", "mount_setattr", "move_mount",
		"open_tree", "open_tree_attr", "pivot_root", "setns", "statmount", "umount2", "unshare"),
	/* files by handle: around every path check */
	NAMES("name_to_handle_at", "open_by_handle_at"),
	/* other processes' insides and descriptors */
	NAMES("kcmp", "migrate_pages", "move_pages", "pidfd_getfd", "process_madvise", "process_mrelease"),
	/* large interfaces with a history of holes */
	NAMES("add_key", "bpf", "fanotify_init", "fanotify_mark", "io_uring_enter", "io_uring_register",
		"io_uring_setup", "keyctl", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr",
		"perf_event_open", "request_key", "userfaultfd"),
	NULL,
};

/* --- the profile -------------------------------------------------------------------------------------------------- */

struct rules {
	struct arena *arena;
	struct seccomp_rule *items;
	size_t count;
};

static void rule_open(struct rules *rules, uint32_t action)
{
	rules->items[rules->count++].action = action;
}

static void rule_name_all(struct rules *rules, const char *const *const *groups)
{
	struct seccomp_rule *rule = &rules->items[rules->count - 1];

	for (; *groups; groups++) {
		for (const char *const *name = *groups; *name; name++)
			strings_add(rules->arena, &rule->names, *name);
	}
}

static void rules_add_conditions(struct rules *rules, const struct condition *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct seccomp_rule *rule = &rules->items[rules->count];

		rule_open(rules, list[i].action);
		strings_add(rules->arena, &rule->names, list[i].name);
		rule->args.items = arena_new_array(rules->arena, list[i].count, struct seccomp_arg);
		rule->args.count = list[i].count;
		for (size_t k = 0; k < list[i].count; k++)
			rule->args.items[k] = list[i].args[k];
	}
}

#define RULES_MAX                                                                                                      \
	(ARRAY_SIZE(conditions) + ARRAY_SIZE(conditions_plain) + ARRAY_SIZE(conditions_system) +                       \
		ARRAY_SIZE(conditions_guard) + 3)

const struct spec_seccomp *seccomp_default_profile(struct arena *arena, unsigned flags)
{
	struct spec_seccomp *profile = arena_new(arena, struct spec_seccomp);
	struct rules rules = {.arena = arena, .items = arena_new_array(arena, RULES_MAX, struct seccomp_rule)};
	bool guard = flags & SECCOMP_SETID_GUARD, system = flags & SECCOMP_SYSTEM;

	rule_open(&rules, SCMP_ACT_ALLOW);
	rule_name_all(&rules, allowed);
	if (!guard)
		rule_name_all(&rules, allowed_without_guard);
	if (system)
		rule_name_all(&rules, allowed_system);
	rule_open(&rules, SCMP_ACT_ERRNO(ENOSYS));
	rule_name_all(&rules, missing);
	if (guard)
		rule_name_all(&rules, missing_with_guard);
	rule_open(&rules, SCMP_ACT_ERRNO(EPERM));
	rule_name_all(&rules, refused);
	rules_add_conditions(&rules, conditions, ARRAY_SIZE(conditions));
	if (system)
		rules_add_conditions(&rules, conditions_system, ARRAY_SIZE(conditions_system));
	else
		rules_add_conditions(&rules, conditions_plain, ARRAY_SIZE(conditions_plain));
	if (guard)
		rules_add_conditions(&rules, conditions_guard, ARRAY_SIZE(conditions_guard));

	profile->default_action = SCMP_ACT_ERRNO(EPERM);
	profile->refuse_foreign_abi = true;
	profile->rules.items = rules.items;
	profile->rules.count = rules.count;
	return profile;
}
