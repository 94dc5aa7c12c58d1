/* See support_matrix.h. */
#include "tests/netns/support_matrix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/subnets/ipv6.h"
#include "tests/netns/support_wire.h"

#define REACH_MS SLOWLY(5000)  /* what must pass has so long; a SYN that is lost comes again after a second */
#define SILENCE_MS SLOWLY(300) /* what is dropped has so long after the last of the others has passed */
#define NOBODY_NUMBER 9999     /* of the network `alone`, given to no instance */
#define ATTEMPTS_MAX 256       /* a number is one byte */

static const char *const place_names[] = {"host", "outside", "dmz", "a", "b", "c", "d", "e"};
static const char *const outcome_names[] = {
	"reaches", "is refused by", "finds unreachable", "is dropped on the way to"};
static const char *const address_names[] = {"", "its own address", "", "", "the wire's address",
	"the other wire's address", "loopback", "the gateway", "the metadata service", "an address that nobody has"};
static const char *const family_names[] = {"IPv4", "IPv6"};
static const int family_numbers[] = {AF_INET, AF_INET6};
static const char *const protocol_names[] = {"tcp", "udp"};

/* NULL: known only when the scene is there. */
static const char *const address_texts[FAMILIES][ADDRESSES] = {
	[IPV4] = {[WAN] = WAN_HOST,
		[DMZ_WIRE] = "198.51.100.1",
		[LOOPBACK] = "127.0.0.1",
		[GATEWAY] = "169.254.1.1",
		[METADATA] = "169.254.169.254"},
	[IPV6] = {[WAN] = WAN6_HOST, [DMZ_WIRE] = "2001:db8:6::1", [LOOPBACK] = "::1", [METADATA] = "fd00:ec2::254"},
};
static const char *const place_texts[FAMILIES][FIRST_GUEST] = {
	[IPV4] = {[HOST] = WAN_HOST, [OUTSIDE] = WAN_OUTSIDE, [DMZ] = "198.51.100.2"},
	[IPV6] = {[HOST] = WAN6_HOST, [OUTSIDE] = WAN6_OUTSIDE, [DMZ] = "2001:db8:6::2"},
};

/* --- the scene ---------------------------------------------------------------------------------------------------- */

/* A second wire, so that there is something foreign to forward between. */
static int second_neighbour(struct scene *scene)
{
	const char *const six = scene->has[IPV6] ? address_texts[IPV6][DMZ_WIRE] : NULL;
	const char *const neighbour6 = scene->has[IPV6] ? place_texts[IPV6][DMZ] : NULL;
	const struct wire_end host = {scene->world.host, "dmz", address_texts[IPV4][DMZ_WIRE], six};
	struct wire_end neighbour = {netns_new(), "lan", place_texts[IPV4][DMZ], neighbour6};

	wire_make(&host, &neighbour, WAN_INDEX + 1);
	return neighbour.netns;
}

static void metadata_open(struct scene *scene, enum ip_family family)
{
	const char *metadata = address_texts[family][METADATA], *length = family == IPV6 ? "128" : "32";
	auto_free char *add =
		text_format("/usr/sbin/ip addr add %s/%s dev lan%s", metadata, length, family == IPV6 ? " nodad" : "");
	auto_free char *route =
		text_format("/usr/sbin/ip route add %s/%s via %s", metadata, length, place_texts[family][OUTSIDE]);

	netns_enter(scene->world.outside);
	command(add);
	netns_enter(scene->world.host);
	command(route);
}

