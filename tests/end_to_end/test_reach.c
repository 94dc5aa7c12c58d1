/* Whom an instance reaches over the network, and who reaches it. The playing host has an outer interface with a machine
 * behind it. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/text.h"
#include "tests/end_to_end/support_probe.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define HOST_ADDRESS "203.0.113.1"
#define OUTSIDE_ADDRESS "203.0.113.2"
#define METADATA_ADDRESS "169.254.169.254"
#define GATEWAY_ADDRESS "169.254.1.1"
#define HOST_PORT 8099
#define PORT 80

static int listener_new(int type, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	cr_assert(type == SOCK_DGRAM || listen(fd, 64) == 0);
	return fd;
}

static int netns_here(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

static void netns_enter(int netns)
{
	cr_assert(setns(netns, CLONE_NEWNET) == 0);
}

/* A machine beyond the host's outer interface that answers on port 80 of two addresses, one of them the address under
 * which clouds hand out keys, and sends all it does not know to the host. */
struct outside {
	int host, netns, listener;
};

static void outside_drop(struct outside *outside)
{
	close(outside->host);
	close(outside->netns);
	close(outside->listener);
}

static struct outside outside_open(void)
{
	struct outside outside = {.host = netns_here()};

	cr_assert(unshare(CLONE_NEWNET) == 0);
	outside.netns = netns_here();
	auto_free char *veth =
		text_format("link add lan type veth peer name wan netns /proc/%d/fd/%d", getpid(), outside.host);
	host_ip(veth);
	netns_enter(outside.host);
	host_ip("addr add " HOST_ADDRESS "/24 dev wan");
	host_ip("link set wan up");
	host_ip("route add " METADATA_ADDRESS "/32 dev wan");
	netns_enter(outside.netns);
	host_ip("addr add " OUTSIDE_ADDRESS "/24 dev lan");
	host_ip("addr add " METADATA_ADDRESS "/32 dev lan");
	host_ip("link set lan up");
	host_ip("route add default via " HOST_ADDRESS);
	outside.listener = listener_new(SOCK_STREAM, PORT);
	netns_enter(outside.host);
	return outside;
}

/* north-1 and north-2 see one another, south-1 is elsewhere; lone-1 and lone-2 are on the isolated default network. All
 * answer on port 80. */
static void fleet_up(struct playground *playground)
{
	auto_free char *server = text_format("\"image\": \"host\", \"volumes\": [\"%s\"], \"command\": "
					     "[\"/probe/test-end_to_end\", \"--probe\", \"serve\", \"80\"]",
		playground_probe_volume(playground));
	auto_free char *fleet = text_format("{\"version\": 1, \"name\": \"compass\","
					    "\"networks\": {\"north\": {}, \"south\": {}}, \"defaults\": {%s},"
					    "\"instances\": {\"north\": {\"network\": \"north\", \"replicas\": 2},"
					    "\"south\": {\"network\": \"south\", \"replicas\": 1},"
					    "\"lone\": {\"replicas\": 2}}}",
		server);
	auto_free char *path = text_format("%s/fleet.json", playground->directory.path);
	static const char *const names[] = {"north-1", "north-2", "south-1", "lone-1", "lone-2"};

	run_write_file(playground->directory.path, "fleet.json", 0600, fleet);
	WARREN_OK(playground, "apply", path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		instance_await_log(playground, names[i], "serving");
}

/* From an instance to another one, or to an address and port: those that answer, and those that must not. */
static const struct reach {
	const char *from, *open[4], *closed[8];
} reaches[] = {
	{"north-1", {"north-2", OUTSIDE_ADDRESS ":80"},
		{"south-1", "lone-1", METADATA_ADDRESS ":80", HOST_ADDRESS ":8099", GATEWAY_ADDRESS ":8099"}},
	{"lone-1", {OUTSIDE_ADDRESS ":80"},
		{"lone-2", "north-1", METADATA_ADDRESS ":80", HOST_ADDRESS ":8099", GATEWAY_ADDRESS ":8099",
			"127.0.0.1:8099"}},
	{"south-1", {OUTSIDE_ADDRESS ":80"}, {"north-1", "north-2", "lone-2"}},
};

static const char *address_of(struct playground *playground, const char *place)
{
	if (strchr(place, ':'))
		return place;
	return arena_format(&playground->arena, "%s:%d", instance_fact(playground, place, "address"), PORT);
}

static void assert_places(struct playground *playground, const struct reach *reach, const char *const *places,
	bool open, const char *lines)
{
	for (; *places; places++) {
		const char *address = address_of(playground, *places);
		const char *word = value_of(playground, lines, address);

		cr_expect(*word && !strcmp(word, "connected") == open, "%s to %s %s: %s", reach->from, *places, address,
			word);
	}
}

static void assert_reach(struct playground *playground, const struct reach *reach)
{
	AUTO(text_drop) struct text probe = {0};

	text_append(&probe, "connect");
	for (const char *const *place = reach->open; *place; place++)
		text_appendf(&probe, " %s", address_of(playground, *place));
	for (const char *const *place = reach->closed; *place; place++)
		text_appendf(&probe, " %s", address_of(playground, *place));
	auto_run exec = probe_in(playground, BY_EXEC, reach->from, probe.data, NULL);
	auto_run shell = probe_in(playground, BY_SHELL, reach->from, probe.data, NULL);
	assert_places(playground, reach, reach->open, true, exec.out);
	assert_places(playground, reach, reach->closed, false, exec.out);
	cr_expect_str_eq(exec.out, shell.out, "%s%s", exec.err, shell.err);
}

static void datagram_send(const char *address, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	cr_assert(sendto(fd, "x", 1, 0, (struct sockaddr *)&in, sizeof(in)) == 1);
}

static bool datagram_came(int fd, int within_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&ready, 1, within_ms) == 1 && recv(fd, &byte, 1, 0) == 1;
}

