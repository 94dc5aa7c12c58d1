/* Published ports as elements of the two maps. */
#ifndef WARREN_NETNS_PORT_ELEMENTS_H
#define WARREN_NETNS_PORT_ELEMENTS_H

#include "netns/elements.h"
#include "netns/netns.h"

bool port_is_any(const struct port *port);
/* What leads packets for the port to the instance. */
struct element port_element(const struct port *port, struct in_addr address);
/* The same port in the map for any address, leading nowhere. */
struct element port_shadow(const struct port *port);
struct in_addr element_address(const struct element *element);
bool elements_lead_to_same(const struct element *a, const struct element *b);
/* Those that are gone already are passed over. */
MUST_CHECK int elements_delete(
	struct netlink *netlink, const struct element *elements, size_t count, struct error *err);

#define BATCH_PORTS 64	 /* ports in one transaction */
#define BATCH_SIZE 32768 /* bytes that three messages for each of them fit in */

#endif
