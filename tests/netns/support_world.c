/* See support_world.h. */
#include "tests/netns/support_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/netns/support_wire.h"

#define REACH_MS 4000  /* a SYN that is lost comes again after a second */
#define SILENCE_MS 250 /* how long nothing must come for "dropped" */
#define ATTACH_MS 5000

const struct family families[2] = {
	{AF_INET, "0.0.0.0", WAN_HOST, WAN_OUTSIDE, "0.0.0.0"},
	{AF_INET6, "::", WAN6_HOST, WAN6_OUTSIDE, "[::]"},
};

static int netns_now(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0, "open the network namespace: %s", strerror(errno));
	return fd;
}

void netns_enter(int netns)
{
	cr_assert(setns(netns, CLONE_NEWNET) == 0, "enter a network namespace: %s", strerror(errno));
}

int netns_new(void)
{
	auto_fd before = netns_now();
	int made;

	cr_assert(unshare(CLONE_NEWNET) == 0, "make a network namespace: %s", strerror(errno));
	made = netns_now();
	netns_enter(before);
	return made;
}

static void loopback_up(void)
{
	const struct endpoint nothing = {0};
	auto_fd here = netns_now();
	struct error err;

	ASSERT_OK(endpoint_configure(here, &nothing, &err));
}

static int directory_in(const char *directory, const char *name)
{
	auto_free char *path = text_format("%s/%s", directory, name);
	struct error err;
	int fd;

	ASSERT_OK(fd = dir_create(AT_FDCWD, path, 0700, &err));
	return fd;
}

void world_open(struct world *world)
{
	struct error err = {0};

	*world = (struct world){.outside = -1, .directory = "/tmp/warren-netns-XXXXXX"};
	cr_assert(mkdtemp(world->directory));
	world->state.run = directory_in(world->directory, "run");
	world->state.records = directory_in(world->directory, "records");
	cr_assert(unshare(CLONE_NEWNET) == 0, "make the host's namespace: %s", strerror(errno));
	world->host = netns_now();
	loopback_up();
	world->session = net_session_open(&err);
	cr_assert(world->session, "%s", err.text);
}

void world_close(struct world *world)
{
	struct error err;

	net_session_drop(&world->session);
	close(world->state.run);
	close(world->state.records);
	close(world->host);
	if (world->outside >= 0)
		close(world->outside);
	ASSERT_OK(tree_remove(AT_FDCWD, world->directory, &err));
}

void command(const char *line)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text output = {0};
	struct strings words = strings_split(&arena, line, ' ');
	struct helper helper = {.argv = words.items, .timeout_ms = 20000 * WARREN_TEST_SLOW};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert(status == 0, "%s: %s", line, text_string(&output));
}

void outside_open(struct world *world)
{
	const bool has_six = net_has_ipv6();

	world->outside = netns_new();
	netns_enter(world->outside);
	loopback_up();
	netns_enter(world->host);
	const struct wire_end host = {world->host, "wan", WAN_HOST, has_six ? WAN6_HOST : NULL};
	const struct wire_end outside = {world->outside, "lan", WAN_OUTSIDE, has_six ? WAN6_OUTSIDE : NULL};
	wire_make(&host, &outside, WAN_INDEX);
}

struct network network_of(
	struct world *world, const char *name, const char *subnet, bool isolated, bool egress, struct arena *arena)
{
	struct network network = {
		.name = arena_string(arena, name), .isolated = isolated, .egress = egress, .owner = ""};
	struct error err;

	ASSERT_OK(subnet_parse(subnet, &network.subnet, &err));
	ASSERT_OK(network_define(&world->state, &network, &err));
	return network;
}

