#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/kernel_probe.h"
#include "base/text.h"
#include "tests/refuse.h"
#include "tests/test.h"

TEST(kernel, every_feature_has_a_whole_row)
{
	for (int i = 0; i < KERNEL_FEATURES; i++) {
		const struct kernel_row *row = kernel_about((enum kernel_feature)i);

		cr_assert(row->name && row->purpose && row->since && row->without && row->remedy, "row %d", i);
		cr_assert(row->since[0] >= '2' && row->since[0] <= '9' && row->since[1] == '.', "%s: %s", row->name,
			row->since);
		cr_assert(!row->attempted || row->need != KERNEL_NEEDED, "%s", row->name);
	}
}

TEST(kernel, has_all_that_is_needed_here)
{
	NEEDS_ROOT();
	for (int i = 0; i < KERNEL_FEATURES; i++) {
		const struct kernel_row *row = kernel_about((enum kernel_feature)i);

		if (row->need == KERNEL_NEEDED)
			cr_assert(kernel_ask((enum kernel_feature)i) == KERNEL_YES, "%s", row->name);
		cr_assert(kernel_ask((enum kernel_feature)i) != KERNEL_UNASKED, "%s", row->name);
	}
}

/* The answers against the version: the kernels of the tests are not ones with features ported back. */
TEST(kernel, answers_as_its_version_lets_expect)
{
	static const struct {
		enum kernel_feature feature;
		unsigned major, minor;
	} since[] = {
		{KERNEL_OVERLAY_DETACHED, 6, 13},
		{KERNEL_CLONE_DETACHED, 6, 15},
		{KERNEL_PROC_FOR_CHILD, 6, 17},
		{KERNEL_PIDFD_EXIT, 6, 15},
		{KERNEL_MEMFD_EXEC, 6, 3},
	};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(since); i++) {
		const struct kernel_row *row = kernel_about(since[i].feature);
		auto_free char *version = text_format("%u.%u", since[i].major, since[i].minor);

		cr_assert_str_eq(row->since, version, "%s", row->name);
		cr_assert(kernel_has(since[i].feature) == kernel_is_at_least(since[i].major, since[i].minor),
			"%s on %s", row->name, kernel_release());
	}
}

TEST(kernel, is_asked_once)
{
	kernel_pretend(KERNEL_OPENAT2, KERNEL_NO);
	cr_assert(!kernel_has(KERNEL_OPENAT2) && kernel_ask(KERNEL_OPENAT2) == KERNEL_NO);
	kernel_pretend(KERNEL_OPENAT2, KERNEL_UNASKED);
	cr_assert(kernel_has(KERNEL_OPENAT2));
}

TEST(kernel, knows_its_own_version)
{
	unsigned major = 0, minor = 0;

	cr_assert(sscanf(kernel_release(), "%u.%u", &major, &minor) == 2);
	cr_assert(kernel_is_at_least(major, minor) && kernel_is_at_least(major - 1, minor + 50));
	cr_assert(!kernel_is_at_least(major, minor + 1) && !kernel_is_at_least(major + 1, 0));
}

TEST(kernel, explains_only_what_a_kernel_may_have_caused)
{
	struct error err = {0};

	kernel_pretend(KERNEL_MOUNT_SETATTR, KERNEL_NO);
	errno = EACCES;
	(void)fail_errno(&err, "open x");
	kernel_explain(&err);
	cr_assert_str_eq(err.text, "open x: Permission denied");
	(void)fail(&err, ERROR_USAGE, "unknown option");
	kernel_explain(&err);
	cr_assert_str_eq(err.text, "unknown option");
	errno = EINVAL;
	(void)fail_errno(&err, "map ids");
	kernel_explain(&err);
	cr_assert(strstr(err.text, "has no mount_setattr(2), which Linux has since 5.12: map ids: Invalid argument"),
		"%s", err.text);
	kernel_pretend(KERNEL_MOUNT_SETATTR, KERNEL_YES);
	errno = EINVAL;
	(void)fail_errno(&err, "map ids");
	kernel_explain(&err);
	cr_assert_str_eq(err.text, "map ids: Invalid argument");
}

/* --- a kernel without a call -------------------------------------------------------------------------------------- */

/* The answer of a process that may not make the call. */
static enum kernel_answer answer_without(long call, unsigned errnum, enum kernel_feature feature)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (syscall_refuse(call, errnum) < 0)
			_exit(100);
		_exit((int)kernel_probe(feature));
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	cr_assert(WEXITSTATUS(status) < 100);
	return (enum kernel_answer)WEXITSTATUS(status);
}

TEST(kernel, misses_each_call_that_is_taken_away)
{
	static const struct {
		long call;
		unsigned errnum;
		enum kernel_feature feature;
	} cases[] = {
		{SYS_openat2, ENOSYS, KERNEL_OPENAT2},
		{SYS_clone3, ENOSYS, KERNEL_CLONE3},
		{SYS_clone3, EINVAL, KERNEL_CLONE_INTO_CGROUP},
		{SYS_clone3, E2BIG, KERNEL_CLONE_INTO_CGROUP},
		{SYS_pidfd_open, ENOSYS, KERNEL_PIDFD},
		{SYS_pidfd_send_signal, ENOSYS, KERNEL_PIDFD},
		{SYS_close_range, EINVAL, KERNEL_CLOSE_RANGE},
		{SYS_open_tree, ENOSYS, KERNEL_MOUNT_API},
		{SYS_fsmount, ENOSYS, KERNEL_MOUNT_API},
		{SYS_mount_setattr, ENOSYS, KERNEL_MOUNT_SETATTR},
		{SYS_fsopen, ENODEV, KERNEL_OVERLAY},
		{SYS_fsopen, ENODEV, KERNEL_TMPFS},
		{SYS_seccomp, EINVAL, KERNEL_SECCOMP},
		{SYS_fsconfig, EOPNOTSUPP, KERNEL_OVERLAY_DETACHED},
		{SYS_fsconfig, EINVAL, KERNEL_PROC_FOR_CHILD},
		{SYS_open_tree, EINVAL, KERNEL_CLONE_DETACHED},
		{SYS_ioctl, ENOTTY, KERNEL_PIDFD_EXIT},
		{SYS_memfd_create, EINVAL, KERNEL_MEMFD_EXEC},
		{SYS_keyctl, ENOSYS, KERNEL_SESSION_KEYRING},
		{SYS_quotactl_fd, ENOSYS, KERNEL_QUOTA},
		{SYS_landlock_create_ruleset, EOPNOTSUPP, KERNEL_LANDLOCK},
	};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert(answer_without(cases[i].call, cases[i].errnum, cases[i].feature) == KERNEL_NO, "%s, case %zu",
			kernel_about(cases[i].feature)->name, i);
}

/* Rights are another matter than features. */
TEST(kernel, does_not_call_missing_what_it_may_not_try)
{
	NEEDS_ROOT();
	cr_assert(answer_without(SYS_fsopen, EPERM, KERNEL_OVERLAY) == KERNEL_UNKNOWN);
	cr_assert(answer_without(SYS_fsopen, EPERM, KERNEL_OVERLAY_DETACHED) == KERNEL_UNKNOWN);
	cr_assert(answer_without(SYS_mount_setattr, EPERM, KERNEL_MOUNT_SETATTR) == KERNEL_YES);
}
