#include "tests/end_to_end/support_stepper.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/test.h"

/* Not <sys/ptrace.h>: it clashes with <linux/ptrace.h>, which knows PTRACE_GET_SYSCALL_INFO whole. */
static long trace(long request, pid_t pid, unsigned long address, const void *data)
{
	return syscall(SYS_ptrace, request, (long)pid, address, data);
}

#define TASKS_MAX 128
#define TIMEOUT_S SLOWLY(30)
#define FOLLOWED                                                                                                       \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* --- what counts -------------------------------------------------------------------------------------------------- */

/* They change nothing that outlives the process that makes them. */
static const long private_calls[] = {
	SYS_read,
	SYS_pread64,
	SYS_readv,
	SYS_close,
	SYS_close_range,
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_lseek,
	SYS_getdents64,
	SYS_readlinkat,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_fstatfs,
	SYS_statfs,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_umask,
	SYS_dup,
	SYS_dup3,
	SYS_fcntl,
	SYS_flock,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_setsid,
	SYS_capget,
	SYS_capset,
	SYS_prctl,
	SYS_seccomp,
	SYS_getrandom,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_ppoll,
	SYS_pselect6,
	SYS_futex,
	SYS_set_robust_list,
	SYS_set_tid_address,
	SYS_rseq,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrlimit,
	SYS_sched_getaffinity,
	SYS_sched_yield,
	SYS_wait4,
	SYS_waitid,
	SYS_pidfd_open,
	SYS_socket,
	SYS_socketpair,
	SYS_pipe2,
	SYS_setsockopt,
	SYS_getsockopt,
	SYS_getsockname,
	SYS_recvmsg,
	SYS_recvfrom,
	SYS_memfd_create,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_mount_setattr,
	SYS_exit_group,
	SYS_execve,
#ifdef __x86_64__
	SYS_open,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_dup2,
	SYS_poll,
	SYS_pipe,
	SYS_arch_prctl,
#endif
};

static bool counts(const struct ptrace_syscall_info *info)
{
	long call = (long)info->entry.nr;

	if (call == SYS_openat)
		return info->entry.args[2] & (O_CREAT | O_TRUNC);
	for (size_t i = 0; i < ARRAY_SIZE(private_calls); i++)
		if (private_calls[i] == call)
			return false;
	return true;
}

/* They cannot fail, or only for a mistake in the program; brk(2) says it by another address, never by an error. */
static const long safe_calls[] = {
	SYS_exit,
	SYS_exit_group,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_umask,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_brk,
	SYS_set_tid_address,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_sched_yield,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_futex,
	SYS_mprotect,
	SYS_munmap,
	SYS_madvise,
	SYS_restart_syscall,
#ifdef __x86_64__
	SYS_arch_prctl,
#endif
#ifdef WARREN_SANITIZED
	/* The sanitizer gives up without memory. */
	SYS_mmap,
	SYS_mremap,
#endif
};

static bool can_fail(long call)
{
	for (size_t i = 0; i < ARRAY_SIZE(safe_calls); i++)
		if (safe_calls[i] == call)
			return false;
	return true;
}

int step_width(int usual)
{
	const char *text = getenv("WARREN_KILL_STEP");
	int64_t width;
	struct error err = {0};

	if (!text)
		/* ./test.sh has not the time for more; --full takes every one. */
		return WARREN_TEST_SLOW == 1 ? 5 * usual : SLOWLY(6 * usual);
	cr_assert(number_parse(text, 1, 1000, &width, &err) == 0, "WARREN_KILL_STEP: %s", err.text);
	return (int)width;
}

/* --- the command, before it is one -------------------------------------------------------------------------------- */

