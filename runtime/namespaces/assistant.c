/* Starting an assistant and letting it go. */
#include "runtime/namespaces/assistant.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"

pid_t assistant_start(struct assistant *out, const char *task, struct error *err)
{
	auto_fd ours = -1, theirs = -1;
	int ends[2];
	pid_t pid;

	*out = (struct assistant){.channel = -1, .pidfd = -1};
	if (socket_pair(ends, err) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	pid = process_clone(0, -1, &out->pidfd);
	if (pid < 0)
		return fail_errno(err, "make the process that %s", task);
	out->channel = take_fd(pid == 0 ? &theirs : &ours);
	return pid;
}

void assistant_drop(struct assistant *assistant)
{
	int saved = errno, status;
	struct error err;

	fd_drop(&assistant->channel);
	if (assistant->pidfd >= 0 && process_reap(assistant->pidfd, &status, &err) < 0)
		log_debug("%s", err.text); /* somebody else reaps our children: nothing is lost */
	fd_drop(&assistant->pidfd);
	errno = saved;
}
