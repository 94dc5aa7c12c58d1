/* Whom an instance reaches over the network, and who reaches it, by IPv4 and by IPv6. The playing host has an outer
 * interface with a machine behind it. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/text.h"
#include "tests/end_to_end/support_neighbour.h"
#include "tests/end_to_end/support_place.h"
#include "tests/end_to_end/support_probe.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define HOST "203.0.113.1"
#define HOST6 "2001:db8:7::1"
#define OUTSIDE "203.0.113.2"
#define OUTSIDE6 "2001:db8:7::2"
#define METADATA "169.254.169.254"
#define METADATA6 "fd00:ec2::254"
#define GATEWAY "169.254.1.1"
#define HOST_PORT 8099
#define PORT 80

/* --- the scene ---------------------------------------------------------------------------------------------------- */

enum family { FOUR, SIX, FAMILIES };
static const char *const address_keys[] = {[FOUR] = "address", [SIX] = "address6"};

static int families(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0 ? FAMILIES : SIX;
}
#define FOR_EACH_FAMILY(family) for (int family = 0; family < families(); family++)

/* On all addresses of both families. */
static int listener_new(int type, int port)
{
	struct place all;

	cr_assert(place_make(families() == FAMILIES ? "::" : "0.0.0.0", port, &all));
	int fd = socket(all.any.sa_family, type | SOCK_CLOEXEC, 0);
	cr_assert(bind(fd, &all.any, all.length) == 0);
	cr_assert(type == SOCK_DGRAM || listen(fd, 64) == 0);
	return fd;
}

/* A machine beyond the host's outer interface that answers on port 80 of two addresses, one of them the address under
 * which clouds hand out keys, and sends all it does not know to the host. */
struct outside {
	struct neighbour machine;
	int listener;
};

static void outside_drop(struct outside *outside)
{
	neighbour_drop(&outside->machine);
	close(outside->listener);
}

static struct outside outside_open(void)
{
	static const struct {
		bool beyond; /* the wire */
		const char *words[FAMILIES];
	} rows[] = {
		{false, {"route add " METADATA "/32 dev wan", "-6 route add " METADATA6 "/128 dev wan"}},
		{true, {"addr add " METADATA "/32 dev lan", "addr add " METADATA6 "/128 dev lan nodad"}},
		{true, {"route add default via " HOST, "-6 route add default via " HOST6}},
	};
	const bool six = families() == FAMILIES;
	struct outside outside = {.machine = neighbour_open(&(struct wire_addresses){HOST "/24",
					  six ? HOST6 "/64" : NULL, OUTSIDE "/24", six ? OUTSIDE6 "/64" : NULL})};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(rows[i].beyond ? neighbour_enter : neighbour_leave)(&outside.machine);
		FOR_EACH_FAMILY(family)
		host_ip(rows[i].words[family]);
	}
	outside.listener = listener_new(SOCK_STREAM, PORT);
	neighbour_leave(&outside.machine);
	return outside;
}

/* The address by which instances see the host: of IPv6 one of its own prefix. */
static const char *gateway_of(struct playground *playground, enum family family)
{
	if (family == FOUR)
		return GATEWAY;
	auto_run addresses = RUN("ip", "-6", "-o", "addr", "show", "dev", "lo", "scope", "global");
	const char *begin = strstr(addresses.out, "inet6 fd");

	cr_assert(begin, "%s", addresses.out);
	begin += strlen("inet6 ");
	return arena_bytes(&playground->arena, begin, strcspn(begin, "/"));
}