TEST(reach, other_networks_the_host_and_the_metadata_address_cannot_be_reached, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	static const char *const names[] = {"north-1", "north-2", "south-1", "lone-1", "lone-2"};
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();
	auto_fd service = listener_new(SOCK_STREAM, HOST_PORT);

	fleet_up(&playground);
	/* Each of them does answer: the host itself reaches all. */
	cr_assert_str_eq(probe_connect(METADATA_ADDRESS, PORT), "connected");
	cr_assert_str_eq(probe_connect(HOST_ADDRESS, HOST_PORT), "connected");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_assert_str_eq(probe_connect(instance_fact(&playground, names[i], "address"), PORT), "connected");
	for (size_t i = 0; i < ARRAY_SIZE(reaches); i++)
		assert_reach(&playground, &reaches[i]);
}

/* Nobody answers a datagram, so the host looks whether it came. */
TEST(reach, datagrams_to_the_host_do_not_arrive, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();
	auto_fd service = listener_new(SOCK_DGRAM, HOST_PORT);

	instance_start(&playground, "inside");
	datagram_send(HOST_ADDRESS, HOST_PORT);
	cr_assert(datagram_came(service, 1000));
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(
			&playground, way, "send " HOST_ADDRESS ":8099 " GATEWAY_ADDRESS ":8099 127.0.0.1:8099");
		cr_assert(strstr(run.out, GATEWAY_ADDRESS ":8099 tried"), "%s: %s%s", way_names[way], run.out, run.err);
		cr_assert(!datagram_came(service, 200), "%s", way_names[way]);
	}
}

/* On loopback unless told: who is not the host does not get there, neither by the port nor by the address behind it. */
TEST(reach, published_ports_are_open_where_they_were_published, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-p", "8091:80", "-p", "0.0.0.0:8092:80", "-v",
		playground_probe_volume(&playground), "host", "--", PROBE, "serve", "80");
	instance_await_log(&playground, "web", "serving");
	instance_start(&playground, "inside");
	const char *address = instance_fact(&playground, "web", "address");
	cr_assert_str_eq(probe_connect("127.0.0.1", 8091), "connected");
	cr_assert_str_eq(probe_connect("127.0.0.1", 8092), "connected");
	auto_run neighbour = probe_by(&playground, BY_EXEC, "connect " HOST_ADDRESS ":8091 " GATEWAY_ADDRESS ":8091");
	cr_assert(neighbour.status == 0 && !strstr(neighbour.out, "connected"), "%s", neighbour.out);
	netns_enter(outside.netns);
	cr_expect_str_eq(probe_connect(HOST_ADDRESS, 8092), "connected");
	cr_expect_str_neq(probe_connect(HOST_ADDRESS, 8091), "connected");
	cr_expect_str_neq(probe_connect(address, 80), "connected");
	netns_enter(outside.host);
}
