/* IPv6 of the host's part: its prefix, and forwarding that changes nothing else of the host. */
#include "netns/subnets/ipv6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/netns/support_world.h"

#define CONF "/proc/sys/net/ipv6/conf/"
#define NEEDS_IPV6_ON() SKIP_UNLESS(net_has_ipv6(), "needs IPv6, and that this host has it switched on")

static struct subnet6 subnet6(const char *text)
{
	struct subnet6 subnet;
	struct error err;

	ASSERT_OK(subnet6_parse(text, &subnet, &err));
	return subnet;
}

static const char *value_of(struct arena *arena, const char *path)
{
	const char *value;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, path, 64, &value, NULL, &err));
	return arena_bytes(arena, value, strcspn(value, "\n"));
}

static void write_value(const char *path, const char *value)
{
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, value, &err));
}

static const char *output_of(struct arena *arena, const char *line)
{
	AUTO(text_drop) struct text output = {0};
	struct strings words = strings_split(arena, line, ' ');
	struct helper helper = {.argv = words.items, .timeout_ms = 20000};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, &output, &status, &err));
	cr_assert(status == 0, "%s: %s", line, text_string(&output));
	return arena_string(arena, text_string(&output));
}

/* --- prefixes ----------------------------------------------------------------------------------------------------- */

TEST(ipv6, a_host_draws_its_prefix_once)
{
	NEEDS_ROOT();
	struct world world, other;
	struct subnet6 first, again, elsewhere;
	struct error err;
	world_open(&world);
	world_open(&other);

	ASSERT_OK(own_prefix(&world.state, &first, &err));
	ASSERT_OK(own_prefix(&world.state, &again, &err));
	ASSERT_OK(own_prefix(&other.state, &elsewhere, &err));
	cr_assert(first.prefix == 48 && first.base.s6_addr[0] == 0xfd);
	cr_assert(memcmp(&first, &again, sizeof(first)) == 0);
	cr_assert(memcmp(&first.base, &elsewhere.base, sizeof(first.base)) != 0, "two hosts have the same prefix");
	world_close(&other);
	netns_enter(world.host);
	world_close(&world);
}

TEST(ipv6, a_damaged_prefix_is_refused_and_not_drawn_anew)
{
	NEEDS_ROOT();
	struct world world;
	struct subnet6 prefix;
	struct error err;
	world_open(&world);

	ASSERT_OK(file_replace(world.state.records, "ipv6-prefix", 0600, FILE_VOLATILE, "fd00::/8\n", 9, &err));
	ASSERT_FAILS(own_prefix(&world.state, &prefix, &err), ERROR_USAGE,
		"ipv6-prefix: subnet \"fd00::/8\": prefix length");
	ASSERT_OK(file_replace(world.state.records, "ipv6-prefix", 0600, FILE_VOLATILE, "2001:db8::/48\n", 14, &err));
	ASSERT_FAILS(own_prefix(&world.state, &prefix, &err), ERROR_SYSTEM, "ipv6-prefix: must be a /48 of fd00::/8");
	world_close(&world);
}

TEST(ipv6, a_name_has_the_same_subnet_again_and_makes_way_for_others)
{
	const struct subnet6 own = subnet6("fd11:2222:3333::/48");
	struct network taken = {.name = "other"};
	struct network_list none = {0}, list = {.items = &taken, .count = 1};
	struct subnet6 first, again, second;
	struct error err;

	ASSERT_OK(subnet6_choose(&own, &none, "shop", &first, &err));
	ASSERT_OK(subnet6_choose(&own, &none, "shop", &again, &err));
	cr_assert(memcmp(&first, &again, sizeof(first)) == 0);
	cr_assert(first.prefix == 64 && subnet6_has(&own, &first.base));
	taken.subnet6 = first;
	ASSERT_OK(subnet6_choose(&own, &list, "shop", &second, &err));
	cr_assert(!subnet6_overlaps(&first, &second));
	taken.name = "shop"; /* its own is no obstacle */
	ASSERT_OK(subnet6_choose(&own, &list, "shop", &second, &err));
	cr_assert(memcmp(&first, &second, sizeof(first)) == 0);
	taken = (struct network){.name = "greedy", .subnet6 = own};
	ASSERT_FAILS(subnet6_choose(&own, &list, "shop", &second, &err), ERROR_BUSY,
		"all IPv6 subnets of this host are taken");
}

