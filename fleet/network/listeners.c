/* Ports in socket mode: the monitor listens on the host and gives the instance the socket, so that nothing a client
 * sends is routed, translated or crosses a link of ours. The monitor keeps a copy: while the instance is started again,
 * clients wait in the queue instead of being refused.
 *
 * Such a socket is a door into the host's network. Whoever shuts a listening socket down can connect it again
 * (shutdown(2), connect(2)), and it then speaks from the host: with its databases on 127.0.0.1, from an instance that
 * has no route at all. Two locks are on that door, and nobody inside can take them off:
 *  - a filter of the socket itself takes no answer to a connection that began here (SYN and ACK together), so none is
 * ever established. Locked (SO_LOCK_FILTER, socket(7)) not even root removes it, and what is accepted inherits it;
 *  - a mark, which the table's `output` chain knows: it drops the first packet of such a connection already. Changing
 * it takes CAP_NET_ADMIN over the host's network. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/network/listeners.h"
#include "fleet/network/republish.h"

#define BACKLOG 4096   /* the kernel takes what net.core.somaxconn allows */
#define CHOICES_MAX 64 /* numbers that the kernel proposes and an instance has published */
#define FIRST_SOCKET ((size_t)3)
#define IPV4_DESTINATION 16 /* in the header: RFC 791, RFC 8200 */
#define IPV6_DESTINATION 24

/* --- addresses ---------------------------------------------------------------------------------------------------- */

struct listen_address {
	struct sockaddr_storage bytes;
	socklen_t length;
};

static struct listen_address address_of(const struct port *port)
{
	struct listen_address out = {0};

	if (port->host_ip.family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out.bytes;

		*v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_addr = port->host_ip.v6, .sin6_port = htons(port->published)};
		out.length = sizeof(*v6);
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&out.bytes;

		*v4 = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_addr = port->host_ip.v4, .sin_port = htons(port->published)};
		out.length = sizeof(*v4);
	}
	return out;
}

/* sin_port and sin6_port lie at the same place: sockaddr_in(3). */
static uint16_t address_port(const struct listen_address *address)
{
	return ntohs(((const struct sockaddr_in *)&address->bytes)->sin_port);
}

static bool address_is(int fd, const struct port *port)
{
	struct listen_address has = {.length = sizeof(has.bytes)}, wanted = address_of(port);

	return getsockname(fd, (struct sockaddr *)&has.bytes, &has.length) == 0 && has.length == wanted.length &&
	       memcmp(&has.bytes, &wanted.bytes, wanted.length) == 0;
}

/* --- a new one ---------------------------------------------------------------------------------------------------- */

/* A filter of classic BPF; it sees a segment from its TCP header on, and the addresses by SKF_NET_OFF. */
struct door {
	struct sock_filter code[24];
	unsigned short length;
};

static void door_add(struct door *door, struct sock_filter instruction)
{
	door->code[door->length++] = instruction;
}

/* Whatever has another value there is not taken. */
static void door_require(struct door *door, uint16_t load, uint32_t offset, uint32_t value)
{
	door_add(door, (struct sock_filter)BPF_STMT(load, offset));
	door_add(door, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	door_add(door, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

/* Only what is for this port: a connection that was accepted can be bound anew, to any port and address of the host. */
static void door_make(struct door *door, const struct port *port)
{
	const uint16_t word = BPF_LD | BPF_W | BPF_ABS;
	uint32_t parts[4];

	*door = (struct door){0};
	door_require(door, BPF_LD | BPF_H | BPF_ABS, offsetof(struct tcphdr, th_dport), port->published);
	if (ip_is_any(&port->host_ip)) {
		/* all of them */
	} else if (port->host_ip.family == AF_INET6) {
		memcpy(parts, &port->host_ip.v6, sizeof(parts));
		for (uint32_t i = 0; i < 4; i++)
			door_require(door, word, (uint32_t)SKF_NET_OFF + IPV6_DESTINATION + 4 * i, ntohl(parts[i]));
	} else {
		door_require(door, word, (uint32_t)SKF_NET_OFF + IPV4_DESTINATION, ntohl(port->host_ip.v4.s_addr));
	}
	/* Nothing that belongs to an accepted connection has SYN and ACK. */
	door_add(door, (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct tcphdr, th_flags)));
	door_add(door, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK));
	door_add(door, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN | TH_ACK, 0, 1));
	door_add(door, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
	door_add(door, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX));
}

