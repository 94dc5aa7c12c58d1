/* Published ports: one map element each, so a port costs the same whether one is published or thousands.
 *
 * A port on one address is kept in one map, a port on any address in another; the same port in both would make the
 * first win silently, so it is refused. Adding one on an address therefore adds and deletes the same port in the
 * other map within the transaction, exclusively: the kernel refuses all of it when somebody has it there. The other
 * way round the first map is looked through before and, against a race, after. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/link.h"
#include "netns/port_elements.h"
#include "netns/ruleset.h"
#include "netns/session.h"

#define MESSAGES_PER_PORT 3
#define RETRIES_MAX 64 /* elements that vanish between a refusal and the look at who holds them */
#define PORT_MAX 65535
#define PORTS_FALLBACK_FIRST 32768
#define PORTS_SPAN_MIN 512
#define PORT_RANGE_FILE "/proc/sys/net/ipv4/ip_local_port_range"

static bool port_needs_loopback(const struct port *port)
{
	return port_is_any(port) || ip_is_loopback(&port->host_ip);
}

/* --- who has a port ----------------------------------------------------------------------------------------------- */

static const char *port_where(const struct port *port, char buffer[PORT_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, PORT_TEXT_SIZE, "%s:%u/%s", ip_format(&port->host_ip, address), port->published,
		port_protocol_names[port->protocol]);
	return buffer;
}

/* 0, or the errno with which a process of the host would fail to have it. SO_REUSEADDR for TCP: connections that are
 * long over do not count, listeners do. */
static int port_try_bind(const struct port *port)
{
	int type = port->protocol == PORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	auto_fd fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr = port->host_ip.v4, .sin_port = htons(port->published)};
	int on = 1;

	if (fd < 0)
		return errno;
	if (port->protocol == PORT_TCP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return errno;
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

static int port_refuse_host(const struct port *port, int errnum, struct error *err)
{
	char where[PORT_TEXT_SIZE];

	port_where(port, where);
	if (errnum == EADDRINUSE)
		return fail(err, ERROR_BUSY, "port %s is taken by a process of this host", where);
	if (errnum == EADDRNOTAVAIL)
		return fail(err, ERROR_USAGE, "port %s: this host has no such address", where);
	errno = errnum;
	return fail_errno(err, "port %s", where);
}

static int port_refuse_instance(const struct port *port, struct in_addr holder, struct error *err)
{
	char where[PORT_TEXT_SIZE], address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &holder, address, sizeof(address));
	return fail(err, ERROR_BUSY, "port %s is published by the instance at %s", port_where(port, where), address);
}

/* Ports published on single addresses: bit set, and who has them. */
struct narrow {
	uint8_t taken[2][(PORT_MAX + 1) / 8];
	const struct port *port; /* whose holder is looked for, may be NULL */
	struct in_addr holder;
	bool found;
};

static void narrow_note(const struct element *element, void *context)
{
	struct narrow *narrow = context;
	uint16_t port;

	if (element->key_length != 12 || element->data_length != 8)
		return;
	memcpy(&port, element->key + 8, sizeof(port));
	port = ntohs(port);
	int protocol = element->key[4] == IPPROTO_UDP ? PORT_UDP : PORT_TCP;
	narrow->taken[protocol][port / 8] |= (uint8_t)(1u << port % 8);
	if (narrow->port && narrow->port->published == port && (int)narrow->port->protocol == protocol) {
		narrow->found = true;
		narrow->holder = element_address(element);
	}
}

