/* What the table lets through and what not: real packets between namespaces that play host, instances and neighbours.
 */
#include "netns/table/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/netns/support_world.h"

/* Host, a neighbour outside, two instances on an isolated network, two on an open one. */
struct scene {
	struct world world;
	struct arena arena;
	struct network alone, open;
	struct guest a, b, c, d;
};

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){0};
	world_open(&scene->world);
	outside_open(&scene->world);
	scene->alone = network_of(&scene->world, "alone", "10.88.0.0/16", true, true, &scene->arena);
	scene->open = network_of(&scene->world, "open", "10.44.0.0/24", false, false, &scene->arena);
	guest_open(&scene->world, &scene->alone, &scene->a);
	guest_open(&scene->world, &scene->alone, &scene->b);
	guest_open(&scene->world, &scene->open, &scene->c);
	guest_open(&scene->world, &scene->open, &scene->d);
}

static void scene_close(struct scene *scene)
{
	guest_close(&scene->world, &scene->a);
	guest_close(&scene->world, &scene->b);
	guest_close(&scene->world, &scene->c);
	guest_close(&scene->world, &scene->d);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

static void publish(struct scene *scene, const struct guest *guest, const char *text)
{
	struct port port;
	struct error err;

	ASSERT_OK(port_parse(text, &port, &err));
	ASSERT_OK(ports_publish(scene->world.session, &guest->endpoint, &port, 1, &err));
}

TEST(ruleset, the_host_reaches_an_instance_and_is_seen_as_the_gateway)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	cr_assert(connects_to(&s.world, s.world.host, s.a.endpoint.address, 80));
	cr_assert(accepted_from(server).s_addr == ip("169.254.1.1").s_addr);
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, a_port_published_on_any_address_is_reached_from_everywhere)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	publish(&s, &s.a, "0.0.0.0:8080:80");
	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 8080), "from outside");
	cr_assert(accepted_from(server).s_addr == ip(WAN_OUTSIDE).s_addr, "the client's address is preserved");
	cr_assert(connects(&s.world, s.world.host, WAN_HOST, 8080), "from the host by its own address");
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8080), "from the host by loopback");
	cr_assert(connects(&s.world, s.b.netns, WAN_HOST, 8080), "from another instance by the host's address");
	cr_assert(connects(&s.world, s.a.netns, WAN_HOST, 8080), "from the instance to itself");
	cr_assert(connects(&s.world, s.a.netns, WAN_HOST, 8080), "from the instance to itself, again");
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, a_port_published_on_loopback_is_reached_from_the_host_only)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	publish(&s, &s.a, "8080:80");
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8080));
	cr_assert(!connects(&s.world, s.world.outside, WAN_HOST, 8080));
	cr_assert(!connects(&s.world, s.world.host, WAN_HOST, 8080));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, a_neighbour_cannot_reach_loopback_ports_by_a_route_of_its_own)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	publish(&s, &s.a, "8080:80");
	netns_enter(s.world.outside);
	command("/usr/sbin/ip addr del 127.0.0.1/8 dev lo");
	command("/usr/sbin/ip route add 127.0.0.1/32 via " WAN_HOST " dev lan");
	struct error err;
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/lan/route_localnet", "1", &err));
	netns_enter(s.world.host);
	cr_assert(is_dropped(&s.world, s.world.outside, "127.0.0.1", 8080));
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8080));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, udp_ports_are_published_and_answers_find_back)
{
	NEEDS_ROOT();
	struct scene s;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr = ip(WAN_HOST)}, from;
	socklen_t from_length = sizeof(from);
	char byte = 'q';
	scene_open(&s);
	auto_fd server = udp_in(&s.world, s.a.netns, "0.0.0.0", 53);
	auto_fd client = udp_in(&s.world, s.world.outside, "0.0.0.0", 4000);
	struct pollfd at_server = {.fd = server, .events = POLLIN}, at_client = {.fd = client, .events = POLLIN};

	publish(&s, &s.a, "0.0.0.0:5300:53/udp");
	/* As a client of UDP does: a link that has just come up drops what it is given first. */
	for (int tries = 0; tries < 30 && !poll(&at_server, 1, tries ? 100 : 0); tries++)
		cr_assert(sendto(client, &byte, 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_server, 1, 3000) == 1);
	cr_assert(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &from_length) == 1);
	cr_assert(sendto(server, &byte, 1, 0, (struct sockaddr *)&from, from_length) == 1);
	cr_assert(poll(&at_client, 1, 3000) == 1);
	cr_assert(recvfrom(client, &byte, 1, 0, (struct sockaddr *)&from, &from_length) == 1);
	cr_assert(from.sin_addr.s_addr == ip(WAN_HOST).s_addr && from.sin_port == htons(5300));
	fd_drop(&server);
	fd_drop(&client);
	scene_close(&s);
}