static void guests_open(struct scene *scene)
{
	static const char *friends[] = {"friend", NULL};
	static struct host_service services[] = {{IPPROTO_TCP, 3306}, {IPPROTO_UDP, 3306}};
	struct world *world = &scene->world;
	struct network alone = network_of(world, "alone", "10.88.0.0/16", true, true, &scene->arena);
	struct network open = network_of(world, "open", "10.44.0.0/24", false, false, &scene->arena);
	struct network friend = network_of(world, "friend", "10.45.0.0/24", false, true, &scene->arena);
	const struct network *of[] = {&alone, &alone, &open, &open, &friend};
	struct error err;

	open.allow = (struct strings){friends, 1};
	friend.services.items = services;
	friend.services.count = ARRAY_SIZE(services);
	friend.metadata = true;
	ASSERT_OK(network_define(&world->state, &open, &err));
	ASSERT_OK(network_define(&world->state, &friend, &err));
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		guest_open(world, of[i], &scene->guests[i]);
		scene->netns[FIRST_GUEST + i] = scene->guests[i].netns;
	}
	scene->alone = alone;
}

static struct ip_address parsed(const char *text)
{
	struct ip_address address;
	struct error err;

	ASSERT_OK(ip_parse(text, &address, &err));
	return address;
}

static void addresses_find(struct scene *scene, enum ip_family family)
{
	struct ip_address *addresses = scene->addresses[family];

	for (enum address address = 0; address < ADDRESSES; address++)
		if (address_texts[family][address])
			addresses[address] = parsed(address_texts[family][address]);
	for (enum place place = 0; place < FIRST_GUEST; place++)
		scene->own[family][place] = parsed(place_texts[family][place]);
	for (enum place place = FIRST_GUEST; place < PLACES; place++) {
		const struct endpoint *endpoint = &scene->guests[place - FIRST_GUEST].endpoint;

		scene->own[family][place] =
			family == IPV6 ? ip_from_v6(&endpoint->address6) : ip_from_v4(endpoint->address);
	}
}

/* Those that follow from what the host has drawn. */
static void addresses_derive(struct scene *scene)
{
	struct in_addr nobody = {.s_addr = htonl(ntohl(scene->alone.subnet.base.s_addr) + NOBODY_NUMBER)};
	struct in6_addr nobody6 = address6_beside(&scene->alone, nobody);
	struct subnet6 own;
	struct error err;

	scene->addresses[IPV4][NOBODY] = ip_from_v4(nobody);
	if (!scene->has[IPV6])
		return;
	ASSERT_OK(own_prefix(&scene->world.state, &own, &err));
	struct in6_addr gateway = gateway6_address(&own);

	scene->addresses[IPV6][NOBODY] = ip_from_v6(&nobody6);
	scene->addresses[IPV6][GATEWAY] = ip_from_v6(&gateway);
}

static int publish(struct scene *scene, const struct endpoint *endpoint, struct port *port, struct error *err)
{
	struct world *world = &scene->world;

	if (port->balance == PORT_ALONE)
		return ports_publish(world->session, endpoint, port, 1, err);
	return balance_join(&world->state, world->session, port, endpoint, 1, BALANCE_IN, err);
}

static void publish_all(struct scene *scene, enum ip_family family, const struct published *published, size_t count)
{
	for (size_t i = 0; i < count * PROTOCOLS; i++) {
		const struct published *row = &published[i / PROTOCOLS];
		const struct endpoint *endpoint = &scene->guests[row->place - FIRST_GUEST].endpoint;
		struct port port;
		struct error err;

		if (!row->text[family])
			continue;
		auto_free char *text =
			text_format("%s/%s%s", row->text[family], protocol_names[i % PROTOCOLS], row->option);
		ASSERT_OK(port_parse(text, &port, &err));
		ASSERT_OK(publish(scene, endpoint, &port, &err));
	}
}

/* A server of UDP is told by which address it was asked, to answer with it. */
static int udp_server_in(struct world *world, int netns, enum ip_family family, uint16_t port)
{
	int fd = udp_in(world, netns, family == IPV6 ? "::" : "0.0.0.0", port), on = 1;

	cr_assert(setsockopt(fd, family == IPV6 ? IPPROTO_IPV6 : IPPROTO_IP,
			  family == IPV6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) == 0);
	return fd;
}

