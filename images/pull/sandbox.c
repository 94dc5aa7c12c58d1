/* Locking a process in before it sees the first outside byte.
 *
 * The order matters: chroot(2) and Landlock need rights or calls that the steps after them take away. Landlock is asked
 * for what the running kernel handles and nothing fails without it, since chroot, capabilities and the filter hold
 * alone; it is there for the day one of them does not. */
#include "images/pull/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* ---- system calls ---- */

#define CALLS_OF_BOTH                                                                                                  \
	"read", "write", "close", "fstat", "newfstatat", "brk", "munmap", "mremap", "madvise", "futex", "exit",        \
		"exit_group", "rt_sigreturn", "sigaltstack", "gettid", "getpid", "restart_syscall", "clock_gettime",   \
		"poll", "ppoll"

static const char *const inflater_calls[] = {CALLS_OF_BOTH, "sendmsg", "waitid", "wait4", NULL};

static const char *const extractor_calls[] = {CALLS_OF_BOTH, "openat", "openat2", "mkdirat", "symlinkat", "linkat",
	"unlinkat", "renameat2", "readlinkat", "pwrite64", "lseek", "ftruncate", "fchown", "fchownat", "fchmod",
	"fchmodat", "fsetxattr", "utimensat", "getdents64", "fstatfs", "fcntl", "statx", "umask", NULL};

static int calls_allow(scmp_filter_ctx filter, const char *const *names)
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		/* Some architectures lack the old form of a call. */
		if (number >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) < 0)
			return -1;
	}
	return 0;
}

/* Memory may be had, but never to be executed. */
static int memory_allow(scmp_filter_ctx filter)
{
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
		return -1;
	return seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* Whiteouts and FIFOs have the device number 0. */
static int marks_allow(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 1, SCMP_A3(SCMP_CMP_EQ, 0, 0));
}

static void filter_drop(scmp_filter_ctx *filter)
{
	int saved = errno;

	if (*filter)
		seccomp_release(*filter);
	errno = saved;
}

/* ENOSYS, not a signal: a C library that asks for something new gets the answer of an old kernel. */
static int calls_restrict(const char *const *names, bool makes_files, struct error *err)
{
	scmp_filter_ctx filter AUTO(filter_drop) = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

	if (!filter || calls_allow(filter, names) < 0 || memory_allow(filter) < 0 ||
		(makes_files && marks_allow(filter) < 0) || seccomp_load(filter) < 0)
		return fail(err, ERROR_SYSTEM, "restrict the system calls of a process that unpacks");
	return 0;
}

/* ---- rights ---- */

static int capabilities_keep(uint64_t keep, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	for (unsigned i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(keep >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
			return fail_errno(err, "drop capability %d", capability);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return fail_errno(err, "drop ambient capabilities");
	if (syscall(SYS_capset, &header, data) < 0)
		return fail_errno(err, "keep only the capabilities that unpacking needs");
	return 0;
}

#define BIT(capability) (UINT64_C(1) << (capability))
#define MAKER_CAPABILITIES                                                                                             \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_SETFCAP))

/* LANDLOCK_ACCESS_FS_…: 13 rights in the first version, then REFER (5.19) and TRUNCATE (6.2). */
static uint64_t landlock_rights(int version)
{
	static const uint64_t rights[] = {0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1};

	return version < 4 ? rights[version] : rights[3];
}

#define LANDLOCK_EXECUTE (1U << 0)

static int landlock_confine(int directory, struct error *err)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr rules = {.handled_access_fs = landlock_rights(version > 0 ? version : 0)};
	struct landlock_path_beneath_attr below = {
		.allowed_access = rules.handled_access_fs & ~(uint64_t)LANDLOCK_EXECUTE,
		.parent_fd = directory,
	};
	auto_fd ruleset = -1;

	if (version <= 0)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (ruleset < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0 ||
		syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return fail_errno(err, "confine the process that unpacks by Landlock");
	return 0;
}

static int begin(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail_errno(err, "lock a process in that unpacks");
	return 0;
}

int sandbox_inflater(struct error *err)
{
	if (begin(err) < 0 || capabilities_keep(0, err) < 0)
		return -1;
	return calls_restrict(inflater_calls, false, err);
}

int sandbox_extractor(int directory, struct error *err)
{
	if (begin(err) < 0)
		return -1;
	if (fchdir(directory) < 0 || chroot(".") < 0)
		return fail_errno(err, "make the layer the root of the process that unpacks it");
	if (landlock_confine(directory, err) < 0 || capabilities_keep(MAKER_CAPABILITIES, err) < 0)
		return -1;
	return calls_restrict(extractor_calls, true, err);
}