TEST(ipv6, a_network_keeps_its_subnet_and_says_so_when_another_is_asked_for)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	char before[SUBNET6_TEXT_SIZE], after[SUBNET6_TEXT_SIZE];
	world_open(&world);

	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	subnet6_format(&network.subnet6, before);
	network.subnet6.prefix = 0;
	network.isolated = true; /* another change, silent about IPv6 */
	ASSERT_OK(network_define(&world.state, &network, &err));
	cr_assert_str_eq(subnet6_format(&network.subnet6, after), before);
	guest_open(&world, &network, &guest);
	network.subnet6 = subnet6("fd77:7:7:7::/64");
	ASSERT_FAILS(network_define(&world.state, &network, &err), ERROR_BUSY,
		"define network shop: its subnet6 cannot change while instances have addresses of it");
	guest_close(&world, &guest);
	ASSERT_OK(network_define(&world.state, &network, &err));
	network.ipv4_only = true;
	ASSERT_FAILS(network_define(&world.state, &network, &err), ERROR_USAGE,
		"define network shop: a network without IPv6 has no subnet6");
	network.subnet6.prefix = 0;
	ASSERT_OK(network_define(&world.state, &network, &err));
	cr_assert(network.subnet6.prefix == 0);
	world_close(&world);
}

TEST(ipv6, a_subnet_that_the_host_or_another_network_has_is_refused_by_name)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);
	outside_open(&world);
	command("/usr/sbin/ip route add fd99:1::/32 dev wan");

	struct network shop = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	struct network next = {.name = "next", .owner = ""};
	char expected[200], text[SUBNET6_TEXT_SIZE];
	ASSERT_OK(subnet_parse("10.45.0.0/16", &next.subnet, &err));
	next.subnet6 = shop.subnet6;
	subnet6_format(&shop.subnet6, text);
	snprintf(expected, sizeof(expected),
		"define network next: subnet %s overlaps %s of network shop; choose another subnet", text, text);
	ASSERT_FAILS(network_define(&world.state, &next, &err), ERROR_USAGE, expected);
	next.subnet6 = subnet6("fd99:1:5:5::/64");
	ASSERT_FAILS(network_define(&world.state, &next, &err), ERROR_USAGE,
		"define network next: subnet fd99:1:5:5::/64 overlaps the route fd99:1::/32 on wan of this host");
	next.subnet6 = subnet6("2001:db8:5::/64");
	ASSERT_FAILS(network_define(&world.state, &next, &err), ERROR_USAGE,
		"define network next: subnet 2001:db8:5::/64 overlaps the address 2001:db8:5::/64 on wan of this host");
	world_close(&world);
}

TEST(ipv6, a_host_without_it_has_networks_without_it_until_it_gets_it)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	write_value(CONF "all/disable_ipv6", "1");
	cr_assert(!net_has_ipv6());

	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	cr_assert(network.subnet6.prefix == 0);
	guest_open(&world, &network, &guest);
	cr_assert(IN6_IS_ADDR_UNSPECIFIED(&guest.endpoint.address6));
	auto_fd server = listen_in(&world, guest.netns, "0.0.0.0", 80);
	cr_assert(connects_to(&world, world.host, guest.endpoint.address, 80));
	cr_assert_str_eq(value_of(&arena, CONF "all/forwarding"), "0");
	guest_close(&world, &guest);
	write_value(CONF "all/disable_ipv6", "0");
	write_value(CONF "default/disable_ipv6", "0");
	ASSERT_OK(network_define(&world.state, &network, &err));
	cr_assert(network.subnet6.prefix == 64);
	fd_drop(&server);
	world_close(&world);
}

/* --- forwarding --------------------------------------------------------------------------------------------------- */

static bool route_is_learned(struct arena *arena, const char *part)
{
	return strstr(output_of(arena, "/usr/sbin/ip -6 route show proto ra"), part);
}

/* The neighbour on the wire is a router and says so, until the host has heard it. */
static void router_advertise(struct world *world, struct arena *arena, const char *learned)
{
	struct nd_router_advert packet = {.nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_router_lifetime = htons(1800)};
	int64_t deadline = clock_ms() + SLOWLY(5000);
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = ip6("ff02::1")};
	int hops = 255;

	netns_enter(world->outside);
	command("/usr/sbin/ip addr add fe80::99/64 dev lan nodad");
	auto_fd fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	to.sin6_scope_id = if_nametoindex("lan");
	netns_enter(world->host);
	cr_assert(fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) == 0);
	do {
		cr_assert(clock_ms() < deadline, "no route %s was learned", learned);
		cr_assert(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(packet),
			"%s", strerror(errno));
	} while (!route_is_learned(arena, learned));
}

