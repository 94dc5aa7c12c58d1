/* See output.h. A large block goes past stdio's buffer, so that fflush() does not know of its failure: the stream's
 * mark tells of that, without a reason. */
#include "base/output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* pipe(7): the writing end without a reader is in the state POLLERR. */
static bool reader_is_gone(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return poll(&output, 1, 0) == 1 && output.revents & POLLERR;
}

int output_finish(struct error *err)
{
	if (fflush(stdout) != 0)
		return errno == EPIPE ? 0 : fail_errno(err, "write standard output");
	if (!ferror(stdout) || reader_is_gone())
		return 0;
	return fail(err, ERROR_SYSTEM, "write standard output: a part of it was lost");
}