static int calls_remove(const long *missing)
{
	struct sock_filter code[64] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = {.len = 1, .filter = code};

	for (; *missing >= 0 && program.len < ARRAY_SIZE(code) - 3; missing++) {
		code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*missing, 0, 1);
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Waits until it is traced, then becomes the command. */
static _Noreturn void command_become(const struct step *step, int gate, const int *stdio)
{
	char byte;

	setpgid(0, 0);
	for (int i = 0; i < 3; i++)
		dup2(stdio[i], i);
	/* The search for leaks in programs built for it needs ptrace itself. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	if (step->directory && chdir(step->directory) < 0)
		_exit(126);
	if (read(gate, &byte, 1) != 1)
		_exit(126);
	close_range(3, ~0U, 0);
	if (step->missing && calls_remove(step->missing) < 0)
		_exit(126);
	execv(step->argv[0], (char *const *)step->argv);
	_exit(127);
}

/* --- the tracer --------------------------------------------------------------------------------------------------- */

/* Shared between the test and the tracer, which is a process of its own: at its end all is untraced. */
struct tracing {
	const struct step *step;
	struct step_result result;
	pid_t tasks[TASKS_MAX]; /* [0] is the command; 0: has ended or executed something */
	int known, count;
	bool is_loaded, is_ended;
	pid_t failing; /* whose call shall fail when it comes back; 0: nobody's */
};

static int task_find(const struct tracing *tracing, pid_t pid)
{
	for (int i = 0; i < tracing->known; i++)
		if (tracing->tasks[i] == pid)
			return i;
	return -1;
}

static int task_add(struct tracing *tracing, pid_t pid)
{
	int task = task_find(tracing, pid);

	if (task >= 0)
		return task;
	if (tracing->known == TASKS_MAX)
		_exit(1);
	tracing->tasks[tracing->known] = pid;
	return tracing->known++;
}

#ifdef __x86_64__
static void call_change(pid_t pid, bool at_entry, long value)
{
	struct user_regs_struct registers;
	struct iovec data = {.iov_base = &registers, .iov_len = sizeof(registers)};

	trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &data);
	if (at_entry)
		registers.orig_rax = (unsigned long long)value;
	else
		registers.rax = (unsigned long long)value;
	trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &data);
}
#else
static void call_change(pid_t pid, bool at_entry, long value)
{
	struct user_regs_struct registers;
	int number = (int)value;
	struct iovec data = {.iov_base = &registers, .iov_len = sizeof(registers)};
	struct iovec call = {.iov_base = &number, .iov_len = sizeof(number)};

	if (at_entry) {
		trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &call);
		return;
	}
	trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &data);
	registers.regs[0] = (unsigned long long)value;
	trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &data);
}
#endif

static void all_kill(const struct tracing *tracing)
{
	for (int i = 0; i < tracing->known; i++)
		if (tracing->tasks[i])
			kill(tracing->tasks[i], SIGKILL);
}

static bool is_counted(const struct tracing *tracing, int task, const struct ptrace_syscall_info *info)
{
	const struct step *step = tracing->step;

	if (step->where != STEP_ALL && (step->where == STEP_COMMAND) != (task == 0))
		return false;
	if (!step->error)
		return counts(info);
	long call = (long)info->entry.nr;
	return tracing->is_loaded && (step->call == STEP_EVERY_CALL ? can_fail(call) : step->call == call);
}

static void point_reached(struct tracing *tracing, int task, const struct ptrace_syscall_info *info)
{
	pid_t pid = tracing->tasks[task];

	tracing->result.reached = true;
	tracing->result.call = (long)info->entry.nr;
	tracing->result.tracee = task;
	if (tracing->step->error) {
		/* close(2): the descriptor is gone also when it fails. */
		if (tracing->result.call != SYS_close)
			call_change(pid, true, -1);
		tracing->failing = pid;
	} else if (tracing->step->where == STEP_ALL) {
		all_kill(tracing);
	} else {
		kill(pid, SIGKILL);
	}
}