TEST(ipv6, forwarding_leaves_hosts_hosts_and_keeps_what_they_learned_from_routers)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	int result;
	world_open(&world);
	command("/usr/sbin/ip link add router type veth peer name other");
	write_value(CONF "router/forwarding", "1");
	write_value(CONF "router/accept_ra", "0");
	outside_open(&world);
	router_advertise(&world, &arena, "default via fe80::99 dev wan");

	ASSERT_OK(result = net_host_up(&world.state, &err));
	cr_assert(result == 1);
	cr_assert_str_eq(value_of(&arena, CONF "all/forwarding"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "wan/forwarding"), "0");
	cr_assert_str_eq(value_of(&arena, CONF "wan/accept_ra"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "router/forwarding"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "default/forwarding"), "0");
	cr_assert(route_is_learned(&arena, "default via fe80::99 dev wan"));
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert_str_eq(value_of(&arena, CONF "all/forwarding"), "0");
	cr_assert_str_eq(value_of(&arena, CONF "wan/accept_ra"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "router/forwarding"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "router/accept_ra"), "0");
	cr_assert(route_is_learned(&arena, "default via fe80::99 dev wan"));
	cr_assert(!strstr(output_of(&arena, "/usr/sbin/ip -6 addr show dev lo"), "fd"), "an address is left on lo");
	world_close(&world);
}

TEST(ipv6, a_host_that_forwarded_before_goes_on_doing_so)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);
	write_value(CONF "all/forwarding", "1");

	ASSERT_OK(net_host_up(&world.state, &err));
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert_str_eq(value_of(&arena, CONF "all/forwarding"), "1");
	world_close(&world);
}

/* As if killed between the two halves of switching on. */
TEST(ipv6, forwarding_switched_on_half_way_is_finished_by_the_next)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);
	outside_open(&world);
	ASSERT_OK(net_host_up(&world.state, &err));
	write_value(CONF "wan/accept_ra", "2");
	write_value(CONF "wan/forwarding", "1");

	ASSERT_OK(net_host_up(&world.state, &err)); /* not said to be republished: made again */
	cr_assert_str_eq(value_of(&arena, CONF "wan/accept_ra"), "1");
	cr_assert_str_eq(value_of(&arena, CONF "wan/forwarding"), "0");
	world_close(&world);
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

TEST(ipv6, instances_have_the_host_number_of_their_ipv4_address_and_reach_one_another)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest a, b;
	world_open(&world);
	outside_open(&world);
	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	guest_open(&world, &network, &a);
	guest_open(&world, &network, &b);
	auto_fd server = listen_in(&world, b.netns, "::", 80);
	auto_fd away = listen_in(&world, world.outside, "::", 80);

	cr_assert(b.endpoint.address6.s6_addr[15] == ntohl(b.endpoint.address.s_addr) % 256);
	cr_assert(connects_to6(&world, a.netns, &b.endpoint.address6, 80));
	struct in6_addr from = accepted_from6(server);
	cr_assert(IN6_ARE_ADDR_EQUAL(&from, &a.endpoint.address6), "the source is its own address");
	cr_assert(connects(&world, a.netns, WAN6_OUTSIDE, 80));
	from = accepted_from6(away);
	struct in6_addr wan = ip6(WAN6_HOST);
	cr_assert(IN6_ARE_ADDR_EQUAL(&from, &wan), "an address of our own leaves as the host's");
	cr_assert(connects_to6(&world, world.host, &b.endpoint.address6, 80), "the host reaches it");
	fd_drop(&server);
	fd_drop(&away);
	guest_close(&world, &a);
	guest_close(&world, &b);
	world_close(&world);
}

TEST(ipv6, public_addresses_leave_the_host_as_they_are)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	outside_open(&world);
	struct network network = {
		.name = "routed", .egress = true, .owner = "", .subnet6 = subnet6("2001:db8:77::/64")};
	ASSERT_OK(subnet_parse("10.44.0.0/16", &network.subnet, &err));
	ASSERT_OK(network_define(&world.state, &network, &err));
	guest_open(&world, &network, &guest);
	auto_fd away = listen_in(&world, world.outside, "::", 80);

	cr_assert(connects(&world, guest.netns, WAN6_OUTSIDE, 80));
	struct in6_addr from = accepted_from6(away);
	cr_assert(IN6_ARE_ADDR_EQUAL(&from, &guest.endpoint.address6));
	fd_drop(&away);
	guest_close(&world, &guest);
	world_close(&world);
}

/* Sends one until one arrives, or `rounds` times; true when one did. */
static bool datagram_arrives(int sender, int receiver, const struct in6_addr *address, int rounds)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = *address, .sin6_port = htons(5300)};
	struct pollfd poll_fd = {.fd = receiver, .events = POLLIN};
	bool arrived = false;
	char byte;

	for (int i = 0; i < rounds && !arrived; i++) {
		cr_assert(sendto(sender, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, "%s", strerror(errno));
		arrived = poll(&poll_fd, 1, 100) == 1;
	}
	while (recv(receiver, &byte, 1, MSG_DONTWAIT) == 1)
		continue;
	return arrived;
}