static bool datagram_arrives(int from, const char *host, int at)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(5300)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(5300)};
	struct pollfd poll_fd = {.fd = at, .events = POLLIN};
	const bool six = strchr(host, ':');
	char byte;

	cr_assert(inet_pton(six ? AF_INET6 : AF_INET, host, six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) == 1);
	/* As a client of UDP does: on a link that has just come up the first is not always heard. */
	for (int tries = 0; tries < 30; tries++) {
		cr_assert(sendto(from, "x", 1, 0, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
				  six ? sizeof(v6) : sizeof(v4)) == 1);
		if (poll(&poll_fd, 1, 100) == 1)
			return recv(at, &byte, 1, 0) == 1;
	}
	return false;
}

static void expect_udp_moves_on(struct scene *s, const char *any, const char *host, const char *text)
{
	struct error err;
	auto_fd first = udp_in(&s->world, s->a.netns, any, 53);
	auto_fd second = udp_in(&s->world, s->b.netns, any, 53);
	auto_fd client = udp_in(&s->world, s->world.outside, any, 4000);
	struct port port;

	publish(s, &s->a, text);
	cr_assert(datagram_arrives(client, host, first), "%s", text);
	ASSERT_OK(ports_unpublish_all(s->world.session, &s->a.endpoint, &err));
	publish(s, &s->b, text);
	cr_assert(datagram_arrives(client, host, second), "%s", text);
	ASSERT_OK(port_parse(text, &port, &err));
	ASSERT_OK(ports_unpublish(s->world.session, &s->b.endpoint, &port, 1, &err));
	publish(s, &s->a, text);
	cr_assert(datagram_arrives(client, host, first), "%s", text);
}

TEST(ruleset, a_udp_client_that_goes_on_sending_reaches_the_ports_next_instance)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);

	expect_udp_moves_on(&s, "0.0.0.0", WAN_HOST, "0.0.0.0:5300:53/udp");
	if (net_has_ipv6())
		expect_udp_moves_on(&s, "::", WAN6_HOST, "[::]:5300:53/udp");
	scene_close(&s);
}

TEST(ruleset, instances_of_an_isolated_network_do_not_see_one_another)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	cr_assert(is_dropped_to(&s.world, s.b.netns, s.a.endpoint.address, 80));
	cr_assert(connects_to(&s.world, s.a.netns, s.a.endpoint.address, 80), "itself it sees");
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, instances_of_an_open_network_see_one_another)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.c.netns, "0.0.0.0", 80);

	cr_assert(connects_to(&s.world, s.d.netns, s.c.endpoint.address, 80));
	cr_assert(accepted_from(server).s_addr == s.d.endpoint.address.s_addr);
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, nothing_passes_between_networks_until_one_allows_it)
{
	NEEDS_ROOT();
	struct scene s;
	const char *allowed[] = {"alone", NULL};
	struct error err;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.c.netns, "0.0.0.0", 80);
	auto_fd other = listen_in(&s.world, s.a.netns, "0.0.0.0", 80);

	cr_assert(is_dropped_to(&s.world, s.a.netns, s.c.endpoint.address, 80));
	cr_assert(is_dropped_to(&s.world, s.c.netns, s.a.endpoint.address, 80));
	s.open.allow = (struct strings){allowed, 1};
	ASSERT_OK(network_define(&s.world.state, &s.open, &err));
	cr_assert(connects_to(&s.world, s.a.netns, s.c.endpoint.address, 80));
	cr_assert(is_dropped_to(&s.world, s.c.netns, s.a.endpoint.address, 80), "one way only");
	fd_drop(&server);
	fd_drop(&other);
	scene_close(&s);
}

