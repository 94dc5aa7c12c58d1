/* Ports in socket mode: the monitor listens for the instance. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_NETWORK_LISTENERS_H
#define WARREN_FLEET_NETWORK_LISTENERS_H

#include "fleet/state/instance.h"
#include "runtime/runtime.h"

/* Ports in socket mode, in the order in which the program gets them (descriptor 3, 4 …), and our copies of their
 * sockets.
 */
struct listeners {
	struct port ports[INSTANCE_PORTS_MAX];
	int fds[INSTANCE_PORTS_MAX]; /* -1: not held */
	size_t count;
	unsigned lost; /* not taken back when a running instance was taken over */
};

bool listeners_wanted(const struct port *ports, size_t count);
/* Opens those that are not open yet; the first time `ports` says which there are and gets no answer: published 0 is
 * filled in by listeners_tell(). ERROR_BUSY: a port is taken, by a process of the host or by an instance. The host's
 * part of the network is up afterwards. What was opened stays open on failure. */
MUST_CHECK int listeners_open(
	struct listeners *listeners, struct host *host, const struct port *ports, size_t count, struct error *err);
/* The numbers that were chosen. */
void listeners_tell(const struct listeners *listeners, struct port *ports, size_t count);
/* LISTEN_FDS and the like, and nginx's variable. */
void listeners_announce(struct arena *arena, const struct listeners *listeners, struct spec_process *process);
/* From the first process of a running instance, which may have closed them: `lost` says how many. */
void listeners_adopt(struct listeners *listeners, int pidfd, const struct port *ports, size_t count);
void listeners_close(struct listeners *listeners);

#endif