/* From inside, as root of the namespace: another source, of the network and of nobody. The first, its own, shows that
 * the way is open, which a link that has just come up may take a moment to be. */
TEST(ipv6, a_source_that_is_not_its_own_is_dropped)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest a, b;
	char text[INET6_ADDRSTRLEN];
	world_open(&world);
	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	guest_open(&world, &network, &a);
	guest_open(&world, &network, &b);
	auto_fd receiver = udp_in(&world, b.netns, "::", 5300);
	struct in6_addr forged = b.endpoint.address6;
	forged.s6_addr[15] ^= 0x40;
	const struct ip_address sources[] = {
		ip_from_v6(&a.endpoint.address6), ip_from_v6(&forged), {AF_INET6, {.v6 = ip6("2001:db8:9::9")}}};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		ip_format(&sources[i], text);
		netns_enter(a.netns);
		if (i > 0)
			command(arena_format(&arena, "/usr/sbin/ip addr add %s/128 dev eth0 nodad", text));
		netns_enter(world.host);
		auto_fd sender = udp_in(&world, a.netns, text, 4000);
		cr_assert(datagram_arrives(sender, receiver, &b.endpoint.address6, i == 0 ? SLOWLY(50) : 3) == (i == 0),
			"from %s", text);
	}
	fd_drop(&receiver);
	guest_close(&world, &a);
	guest_close(&world, &b);
	world_close(&world);
}

/* The instance plays a router, with all that the protocol asks for, and then proves that its packets came through. */
TEST(ipv6, a_router_advertisement_of_an_instance_changes_nothing_of_the_host)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	struct nd_router_advert advert = {.nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_router_lifetime = htons(1800)};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = ip6("ff02::1")};
	struct world world;
	struct guest guest;
	struct error err;
	int hops = 255;
	world_open(&world);
	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	guest_open(&world, &network, &guest);
	auto_fd server = listen_in(&world, guest.netns, "::", 80);

	netns_enter(guest.netns);
	command("/usr/sbin/ip addr add fe80::66/64 dev eth0 nodad");
	auto_fd fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	to.sin6_scope_id = if_nametoindex("eth0");
	netns_enter(world.host);
	cr_assert(fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) == 0);
	for (int i = 0; i < 3; i++)
		cr_assert(sendto(fd, &advert, sizeof(advert), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(advert));
	cr_assert(connects_to6(&world, world.host, &guest.endpoint.address6, 80));
	cr_assert_str_eq(output_of(&arena, "/usr/sbin/ip -6 route show proto ra"), "");
	/* Nor with the table gone, until the next command brings it back. */
	command("/usr/sbin/nft flush ruleset");
	cr_assert(sendto(fd, &advert, sizeof(advert), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(advert));
	cr_assert(connects_to6(&world, world.host, &guest.endpoint.address6, 80));
	cr_assert_str_eq(output_of(&arena, "/usr/sbin/ip -6 route show proto ra"), "");
	fd_drop(&fd);
	fd_drop(&server);
	ASSERT_OK(net_host_up(&world.state, &err));
	guest_close(&world, &guest);
	world_close(&world);
}

TEST(ipv6, an_address_that_nobody_has_is_answered_at_once)
{
	NEEDS_ROOT();
	NEEDS_IPV6_ON();
	AUTO(arena_drop) struct arena arena = {0};
	char text[INET6_ADDRSTRLEN];
	struct world world;
	struct guest guest;
	world_open(&world);
	outside_open(&world);
	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	guest_open(&world, &network, &guest);
	struct in6_addr nobody = guest.endpoint.address6;
	nobody.s6_addr[14] = 0x77;

	inet_ntop(AF_INET6, &nobody, text, sizeof(text));
	cr_assert(is_unreachable(&world, world.host, text, 80), "%s from the host", text);
	cr_assert(is_unreachable(&world, guest.netns, text, 80), "%s from an instance", text);
	guest_close(&world, &guest);
	world_close(&world);
}

/* Links of a network that says so carry packets of that size at most, at both ends. */
TEST(ipv6, both_ends_have_the_mtu_of_the_network)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	struct network network = {.name = "narrow", .egress = true, .owner = "", .mtu = 1400};
	ASSERT_OK(subnet_parse("10.44.0.0/16", &network.subnet, &err));
	ASSERT_OK(network_define(&world.state, &network, &err));
	guest_open(&world, &network, &guest);

	const char *show = arena_format(&arena, "/usr/sbin/ip link show dev w%u", guest.endpoint.slot);
	cr_assert(strstr(output_of(&arena, show), "mtu 1400 "));
	netns_enter(guest.netns);
	cr_assert(strstr(output_of(&arena, "/usr/sbin/ip link show dev eth0"), "mtu 1400 "));
	netns_enter(world.host);
	guest_close(&world, &guest);
	world_close(&world);
}
