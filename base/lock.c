/* Locks that the kernel drops when their holder dies: flock(2), and fcntl(2)'s open-file-description locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

#define WAIT_MAX_MS 20

static void wait_ms(int64_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL); /* waking early only means asking early */
}

static int flock_restarted(int fd, int operation)
{
	int result;

	do
		result = flock(fd, operation);
	while (result < 0 && errno == EINTR);
	return result;
}

/* flock(2) knows no time limit, and an alarm signal would be a global: so ask again, after growing waits. */
static int flock_until(int fd, int operation, int64_t timeout_ms)
{
	int64_t deadline = clock_deadline_ms(timeout_ms), pause = 1, left;

	while (flock_restarted(fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -1;
		left = deadline - clock_ms();
		if (left <= 0) {
			errno = EWOULDBLOCK;
			return -1;
		}
		wait_ms(pause < left ? pause : left);
		pause = pause * 2 < WAIT_MAX_MS ? pause * 2 : WAIT_MAX_MS;
	}
	return 0;
}

static int lock_take(int fd, int operation, int64_t timeout_ms, struct error *err)
{
	int result = timeout_ms < 0 ? flock_restarted(fd, operation) : flock_until(fd, operation, timeout_ms);

	if (result == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(err, ERROR_BUSY, "locked by another process");
	return fail_errno(err, "lock");
}

int lock_exclusive(int fd, int64_t timeout_ms, struct error *err)
{
	return lock_take(fd, LOCK_EX, timeout_ms, err);
}

int lock_shared(int fd, int64_t timeout_ms, struct error *err)
{
	return lock_take(fd, LOCK_SH, timeout_ms, err);
}

int lock_file(int dir, const char *path, int64_t timeout_ms, struct error *err)
{
	auto_fd fd = openat(dir, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(err, "open lock %s", path);
	if (lock_exclusive(fd, timeout_ms, err) < 0)
		return blame(err, "%s", path);
	return take_fd(&fd);
}

bool lock_is_held(int dir, const char *path)
{
	int saved = errno;
	auto_fd fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool held = fd >= 0 && flock_restarted(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	errno = saved;
	return held;
}

int ofd_lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &whole);
}

int ofd_lock_is_held(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &whole) < 0 ? -1 : whole.l_type != F_UNLCK;
}
