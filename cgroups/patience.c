/* Waiting for the kernel: by event where it reports one, else by growing short sleeps, never past a deadline. */
#include <poll.h>

#include "base/process.h"
#include "cgroups/tree.h"

#define STEP_MAX_MS 50
#define POLL_MAX_MS 60000

struct patience patience_start(int64_t timeout_ms)
{
	return (struct patience){.deadline_ms = clock_ms() + timeout_ms, .step_ms = 1};
}

bool patience_wait(struct patience *patience)
{
	int64_t left = patience->deadline_ms - clock_ms();

	if (left <= 0)
		return false;
	poll(NULL, 0, (int)(left < patience->step_ms ? left : patience->step_ms));
	patience->step_ms = patience->step_ms * 2 < STEP_MAX_MS ? patience->step_ms * 2 : STEP_MAX_MS;
	return true;
}

bool patience_poll(struct patience *patience, int fd)
{
	int64_t left = patience->deadline_ms - clock_ms();
	struct pollfd pollfd = {.fd = fd, .events = POLLPRI};

	if (left <= 0)
		return false;
	poll(&pollfd, 1, (int)(left < POLL_MAX_MS ? left : POLL_MAX_MS));
	return true;
}