static void family_open(struct scene *scene, enum ip_family family, const struct published *published, size_t count)
{
	addresses_find(scene, family);
	metadata_open(scene, family);
	for (enum place place = 0; place < PLACES; place++) {
		const uint16_t port = place == HOST ? 3306 : 80;
		int *servers = scene->servers[place][family];

		servers[TCP] = listen_in(&scene->world, scene->netns[place], family == IPV6 ? "::" : "0.0.0.0", port);
		servers[UDP] = udp_server_in(&scene->world, scene->netns[place], family, port);
	}
	publish_all(scene, family, published, count);
}

void scene_open(struct scene *scene, const struct published *published, size_t count)
{
	*scene = (struct scene){0};
	world_open(&scene->world);
	scene->has[IPV4] = true;
	scene->has[IPV6] = net_has_ipv6();
	outside_open(&scene->world);
	scene->netns[HOST] = scene->world.host;
	scene->netns[OUTSIDE] = scene->world.outside;
	scene->netns[DMZ] = second_neighbour(scene);
	guests_open(scene);
	for (enum ip_family family = 0; family < FAMILIES; family++)
		if (scene->has[family])
			family_open(scene, family, published, count);
	addresses_derive(scene);
}

void scene_close(struct scene *scene)
{
	for (size_t i = 0; i < (size_t)PLACES * FAMILIES * PROTOCOLS; i++)
		if (scene->has[i / PROTOCOLS % FAMILIES])
			close(scene->servers[i / PROTOCOLS / FAMILIES][i / PROTOCOLS % FAMILIES][i % PROTOCOLS]);
	for (enum place place = FIRST_GUEST; place < PLACES; place++)
		guest_close(&scene->world, &scene->guests[place - FIRST_GUEST]);
	close(scene->netns[DMZ]);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

struct attempt {
	const struct row *row;
	enum ip_family family;
	enum protocol protocol;
	int fd;
	bool done;
	enum outcome outcome;
	bool accepted; /* and by whom, and seen as whom */
	enum place server;
	struct ip_address source;
};

static enum outcome outcome_of(const struct row *row, int errnum)
{
	switch (errnum) {
	case 0:
		return REACHES;
	case ECONNREFUSED:
		return REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return UNREACHABLE;
	default:
		cr_assert_fail("%s: %s", row->why, strerror(errnum));
		return SILENT;
	}
}

static const struct ip_address *address_of(const struct scene *scene, const struct attempt *attempt, enum address which)
{
	const struct row *row = attempt->row;

	if (which == SERVER || which == CLIENT)
		return &scene->own[attempt->family][which == SERVER ? row->server : row->from];
	return &scene->addresses[attempt->family][which];
}

/* "No route to host" is no end for a socket of UDP that has not asked: ip(7), IP_RECVERR. */
static void soft_errors_hear(const struct attempt *attempt)
{
	const bool six = attempt->family == IPV6;
	const int on = 1;

	cr_assert(setsockopt(attempt->fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &on,
			  sizeof(on)) == 0);
}

static void attempt_begin(struct scene *scene, struct attempt *attempt)
{
	const struct row *row = attempt->row;
	union socket_address to;
	socklen_t length = socket_address(&to, address_of(scene, attempt, row->to), row->port);

	netns_enter(scene->netns[row->from]);
	attempt->fd = socket(family_numbers[attempt->family],
		(attempt->protocol == TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(scene->world.host);
	cr_assert(attempt->fd >= 0);
	if (attempt->protocol == UDP)
		soft_errors_hear(attempt);
	if (connect(attempt->fd, &to.any, length) < 0 && errno != EINPROGRESS) {
		attempt->done = true;
		attempt->outcome = outcome_of(row, errno);
	}
}

/* Says which one it is, so that the server can tell. */
static bool number_send(const struct attempt *attempt, const struct attempt *all)
{
	const unsigned char number = (unsigned char)(attempt - all);

	return send(attempt->fd, &number, 1, MSG_NOSIGNAL) == 1;
}

static void attempt_settle_tcp(struct attempt *attempt, const struct attempt *all)
{
	socklen_t length = sizeof(int);
	int errnum = 0;

	cr_assert(getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &errnum, &length) == 0);
	attempt->done = true;
	attempt->outcome = outcome_of(attempt->row, errnum);
	if (attempt->outcome == REACHES)
		cr_assert(number_send(attempt, all));
}

/* An answer, or an error that somebody on the way has sent. */
static void attempt_settle_udp(struct attempt *attempt)
{
	unsigned char number;
	ssize_t got = recv(attempt->fd, &number, 1, 0);

	if (got < 0 && errno == EAGAIN)
		return;
	attempt->done = true;
	attempt->outcome = outcome_of(attempt->row, got < 0 ? errno : 0);
}

/* A client of UDP goes on asking: a link that has just come up drops what it is given first. The errors of it are the
 * answers to what was sent before. */
static void udp_ask(struct attempt *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (all[i].done || all[i].protocol != UDP || number_send(&all[i], all) || errno == EAGAIN)
			continue;
		all[i].done = true;
		all[i].outcome = outcome_of(all[i].row, errno);
	}
}

static void seen(struct attempt *attempt, enum place place, enum ip_family family, const union socket_address *source)
{
	attempt->accepted = true;
	attempt->server = place;
	attempt->source = family == IPV6 ? ip_from_v6(&source->v6.sin6_addr) : ip_from_v4(source->v4.sin_addr);
}

/* By the address that was asked, over whichever link leads back. */
static void udp_reply(int fd, struct msghdr *message, struct iovec *byte)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	cr_assert(control, "the server is not told its address");
	if (control->cmsg_level == IPPROTO_IPV6)
		((struct in6_pktinfo *)CMSG_DATA(control))->ipi6_ifindex = 0;
	else
		((struct in_pktinfo *)CMSG_DATA(control))->ipi_ifindex = 0;
	message->msg_flags = 0;
	byte->iov_len = 1;
	(void)sendmsg(fd, message, MSG_NOSIGNAL); /* one that is lost is asked for again */
}