void guest_open(struct world *world, const struct network *network, struct guest *guest)
{
	struct in_addr none = {0};
	struct error err;

	*guest = (struct guest){.endpoint.network_number = network->number, .netns = netns_new()};
	snprintf(guest->network, sizeof(guest->network), "%s", network->name);
	ASSERT_OK(slot_take(&world->state, 0, &guest->endpoint.slot, &err));
	ASSERT_OK(net_host_up(&world->state, &err));
	ASSERT_OK(address_take(&world->state, network, none, &guest->endpoint.address, &err));
	struct in6_addr beside = address6_beside(network, guest->endpoint.address);
	if (network->subnet6.prefix)
		ASSERT_OK(address6_take(&world->state, network, &beside, &guest->endpoint.address6, &err));
	guest->endpoint.mtu = network->mtu;
	ASSERT_OK(endpoint_attach(world->session, &guest->endpoint, guest->netns, ATTACH_MS, &err));
	ASSERT_OK(endpoint_await(guest->netns, ATTACH_MS, &err));
	ASSERT_OK(endpoint_settle(world->session, &guest->endpoint, &err));
}

void guest_close(struct world *world, struct guest *guest)
{
	struct error err;

	close(guest->netns);
	ASSERT_OK(ports_unpublish_all(world->session, &guest->endpoint, &err));
	ASSERT_OK(address_release(&world->state, guest->network, guest->endpoint.address, &err));
	if (!IN6_IS_ADDR_UNSPECIFIED(&guest->endpoint.address6))
		ASSERT_OK(address6_release(&world->state, guest->network, &guest->endpoint.address6, &err));
	ASSERT_OK(slot_release(&world->state, guest->endpoint.slot, &err));
}

void await_gone(struct world *world, unsigned slot)
{
	int64_t deadline = clock_ms() + 5000;

	while (endpoint_exists(world->session, slot)) {
		cr_assert(clock_ms() < deadline, "the link of slot %u does not go", slot);
		sched_yield();
	}
}

struct in_addr ip(const char *text)
{
	struct in_addr address;

	cr_assert(inet_pton(AF_INET, text, &address) == 1);
	return address;
}

struct in6_addr ip6(const char *text)
{
	struct in6_addr address;

	cr_assert(inet_pton(AF_INET6, text, &address) == 1);
	return address;
}

/* --- traffic ------------------------------------------------------------------------------------------------------ */

socklen_t socket_address(union socket_address *out, const struct ip_address *address, uint16_t port)
{
	*out = (union socket_address){.any.sa_family = (sa_family_t)address->family};
	if (address->family == AF_INET) {
		out->v4.sin_addr = address->v4;
		out->v4.sin_port = htons(port);
		return sizeof(out->v4);
	}
	out->v6.sin6_addr = address->v6;
	out->v6.sin6_port = htons(port);
	return sizeof(out->v6);
}

static struct ip_address either(const char *text)
{
	struct ip_address address;
	struct error err;

	ASSERT_OK(ip_parse(text, &address, &err));
	return address;
}

static int socket_in(struct world *world, int netns, int family, int type)
{
	netns_enter(netns);
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(world->host);
	cr_assert(fd >= 0);
	return fd;
}

static int bound_in(struct world *world, int netns, int type, const char *text, uint16_t port)
{
	struct ip_address address = either(text);
	int fd = socket_in(world, netns, address.family, type), on = 1;
	union socket_address at;
	socklen_t length = socket_address(&at, &address, port);

	if (address.family == AF_INET6)
		cr_assert(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
	/* What an earlier listener had accepted may still be ending. */
	cr_assert(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	cr_assert(bind(fd, &at.any, length) == 0, "bind %s:%u: %s", text, port, strerror(errno));
	return fd;
}

int listen_in(struct world *world, int netns, const char *address, uint16_t port)
{
	int fd = bound_in(world, netns, SOCK_STREAM, address, port);

	cr_assert(listen(fd, 64) == 0);
	return fd;
}

int udp_in(struct world *world, int netns, const char *address, uint16_t port)
{
	return bound_in(world, netns, SOCK_DGRAM, address, port);
}

bool datagram_send(int fd, const char *address, uint16_t port)
{
	const struct ip_address where = either(address);
	union socket_address to;
	socklen_t length = socket_address(&to, &where, port);

	return sendto(fd, "x", 1, 0, &to.any, length) == 1;
}

/* 0: established; an errno; ETIMEDOUT: nothing happened in that time. */
static int await_connected(int fd, const struct ip_address *address, uint16_t port, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	union socket_address to;
	socklen_t to_length = socket_address(&to, address, port), length = sizeof(int);
	int failed = 0;

	if (connect(fd, &to.any, to_length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&poll_fd, 1, timeout_ms) != 1)
		return ETIMEDOUT;
	cr_assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length) == 0);
	return failed;
}