TEST(ruleset, egress_is_masqueraded_where_it_is_allowed_and_dropped_elsewhere)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.outside, "0.0.0.0", 80);

	cr_assert(connects(&s.world, s.a.netns, WAN_OUTSIDE, 80));
	cr_assert(accepted_from(server).s_addr == ip(WAN_HOST).s_addr);
	cr_assert(is_dropped(&s.world, s.c.netns, WAN_OUTSIDE, 80));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, the_metadata_address_is_dropped_although_egress_is_allowed)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	netns_enter(s.world.outside);
	command("/usr/sbin/ip addr add 169.254.169.254/32 dev lan");
	netns_enter(s.world.host);
	command("/usr/sbin/ip route add 169.254.169.254/32 via " WAN_OUTSIDE);
	auto_fd server = listen_in(&s.world, s.world.outside, "0.0.0.0", 80);

	cr_assert(connects(&s.world, s.world.host, "169.254.169.254", 80), "the host reaches it");
	cr_assert(is_dropped(&s.world, s.a.netns, "169.254.169.254", 80));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, services_of_the_host_are_out_of_reach_on_all_its_addresses)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.host, "0.0.0.0", 3306);

	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 3306), "others do reach it");
	cr_assert(is_dropped(&s.world, s.a.netns, WAN_HOST, 3306));
	cr_assert(is_dropped(&s.world, s.a.netns, "169.254.1.1", 3306));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, loopback_of_the_host_is_out_of_reach_even_with_a_route_to_it)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.host, "127.0.0.1", 3306);

	publish(&s, &s.a, "8080:80"); /* opens the link to loopback addresses */
	netns_enter(s.a.netns);
	command("/usr/sbin/ip addr del 127.0.0.1/8 dev lo");
	command("/usr/sbin/ip route add 127.0.0.1/32 via 169.254.1.1 dev eth0 onlink");
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/eth0/route_localnet", "1", &err));
	netns_enter(s.world.host);
	cr_assert(is_dropped(&s.world, s.a.netns, "127.0.0.1", 3306));
	cr_assert(is_dropped(&s.world, s.a.netns, "127.0.0.1", 8080), "and the ports published there");
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, a_source_that_is_not_the_instances_own_is_dropped)
{
	NEEDS_ROOT();
	struct scene s;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr = ip(WAN_OUTSIDE)};
	scene_open(&s);
	auto_fd server = udp_in(&s.world, s.world.outside, "0.0.0.0", 5300);
	struct pollfd at_server = {.fd = server, .events = POLLIN};
	netns_enter(s.a.netns);
	command("/usr/sbin/ip addr add 10.88.200.200/32 dev eth0");
	netns_enter(s.world.host);
	auto_fd liar = udp_in(&s.world, s.a.netns, "10.88.200.200", 4000);
	auto_fd honest = udp_in(&s.world, s.a.netns, "0.0.0.0", 4001);

	cr_assert(sendto(liar, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_server, 1, 250) == 0, "a spoofed packet came through");
	cr_assert(sendto(honest, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_server, 1, 3000) == 1, "an honest one did not");
	fd_drop(&server);
	fd_drop(&liar);
	fd_drop(&honest);
	scene_close(&s);
}

/* --- IPv6 --------------------------------------------------------------------------------------------------------- */

