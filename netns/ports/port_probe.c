/* Nothing is bound on the host for a published port, so nothing but a try says whether somebody has it. */
#include "netns/ports/port_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PORT_MAX 65535
#define PORTS_FALLBACK_FIRST 32768
#define PORTS_SPAN_MIN 512
#define PORT_RANGE_FILE "/proc/sys/net/ipv4/ip_local_port_range"
#define SCTP_FILE "/proc/net/sctp"

static const struct {
	int type, protocol;
} sockets[] = {
	[PORT_TCP] = {SOCK_STREAM, IPPROTO_TCP},
	[PORT_UDP] = {SOCK_DGRAM, IPPROTO_UDP},
	[PORT_SCTP] = {SOCK_STREAM, IPPROTO_SCTP},
};

static socklen_t address_of(const struct port *port, uint16_t offset, struct sockaddr_storage *out)
{
	uint16_t number = htons((uint16_t)(port->published + offset));

	memset(out, 0, sizeof(*out));
	if (port->host_ip.family == AF_INET6) {
		*(struct sockaddr_in6 *)out = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_addr = port->host_ip.v6, .sin6_port = number};
		return sizeof(struct sockaddr_in6);
	}
	*(struct sockaddr_in *)out =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = port->host_ip.v4, .sin_port = number};
	return sizeof(struct sockaddr_in);
}

/* TCP connections that are long over do not count, listeners do. */
static int options_set(int fd, const struct port *port)
{
	int on = 1;

	if (port->host_ip.family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	return port->protocol == PORT_UDP ? 0 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

/* A broadcast address of a link: bind(2) takes it, and no connection ever comes to it. A socket that may not broadcast
 * is refused by its route: ip(7), EACCES. */
static bool is_broadcast(const struct port *port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr = port->host_ip.v4, .sin_port = htons(port->published)};

	if (port->host_ip.family != AF_INET || ip_is_any(&port->host_ip) || ip_is_loopback(&port->host_ip))
		return false;
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 && errno == EACCES;
}

int port_try_bind(const struct port *port, uint16_t offset)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(port, offset, &address);

	if (offset == 0 && is_broadcast(port))
		return EADDRNOTAVAIL;
	/* A socket of SCTP would load its module; without it nobody has a port of it. */
	if (port->protocol == PORT_SCTP && faccessat(AT_FDCWD, SCTP_FILE, F_OK, 0) < 0)
		return 0;
	auto_fd fd = socket(
		port->host_ip.family, sockets[port->protocol].type | SOCK_CLOEXEC, sockets[port->protocol].protocol);
	if (fd < 0 || options_set(fd, port) < 0)
		return errno;
	return bind(fd, (struct sockaddr *)&address, length) < 0 ? errno : 0;
}

const char *port_where(const struct port *port, uint16_t offset, char buffer[PORT_TEXT_SIZE])
{
	bool is_six = port->host_ip.family == AF_INET6;
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, PORT_TEXT_SIZE, "%s%s%s:%u/%s", is_six ? "[" : "", ip_format(&port->host_ip, address),
		is_six ? "]" : "", port->published + offset, port_protocol_names[port->protocol]);
	return buffer;
}

int port_refuse_host(const struct port *port, uint16_t offset, int errnum, struct error *err)
{
	char where[PORT_TEXT_SIZE];

	port_where(port, offset, where);
	if (errnum == EADDRINUSE)
		return fail(err, ERROR_BUSY, "port %s is taken by a process of this host", where);
	if (errnum == EADDRNOTAVAIL)
		return fail(err, ERROR_USAGE, "port %s: this host has no such address", where);
	errno = errnum;
	return fail_errno(err, "port %s", where);
}

int port_choice(uint16_t *first, uint16_t *span, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *content;
	int64_t last;

	if (file_read(&arena, AT_FDCWD, PORT_RANGE_FILE, 64, &content, NULL, err) < 0)
		return -1;
	content += strcspn(content, " \t");
	content += strspn(content, " \t");
	if (number_parse(arena_bytes(&arena, content, strcspn(content, "\n")), 1, PORT_MAX, &last, err) < 0)
		return blame(err, PORT_RANGE_FILE);
	*first = PORT_MAX - last >= PORTS_SPAN_MIN ? (uint16_t)(last + 1) : PORTS_FALLBACK_FIRST;
	*span = (uint16_t)(PORT_MAX - *first + 1);
	return 0;
}
