/* A process of ours that does one thing which we cannot do or undo ourselves, such as joining a user namespace, and
 * answers through a channel. */
#ifndef WARREN_RUNTIME_ASSISTANT_H
#define WARREN_RUNTIME_ASSISTANT_H

#include <sys/types.h>

#include "base/error.h"

struct assistant {
	int channel; /* to the other of the two: messages (base/socket.h) */
	int pidfd;   /* ours only; -1 in the new process */
};

/* As fork(2): 0 in the new process. task: what it is for, as in "joins namespaces". */
MUST_CHECK pid_t assistant_start(struct assistant *out, const char *task, struct error *err);

/* Closes the channel, which ends one that waits for us, and reaps it. In the new process: closes the channel. */
void assistant_drop(struct assistant *assistant);

#endif
