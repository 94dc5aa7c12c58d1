/* Ports to elements and back; deleting them. */
#include "netns/ports/port_elements.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/table/table_text.h"

/* --- questions ---------------------------------------------------------------------------------------------------- */

bool port_is_any(const struct port *port)
{
	return ip_is_any(&port->host_ip);
}

bool port_is_six(const struct port *port)
{
	return port->host_ip.family == AF_INET6;
}

bool port_is_plain(const struct port *port)
{
	return port->mode == PORT_NAT && port->balance == PORT_ALONE;
}

bool port_is_interval(const struct port *port)
{
	return port->following && port->published == port->target;
}

bool port_has_element(const struct port *port, uint16_t offset)
{
	return !port_is_interval(port) || offset == port->following;
}

int endpoint_admit(const struct endpoint *endpoint, const struct port *port, struct error *err)
{
	if (!port_is_six(port))
		return endpoint->address.s_addr != htonl(INADDR_ANY)
			       ? 0
			       : fail(err, ERROR_USAGE, "the instance has no IPv4 address");
	if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6))
		return 0;
	return fail(err, ERROR_USAGE, "the instance has no IPv6 address, because %s; publish on an IPv4 address",
		net_has_ipv6() ? "its network had none when it was made, or it has switched it off"
			       : "IPv6 is switched off on this host (net.ipv6.conf.all.disable_ipv6)");
}

uint8_t port_protocol_number(enum port_protocol protocol)
{
	static const uint8_t numbers[] = {
		[PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP};

	return numbers[protocol];
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

/* One map for both families: IPv4 addresses as ::ffff:a.b.c.d. */
static struct in6_addr claim_address(const struct ip_address *address)
{
	struct in6_addr six = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (address->family == AF_INET6)
		return address->v6;
	memcpy(&six.s6_addr[12], &address->v4, sizeof(address->v4));
	return six;
}

static void add_number(struct element *element, const struct port *port, uint16_t offset)
{
	uint8_t protocol = port_protocol_number(port->protocol);
	uint16_t number = htons((uint16_t)(port->published + offset));

	element_add_key(element, &protocol, sizeof(protocol));
	element_add_key(element, &number, sizeof(number));
}

static struct element claim_on(
	const struct ip_address *address, const struct port *port, uint16_t offset, const struct endpoint *holder)
{
	const struct ip_address holder_address = ip_from_v4(holder->address);
	struct in6_addr where = claim_address(address), who = claim_address(&holder_address);
	struct element element = {.set = SET_CLAIMS};

	element_add_key(&element, &where, sizeof(where));
	add_number(&element, port, offset);
	element_add_data(&element, &who, sizeof(who));
	return element;
}

struct element port_claim(const struct port *port, uint16_t offset, const struct endpoint *holder)
{
	return claim_on(&port->host_ip, port, offset, holder);
}

struct element port_claim_any(const struct port *port, uint16_t offset, const struct endpoint *holder)
{
	const struct ip_address any = {.family = port->host_ip.family, .v6 = IN6ADDR_ANY_INIT};

	return claim_on(&any, port, offset, holder);
}

struct element port_narrow(const struct port *port, uint16_t offset)
{
	uint8_t family = port_is_six(port) ? NFPROTO_IPV6 : NFPROTO_IPV4;
	struct element element = {.set = SET_NARROW};

	element_add_key(&element, &family, sizeof(family));
	add_number(&element, port, offset);
	return element;
}

struct in_addr claim_holder(const struct element *claim)
{
	struct in_addr holder = {0};

	if (claim->data_length == sizeof(struct in6_addr))
		memcpy(&holder, claim->data + 12, sizeof(holder));
	return holder;
}

bool claim_is_of(const struct element *claim, const struct endpoint *endpoint)
{
	return claim->data_length == sizeof(struct in6_addr) && claim_holder(claim).s_addr == endpoint->address.s_addr;
}

bool claim_is_narrow(const struct element *claim, const struct port *port, uint16_t offset)
{
	struct endpoint nobody = {0};
	struct element any = port_claim_any(port, offset, &nobody);
	size_t address = sizeof(struct in6_addr);

	/* ::ffff: in front tells the families apart. */
	return claim->key_length == any.key_length &&
	       IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)claim->key) == !port_is_six(port) &&
	       memcmp(claim->key + address, any.key + address, any.key_length - address) == 0 &&
	       memcmp(claim->key, any.key, address) != 0;
}

static void put_passing(struct request *request, const struct element *element)
{
	batch_add(request, element, true);
	batch_delete(request, element);
}

/* Any address: nobody may have it on one. One address: nobody may have it on any, and the mark for the other way round.
 */
void batch_claim(
	struct request *request, const struct port *port, uint16_t offset, const struct endpoint *holder, bool unmark)
{
	struct element claim = port_claim(port, offset, holder), any = port_claim_any(port, offset, holder);
	struct element narrow = port_narrow(port, offset);

