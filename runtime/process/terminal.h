/* Pseudo-terminals of a container. */
#ifndef WARREN_RUNTIME_TERMINAL_H
#define WARREN_RUNTIME_TERMINAL_H

#include "base/error.h"
#include "runtime/spec.h"

struct terminal {
	int master, slave;
};
void terminal_drop(struct terminal *terminal);

/* Child side. devpts: a directory descriptor of the container's own devpts. */
MUST_CHECK int terminal_open(int devpts, const struct spec_process *process, struct terminal *out, struct error *err);
/* The container's /dev/pts by descriptor, verified to be a devpts. */
MUST_CHECK int terminal_open_directory(int root, struct error *err);
/* Puts the terminal at /dev/console, by descriptor. */
MUST_CHECK int terminal_attach_console(const struct terminal *terminal, int dev, struct error *err);
/* Makes it the controlling terminal of our new session. */
MUST_CHECK int terminal_control(const struct terminal *terminal, struct error *err);

/* Parent side: sends a master to a console socket, as container managers await it. Checks that the socket can be
 * reached beforehand: console_socket_connect(). */
MUST_CHECK int console_socket_connect(const char *path, struct error *err);
MUST_CHECK int console_socket_send(int socket, int master, struct error *err);

#endif