static void call_stop(struct tracing *tracing, int task)
{
	pid_t pid = tracing->tasks[task];
	struct ptrace_syscall_info info = {0};

	if (tracing->failing == pid) {
		call_change(pid, false, -tracing->step->error);
		tracing->failing = 0;
		return;
	}
	if (tracing->result.reached || !tracing->step->at)
		return;
	if (trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if ((long)info.entry.nr == SYS_umask || (long)info.entry.nr == SYS_geteuid)
		tracing->is_loaded = true;
	if (is_counted(tracing, task, &info) && ++tracing->count == tracing->step->at)
		point_reached(tracing, task, &info);
}

/* A stop that is not for a call; true when the task is let go for good. */
static bool other_stop(struct tracing *tracing, int task, int event)
{
	if (event == PTRACE_EVENT_EXEC && task > 0) {
		trace(PTRACE_DETACH, tracing->tasks[task], 0, NULL);
		tracing->tasks[task] = 0;
		return true;
	}
	if (event == PTRACE_EVENT_EXEC)
		tracing->is_loaded = false;
	return false;
}

static void stop_handle(struct tracing *tracing, pid_t pid, int status)
{
	int task = task_add(tracing, pid), event = status >> 16, signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		call_stop(tracing, task);
		signal = 0;
	} else if (event) {
		if (other_stop(tracing, task, event))
			return;
		signal = 0;
	}
	/* Born while all were killed. */
	if (tracing->result.reached && tracing->step->where == STEP_ALL && !tracing->step->error)
		kill(pid, SIGKILL);
	bool is_watched = !tracing->result.reached || tracing->failing;
	trace(is_watched ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, (const void *)(intptr_t)signal);
}

static void end_handle(struct tracing *tracing, pid_t pid, int status)
{
	int task = task_find(tracing, pid);

	if (task >= 0)
		tracing->tasks[task] = 0;
	if (task != 0)
		return;
	tracing->is_ended = true;
	tracing->result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The command has ended, and whoever was killed is gone, not just dying. */
static bool is_over(const struct tracing *tracing)
{
	const struct step *step = tracing->step;
	bool was_killed = tracing->result.reached && !step->error;

	if (!tracing->is_ended)
		return false;
	for (int i = 0; i < tracing->known && was_killed; i++)
		if (tracing->tasks[i] && (step->where == STEP_ALL || i == tracing->result.tracee))
			return false;
	return true;
}

static volatile sig_atomic_t is_late;

static void on_alarm(int signal)
{
	(void)signal;
	is_late = 1;
}

static _Noreturn void trace_all(struct tracing *tracing, const int *stdio)
{
	struct sigaction alarmed = {.sa_handler = on_alarm};
	int gate[2], status;
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0)
		command_become(tracing->step, gate[0], stdio);
	task_add(tracing, pid);
	if (pid < 0 || trace(PTRACE_SEIZE, pid, 0, (const void *)FOLLOWED) < 0 ||
		trace(PTRACE_INTERRUPT, pid, 0, NULL) < 0 || write(gate[1], "", 1) != 1)
		_exit(1);
	sigaction(SIGALRM, &alarmed, NULL);
	alarm(TIMEOUT_S);
	while (!is_over(tracing)) {
		pid = waitpid(-1, &status, __WALL);
		if (is_late && !tracing->result.timed_out) {
			tracing->result.timed_out = true;
			all_kill(tracing);
		}
		if (pid > 0 && WIFSTOPPED(status))
			stop_handle(tracing, pid, status);
		else if (pid > 0)
			end_handle(tracing, pid, status);
		else if (errno != EINTR)
			_exit(1);
	}
	_exit(0);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

static char *memory_read(int fd)
{
	struct stat status;
	char *text;

	cr_assert(fstat(fd, &status) == 0);
	text = calloc(1, (size_t)status.st_size + 1);
	cr_assert(text && pread(fd, text, (size_t)status.st_size, 0) == status.st_size);
	return text;
}

struct step_result step_run(const struct step *step)
{
	auto_fd input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_fd out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	struct tracing *tracing =
		mmap(NULL, sizeof(*tracing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct step_result result;
	int status;

	cr_assert(tracing != MAP_FAILED && input >= 0 && out >= 0 && err >= 0);
	tracing->step = step;
	pid_t tracer = fork();
	cr_assert(tracer >= 0);
	if (tracer == 0)
		trace_all(tracing, (const int[]){input, out, err});
	while (waitpid(tracer, &status, 0) < 0)
		cr_assert(errno == EINTR);
	cr_assert(status == 0, "the tracer failed: %d", status);
	result = tracing->result;
	munmap(tracing, sizeof(*tracing));
	result.out = memory_read(out);
	result.err = memory_read(err);
	return result;
}

void step_result_drop(struct step_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct step_result){0};
}
