/* All descriptors of this process at once. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <unistd.h>

#include "base/file.h"

int fds_close_on_exec_from(unsigned first)
{
	return close_range(first, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

/* The smallest of keep[] that is at least `from`, or -1. */
static int smallest_kept(const int *keep, size_t count, int from)
{
	int smallest = -1;

	for (size_t i = 0; i < count; i++)
		if (keep[i] >= from && (smallest < 0 || keep[i] < smallest))
			smallest = keep[i];
	return smallest;
}

int fds_close_all_but(const int *keep, size_t count)
{
	int from = STDERR_FILENO + 1, kept;

	while ((kept = smallest_kept(keep, count, from)) >= 0) {
		if (kept > from && close_range((unsigned)from, (unsigned)kept - 1, 0) < 0)
			return -1;
		from = kept + 1;
	}
	return close_range((unsigned)from, UINT_MAX, 0);
}

void fds_open_standard(void)
{
	/* open(2) gives the lowest free number: the one just found closed. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
			_exit(1); /* nowhere to say so */
}
