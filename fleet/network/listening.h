/* Whether a program that was just started takes connections yet. */
#ifndef WARREN_FLEET_NETWORK_LISTENING_H
#define WARREN_FLEET_NETWORK_LISTENING_H

#include "netns/netns.h"

/* Returns when something in the process's network namespace listens on the target of each of these ports that is
 * shared and TCP, when the process has ended (pidfd), or after the time is out. Without such ports: at once. */
void listening_await(pid_t pid, int pidfd, const struct port *ports, size_t count, int64_t timeout_ms);
/* True when the text of /proc/PID/net/tcp (or tcp6) has a listening socket on that port. Pure. */
bool listening_is_in(const char *table, uint16_t port);

#endif
