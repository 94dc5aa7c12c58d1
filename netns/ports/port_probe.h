/* What of the host stands against a published port. */
#ifndef WARREN_NETNS_PORT_PROBE_H
#define WARREN_NETNS_PORT_PROBE_H

#include "netns/netns.h"

/* 0, or the errno with which a process of the host would fail to have the number `offset` behind the port's first. */
int port_try_bind(const struct port *port, uint16_t offset);
/* The first and the count of the numbers from which one is chosen: above those that the kernel gives to outgoing
 * connections, when there are enough of them. */
MUST_CHECK int port_choice(uint16_t *first, uint16_t *span, struct error *err);
/* "127.0.0.1:80/tcp" */
const char *port_where(const struct port *port, uint16_t offset, char buffer[PORT_TEXT_SIZE]);
/* Says what port_try_bind() found. */
int port_refuse_host(const struct port *port, uint16_t offset, int errnum, struct error *err);

#endif