TEST(ruleset, a_port_published_on_any_ipv6_address_is_reached_from_everywhere_but_loopback)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.a.netns, "::", 80);

	publish(&s, &s.a, "[::]:8080:80");
	cr_assert(connects(&s.world, s.world.outside, WAN6_HOST, 8080), "from outside");
	struct in6_addr seen = accepted_from6(server), client = ip6(WAN6_OUTSIDE);
	cr_assert(IN6_ARE_ADDR_EQUAL(&seen, &client), "the client's address is preserved");
	cr_assert(connects(&s.world, s.world.host, WAN6_HOST, 8080), "from the host by its own address");
	cr_assert(connects(&s.world, s.b.netns, WAN6_HOST, 8080), "from another instance by the host's address");
	cr_assert(connects(&s.world, s.a.netns, WAN6_HOST, 8080), "from the instance to itself");
	cr_assert(connects(&s.world, s.a.netns, WAN6_HOST, 8080), "from the instance to itself, again");
	cr_assert(!connects(&s.world, s.world.outside, WAN_HOST, 8080), "not over IPv4");
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, a_port_published_on_one_ipv6_address_is_reached_by_it_alone)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	scene_open(&s);
	command("/usr/sbin/ip addr add 2001:db8:5::99/64 dev wan nodad");
	auto_fd server = listen_in(&s.world, s.a.netns, "::", 80);

	publish(&s, &s.a, "[2001:db8:5::99]:8080:80");
	cr_assert(connects(&s.world, s.world.outside, "2001:db8:5::99", 8080));
	cr_assert(!connects(&s.world, s.world.outside, WAN6_HOST, 8080));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, networks_are_apart_in_ipv6_too)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	const char *allowed[] = {"alone", NULL};
	struct error err;
	scene_open(&s);
	auto_fd a = listen_in(&s.world, s.a.netns, "::", 80);
	auto_fd c = listen_in(&s.world, s.c.netns, "::", 80);

	cr_assert(is_dropped_to6(&s.world, s.b.netns, &s.a.endpoint.address6, 80), "isolated");
	cr_assert(connects_to6(&s.world, s.d.netns, &s.c.endpoint.address6, 80), "open");
	struct in6_addr seen = accepted_from6(c);
	cr_assert(IN6_ARE_ADDR_EQUAL(&seen, &s.d.endpoint.address6));
	cr_assert(is_dropped_to6(&s.world, s.a.netns, &s.c.endpoint.address6, 80), "another network");
	s.open.allow = (struct strings){allowed, 1};
	ASSERT_OK(network_define(&s.world.state, &s.open, &err));
	cr_assert(connects_to6(&s.world, s.a.netns, &s.c.endpoint.address6, 80), "allowed");
	cr_assert(is_dropped_to6(&s.world, s.c.netns, &s.a.endpoint.address6, 80), "one way only");
	cr_assert(is_dropped_to6(&s.world, s.world.outside, &s.c.endpoint.address6, 80), "from outside");
	fd_drop(&a);
	fd_drop(&c);
	scene_close(&s);
}

TEST(ruleset, ipv6_egress_is_masqueraded_where_it_is_allowed_and_dropped_elsewhere)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.outside, "::", 80);

	cr_assert(connects(&s.world, s.a.netns, WAN6_OUTSIDE, 80));
	struct in6_addr seen = accepted_from6(server), host = ip6(WAN6_HOST);
	cr_assert(IN6_ARE_ADDR_EQUAL(&seen, &host));
	cr_assert(is_dropped(&s.world, s.c.netns, WAN6_OUTSIDE, 80));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, services_of_the_host_are_out_of_reach_by_ipv6)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.host, "::", 3306);

	cr_assert(connects(&s.world, s.world.outside, WAN6_HOST, 3306), "others do reach it");
	cr_assert(is_dropped(&s.world, s.a.netns, WAN6_HOST, 3306));
	fd_drop(&server);
	scene_close(&s);
}

TEST(ruleset, an_ipv6_source_that_is_not_the_instances_own_is_dropped)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(5300), .sin6_addr = ip6(WAN6_OUTSIDE)};
	scene_open(&s);
	auto_fd server = udp_in(&s.world, s.world.outside, "::", 5300);
	struct pollfd at_server = {.fd = server, .events = POLLIN};
	netns_enter(s.a.netns);
	command("/usr/sbin/ip addr add fd00:1::200/128 dev eth0 nodad");
	command("/usr/sbin/ip addr add fe80::77/64 dev eth0 nodad");
	netns_enter(s.world.host);
	auto_fd liar = udp_in(&s.world, s.a.netns, "fd00:1::200", 4000);
	auto_free char *own = NULL;
	char text[INET6_ADDRSTRLEN];
	own = text_format("%s", inet_ntop(AF_INET6, &s.a.endpoint.address6, text, sizeof(text)));
	auto_fd honest = udp_in(&s.world, s.a.netns, own, 4001);

	cr_assert(sendto(liar, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_server, 1, 250) == 0, "a spoofed packet came through");
	cr_assert(sendto(honest, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_server, 1, 3000) == 1, "an honest one did not");
	fd_drop(&server);
	fd_drop(&liar);
	fd_drop(&honest);
	scene_close(&s);
}

/* A second neighbour, so that there is something foreign to forward to. */
static int second_neighbour(struct world *world)
{
	auto_free char *link = NULL;
	int other = netns_new();

	link = text_format("/usr/sbin/ip link add dmz type veth peer name lan netns /proc/%d/fd/%d", getpid(), other);
	command(link);
	command("/usr/sbin/ip addr add 198.51.100.1/24 dev dmz");
	command("/usr/sbin/ip link set dmz up");
	netns_enter(other);
	command("/usr/sbin/ip addr add 198.51.100.2/24 dev lan");
	command("/usr/sbin/ip link set lan up");
	command("/usr/sbin/ip route add default via 198.51.100.1");
	netns_enter(world->host);
	return other;
}