static int try_connect(struct world *world, int from, const struct ip_address *address, uint16_t port, int timeout_ms)
{
	auto_fd fd = socket_in(world, from, address->family, SOCK_STREAM);

	return await_connected(fd, address, port, timeout_ms);
}

int connection_from(struct world *world, int from, const char *source, const char *address, uint16_t port)
{
	const struct ip_address to = either(address);
	int fd =
		source ? bound_in(world, from, SOCK_STREAM, source, 0) : socket_in(world, from, to.family, SOCK_STREAM);

	if (await_connected(fd, &to, port, REACH_MS) != 0)
		fd_drop(&fd);
	return fd;
}

bool connects_to(struct world *world, int from, struct in_addr address, uint16_t port)
{
	const struct ip_address to = ip_from_v4(address);

	return try_connect(world, from, &to, port, REACH_MS) == 0;
}

bool connects_to6(struct world *world, int from, const struct in6_addr *address, uint16_t port)
{
	const struct ip_address to = ip_from_v6(address);

	return try_connect(world, from, &to, port, REACH_MS) == 0;
}

bool is_dropped_to(struct world *world, int from, struct in_addr address, uint16_t port)
{
	const struct ip_address to = ip_from_v4(address);

	return try_connect(world, from, &to, port, SILENCE_MS) == ETIMEDOUT;
}

bool is_dropped_to6(struct world *world, int from, const struct in6_addr *address, uint16_t port)
{
	const struct ip_address to = ip_from_v6(address);

	return try_connect(world, from, &to, port, SILENCE_MS) == ETIMEDOUT;
}

bool is_unreachable(struct world *world, int from, const char *address, uint16_t port)
{
	const struct ip_address to = either(address);

	/* Which ICMPv6 says in another word: no route. */
	int failed = try_connect(world, from, &to, port, REACH_MS);
	return failed == EHOSTUNREACH || (to.family == AF_INET6 && failed == ENETUNREACH);
}

bool is_dropped(struct world *world, int from, const char *address, uint16_t port)
{
	const struct ip_address to = either(address);

	return try_connect(world, from, &to, port, SILENCE_MS) == ETIMEDOUT;
}

bool connects(struct world *world, int from, const char *address, uint16_t port)
{
	const struct ip_address to = either(address);

	return try_connect(world, from, &to, port, REACH_MS) == 0;
}

static int accept_soon(int listener, union socket_address *peer)
{
	struct pollfd called = {.fd = listener, .events = POLLIN};
	socklen_t length = sizeof(*peer);

	return poll(&called, 1, REACH_MS) == 1 ? accept4(listener, &peer->any, &length, SOCK_CLOEXEC) : -1;
}

int accepted(int listener)
{
	union socket_address peer;

	return accept_soon(listener, &peer);
}

static void accept_from(int listener, union socket_address *peer)
{
	int fd = accept_soon(listener, peer);

	cr_assert(fd >= 0, "nothing to accept");
	close(fd);
}

struct in_addr accepted_from(int listener)
{
	union socket_address peer = {0};

	accept_from(listener, &peer);
	return peer.v4.sin_addr;
}

struct in6_addr accepted_from6(int listener)
{
	union socket_address peer = {0};

	accept_from(listener, &peer);
	return peer.v6.sin6_addr;
}
