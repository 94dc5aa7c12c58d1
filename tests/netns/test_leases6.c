/* IPv6 addresses: beside the IPv4 one, inside, unique. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/networks/leases.h"
#include "tests/netns/support_world.h"

struct scene {
	struct world world;
	struct network network;
};

static void scene_open(struct scene *s, const char *subnet, const char *subnet6)
{
	struct error err;

	*s = (struct scene){.network = {.name = "shop", .owner = ""}};
	world_open(&s->world);
	ASSERT_OK(subnet_parse(subnet, &s->network.subnet, &err));
	ASSERT_OK(subnet6_parse(subnet6, &s->network.subnet6, &err));
	ASSERT_OK(network_define(&s->world.state, &s->network, &err));
}

static const char *text_of(const struct in6_addr *address)
{
	static char text[INET6_ADDRSTRLEN];

	return inet_ntop(AF_INET6, address, text, sizeof(text));
}

static const char *beside(struct scene *s, const char *address)
{
	struct in6_addr found = address6_beside(&s->network, ip(address));

	return text_of(&found);
}

TEST(leases6, the_host_number_is_that_of_the_ipv4_address)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s, "10.44.0.0/16", "fd01:2:3:4::/64");

	cr_assert_str_eq(beside(&s, "10.44.0.1"), "fd01:2:3:4::1");
	cr_assert_str_eq(beside(&s, "10.44.1.10"), "fd01:2:3:4::10a");
	cr_assert_str_eq(beside(&s, "10.45.0.1"), "::", "of no subnet");
	world_close(&s.world);
}

TEST(leases6, a_narrow_subnet_has_room_for_those_that_fit)
{
	NEEDS_ROOT();
	struct scene s;
	struct in6_addr address;
	struct error err;
	scene_open(&s, "10.44.0.0/16", "fd01:2:3:4::ff00/120");

	cr_assert_str_eq(beside(&s, "10.44.0.255"), "fd01:2:3:4::ffff");
	cr_assert_str_eq(beside(&s, "10.44.1.0"), "::");
	for (int i = 1; i <= 255; i++)
		ASSERT_OK(address6_take(&s.world.state, &s.network, &in6addr_any, &address, &err));
	cr_assert_str_eq(text_of(&address), "fd01:2:3:4::ffff");
	ASSERT_FAILS(address6_take(&s.world.state, &s.network, &in6addr_any, &address, &err), ERROR_BUSY,
		"all 255 IPv6 addresses of network shop are taken");
	world_close(&s.world);
}

TEST(leases6, what_is_taken_or_outside_is_refused_by_name)
{
	NEEDS_ROOT();
	static const char *const outside[] = {
		"fd01:2:3:4::", "fd01:2:3:5::1", "fd01:2:3:4::100:1", "fd01:2:3:4:1::1", "2001:db8::1"};
	struct in6_addr wanted = ip6("fd01:2:3:4::7"), address;
	struct scene s;
	struct error err;
	scene_open(&s, "10.44.0.0/16", "fd01:2:3:4::/64");

	ASSERT_OK(address6_take(&s.world.state, &s.network, &wanted, &address, &err));
	ASSERT_FAILS(address6_take(&s.world.state, &s.network, &wanted, &address, &err), ERROR_BUSY,
		"address fd01:2:3:4::7 of network shop is taken");
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		auto_free char *expected = text_format(
			"address %s is not one for instances of network shop (fd01:2:3:4::/64)", outside[i]);

		wanted = ip6(outside[i]);
		ASSERT_FAILS(address6_take(&s.world.state, &s.network, &wanted, &address, &err), ERROR_USAGE, expected);
	}
	s.network.subnet6.prefix = 0;
	ASSERT_FAILS(address6_take(&s.world.state, &s.network, &in6addr_any, &address, &err), ERROR_USAGE,
		"network shop has no IPv6 addresses");
	world_close(&s.world);
}

TEST(leases6, one_given_back_is_free_and_one_marked_is_not)
{
	NEEDS_ROOT();
	struct in6_addr wanted = ip6("fd01:2:3:4::7"), address;
	struct scene s;
	struct error err;
	scene_open(&s, "10.44.0.0/16", "fd01:2:3:4::/64");

	ASSERT_OK(address6_mark(&s.world.state, "shop", &wanted, &err));
	ASSERT_OK(address6_mark(&s.world.state, "shop", &wanted, &err));
	ASSERT_FAILS(address6_take(&s.world.state, &s.network, &wanted, &address, &err), ERROR_BUSY,
		"address fd01:2:3:4::7");
	cr_assert(addresses_forget(&s.world.state, "shop", &err) == 0, "in use");
	ASSERT_OK(address6_release(&s.world.state, "shop", &wanted, &err));
	ASSERT_OK(address6_take(&s.world.state, &s.network, &wanted, &address, &err));
	ASSERT_OK(address6_release(&s.world.state, "shop", &wanted, &err));
	cr_assert(addresses_forget(&s.world.state, "shop", &err) == 1);
	world_close(&s.world);
}