/* Of a bound socket, before anybody can connect. */
static int door_close(int fd, const struct port *port)
{
	struct door door;
	const int on = 1;
	const uint32_t mark = NET_SOCKET_MARK;

	door_make(&door, port);
	const struct sock_fprog filter = {.len = door.length, .filter = door.code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

static int port_refuse(const struct port *port, int errnum, struct error *err)
{
	char text[PORT_TEXT_SIZE];

	port_format(port, text);
	if (errnum == EADDRINUSE)
		return fail(err, ERROR_BUSY, "port %s is taken by a process of this host", text);
	if (errnum == EADDRNOTAVAIL)
		return fail(err, ERROR_USAGE, "port %s: this host has no such address", text);
	errno = errnum;
	return fail_errno(err, "listen on port %s", text);
}

/* Bound, but nobody can connect yet. */
static int listener_bind(const struct port *port, int *out, struct error *err)
{
	struct listen_address address = address_of(port);
	auto_fd fd = socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		return fail_errno(err, "make a socket");
	/* Connections of an earlier run that are long over do not count; [::] leaves IPv4 to others. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		(port->host_ip.family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return fail_errno(err, "prepare a socket");
	if (bind(fd, (const struct sockaddr *)&address.bytes, address.length) < 0)
		return port_refuse(port, errno, err);
	*out = take_fd(&fd);
	return 0;
}

static int number_read(int fd, struct port *port, struct error *err)
{
	struct listen_address has = {.length = sizeof(has.bytes)};

	if (getsockname(fd, (struct sockaddr *)&has.bytes, &has.length) < 0)
		return fail_errno(err, "ask for a socket's address");
	port->published = address_port(&has);
	return 0;
}

/* A published port has no socket: what an instance has by the table, bind(2) does not know. 1: try another number. */
static int listener_try(struct net_session *session, struct port *port, int *out, struct error *err)
{
	const bool chosen = port->published == 0;
	auto_fd fd = -1;

	if (listener_bind(port, &fd, err) < 0 || (chosen && number_read(fd, port, err) < 0))
		return -1;
	if (ports_refuse_published(session, port, 1, err) < 0) {
		if (!chosen || err->kind != ERROR_BUSY)
			return -1;
		port->published = 0;
		return 1;
	}
	if (door_close(fd, port) < 0)
		return fail_errno(err, "close the socket's way out");
	if (listen(fd, BACKLOG) < 0)
		return port_refuse(port, errno, err);
	*out = take_fd(&fd);
	return 0;
}

static int listener_open(struct net_session *session, struct port *port, int *out, struct error *err)
{
	for (int tries = 0; tries < CHOICES_MAX; tries++) {
		int again = listener_try(session, port, out, err);

		if (again <= 0)
			return again;
		forgive(err);
	}
	return fail(err, ERROR_BUSY, "all ports that the kernel proposes are published by instances");
}

/* --- all of an instance ------------------------------------------------------------------------------------------- */

bool listeners_wanted(const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i].mode == PORT_SOCKET)
			return true;
	return false;
}

/* Those in socket mode, none of them open. */
static void listeners_list(struct listeners *listeners, const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count && listeners->count < INSTANCE_PORTS_MAX; i++)
		if (ports[i].mode == PORT_SOCKET) {
			listeners->fds[listeners->count] = -1;
			listeners->ports[listeners->count++] = ports[i];
		}
}

int listeners_open(
	struct listeners *listeners, struct host *host, const struct port *ports, size_t count, struct error *err)
{
	AUTO(net_session_drop) struct net_session *session = NULL;

	if (!listeners_wanted(ports, count))
		return 0;
	/* The rule against the mark holds for all of them, and there may be no other instance that needs the table. */
	if (host_network_up(host, err) < 0)
		return -1;
	session = net_session_open(err);
	if (!session)
		return -1;
	if (!listeners->count)
		listeners_list(listeners, ports, count);
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->fds[i] < 0 && listener_open(session, &listeners->ports[i], &listeners->fds[i], err) < 0)
			return -1;
	return 0;
}

void listeners_tell(const struct listeners *listeners, struct port *ports, size_t count)
{
	size_t next = 0;

	for (size_t i = 0; i < count && next < listeners->count; i++)
		if (ports[i].mode == PORT_SOCKET)
			ports[i].published = listeners->ports[next++].published;
}

void listeners_close(struct listeners *listeners)
{
	if (!listeners->count)
		return; /* its pages are not made for this */
	for (size_t i = 0; i < listeners->count; i++)
		fd_drop(&listeners->fds[i]);
	*listeners = (struct listeners){0};
}

/* --- what the program is told ------------------------------------------------------------------------------------- */

static bool environment_has(const struct strings *env, const char *prefix)
{
	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

/* sd_listen_fds(3), each named for the port it stands for. nginx has a way of its own, meant for an exchange of its
 * program on the fly: the numbers, each with a semicolon; it takes those whose addresses stand in a `listen` of its
 * configuration and closes the rest. */
void listeners_announce(struct arena *arena, const struct listeners *listeners, struct spec_process *process)
{
	AUTO(text_drop) struct text names = {0};
	AUTO(text_drop) struct text numbers = {0};

	if (!listeners->count)
		return;
	text_append(&numbers, "NGINX=");
	for (size_t i = 0; i < listeners->count; i++) {
		text_appendf(&names, "%s%u", i ? ":" : "", listeners->ports[i].target);
		text_appendf(&numbers, "%zu;", FIRST_SOCKET + i);
	}
	process->listen_fds = (struct optional){true, (int64_t)listeners->count};
	process->listen_names = arena_string(arena, text_string(&names));
	if (!environment_has(&process->env, "NGINX="))
		strings_add(arena, &process->env, arena_string(arena, text_string(&numbers)));
}

/* --- taking over -------------------------------------------------------------------------------------------------- */

static uint64_t network_of_socket(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0 ? cookie : 0; /* 5.14 */
}

/* The instance may have put anything at that number: it must be a listening socket of the host's network. */
static bool is_listener_of(int fd, const struct port *port)
{
	auto_fd here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens && address_is(fd, port) &&
	       here >= 0 && network_of_socket(fd) && network_of_socket(fd) == network_of_socket(here);
}

/* From the instance's first process, at the number where the start put it. */
static int listener_take_back(int pidfd, int number, const struct port *port)
{
	auto_fd fd = pidfd_getfd(pidfd, number, 0);

	return fd >= 0 && is_listener_of(fd, port) ? take_fd(&fd) : -1;
}

void listeners_adopt(struct listeners *listeners, int pidfd, const struct port *ports, size_t count)
{
	if (!listeners_wanted(ports, count))
		return;
	*listeners = (struct listeners){0};
	listeners_list(listeners, ports, count);
	for (size_t i = 0; i < listeners->count; i++) {
		listeners->fds[i] = listener_take_back(pidfd, (int)(FIRST_SOCKET + i), &listeners->ports[i]);
		listeners->lost += listeners->fds[i] < 0;
	}
}
