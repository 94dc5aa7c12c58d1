/* What the processes that look into archives can still do, tried from inside. */
#include "images/pull/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

/* Every trial gives the errno it must fail with, 0: it must succeed. They run in the confined process, so they are raw.
 */
struct trial {
	const char *what;
	long (*run)(void);
	int expected;
};

#define TRIAL(name, call)                                                                                              \
	static long name(void)                                                                                         \
	{                                                                                                              \
		return call;                                                                                           \
	}

TRIAL(socket_make, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
TRIAL(process_fork, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
TRIAL(program_run, syscall(SYS_execve, "/bin/true", NULL, NULL))
TRIAL(parent_kill, syscall(SYS_kill, getppid(), 0))
TRIAL(parent_trace, syscall(SYS_ptrace, 16, 1, 0, 0))
TRIAL(mount_make, syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL))
TRIAL(root_leave, syscall(SYS_chroot, "."))
TRIAL(memory_execute, syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
TRIAL(filter_change, syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
TRIAL(terminal_push, syscall(SYS_ioctl, 0, 0x5412, "x"))
TRIAL(limits_raise, syscall(SYS_prlimit64, 0, 7, NULL, NULL))
TRIAL(host_file, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
TRIAL(above_root, syscall(SYS_openat, AT_FDCWD, "../../../../../../etc/passwd", O_RDONLY))
TRIAL(own_file, syscall(SYS_openat, AT_FDCWD, "/made", O_WRONLY | O_CREAT, 0644))
TRIAL(whiteout_make, syscall(SYS_mknodat, AT_FDCWD, "/hidden", S_IFCHR, 0))
TRIAL(device_make, syscall(SYS_mknodat, AT_FDCWD, "/sda", S_IFBLK | 0600, makedev(8, 0)))
TRIAL(owner_give, syscall(SYS_fchownat, AT_FDCWD, "/made", 33, 33, 0))
TRIAL(mark_set, syscall(SYS_fsetxattr, 3, "trusted.overlay.opaque", "y", 1, 0))
TRIAL(any_file, syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY))

static const struct trial inflater_trials[] = {
	{"a socket", socket_make, ENOSYS},
	{"a process", process_fork, ENOSYS},
	{"a program", program_run, ENOSYS},
	{"a signal", parent_kill, ENOSYS},
	{"tracing", parent_trace, ENOSYS},
	{"code in memory", memory_execute, ENOSYS},
	{"any file", any_file, ENOSYS},
	{"a terminal", terminal_push, ENOSYS},
	{"limits", limits_raise, ENOSYS},
};

static const struct trial extractor_trials[] = {
	{"a socket", socket_make, ENOSYS},
	{"a process", process_fork, ENOSYS},
	{"a program", program_run, ENOSYS},
	{"a signal", parent_kill, ENOSYS},
	{"tracing", parent_trace, ENOSYS},
	{"a mount", mount_make, ENOSYS},
	{"another root", root_leave, ENOSYS},
	{"code in memory", memory_execute, ENOSYS},
	{"another filter", filter_change, ENOSYS},
	{"a terminal", terminal_push, ENOSYS},
	{"a file of the host", host_file, ENOENT},
	{"a file above its root", above_root, ENOENT},
	{"a file of its own", own_file, 0},
	{"its owner", owner_give, 0},
	{"a whiteout", whiteout_make, 0},
	{"a device", device_make, ENOSYS},
	{"a mark of overlayfs", mark_set, EPERM},
};

/* The number of the first trial that went wrong, from 1 on; 0: none; 200: not confined at all. */
static int trials_run(const struct trial *trials, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		long result;

		errno = 0;
		result = trials[i].run();
		if (result == 0 && trials[i].run == process_fork)
			syscall(SYS_exit_group, 0);
		if ((trials[i].expected == 0) != (result >= 0) || (trials[i].expected && errno != trials[i].expected))
			return (int)i + 1;
	}
	return 0;
}

static void confined_check(const struct trial *trials, size_t count, bool extractor)
{
	char path[] = "/var/tmp/warren-test-sandbox-XXXXXX";
	struct error err = {0};
	int status, wrong;
	pid_t pid;

	cr_assert(mkdtemp(path));
	pid = fork();
	if (!pid) {
		int directory = open(path, O_RDONLY | O_DIRECTORY);

		dup3(directory, 3, 0);
		close_range(4, ~0U, 0);
		if (extractor ? sandbox_extractor(3, &err) < 0 : sandbox_inflater(&err) < 0)
			syscall(SYS_exit_group, 200);
		syscall(SYS_exit_group, trials_run(trials, count));
	}
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "status %x", status);
	wrong = WEXITSTATUS(status);
	cr_assert(wrong != 200, "could not be confined");
	cr_assert(wrong == 0, "%s", trials[wrong - 1].what);
	ASSERT_OK(tree_remove(AT_FDCWD, path, &err));
}

TEST(sandbox, whoever_uncompresses_can_reach_nothing)
{
	NEEDS_ROOT();
	confined_check(inflater_trials, ARRAY_SIZE(inflater_trials), false);
}

TEST(sandbox, whoever_extracts_can_make_files_in_one_directory_and_nothing_else)
{
	NEEDS_ROOT();
	confined_check(extractor_trials, ARRAY_SIZE(extractor_trials), true);
}