static const char *place_text(struct playground *playground, const char *address, int port)
{
	return arena_format(&playground->arena, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
}

/* "HOST", "OUTSIDE" and the like, or an instance's name. */
static const char *place_named(struct playground *playground, const char *name, enum family family)
{
	static const struct {
		const char *name;
		int port;
		const char *addresses[FAMILIES];
	} fixed[] = {
		{"HOST", HOST_PORT, {HOST, HOST6}},
		{"LOOPBACK", HOST_PORT, {"127.0.0.1", "::1"}},
		{"OUTSIDE", PORT, {OUTSIDE, OUTSIDE6}},
		{"METADATA", PORT, {METADATA, METADATA6}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!strcmp(name, fixed[i].name))
			return place_text(playground, fixed[i].addresses[family], fixed[i].port);
	if (!strcmp(name, "GATEWAY"))
		return place_text(playground, gateway_of(playground, family), HOST_PORT);
	return place_text(playground, instance_fact(playground, name, address_keys[family]), PORT);
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

/* --- from an instance to others ----------------------------------------------------------------------------------- */

static const struct reach {
	const char *from, *open[4], *closed[8];
} reaches[] = {
	{"north-1", {"north-2", "OUTSIDE"}, {"south-1", "lone-1", "METADATA", "HOST", "GATEWAY"}},
	{"lone-1", {"OUTSIDE"}, {"lone-2", "north-1", "METADATA", "HOST", "GATEWAY", "LOOPBACK"}},
	{"south-1", {"OUTSIDE"}, {"north-1", "north-2", "lone-2"}},
};

static void places_append(struct playground *playground, const char *const *names, struct text *probe)
{
	for (; *names; names++)
		FOR_EACH_FAMILY(family)
	text_appendf(probe, " %s", place_named(playground, *names, (enum family)family));
}

static void expect_places(
	struct playground *playground, const char *from, const char *const *names, bool open, const char *lines)
{
	for (; *names; names++)
		FOR_EACH_FAMILY(family)
		{
			const char *place = place_named(playground, *names, (enum family)family);
			const char *word = value_of(playground, lines, place);

			cr_expect(*word && !strcmp(word, "connected") == open, "%s to %s %s: %s", from, *names, place,
				word);
		}
}

static void expect_reach(struct playground *playground, const struct reach *reach)
{
	AUTO(text_drop) struct text probe = {0};

	text_append(&probe, "connect");
	places_append(playground, reach->open, &probe);
	places_append(playground, reach->closed, &probe);
	auto_run exec = probe_in(playground, BY_EXEC, reach->from, probe.data, NULL);
	auto_run shell = probe_in(playground, BY_SHELL, reach->from, probe.data, NULL);
	expect_places(playground, reach->from, reach->open, true, exec.out);
	expect_places(playground, reach->from, reach->closed, false, exec.out);
	cr_expect_str_eq(exec.out, shell.out, "%s%s", exec.err, shell.err);
}

TEST(reach, other_networks_the_host_and_the_metadata_address_cannot_be_reached, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	static const char *const servers[] = {"METADATA", "HOST", "north-1", "north-2", "south-1", "lone-1", "lone-2"};
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();
	auto_fd service = listener_new(SOCK_STREAM, HOST_PORT);

	fleet_up(&playground);
	/* Each of them does answer: the host itself reaches all. */
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		FOR_EACH_FAMILY(family)
	cr_assert_str_eq(probe_connect(place_named(&playground, servers[i], (enum family)family)), "connected", "%s",
		servers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(reaches); i++)
		expect_reach(&playground, &reaches[i]);
}

/* --- datagrams ---------------------------------------------------------------------------------------------------- */

static void datagram_send(const char *text)
{
	struct place to;

	cr_assert(place_parse(text, &to));
	auto_fd fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(sendto(fd, "x", 1, 0, &to.any, to.length) == 1);
}

static bool datagram_came(int fd, int within_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&ready, 1, within_ms) == 1 && recv(fd, &byte, 1, 0) == 1;
}

/* Nobody answers a datagram, so the host looks whether it came. */
TEST(reach, datagrams_to_the_host_do_not_arrive, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const char *const names[] = {"HOST", "GATEWAY", "LOOPBACK", NULL};
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();
	auto_fd service = listener_new(SOCK_DGRAM, HOST_PORT);
	AUTO(text_drop) struct text probe = {0};

	instance_start(&playground, "inside");
	text_append(&probe, "send");
	places_append(&playground, names, &probe);
	FOR_EACH_FAMILY(family)
	{
		datagram_send(place_named(&playground, "HOST", (enum family)family));
		cr_assert(datagram_came(service, 1000));
	}
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, probe.data);

		FOR_EACH_FAMILY(family)
		cr_assert_str_eq(
			value_of(&playground, run.out, place_named(&playground, "GATEWAY", (enum family)family)),
			"tried", "%s: %s%s", way_names[way], run.out, run.err);
		cr_assert(!datagram_came(service, 200), "%s", way_names[way]);
	}
}

/* --- published ports ---------------------------------------------------------------------------------------------- */

/* Who is not the host does not get to what is published on loopback, neither by the port nor by the address behind it.
 */
TEST(reach, published_ports_are_open_where_they_were_published, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const struct {
		const char *here, *alone,
			*all; /* on loopback (NULL: not to be had); the same and the open one from outside */
	} ports[FAMILIES] = {
		{"127.0.0.1:8091", HOST ":8091", HOST ":8092"},
		{NULL, "[" HOST6 "]:8091", "[" HOST6 "]:8093"},
	};
	auto_playground playground = playground_new();
	AUTO(outside_drop) struct outside outside = outside_open();

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-p", "8091:80", "-p", "0.0.0.0:8092:80", "-v",
		playground_probe_volume(&playground), "host", "--", PROBE, "serve", "80");
	if (families() == FAMILIES)
		WARREN_OK(&playground, "set", "web", "-p", "[::]:8093:80");
	instance_await_log(&playground, "web", "serving");
	instance_start(&playground, "inside");
	FOR_EACH_FAMILY(family)
	{
		const char *address = place_named(&playground, "web", (enum family)family);
		const char *gateway = gateway_of(&playground, (enum family)family);
		auto_free char *probe =
			text_format("connect %s %s", ports[family].alone, place_text(&playground, gateway, 8091));
		auto_run neighbour = probe_by(&playground, BY_EXEC, probe);

		if (ports[family].here)
			cr_expect_str_eq(probe_connect(ports[family].here), "connected");
		cr_expect_str_eq(probe_connect(ports[family].all), "connected");
		cr_expect(neighbour.status == 0 && !strstr(neighbour.out, "connected"), "%s", neighbour.out);
		neighbour_enter(&outside.machine);
		cr_expect_str_eq(probe_connect(ports[family].all), "connected", "%s", ports[family].all);
		cr_expect_str_neq(probe_connect(ports[family].alone), "connected", "%s", ports[family].alone);
		cr_expect_str_neq(probe_connect(address), "connected", "%s", address);
		neighbour_leave(&outside.machine);
	}
}