static bool udp_serve(struct scene *scene, enum place place, enum ip_family family, struct attempt *all, size_t count)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8)));
	const int fd = scene->servers[place][family][UDP];
	union socket_address source;
	unsigned char number;
	struct iovec byte = {&number, 1};
	struct msghdr message = {.msg_name = &source,
		.msg_namelen = sizeof(source),
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	if (recvmsg(fd, &message, MSG_DONTWAIT) != 1)
		return false;
	cr_assert(number < count && all[number].protocol == UDP);
	seen(&all[number], place, family, &source);
	udp_reply(fd, &message, &byte);
	return true;
}

static void udp_serve_all(struct scene *scene, struct attempt *all, size_t count)
{
	for (size_t i = 0; i < (size_t)PLACES * FAMILIES; i++)
		while (scene->has[i % FAMILIES] &&
			udp_serve(scene, (enum place)(i / FAMILIES), (enum ip_family)(i % FAMILIES), all, count))
			continue;
}

/* True when some that must come to something have not yet. */
static bool attempts_look(struct scene *scene, struct attempt *all, size_t count, int wait_ms)
{
	struct pollfd polls[ATTEMPTS_MAX];
	bool some = false;

	udp_ask(all, count);
	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){
			.fd = all[i].done ? -1 : all[i].fd, .events = all[i].protocol == UDP ? POLLIN : POLLOUT};
	cr_assert(poll(polls, count, wait_ms) >= 0);
	udp_serve_all(scene, all, count);
	for (size_t i = 0; i < count; i++) {
		if (!all[i].done && polls[i].revents && all[i].protocol == UDP)
			attempt_settle_udp(&all[i]);
		else if (!all[i].done && polls[i].revents)
			attempt_settle_tcp(&all[i], all);
		some |= !all[i].done && all[i].row->outcome != SILENT;
	}
	return some;
}

