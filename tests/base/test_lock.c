#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/process.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

TEST(lock, taken_by_another_is_busy_at_once)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd first = lock_file(scratch.fd, "lock", 0, &err), again = -1;

	cr_assert_geq(first, 0, "%s", err.text);
	ASSERT_FAILS(lock_file(scratch.fd, "lock", 0, &err), ERROR_BUSY, "lock: locked by another process");
	fd_drop(&first);
	again = lock_file(scratch.fd, "lock", 0, &err);
	cr_assert_geq(again, 0);
}

TEST(lock, waits_no_longer_than_it_was_told)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd first = lock_file(scratch.fd, "lock", 0, &err);
	int64_t before = clock_ms(), took;

	ASSERT_FAILS(lock_file(scratch.fd, "lock", 60, &err), ERROR_BUSY, "locked by another process");
	took = clock_ms() - before;
	cr_assert(took >= 60 && took < 2000, "%ld ms", took);
	fd_drop(&first);
}

TEST(lock, is_got_when_its_holder_dies)
{
	SCRATCH(scratch);
	struct error err;
	int ready[2];
	char byte;
	auto_fd lock = -1;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (lock_file(scratch.fd, "lock", 0, &err) >= 0)
			byte = (char)write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	cr_assert(lock_is_held(scratch.fd, "lock"));
	kill(child, SIGKILL);
	lock = lock_file(scratch.fd, "lock", 10000, &err);
	cr_assert_geq(lock, 0, "%s", err.text);
	waitpid(child, NULL, 0);
}

TEST(lock, without_a_limit_waits_until_it_is_free)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd mine = openat(scratch.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), lock = -1;
	int ready[2], status;
	char byte;
	pid_t child;

	flock(mine, LOCK_EX);
	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		fd_drop(&mine);
		byte = (char)write(ready[1], "x", 1);
		lock = lock_file(scratch.fd, "lock", -1, &err);
		_exit(lock < 0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it did not wait");
	fd_drop(&mine);
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
}

TEST(lock, shared_ones_agree_with_each_other_only)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd one = openat(scratch.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_fd two = openat(scratch.fd, "lock", O_RDWR | O_CLOEXEC);
	auto_fd three = openat(scratch.fd, "lock", O_RDWR | O_CLOEXEC);

	ASSERT_OK(lock_shared(one, 0, &err));
	ASSERT_OK(lock_shared(two, 0, &err));
	ASSERT_FAILS(lock_exclusive(three, 0, &err), ERROR_BUSY, "locked by another process");
	cr_assert_not(lock_is_held(scratch.fd, "lock"), "held shared only");
	flock(one, LOCK_UN);
	flock(two, LOCK_UN);
	ASSERT_OK(lock_exclusive(three, 0, &err));
	ASSERT_FAILS(lock_shared(one, 0, &err), ERROR_BUSY, "locked");
}

TEST(lock, is_held_asks_and_leaves_no_trace)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd lock = -1;

	cr_assert_not(lock_is_held(scratch.fd, "lock"));
	cr_assert_eq(faccessat(scratch.fd, "lock", F_OK, 0), -1, "asking made the file");
	lock = lock_file(scratch.fd, "lock", 0, &err);
	cr_assert(lock_is_held(scratch.fd, "lock"));
	fd_drop(&lock);
	cr_assert_not(lock_is_held(scratch.fd, "lock"));
}

TEST(lock, file_is_private_and_no_link)
{
	SCRATCH(scratch);
	struct error err;

	symlinkat("/tmp/warren-base-elsewhere", scratch.fd, "link");
	ASSERT_FAILS(lock_file(scratch.fd, "link", 0, &err), ERROR_SYSTEM, "open lock link: ");
}

TEST(ofd_lock, belongs_to_the_open_file_not_to_the_process)
{
	SCRATCH(scratch);
	auto_fd holder = openat(scratch.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_fd other = openat(scratch.fd, "lock", O_RDWR | O_CLOEXEC);
	auto_fd copy = -1;

	cr_assert_not(ofd_lock_is_held(other));
	cr_assert_eq(ofd_lock(holder), 0);
	cr_assert(ofd_lock_is_held(other));
	cr_assert_not(ofd_lock_is_held(holder), "its own lock does not stand in its way");
	cr_assert_eq(ofd_lock(other), -1);
	cr_assert_eq(errno, EAGAIN);
	copy = fcntl(holder, F_DUPFD_CLOEXEC, 3);
	fd_drop(&holder);
	cr_assert(ofd_lock_is_held(other), "a copy still has it");
	fd_drop(&copy);
	cr_assert_not(ofd_lock_is_held(other));
}

TEST(ofd_lock, is_dropped_by_exec)
{
	SCRATCH(scratch);
	auto_fd other = openat(scratch.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int ready[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		int lock = openat(scratch.fd, "lock", O_RDWR | O_CLOEXEC);

		fd_drop(&other);
		if (ofd_lock(lock) == 0)
			byte = (char)write(ready[1], "x", 1);
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(read(ready[0], &byte, 1), 0); /* the pipe closes at exec, and the lock with it */
	close(ready[0]);
	cr_assert_not(ofd_lock_is_held(other));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