	if (port_is_any(port)) {
		if (unmark)
			batch_delete(request, &narrow);
		put_passing(request, &narrow);
	} else {
		put_passing(request, &any);
		batch_add(request, &narrow, false);
	}
	batch_add(request, &claim, true);
}

/* --- where they lead ---------------------------------------------------------------------------------------------- */

static void add_address(struct element *element, const struct port *port, bool last)
{
	const struct ip_address *address = &port->host_ip;
	const void *bytes = port_is_six(port) ? (const void *)&address->v6 : (const void *)&address->v4;
	uint8_t length = port_is_six(port) ? sizeof(address->v6) : sizeof(address->v4);
	uint8_t highest[sizeof(struct in6_addr)];

	memset(highest, 0xff, sizeof(highest));
	if (last)
		element_add_end(element, port_is_any(port) ? highest : bytes, length);
	else
		element_add_key(element, bytes, length);
}

static void lead_to(struct element *element, const struct port *port, const struct endpoint *endpoint)
{
	if (port_is_six(port))
		element_add_data(element, &endpoint->address6, sizeof(endpoint->address6));
	else
		element_add_data(element, &endpoint->address, sizeof(endpoint->address));
}

/* Ports on any address are a range over all addresses there. */
static struct element interval_element(const struct port *port, const struct endpoint *endpoint)
{
	struct element element = {.set = port_is_six(port) ? SET_RANGES6 : SET_RANGES};
	uint8_t protocol = port_protocol_number(port->protocol);
	uint16_t last = htons((uint16_t)(port->published + port->following));

	add_address(&element, port, false);
	add_number(&element, port, 0);
	add_address(&element, port, true);
	element_add_end(&element, &protocol, sizeof(protocol));
	element_add_end(&element, &last, sizeof(last));
	lead_to(&element, port, endpoint);
	return element;
}

static const char *port_map(const struct port *port)
{
	static const char *const maps[2][2] = {
		{SET_ADDRESS_PORTS, SET_ANY_PORTS}, {SET_ADDRESS_PORTS6, SET_ANY_PORTS6}};

	return maps[port_is_six(port)][port_is_any(port)];
}

struct element port_element(const struct port *port, uint16_t offset, const struct endpoint *endpoint)
{
	struct element element = {.set = port_map(port)};
	uint16_t target = htons((uint16_t)(port->target + offset));

	if (port_is_interval(port))
		return interval_element(port, endpoint);
	if (!port_is_any(port))
		add_address(&element, port, false);
	add_number(&element, port, offset);
	lead_to(&element, port, endpoint);
	element_add_data(&element, &target, sizeof(target));
	return element;
}

bool elements_lead_to_same(const struct element *a, const struct element *b)
{
	return a->data_length == b->data_length && memcmp(a->data, b->data, a->data_length) == 0;
}

/* IPv4: the address, and the port unless it is a range; IPv6 alike. */
bool element_leads_to(const struct element *element, const struct endpoint *endpoint)
{
	if (element->data_length == 4 || element->data_length == 8)
		return memcmp(element->data, &endpoint->address, 4) == 0;
	if (element->data_length == 16 || element->data_length == 20)
		return !IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6) &&
		       memcmp(element->data, &endpoint->address6, 16) == 0;
	return false;
}

/* --- deleting ----------------------------------------------------------------------------------------------------- */

static int batch_of_deletes(struct netlink *netlink, const struct element *elements, size_t count, const bool *gone,
	uint16_t *at, size_t *sent, struct request *request, struct error *err)
{
	uint64_t buffer[BATCH_SIZE / sizeof(uint64_t)];

	*sent = 0;
	batch_begin(request, netlink, buffer, sizeof(buffer));
	for (size_t i = 0; i < count; i++) {
		if (gone[i])
			continue;
		batch_delete(request, &elements[i]);
		at[(*sent)++] = (uint16_t)i;
	}
	batch_end(request);
	return *sent == 0 ? 0 : request_exchange(netlink, request, NULL, NULL, err);
}

/* At most BATCH_ELEMENTS. Those that are gone by then are left out, and the rest is tried again. */
static int elements_delete_some(
	struct netlink *netlink, const struct element *elements, size_t count, struct error *err)
{
	bool gone[BATCH_ELEMENTS] = {false};
	uint16_t at[BATCH_ELEMENTS];
	struct request request;
	size_t sent;

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
	for (size_t done = 0; done < count; done += BATCH_ELEMENTS) {
		size_t some = count - done < BATCH_ELEMENTS ? count - done : BATCH_ELEMENTS;

		if (elements_delete_some(netlink, elements + done, some, err) < 0)
			return -1;
	}
	return 0;
}