static bool narrow_has(const struct narrow *narrow, const struct port *port)
{
	return narrow->taken[port->protocol][port->published / 8] >> port->published % 8 & 1;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

struct publication {
	struct net_session *session;
	const struct endpoint *endpoint;
	struct port *ports; /* at most BATCH_PORTS */
	size_t count;
	bool present[BATCH_PORTS]; /* led here already */
	bool chosen[BATCH_PORTS];  /* the number is ours to choose */
	uint32_t tries[BATCH_PORTS];
	uint16_t first, span;  /* where ports are chosen from */
	struct narrow *narrow; /* NULL when no port is on any address */
	uint16_t at[BATCH_PORTS * MESSAGES_PER_PORT];
	size_t messages;
};

static bool publication_has_any(const struct publication *publication)
{
	for (size_t i = 0; i < publication->count; i++)
		if (port_is_any(&publication->ports[i]))
			return true;
	return false;
}

static int narrow_look(struct publication *publication, struct error *err)
{
	if (!publication->narrow)
		return 0;
	memset(publication->narrow, 0, sizeof(*publication->narrow));
	return elements_dump(&publication->session->filter, SET_ADDRESS_PORTS, narrow_note, publication->narrow, err);
}

static int narrow_refuse(struct publication *publication, const struct port *port, struct error *err)
{
	char where[PORT_TEXT_SIZE];

	publication->narrow->port = port;
	if (elements_dump(&publication->session->filter, SET_ADDRESS_PORTS, narrow_note, publication->narrow, err) < 0)
		return -1;
	if (!publication->narrow->found)
		return fail(err, ERROR_BUSY, "port %s was published by an instance that has just gone; try again",
			port_where(port, where));
	return port_refuse_instance(port, publication->narrow->holder, err);
}

/* Another port of the same call that has this number already, NULL: none. */
static const struct port *port_twin(const struct publication *publication, size_t i)
{
	const struct port *port = &publication->ports[i];

	for (size_t k = 0; k < publication->count; k++) {
		const struct port *other = &publication->ports[k];

		if (k != i && !publication->present[k] && other->published == port->published &&
			other->protocol == port->protocol &&
			(ip_equal(&other->host_ip, &port->host_ip) || port_is_any(other) || port_is_any(port)))
			return other;
	}
	return NULL;
}

/* Above the ports that the kernel gives to outgoing connections, when there are enough of them. */
static int range_find(struct publication *publication, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *content;
	int64_t last;

	if (publication->span)
		return 0;
	if (file_read(&arena, AT_FDCWD, PORT_RANGE_FILE, 64, &content, NULL, err) < 0)
		return -1;
	content += strcspn(content, " \t");
	content += strspn(content, " \t");
	if (number_parse(arena_bytes(&arena, content, strcspn(content, "\n")), 1, PORT_MAX, &last, err) < 0)
		return blame(err, PORT_RANGE_FILE);
	publication->first = PORT_MAX - last >= PORTS_SPAN_MIN ? (uint16_t)(last + 1) : PORTS_FALLBACK_FIRST;
	publication->span = (uint16_t)(PORT_MAX - publication->first + 1);
	return 0;
}

/* The next number nobody has. Where the search begins follows from the address, so an instance tends to get the same.
 */
static int port_choose(struct publication *publication, size_t i, struct error *err)
{
	struct port *port = &publication->ports[i];
	uint32_t seed = ntohl(publication->endpoint->address.s_addr) * 31 + port->target;

	if (range_find(publication, err) < 0)
		return -1;
	while (publication->tries[i] < publication->span) {
		uint32_t offset = (seed + publication->tries[i]++) % publication->span;
		int errnum;

		port->published = (uint16_t)(publication->first + offset);
		if (port_twin(publication, i) || (port_is_any(port) && narrow_has(publication->narrow, port)))
			continue;
		errnum = port_try_bind(port);
		if (errnum == 0)
			return 0;
		if (errnum != EADDRINUSE)
			return port_refuse_host(port, errnum, err);
	}
	return fail(err, ERROR_BUSY, "all ports from %u to %d are taken", publication->first, PORT_MAX);
}

/* Asked for twice in one call: the same thing once, or a contradiction. */
static int port_settle_twin(struct publication *publication, size_t i, const struct port *twin, struct error *err)
{
	const struct port *port = &publication->ports[i];
	char where[PORT_TEXT_SIZE];

	if (!ip_equal(&twin->host_ip, &port->host_ip) || twin->target != port->target)
		return fail(err, ERROR_USAGE, "port %s is asked for twice", port_where(port, where));
	publication->present[i] = true;
	return 0;
}

static int port_claim_check(struct publication *publication, size_t i, struct error *err)
{
	struct port *port = &publication->ports[i];
	const struct port *twin = port_twin(publication, i);
	int errnum;

	if (twin)
		return port_settle_twin(publication, i, twin, err);
	errnum = port_try_bind(port);
	if (errnum)
		return port_refuse_host(port, errnum, err);
	if (port_is_any(port) && narrow_has(publication->narrow, port))
		return narrow_refuse(publication, port, err);
	return 0;
}

/* The numbers that are given first, so that none of them is chosen for another. */
static int publication_prepare(struct publication *publication, struct error *err)
{
	for (size_t i = 0; i < publication->count; i++) {
		publication->chosen[i] = publication->ports[i].published == 0;
		if (!publication->chosen[i] && port_claim_check(publication, i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < publication->count; i++)
		if (publication->chosen[i] && port_choose(publication, i, err) < 0)
			return -1;
	return 0;
}

static void publication_note(struct publication *publication, size_t i, unsigned messages)
{
	while (messages-- > 0)
		publication->at[publication->messages++] = (uint16_t)i;
}

static void publication_put(struct publication *publication, struct request *request, size_t i)
{
	const struct port *port = &publication->ports[i];
	struct element element = port_element(port, publication->endpoint->address), shadow = port_shadow(port);

	if (!port_is_any(port)) {
		batch_add(request, &shadow, true);
		batch_delete(request, &shadow);
		publication_note(publication, i, 2);
	}
	batch_add(request, &element, true);
	publication_note(publication, i, 1);
}

static int publication_send(struct publication *publication, struct request *request, struct error *err)
{
	uint64_t buffer[BATCH_SIZE / sizeof(uint64_t)];
	struct netlink *filter = &publication->session->filter;

	publication->messages = 0;
	batch_begin(request, filter, buffer, sizeof(buffer));
	for (size_t i = 0; i < publication->count; i++)
		if (!publication->present[i])
			publication_put(publication, request, i);
	batch_end(request);
	return publication->messages == 0 ? 0 : request_exchange(filter, request, NULL, NULL, err);
}

/* Somebody has the port: ourselves (fine), nobody any more (again), or another (the next, when it is ours to choose).
 * 0: try again. */
static int publication_settle(struct publication *publication, size_t i, struct error *err)
{
	struct port *port = &publication->ports[i];
	struct element wanted = port_element(port, publication->endpoint->address);
	struct element holders[] = {wanted, port_shadow(port)};

	for (size_t k = 0; k < ARRAY_SIZE(holders); k++) {
		int found = element_find(&publication->session->filter, &holders[k], err);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (k == 0 && !publication->chosen[i] && elements_lead_to_same(&wanted, &holders[k])) {
			publication->present[i] = true;
			return 0;
		}
		if (publication->chosen[i])
			return port_choose(publication, i, err);
		return port_refuse_instance(port, element_address(&holders[k]), err);
	}
	return 0;
}

static int publication_add(struct publication *publication, struct error *err)
{
	struct request request;

	for (int attempt = 0; attempt < RETRIES_MAX + BATCH_PORTS; attempt++) {
		if (publication_send(publication, &request, err) == 0)
			return 0;
		if (request.errnum != EEXIST || request.failed < 1 || (size_t)request.failed > publication->messages)
			return -1;
		if (publication_settle(publication, publication->at[request.failed - 1], err) < 0)
			return -1;
	}
	return fail(err, ERROR_BUSY, "others keep taking the same ports");
}

static int publication_check(struct publication *publication, struct error *err)
{
	if (narrow_look(publication, err) < 0)
		return -1;
	for (size_t i = 0; i < publication->count; i++)
		if (port_is_any(&publication->ports[i]) && narrow_has(publication->narrow, &publication->ports[i]))
			return narrow_refuse(publication, &publication->ports[i], err);
	return 0;
}

/* Only what this call added: what led here before stays. The error that is being reported stays too. */
static void publication_undo(struct publication *publication)
{
	struct element added[BATCH_PORTS];
	struct error ignored = {0};
	size_t count = 0;

	for (size_t i = 0; i < publication->count; i++)
		if (!publication->present[i])
			added[count++] = port_element(&publication->ports[i], publication->endpoint->address);
	if (elements_delete(&publication->session->filter, added, count, &ignored) < 0)
		return;
}

/* Numbers that were ours to choose are so again. */
static void publication_forget(struct publication *publication)
{
	for (size_t i = 0; i < publication->count; i++)
		if (publication->chosen[i])
			publication->ports[i].published = 0;
}

static int publication_do(struct publication *publication, struct error *err)
{
	if (narrow_look(publication, err) < 0)
		return -1;
	if (publication_prepare(publication, err) < 0)
		return -1;
	if (publication_add(publication, err) < 0)
		return -1;
	if (publication_check(publication, err) == 0)
		return 0;
	publication_undo(publication);
	return -1;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int loopback_open(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (port_needs_loopback(&ports[i]))
			return link_allow_loopback(&session->route, endpoint->slot, err);
	return 0;
}

int ports_publish(struct net_session *session, const struct endpoint *endpoint, struct port *ports, size_t count,
	struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	size_t batches = (count + BATCH_PORTS - 1) / BATCH_PORTS;
	struct publication *all = arena_new_array(&arena, batches, struct publication);

	for (size_t i = 0; i < count; i++)
		if (ports[i].host_ip.family != AF_INET || ports[i].following || ports[i].protocol == PORT_SCTP ||
			ports[i].balance != PORT_ALONE || ports[i].mode != PORT_NAT)
			return fail(err, ERROR_USAGE, "publish ports: single ports of IPv4, tcp and udp alone");
	if (loopback_open(session, endpoint, ports, count, err) < 0)
		return blame(err, "publish ports");
	for (size_t b = 0; b < batches; b++) {
		size_t left = count - b * BATCH_PORTS;

		all[b].session = session;
		all[b].endpoint = endpoint;
		all[b].ports = ports + b * BATCH_PORTS;
		all[b].count = left < BATCH_PORTS ? left : BATCH_PORTS;
		if (publication_has_any(&all[b]))
			all[b].narrow = arena_new(&arena, struct narrow);
		if (publication_do(&all[b], err) == 0)
			continue;
		publication_forget(&all[b]);
		while (b-- > 0) {
			publication_undo(&all[b]);
			publication_forget(&all[b]);
		}
		return -1;
	}
	return 0;
}
