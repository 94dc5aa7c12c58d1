/* linux.netDevices: devices of the host that move into the container's network namespace. */
#ifndef WARREN_RUNTIME_NETDEVICES_H
#define WARREN_RUNTIME_NETDEVICES_H

#include "base/error.h"
#include "runtime/spec.h"

/* What has been moved, for as long as it may have to come back. All zero but descriptors -1: nothing. */
struct netdevices {
	const struct spec *spec;
	int host, inside; /* namespaces */
	int host_socket, inside_socket;
	bool begun; /* nothing stood in the way, so what has a name of theirs inside is theirs */
};
#define NETDEVICES_NONE                                                                                                \
	{                                                                                                              \
		.host = -1, .inside = -1, .host_socket = -1, .inside_socket = -1                                       \
	}
void netdevices_drop(struct netdevices *devices);

/* Moves them all: each gets the name it shall have inside, keeps its permanent addresses of global scope, and is up.
 * netns: the container's. On failure those that had been moved are back where they were. Call it single-threaded. */
MUST_CHECK int netdevices_move(struct netdevices *devices, const struct spec *spec, int netns, struct error *err);

/* After a later failure: brings back what is still there, with a warning for what is not. */
void netdevices_return(struct netdevices *devices);

#endif
