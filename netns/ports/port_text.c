/* Ports as people write and read them, and what is wrong with them before anybody is asked. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netns.h"

#define PORT_MAX 65535
#define PARTS_MAX 3
#define HOW_TO_WRITE "write it like \"127.0.0.1:8080:80/tcp\" or \"[::]:8080:80\""

const char *const port_protocol_names[] = {"tcp", "udp", "sctp", NULL};
const char *const port_mode_names[] = {"nat", "socket", NULL};
const char *const port_balance_names[] = {"alone", "balanced", "sticky", NULL};

static int name_find(const char *const *names, const char *text)
{
	for (int i = 0; names[i]; i++)
		if (text_equal(text, names[i]))
			return i;
	return -1;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* said: the option of each kind that came before, or NULL. */
struct said {
	const char *mode, *balance;
};

static int option_parse(const char *word, struct said *said, struct port *out, struct error *err)
{
	int mode = name_find(port_mode_names, word), balance = name_find(port_balance_names, word);
	const char **before = mode >= 0 ? &said->mode : &said->balance;

	if (mode < 0 && balance < 0)
		return fail(err, ERROR_USAGE, "\"+%.32s\" must be +socket, +balanced or +sticky", word);
	if (*before)
		return fail(err, ERROR_USAGE, "\"+%s\" and \"+%s\": say one of them, once", *before, word);
	*before = word;
	if (mode >= 0)
		out->mode = (enum port_mode)mode;
	else
		out->balance = (enum port_balance)balance;
	return 0;
}

/* PROTOCOL[+OPTION…] */
static int manner_parse(struct arena *arena, const char *text, struct port *out, struct error *err)
{
	struct strings words = strings_split(arena, text, '+');
	struct said said = {0};
	int protocol = name_find(port_protocol_names, words.items[0]);

	if (protocol < 0)
		return fail(err, ERROR_USAGE, "protocol \"%.32s\" must be tcp, udp or sctp", words.items[0]);
	out->protocol = (enum port_protocol)protocol;
	for (size_t i = 1; i < words.count; i++)
		if (option_parse(words.items[i], &said, out, err) < 0)
			return -1;
	return 0;
}

int port_range_parse(const char *text, uint16_t *first, uint16_t *following, struct error *err)
{
	const char *dash = *text ? strchr(text + 1, '-') : NULL;
	auto_free char *begin = dash ? text_format("%.*s", (int)(dash - text), text) : NULL;
	int64_t low, high;

	if (number_parse(begin ? begin : text, 1, PORT_MAX, &low, err) < 0)
		return -1;
	high = low;
	if (dash && number_parse(dash + 1, 1, PORT_MAX, &high, err) < 0)
		return -1;
	if (high < low)
		return fail(err, ERROR_USAGE, "\"%.32s\" ends before it begins", text);
	*first = (uint16_t)low;
	*following = (uint16_t)(high - low);
	return 0;
}

static int published_parse(const char *text, struct port *out, uint16_t *following, struct error *err)
{
	*following = 0;
	if (!*text || text_equal(text, "0"))
		return 0;
	if (port_range_parse(text, &out->published, following, err) < 0)
		return blame(err, "published port");
	return 0;
}

/* [PUBLISHED:]TARGET */
static int numbers_parse(const struct strings *parts, struct port *out, struct error *err)
{
	const char *target = parts->items[parts->count - 1];
	uint16_t following = 0;

	if (parts->count > 1 && published_parse(parts->items[parts->count - 2], out, &following, err) < 0)
		return -1;
	if (port_range_parse(target, &out->target, &out->following, err) < 0)
		return blame(err, "the instance's port");
	if (out->published && following != out->following)
		return fail(err, ERROR_USAGE, "%u published ports for %u of the instance", following + 1u,
			out->following + 1u);
	return 0;
}

/* "[ADDRESS]" in front, without the brackets; *rest: what stands behind the colon after it. */
static int bracket_parse(struct arena *arena, const char *text, struct port *out, const char **rest, struct error *err)
{
	const char *end = strchr(text, ']');

	if (!end || end[1] != ':')
		return fail(err, ERROR_USAGE, HOW_TO_WRITE);
	*rest = end + 2;
	if (ip_parse(arena_bytes(arena, text + 1, (size_t)(end - text - 1)), &out->host_ip, err) < 0)
		return -1;
	if (out->host_ip.family != AF_INET6)
		return fail(err, ERROR_USAGE, "brackets are for IPv6 addresses");
	return 0;
}

/* [HOST_IP:][PUBLISHED:]TARGET */
static int place_parse(struct arena *arena, const char *text, struct port *out, struct error *err)
{
	bool bracketed = *text == '[';
	struct strings parts;

	if (bracketed && bracket_parse(arena, text, out, &text, err) < 0)
		return -1;
	parts = strings_split(arena, text, ':');
	if (parts.count > (bracketed ? PARTS_MAX - 1 : PARTS_MAX) || (bracketed && parts.count < PARTS_MAX - 1))
		return fail(err, ERROR_USAGE, HOW_TO_WRITE);
	if (parts.count == PARTS_MAX && ip_parse(parts.items[0], &out->host_ip, err) < 0)
		return -1;
	return numbers_parse(&parts, out, err);
}

