/* Instances in the host's own network: macvlan and ports of a bridge. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "tests/netns/support_world.h"

#define TIMEOUT_MS 5000

struct lan_guest {
	struct lan_endpoint endpoint;
	int netns;
};

static void lan_open(
	struct world *world, struct lan_guest *guest, enum lan_kind kind, const char *parent, const char *address)
{
	struct error err;

	*guest = (struct lan_guest){.endpoint = {.kind = kind, .parent = parent, .address = ip(address), .prefix = 24},
		.netns = netns_new()};
	ASSERT_OK(slot_take(&world->state, 0, &guest->endpoint.slot, &err));
	ASSERT_OK(lan_attach(world->session, &guest->endpoint, guest->netns, TIMEOUT_MS, &err));
	netns_enter(guest->netns);
	ASSERT_OK(lan_configure_inside(&guest->endpoint, &err));
	netns_enter(world->host);
}

static void lan_close(struct world *world, struct lan_guest *guest)
{
	struct error err;

	close(guest->netns);
	ASSERT_OK(slot_release(&world->state, guest->endpoint.slot, &err));
}

TEST(lan, a_macvlan_is_a_neighbour_of_the_hosts_neighbours)
{
	NEEDS_ROOT();
	struct world world;
	struct lan_guest one, other;
	world_open(&world);
	outside_open(&world);

	lan_open(&world, &one, LAN_MACVLAN, "wan", "192.0.2.50");
	lan_open(&world, &other, LAN_MACVLAN, "wan", "192.0.2.51");
	auto_fd outside = listen_in(&world, world.outside, WAN_OUTSIDE, 80);
	auto_fd inside = listen_in(&world, one.netns, "0.0.0.0", 80);

	cr_assert(connects(&world, one.netns, WAN_OUTSIDE, 80));
	cr_assert(accepted_from(outside).s_addr == ip("192.0.2.50").s_addr, "with its own address");
	cr_assert(connects(&world, world.outside, "192.0.2.50", 80));
	cr_assert(connects(&world, other.netns, "192.0.2.50", 80), "and of each other");
	/* A link and its macvlans do not talk to each other: the kernel's own rule. */
	cr_assert(is_dropped(&world, world.host, "192.0.2.50", 80));
	lan_close(&world, &one);
	lan_close(&world, &other);
	world_close(&world);
}

TEST(lan, a_macvlan_is_called_eth0_though_the_host_has_one)
{
	NEEDS_ROOT();
	struct world world;
	struct lan_guest guest;
	world_open(&world);
	outside_open(&world);
	command("/usr/sbin/ip link add eth0 index 16 type veth peer name eth1");
	unsigned index = if_nametoindex("eth0");

	lan_open(&world, &guest, LAN_MACVLAN, "wan", "192.0.2.50");
	cr_assert(if_nametoindex("eth0") == index && index == 16, "the host's is as it was");
	netns_enter(guest.netns);
	cr_assert(if_nametoindex("eth0") != 0);
	netns_enter(world.host);
	lan_close(&world, &guest);
	world_close(&world);
}

TEST(lan, a_port_of_a_bridge_talks_to_the_host_and_to_others)
{
	NEEDS_ROOT();
	struct world world;
	struct lan_guest one, other;
	world_open(&world);
	command("/usr/sbin/ip link add br0 type bridge");
	command("/usr/sbin/ip addr add 198.51.100.1/24 dev br0");
	command("/usr/sbin/ip link set br0 up");

	lan_open(&world, &one, LAN_BRIDGE, "br0", "198.51.100.7");
	lan_open(&world, &other, LAN_BRIDGE, "br0", "198.51.100.8");
	auto_fd host = listen_in(&world, world.host, "198.51.100.1", 80);
	auto_fd inside = listen_in(&world, one.netns, "0.0.0.0", 80);

	cr_assert(connects(&world, one.netns, "198.51.100.1", 80));
	cr_assert(connects(&world, other.netns, "198.51.100.7", 80));
	cr_assert(connects(&world, world.host, "198.51.100.7", 80));
	unsigned slot = one.endpoint.slot;

	fd_drop(&inside);
	lan_close(&world, &one);
	await_gone(&world, slot);
	lan_close(&world, &other);
	world_close(&world);
}

