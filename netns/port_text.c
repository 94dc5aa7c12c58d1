/* Ports as people write and read them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netns.h"

#define PORT_MAX 65535
#define PARTS_MAX 3

const char *const port_protocol_names[] = {"tcp", "udp", NULL};

static int protocol_parse(const char *text, enum port_protocol *out, struct error *err)
{
	for (int i = 0; port_protocol_names[i]; i++) {
		if (!text_equal(text, port_protocol_names[i]))
			continue;
		*out = (enum port_protocol)i;
		return 0;
	}
	return fail(err, ERROR_USAGE, "protocol \"%.32s\" must be tcp or udp", text);
}

static int number_take(const char *what, const char *text, int64_t min, uint16_t *out, struct error *err)
{
	int64_t number;

	if (number_parse(text, min, PORT_MAX, &number, err) < 0)
		return blame(err, "%s", what);
	*out = (uint16_t)number;
	return 0;
}

/* [[HOST_IP:][PUBLISHED]:]TARGET */
static int parts_parse(const struct strings *parts, struct port *out, struct error *err)
{
	const char *const *part = parts->items;
	size_t last = parts->count - 1;

	if (parts->count > PARTS_MAX)
		return fail(err, ERROR_USAGE, "write it like \"127.0.0.1:8080:80/tcp\"");
	if (parts->count == PARTS_MAX && inet_pton(AF_INET, part[0], &out->host_ip) != 1)
		return fail(err, ERROR_USAGE, "\"%.32s\" is not an IPv4 address", part[0]);
	if (last > 0 && *part[last - 1] && number_take("published port", part[last - 1], 0, &out->published, err) < 0)
		return -1;
	return number_take("the instance's port", part[last], 1, &out->target, err);
}

int port_parse(const char *text, struct port *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct strings parts = strings_split(&arena, arena_bytes(&arena, text, length), ':');

	*out = (struct port){.host_ip.s_addr = htonl(INADDR_LOOPBACK), .protocol = PORT_TCP};
	if ((slash && protocol_parse(slash + 1, &out->protocol, err) < 0) || parts_parse(&parts, out, err) < 0)
		return blame(err, "port \"%.64s\"", text);
	return 0;
}

const char *port_format(const struct port *port, char buffer[40])
{
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &port->host_ip, address, sizeof(address));
	snprintf(buffer, 40, "%s:%u->%u/%s", address, port->published, port->target,
		port_protocol_names[port->protocol]);
	return buffer;
}