static void attempts_await(struct scene *scene, struct attempt *all, size_t count)
{
	int64_t deadline = clock_ms() + REACH_MS;

	while (attempts_look(scene, all, count, 50) && clock_ms() < deadline)
		;
	for (deadline = clock_ms() + SILENCE_MS; clock_ms() < deadline;)
		attempts_look(scene, all, count, 50);
}

/* Every connection that was established waits at some server. */
static void accept_all(struct scene *scene, enum place place, enum ip_family family, struct attempt *all, size_t count)
{
	union socket_address source;
	socklen_t length = sizeof(source);
	unsigned char number;
	int fd;

	while ((fd = accept4(scene->servers[place][family][TCP], &source.any, &length, SOCK_CLOEXEC)) >= 0) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		cr_assert(poll(&readable, 1, REACH_MS) == 1 && recv(fd, &number, 1, 0) == 1 && number < count);
		seen(&all[number], place, family, &source);
		close(fd);
		length = sizeof(source);
	}
	cr_assert(errno == EAGAIN);
}

static bool is_right(const struct scene *scene, const struct attempt *attempt)
{
	const struct row *row = attempt->row;

	if ((attempt->done ? attempt->outcome : SILENT) != row->outcome)
		return false;
	if (row->outcome != REACHES)
		return !attempt->accepted;
	return attempt->accepted && attempt->server == row->server &&
	       (row->source == HOSTS || ip_equal(&attempt->source, address_of(scene, attempt, row->source)));
}

static void attempt_tell(const struct attempt *attempt)
{
	const struct row *row = attempt->row;
	char source[INET6_ADDRSTRLEN];

	fprintf(stderr, "%s, %s: %s: %s %s %s by %s port %u", family_names[attempt->family],
		protocol_names[attempt->protocol], row->why, place_names[row->from],
		outcome_names[attempt->done ? attempt->outcome : SILENT], place_names[row->server],
		address_names[row->to], row->port);
	if (attempt->accepted)
		fprintf(stderr, ", answered by %s, seen as %s", place_names[attempt->server],
			ip_format(&attempt->source, source));
	fprintf(stderr, "\n");
}

/* The kernel sends nothing from ::1 over a link: docs/network.md. */
static bool needs_ipv4(const struct row *row)
{
	return row->to == LOOPBACK && row->outcome == REACHES;
}

size_t scene_try(struct scene *scene, const struct row *rows, size_t row_count, size_t *count)
{
	struct attempt all[ATTEMPTS_MAX] = {0};
	size_t wrong = 0;

	cr_assert(row_count * FAMILIES * PROTOCOLS <= ATTEMPTS_MAX);
	*count = 0;
	for (size_t i = 0; i < row_count * FAMILIES * PROTOCOLS; i++) {
		struct attempt attempt = {.row = &rows[i / PROTOCOLS / FAMILIES],
			.family = (enum ip_family)(i / PROTOCOLS % FAMILIES),
			.protocol = (enum protocol)(i % PROTOCOLS)};

		if (!scene->has[attempt.family] || (attempt.family == IPV6 && needs_ipv4(attempt.row)))
			continue;
		all[*count] = attempt;
		attempt_begin(scene, &all[(*count)++]);
	}
	attempts_await(scene, all, *count);
	for (size_t i = 0; i < (size_t)PLACES * FAMILIES; i++)
		if (scene->has[i % FAMILIES])
			accept_all(scene, (enum place)(i / FAMILIES), (enum ip_family)(i % FAMILIES), all, *count);
	for (size_t i = 0; i < *count; i++) {
		if (!is_right(scene, &all[i])) {
			attempt_tell(&all[i]);
			wrong++;
		}
		close(all[i].fd);
	}
	return wrong;
}