/* Of eth0 in the namespace that we are in. */
static void expect_link(const uint8_t mac[6], int mtu)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "eth0"};

	cr_assert(ioctl(fd, SIOCGIFHWADDR, &request) == 0 && memcmp(request.ifr_hwaddr.sa_data, mac, 6) == 0);
	cr_assert(ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == mtu);
}

TEST(lan, the_gateway_is_the_way_out)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct lan_guest guest = {.endpoint = {.kind = LAN_MACVLAN,
					  .parent = "wan",
					  .address = ip("192.0.2.50"),
					  .prefix = 24,
					  .gateway = ip(WAN_OUTSIDE),
					  .mac = {2, 3, 4, 5, 6, 7},
					  .mtu = 1400}};
	world_open(&world);
	outside_open(&world);
	netns_enter(world.outside);
	command("/usr/sbin/ip addr add 203.0.113.9/32 dev lo");
	netns_enter(world.host);
	auto_fd far = listen_in(&world, world.outside, "203.0.113.9", 80);

	guest.netns = netns_new();
	ASSERT_OK(slot_take(&world.state, 0, &guest.endpoint.slot, &err));
	ASSERT_OK(lan_attach(world.session, &guest.endpoint, guest.netns, TIMEOUT_MS, &err));
	netns_enter(guest.netns);
	ASSERT_OK(lan_configure_inside(&guest.endpoint, &err));
	expect_link(guest.endpoint.mac, 1400);
	netns_enter(world.host);
	cr_assert(connects(&world, guest.netns, "203.0.113.9", 80));
	lan_close(&world, &guest);
	world_close(&world);
}

TEST(lan, an_address_may_be_alone_in_its_subnet)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct lan_guest guest = {
		.endpoint = {.kind = LAN_MACVLAN, .parent = "wan", .address = ip("192.0.2.50"), .prefix = 32}};
	world_open(&world);
	outside_open(&world);

	guest.netns = netns_new();
	ASSERT_OK(slot_take(&world.state, 0, &guest.endpoint.slot, &err));
	ASSERT_OK(lan_attach(world.session, &guest.endpoint, guest.netns, TIMEOUT_MS, &err));
	netns_enter(guest.netns);
	ASSERT_OK(lan_configure_inside(&guest.endpoint, &err));
	netns_enter(world.host);
	auto_fd server = listen_in(&world, guest.netns, "192.0.2.50", 80);
	fd_drop(&server);
	lan_close(&world, &guest);
	world_close(&world);
}

TEST(lan, a_parent_that_will_not_do_is_refused)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	static const struct {
		enum lan_kind kind;
		const char *parent, *message;
	} rows[] = {
		{LAN_MACVLAN, "nonesuch", "macvlan:nonesuch: this host has no link \"nonesuch\""},
		{LAN_MACVLAN, "a-name-longer-than-a-link-can-have", "this host has no link"},
		{LAN_MACVLAN, "lo", "macvlan:lo: lo is no Ethernet link, as a macvlan needs"},
		{LAN_MACVLAN, "dark", "macvlan:dark: the link is down; ip link set dark up"},
		{LAN_BRIDGE, "wan", "bridge:wan: wan is no bridge; macvlan:wan puts instances on a link"},
		{LAN_BRIDGE, "br0", "bridge:br0: the link is down; ip link set br0 up"},
	};
	world_open(&world);
	outside_open(&world);
	command("/usr/sbin/ip link add dark type veth peer name other");
	command("/usr/sbin/ip link add br0 type bridge");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(lan_check(rows[i].kind, rows[i].parent, &err), ERROR_USAGE, rows[i].message);
	ASSERT_OK(lan_check(LAN_MACVLAN, "wan", &err));
	world_close(&world);
}
