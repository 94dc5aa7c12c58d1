/* Ports to elements and back; deleting them. */
#include "netns/port_elements.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "netns/ruleset.h"

/* --- elements ----------------------------------------------------------------------------------------------------- */

static const uint8_t protocol_numbers[] = {
	[PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP};

bool port_is_any(const struct port *port)
{
	return ip_is_any(&port->host_ip);
}

static void element_add_port(struct element *element, const struct port *port)
{
	uint16_t published = htons(port->published);

	element_add_key(element, &protocol_numbers[port->protocol], 1);
	element_add_key(element, &published, sizeof(published));
}

static void element_lead_to(struct element *element, struct in_addr address, uint16_t port)
{
	uint16_t target = htons(port);

	element_add_data(element, &address, sizeof(address));
	element_add_data(element, &target, sizeof(target));
}

struct element port_element(const struct port *port, struct in_addr address)
{
	struct element element = {.set = port_is_any(port) ? SET_ANY_PORTS : SET_ADDRESS_PORTS};

	if (!port_is_any(port))
		element_add_key(&element, &port->host_ip.v4, sizeof(port->host_ip.v4));
	element_add_port(&element, port);
	element_lead_to(&element, address, port->target);
	return element;
}

/* The same port in the map of the other kind. */
struct element port_shadow(const struct port *port)
{
	struct element element = {.set = SET_ANY_PORTS};
	struct in_addr nowhere = {0};

	element_add_port(&element, port);
	element_lead_to(&element, nowhere, 0);
	return element;
}

struct in_addr element_address(const struct element *element)
{
	struct in_addr address;

	memcpy(&address, element->data, sizeof(address));
	return address;
}

bool elements_lead_to_same(const struct element *a, const struct element *b)
{
	return a->data_length == b->data_length && memcmp(a->data, b->data, a->data_length) == 0;
}

/* --- deleting ----------------------------------------------------------------------------------------------------- */

static int batch_of_deletes(struct netlink *netlink, const struct element *elements, size_t count, const bool *gone,
	size_t *at, size_t *sent, struct request *request, struct error *err)
{
	uint64_t buffer[BATCH_SIZE / sizeof(uint64_t)];

	*sent = 0;
	batch_begin(request, netlink, buffer, sizeof(buffer));
	for (size_t i = 0; i < count; i++) {
		if (gone[i])
			continue;
		batch_delete(request, &elements[i]);
		at[(*sent)++] = i;
	}
	batch_end(request);
	return *sent == 0 ? 0 : request_exchange(netlink, request, NULL, NULL, err);
}

/* At most BATCH_PORTS. Those that are gone by then are left out, and the rest is tried again. */
static int elements_delete_some(
	struct netlink *netlink, const struct element *elements, size_t count, struct error *err)
{
	bool gone[BATCH_PORTS] = {false};
	size_t at[BATCH_PORTS], sent;
	struct request request;

	for (size_t attempt = 0; attempt <= count; attempt++) {
		if (batch_of_deletes(netlink, elements, count, gone, at, &sent, &request, err) == 0)
			return 0;
		if (request.errnum != ENOENT || request.failed < 1 || (size_t)request.failed > sent)
			return -1;
		gone[at[request.failed - 1]] = true;
	}
	return 0;
}

int elements_delete(struct netlink *netlink, const struct element *elements, size_t count, struct error *err)
{
	for (size_t done = 0; done < count; done += BATCH_PORTS) {
		size_t some = count - done < BATCH_PORTS ? count - done : BATCH_PORTS;

		if (elements_delete_some(netlink, elements + done, some, err) < 0)
			return -1;
	}
	return 0;
}
