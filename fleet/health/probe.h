/* One question to an instance and its answer. Only fleet/ includes this header.
 *
 * http and tcp from the host are a non-blocking socket of the asking process: the start and each step take some system
 * calls, nothing waits, nothing is allocated, and of what comes back the first line's status is looked at and no more
 * than 4 KiB is read. What is asked inside (a test; http and tcp on the instance's own loopback) is asked by a process
 * that lives for it and sends the answer as one message. */
#ifndef WARREN_FLEET_HEALTH_PROBE_H
#define WARREN_FLEET_HEALTH_PROBE_H

#include "fleet/health/health.h"

/* A question under way; PROBE_IDLE: none. */
struct probe {
	int fd;	      /* what is waited for with poll(2), for `events`; -1: nothing is under way */
	short events; /* POLLIN or POLLOUT */
	int child;    /* pidfd of the process that asks; -1: we do */
	int64_t began_ms, deadline_ms;
	size_t got;
	char line[16]; /* how the answer begins */
};
#define PROBE_IDLE                                                                                                     \
	{                                                                                                              \
		.fd = -1, .child = -1                                                                                  \
	}

/* --- probe.c: a socket, without blocking -------------------------------------------------------------------------- */

/* 1: the answer is there already (refused at once); 0: fd is to be waited for. The socket belongs to the network
 * namespace of the caller. */
MUST_CHECK int probe_connect(const struct health_check *check, struct probe *probe, struct health_answer *answer);
/* fd is ready: 1 the answer is there, 0 not yet. For every kind. */
MUST_CHECK int probe_turn(const struct health_check *check, struct probe *probe, struct health_answer *answer);
/* The deadline has passed. */
void probe_expire(const struct health_check *check, struct probe *probe, struct health_answer *answer);
/* Nobody wants to know any more. */
void probe_drop(struct probe *probe);
/* All of it at once, waiting: for a process that has nothing else to do. */
void probe_ask(const struct health_check *check, struct health_answer *answer);

/* --- probe_inside.c: asked inside --------------------------------------------------------------------------------- */

/* True when the answer cannot be had from the host. */
bool probe_is_inside(const struct health_check *check);
/* Asks inside the running instance, waiting; in this process, which may end up in the instance's network namespace. */
void probe_ask_inside(
	struct host *host, const char *name, const struct health_check *check, struct health_answer *answer);
/* The same by a process of its own. before() runs in that first (may be NULL). -1: it could not be made. */
MUST_CHECK int probe_fork(struct host *host, const char *name, const struct health_check *check, struct probe *probe,
	void (*before)(void *context), void *context, struct error *err);

#endif
