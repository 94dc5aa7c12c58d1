/* Handing system calls to a supervisor: SCMP_ACT_NOTIFY, listenerPath and listenerMetadata of the OCI runtime
 * specification. Only runtime/ includes this header.
 *
 * The filter is loaded after `start`, when the process that read config.json has long gone. So it connects to the
 * supervisor at `create`, and the child sends what the specification calls the container process state itself, with the
 * kernel's descriptor, right after it has loaded the filter: everything it does from then on may have to be answered
 * there. */
#ifndef WARREN_RUNTIME_LISTENER_H
#define WARREN_RUNTIME_LISTENER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/runtime.h"

#define LISTENER_PIDS 2

struct listener {
	int socket; /* connected; -1: nobody listens */
	char *message;
	size_t length;
	size_t pid_at[LISTENER_PIDS]; /* where the pid is to be written, known only to the child */
	size_t pid_count;
	pid_t pid; /* of the child as the host sees it */
};

/* Connects and prepares the message; all in the arena but the socket. NULL or a filter without a listener's path:
 * socket -1. init: pid of the container's first process when that is another one than the child, else 0. */
MUST_CHECK int listener_open(struct arena *arena, const struct spec_seccomp *seccomp,
	const struct container_facts *facts, const char *status, pid_t init, struct listener *out, struct error *err);
void listener_drop(struct listener *listener);

/* Child side, while /proc is the host's: learns its own pid. NULL: nothing to do. */
MUST_CHECK int listener_note_pid(struct listener *listener, struct error *err);
/* Child side: sends the message with the descriptor, which it closes. */
MUST_CHECK int listener_send(struct listener *listener, int notifications, struct error *err);

#endif