TEST(ruleset, the_host_does_not_become_a_router_because_of_us)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);
	auto_fd other = second_neighbour(&s.world);
	auto_fd server = listen_in(&s.world, other, "0.0.0.0", 80);

	cr_assert(connects(&s.world, s.world.host, "198.51.100.2", 80));
	cr_assert(connects(&s.world, s.a.netns, "198.51.100.2", 80));
	cr_assert(is_dropped(&s.world, s.world.outside, "198.51.100.2", 80));
	cr_assert(is_dropped_to(&s.world, s.world.outside, s.a.endpoint.address, 80), "nor to an unpublished port");
	fd_drop(&server);
	fd_drop(&other);
	scene_close(&s);
}

TEST(ruleset, a_host_that_was_a_router_stays_one)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	outside_open(&world);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", &err));
	struct network network = network_of(&world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	guest_open(&world, &network, &guest);
	auto_fd other = second_neighbour(&world);
	auto_fd server = listen_in(&world, other, "0.0.0.0", 80);

	cr_assert(connects(&world, world.outside, "198.51.100.2", 80));
	fd_drop(&server);
	fd_drop(&other);
	guest_close(&world, &guest);
	world_close(&world);
}

TEST(ruleset, a_single_link_that_forwarded_before_goes_on_doing_so)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	outside_open(&world);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/wan/forwarding", "1", &err));
	struct network network = network_of(&world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	guest_open(&world, &network, &guest);
	auto_fd other = second_neighbour(&world);
	auto_fd server = listen_in(&world, other, "0.0.0.0", 80);

	/* The answers come in by dmz, which did not forward: so the packets arrive, but no connection comes about. */
	auto_fd sender = udp_in(&world, world.outside, "0.0.0.0", 4000);
	auto_fd receiver = udp_in(&world, other, "0.0.0.0", 5300);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr = ip("198.51.100.2")};
	struct pollfd at_receiver = {.fd = receiver, .events = POLLIN};
	cr_assert(sendto(sender, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	cr_assert(poll(&at_receiver, 1, 3000) == 1);
	fd_drop(&server);
	fd_drop(&sender);
	fd_drop(&receiver);
	fd_drop(&other);
	guest_close(&world, &guest);
	world_close(&world);
}

/* Whether a connection from a socket of the host's with that mark is established. */
static bool marked_connects(uint32_t mark, const char *address)
{
	bool is_six = strchr(address, ':');
	auto_fd fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(3306)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(3306)};
	struct pollfd established = {.fd = fd, .events = POLLOUT};

	cr_assert(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
	cr_assert(inet_pton(is_six ? AF_INET6 : AF_INET, address,
			  is_six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) == 1);
	connect(fd, is_six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, is_six ? sizeof(v6) : sizeof(v4));
	return poll(&established, 1, mark ? 250 : 4000) == 1 && !(established.revents & POLLERR);
}

TEST(ruleset, a_socket_that_was_handed_over_begins_no_connection)
{
	NEEDS_ROOT();
	static const char *const addresses[] = {"127.0.0.1", WAN_HOST, "::1", WAN6_HOST};
	struct scene s;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.host, "0.0.0.0", 3306);
	auto_fd server6 = net_has_ipv6() ? listen_in(&s.world, s.world.host, "::", 3306) : -1;

	for (size_t i = 0; i < (server6 < 0 ? 2 : ARRAY_SIZE(addresses)); i++) {
		cr_assert(marked_connects(0, addresses[i]), "%s without the mark", addresses[i]);
		cr_assert(!marked_connects(NET_SOCKET_MARK, addresses[i]), "%s", addresses[i]);
	}
	fd_drop(&server);
	fd_drop(&server6);
	scene_close(&s);
}

/* What it accepts carries its mark, and answers. */
TEST(ruleset, a_socket_that_was_handed_over_serves)
{
	NEEDS_ROOT();
	struct scene s;
	const uint32_t mark = NET_SOCKET_MARK;
	scene_open(&s);
	auto_fd server = listen_in(&s.world, s.world.host, "0.0.0.0", 8080);

	cr_assert(setsockopt(server, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 8080), "from outside");
	cr_assert(accepted_from(server).s_addr == ip(WAN_OUTSIDE).s_addr);
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8080), "from the host");
	fd_drop(&server);
	scene_close(&s);
}