int port_parse(const char *text, struct port *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	*out = (struct port){.host_ip = ip_from_v4((struct in_addr){htonl(INADDR_LOOPBACK)})};
	if ((slash && manner_parse(&arena, slash + 1, out, err) < 0) ||
		place_parse(&arena, arena_bytes(&arena, text, length), out, err) < 0 || port_check(out, err) < 0)
		return blame(err, "port \"%.64s\"", text);
	return 0;
}

/* --- checking ----------------------------------------------------------------------------------------------------- */

static int check_socket(const struct port *port, struct error *err)
{
	if (port->protocol != PORT_TCP)
		return fail(err, ERROR_USAGE, "socket mode is for tcp alone, not for %s",
			port_protocol_names[port->protocol]);
	if (port->following)
		return fail(err, ERROR_USAGE, "socket mode is for single ports, not for ranges");
	if (port->balance != PORT_ALONE)
		return fail(err, ERROR_USAGE, "a port in socket mode cannot be %s", port_balance_names[port->balance]);
	return 0;
}

static int check_range(const struct port *port, struct error *err)
{
	if (!port->published)
		return fail(err, ERROR_USAGE, "a range needs its published ports");
	if (port->balance != PORT_ALONE)
		return fail(err, ERROR_USAGE, "a range cannot be %s", port_balance_names[port->balance]);
	if (port->published + port->following > PORT_MAX || port->target + port->following > PORT_MAX)
		return fail(err, ERROR_USAGE, "the range goes past %d", PORT_MAX);
	return 0;
}

/* Nobody connects to those, though the kernel binds some of them. */
static int check_host_ip(const struct ip_address *address, struct error *err)
{
	const uint32_t four = address->family == AF_INET ? ntohl(address->v4.s_addr) : 0;
	const bool six = address->family == AF_INET6;

	if (six && IN6_IS_ADDR_LINKLOCAL(&address->v6))
		return fail(err, ERROR_USAGE, "a link-local address is not published on: name another of the host");
	if (IN_MULTICAST(four) || (six && IN6_IS_ADDR_MULTICAST(&address->v6)))
		return fail(err, ERROR_USAGE, "a multicast address is not published on: name one of the host");
	if (four == INADDR_BROADCAST)
		return fail(err, ERROR_USAGE, "a broadcast address is not published on: name one of the host");
	return 0;
}

int port_check(const struct port *port, struct error *err)
{
	bool is_six = port->host_ip.family == AF_INET6;

	if (check_host_ip(&port->host_ip, err) < 0)
		return -1;
	if (port->mode == PORT_SOCKET)
		return check_socket(port, err);
	if (port->following && check_range(port, err) < 0)
		return -1;
	if (port->balance != PORT_ALONE && !port->published)
		return fail(err, ERROR_USAGE, "a port that is shared needs its published number");
	/* The kernel does not let a connection from ::1 leave by another link, whatever it is translated to. */
	if (is_six && ip_is_loopback(&port->host_ip))
		return fail(err, ERROR_USAGE, "::1 cannot be translated: use 127.0.0.1, or socket mode (tcp+socket)");
	return 0;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

bool ports_collide(const struct port *a, const struct port *b)
{
	if (a->protocol != b->protocol || a->host_ip.family != b->host_ip.family || !a->published || !b->published)
		return false;
	if (!ip_equal(&a->host_ip, &b->host_ip) && !ip_is_any(&a->host_ip) && !ip_is_any(&b->host_ip))
		return false;
	return a->published <= b->published + b->following && b->published <= a->published + a->following;
}

bool ports_equal(const struct port *a, const struct port *b)
{
	return ip_equal(&a->host_ip, &b->host_ip) && a->published == b->published && a->target == b->target &&
	       a->following == b->following && a->protocol == b->protocol && a->mode == b->mode &&
	       a->balance == b->balance;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static const char *range_format(uint16_t first, uint16_t following, char buffer[16])
{
	if (following)
		snprintf(buffer, 16, "%u-%u", first, first + following);
	else
		snprintf(buffer, 16, "%u", first);
	return buffer;
}

const char *port_format(const struct port *port, char buffer[PORT_TEXT_SIZE])
{
	bool is_six = port->host_ip.family == AF_INET6;
	char address[INET6_ADDRSTRLEN], published[16], target[16];

	snprintf(buffer, PORT_TEXT_SIZE, "%s%s%s:%s->%s/%s%s%s%s%s", is_six ? "[" : "",
		ip_format(&port->host_ip, address), is_six ? "]" : "",
		range_format(port->published, port->following, published),
		range_format(port->target, port->following, target), port_protocol_names[port->protocol],
		port->mode == PORT_SOCKET ? "+" : "", port->mode == PORT_SOCKET ? port_mode_names[port->mode] : "",
		port->balance == PORT_ALONE ? "" : "+",
		port->balance == PORT_ALONE ? "" : port_balance_names[port->balance]);
	return buffer;
}
