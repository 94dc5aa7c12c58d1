/* All descriptors of this process at once. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <unistd.h>

#include "base/cleanup.h"
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

static void run_close(int first, int last)
{
	if (close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	for (int fd = first; fd <= last; fd++) /* a filter that does not know it */
		close(fd);
}

void fds_drop(int *fds, size_t count)
{
	int saved = errno, first = -1, last = -1;

	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (first >= 0 && fds[i] != last + 1) {
			run_close(first, last);
			first = -1;
		}
		first = first < 0 ? fds[i] : first;
		last = fds[i];
		fds[i] = -1;
	}
	if (first >= 0)
		run_close(first, last);
	errno = saved;
}

void fds_open_standard(void)
{
	struct pollfd standard[] = {{.fd = STDIN_FILENO}, {.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};

	if (poll(standard, ARRAY_SIZE(standard), 0) <= 0)
		return;
	/* open(2) gives the lowest free number: the first that is closed. */
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		if (standard[i].revents & POLLNVAL && open("/dev/null", O_RDWR) < 0)
			_exit(1); /* nowhere to say so */
}
