/* sd_notify(3) of a container: a socket of its own, whose readiness is passed on to the caller's NOTIFY_SOCKET.
 *
 * The caller's own socket is never given away: over it a container could name another main process, store descriptors
 * and silence a watchdog. Its words are few here: that it is ready, what it does, that it takes longer. */
#ifndef WARREN_RUNTIME_NOTIFY_H
#define WARREN_RUNTIME_NOTIFY_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/spec.h"

/* Makes the record's directory for the socket and adds its mount and NOTIFY_SOCKET to the specification. The mount is
 * at the path of the host's socket, or at /run/notify for one without a path. dir: the record. */
MUST_CHECK int notify_prepare(
	struct arena *arena, int dir, const char *host_socket, struct spec *spec, struct error *err);

/* The container's socket, or -1; ERROR_MISSING: notify_prepare() was not called for it. Before its program runs. */
MUST_CHECK int notify_listen(int dir, struct error *err);

/* Passes on what the container says until it is ready (or, with `always`, for as long as it lives) or its first process
 * has ended, neither of which is an error. */
MUST_CHECK int notify_relay(int socket, const char *host_socket, int pidfd, pid_t pid, bool always, struct error *err);

/* Does the same in a process of its own that ends with the container or with us: for who has other things to do. */
MUST_CHECK int notify_relay_beside(int socket, const char *host_socket, int pidfd, pid_t pid, struct error *err);

#endif
