#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "tests/test.h"

/* A child that waits to be killed. */
static pid_t sleeper(int *pidfd)
{
	pid_t pid = process_clone(0, -1, pidfd);

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static int end_and_reap(int pidfd, int signal)
{
	struct error err;
	int status = -1;

	ASSERT_OK(process_signal(pidfd, signal, &err));
	cr_assert_eq(process_wait_end(pidfd, 10000), 1);
	ASSERT_OK(process_reap(pidfd, &status, &err));
	return status;
}

TEST(process, clone_works_like_fork_with_a_pidfd)
{
	struct error err;
	auto_fd pidfd = -1;
	int status, shared = 0;
	pid_t pid = process_clone(0, -1, &pidfd);

	if (pid == 0) {
		shared = 1;
		_exit(shared + 41);
	}
	cr_assert_gt(pid, 0);
	cr_assert(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	ASSERT_OK(process_reap(pidfd, &status, &err));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %x", status);
	cr_assert_eq(shared, 0, "memory is copied");
}

TEST(process, clone_makes_namespaces)
{
	struct error err;
	auto_fd pidfd = -1;
	int status;
	pid_t pid;

	NEEDS_ROOT();
	pid = process_clone(CLONE_NEWPID | CLONE_NEWUTS, -1, &pidfd);
	if (pid == 0)
		_exit(getpid() == 1 ? 0 : 1);
	ASSERT_OK(process_reap(pidfd, &status, &err));
	cr_assert_eq(status, 0);
}

TEST(process, clone_with_the_parents_parent)
{
	int numbers[2], status;
	pid_t grandchild, child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cr_assert_eq(pipe2(numbers, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		grandchild = process_clone(CLONE_PARENT, -1, NULL);
		if (grandchild == 0)
			_exit(7);
		_exit(write(numbers[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild) || grandchild < 0);
	}
	cr_assert_eq(read(numbers[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	close(numbers[0]);
	close(numbers[1]);
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	cr_assert_eq(waitpid(grandchild, &status, 0), grandchild, "our own child: %s", strerror(errno));
	cr_assert_eq(WEXITSTATUS(status), 7);
}

TEST(process, identity_is_pid_and_start_time)
{
	struct process_id id, again, wrong;
	struct error err;
	auto_fd pidfd = -1, opened = -1;
	pid_t pid = sleeper(&pidfd);

	ASSERT_OK(process_identify(pid, &id, &err));
	ASSERT_OK(process_identify(pid, &again, &err));
	cr_assert_eq(id.pid, pid);
	cr_assert_gt(id.start_time, 0);
	cr_assert_eq(id.start_time, again.start_time);
	cr_assert(process_is_alive(&id));
	wrong = id;
	wrong.start_time--;
	cr_assert_not(process_is_alive(&wrong));
	ASSERT_FAILS(process_open(&wrong, &err), ERROR_MISSING, "has ended");
	opened = process_open(&id, &err);
	cr_assert_geq(opened, 0, "%s", err.text);
	cr_assert(fcntl(opened, F_GETFD) & FD_CLOEXEC);
	end_and_reap(pidfd, SIGKILL);
	ASSERT_FAILS(process_open(&id, &err), ERROR_MISSING, "has ended");
}

TEST(process, a_zombie_counts_as_missing)
{
	struct process_id id;
	struct error err;
	auto_fd pidfd = -1;
	int status;
	pid_t pid = sleeper(&pidfd);

	ASSERT_OK(process_identify(pid, &id, &err));
	ASSERT_OK(process_signal(pidfd, SIGKILL, &err));
	cr_assert_eq(process_wait_end(pidfd, 10000), 1);
	ASSERT_FAILS(process_identify(pid, &id, &err), ERROR_MISSING, "has ended");
	cr_assert_not(process_is_alive(&id));
	ASSERT_FAILS(process_open(&id, &err), ERROR_MISSING, "has ended");
	ASSERT_FAILS(process_namespace_open(&id, "net", &err), ERROR_MISSING, "has ended");
	ASSERT_OK(process_reap(pidfd, &status, &err));
}

TEST(process, a_namespace_is_of_exactly_that_process)
{
	struct process_id self, other;
	struct stat opened, own;
	struct error err;

	ASSERT_OK(process_identify(getpid(), &self, &err));
	auto_fd fd = process_namespace_open(&self, "net", &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert(fstat(fd, &opened) == 0 && stat("/proc/self/ns/net", &own) == 0);
	cr_assert_eq(opened.st_ino, own.st_ino);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	other = self;
	other.start_time++;
	ASSERT_FAILS(process_namespace_open(&other, "net", &err), ERROR_MISSING, "has ended");
	ASSERT_FAILS(process_namespace_open(&self, "nonsense", &err), ERROR_SYSTEM, "/ns/nonsense: No such file");
}

TEST(process, a_name_full_of_parentheses_does_not_confuse_the_start_time)
{
	struct process_id before, after;
	struct error err;

	ASSERT_OK(process_identify(getpid(), &before, &err));
	prctl(PR_SET_NAME, ") R 1 2 3 (x)");
	ASSERT_OK(process_identify(getpid(), &after, &err));
	cr_assert_eq(before.start_time, after.start_time);
}

TEST(process, numbers_that_are_no_process_are_missing)
{
	static const pid_t none[] = {0, -1, 4194305};
	struct process_id id;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		ASSERT_FAILS(process_identify(none[i], &id, &err), ERROR_MISSING, "has ended");
		id = (struct process_id){.pid = none[i]};
		cr_assert_not(process_is_alive(&id));
		ASSERT_FAILS(process_open(&id, &err), ERROR_MISSING, "has ended");
	}
}

TEST(process, reap_gives_a_status_as_waitpid_does)
{
	auto_fd pidfd = -1;
	int status;

	sleeper(&pidfd);
	status = end_and_reap(pidfd, SIGTERM);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status %x", status);
}

TEST(process, reaping_what_is_no_child_says_so)
{
	struct process_id id = {.pid = 1};
	struct error err;
	auto_fd pidfd = -1;
	int status;

	ASSERT_OK(process_identify(1, &id, &err));
	pidfd = process_open(&id, &err);
	ASSERT_FAILS(process_reap(pidfd, &status, &err), ERROR_SYSTEM, "wait for a process: No child processes");
}

TEST(process, waiting_ends_when_the_time_is_out)
{
	auto_fd pidfd = -1;
	int64_t before = clock_ms(), took;

	sleeper(&pidfd);
	cr_assert_eq(process_wait_end(pidfd, 0), 0);
	cr_assert_eq(process_wait_end(pidfd, 30), 0);
	took = clock_ms() - before;
	cr_assert(took >= 30 && took < 2000, "%ld ms", took);
	end_and_reap(pidfd, SIGKILL);
}

TEST(process, waiting_for_ever_ends_with_the_process)
{
	struct error err;
	auto_fd pidfd = -1;
	int status;
	pid_t pid = process_clone(0, -1, &pidfd);

	if (pid == 0)
		_exit(0);
	cr_assert_eq(process_wait_end(pidfd, -1), 1);
	ASSERT_OK(process_reap(pidfd, &status, &err));
}

TEST(process, a_signal_to_an_ended_process_says_that_it_is_missing)
{
	struct error err;
	auto_fd pidfd = -1;

	sleeper(&pidfd);
	end_and_reap(pidfd, SIGKILL);
	ASSERT_FAILS(process_signal(pidfd, SIGTERM, &err), ERROR_MISSING, "the process has ended");
	ASSERT_FAILS(process_signal(0, SIGTERM, &err), ERROR_SYSTEM, "send signal TERM: ");
}

TEST(clock, counts_milliseconds)
{
	struct timespec boot;
	int64_t now = clock_ms();

	clock_gettime(CLOCK_BOOTTIME, &boot);
	cr_assert(llabs(boot.tv_sec - now / 1000) <= 1);
	cr_assert(llabs(time(NULL) - clock_real_ms() / 1000) <= 1);
	cr_assert_eq(clock_deadline_ms(-1), INT64_MAX);
	cr_assert_eq(clock_deadline_ms(INT64_MAX), INT64_MAX);
	cr_assert_eq(clock_poll_ms(INT64_MAX), -1);
	cr_assert_eq(clock_poll_ms(now - 5), 0);
	cr_assert_eq(clock_poll_ms(now + 100 * 3600 * 1000), 3600 * 1000);
}

TEST(boot_id, is_the_kernels)
{
	char expected[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	cr_assert_eq(fscanf(file, "%63s", expected), 1);
	fclose(file);
	cr_assert_str_eq(boot_id(), expected);
	cr_assert_eq(boot_id(), boot_id());
	cr_assert_eq(strlen(boot_id()), 36);
}
