/* Addresses: unique, inside, rotating. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "tests/netns/support_world.h"

struct scene {
	struct world world;
	struct arena arena;
	struct network small, large;
};

static void scene_open(struct scene *s)
{
	*s = (struct scene){0};
	world_open(&s->world);
	s->small = network_of(&s->world, "small", "10.1.1.0/29", false, true, &s->arena);
	s->large = network_of(&s->world, "large", "11.0.0.0/8", false, true, &s->arena);
}

static void scene_close(struct scene *s)
{
	world_close(&s->world);
	arena_drop(&s->arena);
}

static const char *take(struct scene *s, const struct network *network)
{
	static char text[INET_ADDRSTRLEN];
	struct in_addr none = {0}, address;
	struct error err;

	ASSERT_OK(address_take(&s->world.state, network, none, &address, &err));
	inet_ntop(AF_INET, &address, text, sizeof(text));
	return text;
}

TEST(leases, the_first_is_one_and_base_and_broadcast_are_never_given)
{
	NEEDS_ROOT();
	struct scene s;
	struct in_addr none = {0}, address;
	struct error err;
	scene_open(&s);

	for (int i = 1; i <= 6; i++) {
		char expected[INET_ADDRSTRLEN];
		snprintf(expected, sizeof(expected), "10.1.1.%d", i);
		cr_assert_str_eq(take(&s, &s.small), expected);
	}
	ASSERT_FAILS(address_take(&s.world.state, &s.small, none, &address, &err), ERROR_BUSY,
		"all 6 addresses of network small are taken");
	cr_assert_str_eq(take(&s, &s.large), "11.0.0.1");
	scene_close(&s);
}

TEST(leases, an_address_given_back_is_used_again_last)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	take(&s, &s.small);
	take(&s, &s.small);
	ASSERT_OK(address_release(&s.world.state, "small", ip("10.1.1.2"), &err));
	cr_assert_str_eq(take(&s, &s.small), "10.1.1.3");
	for (int i = 4; i <= 6; i++)
		take(&s, &s.small);
	cr_assert_str_eq(take(&s, &s.small), "10.1.1.2");
	scene_close(&s);
}

static void add_subnet(struct scene *s, struct network *network, const char *subnet)
{
	struct subnet *items = arena_new_array(&s->arena, network->more.count + 1, struct subnet);
	struct error err;

	for (size_t i = 0; i < network->more.count; i++)
		items[i] = network->more.items[i];
	ASSERT_OK(subnet_parse(subnet, &items[network->more.count++], &err));
	network->more.items = items;
	ASSERT_OK(network_define(&s->world.state, network, &err));
}

TEST(leases, a_full_subnet_is_followed_by_the_next)
{
	NEEDS_ROOT();
	struct scene s;
	struct in_addr none = {0}, address;
	struct error err;
	scene_open(&s);

	for (int i = 1; i <= 6; i++)
		take(&s, &s.small);
	add_subnet(&s, &s.small, "10.9.9.0/30");
	cr_assert_str_eq(take(&s, &s.small), "10.9.9.1");
	cr_assert_str_eq(take(&s, &s.small), "10.9.9.2");
	ASSERT_FAILS(address_take(&s.world.state, &s.small, none, &address, &err), ERROR_BUSY,
		"all 8 addresses of network small are taken");
	/* What is given back belongs to its own subnet, and is found again after a reboot. */
	ASSERT_OK(address_release(&s.world.state, "small", ip("10.9.9.2"), &err));
	ASSERT_OK(address_mark(&s.world.state, "small", ip("10.9.9.2"), &err));
	ASSERT_FAILS(address_take(&s.world.state, &s.small, ip("10.9.9.2"), &address, &err), ERROR_BUSY,
		"address 10.9.9.2 of network small is taken");
	ASSERT_OK(address_release(&s.world.state, "small", ip("10.1.1.4"), &err));
	cr_assert_str_eq(take(&s, &s.small), "10.1.1.4");
	ASSERT_FAILS(address_take(&s.world.state, &s.small, ip("10.9.9.3"), &address, &err), ERROR_USAGE,
		"address 10.9.9.3 is not one for instances of network small (10.1.1.0/29 and further subnets)");
	ASSERT_FAILS(address_release(&s.world.state, "small", ip("10.1.1.9"), &err), ERROR_USAGE,
		"address 10.1.1.9 is not one of network small");
	scene_close(&s);
}

TEST(leases, the_subnets_of_a_network_have_as_many_addresses_as_can_be_counted)
{
	NEEDS_ROOT();
	struct scene s;
	struct subnet more;
	struct error err;
	scene_open(&s);

	ASSERT_OK(subnet_parse("12.0.0.0/30", &more, &err));
	s.large.more.items = &more;
	s.large.more.count = 1;
	ASSERT_FAILS(network_define(&s.world.state, &s.large, &err), ERROR_USAGE,
		"define network large: its subnets have 16777220 addresses together");
	scene_close(&s);
}

TEST(leases, a_wanted_address_is_given_once_and_only_inside)
{
	NEEDS_ROOT();
	struct scene s;
	struct in_addr address;
	struct error err;
	scene_open(&s);

	ASSERT_OK(address_take(&s.world.state, &s.large, ip("11.200.3.4"), &address, &err));
	cr_assert(address.s_addr == ip("11.200.3.4").s_addr);
	ASSERT_FAILS(address_take(&s.world.state, &s.large, ip("11.200.3.4"), &address, &err), ERROR_BUSY,
		"address 11.200.3.4 of network large is taken");
	ASSERT_FAILS(address_take(&s.world.state, &s.small, ip("10.1.1.7"), &address, &err), ERROR_USAGE,
		"address 10.1.1.7 is not one for instances of network small (10.1.1.0/29)");
	ASSERT_FAILS(address_take(&s.world.state, &s.small, ip("10.1.1.8"), &address, &err), ERROR_USAGE,
		"address 10.1.1.8 is not one for instances of network small (10.1.1.0/29)");
	scene_close(&s);
}

/* After a reboot the bitmaps are gone and the records speak. */
TEST(leases, marking_makes_taken_what_the_records_say)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(address_mark(&s.world.state, "small", ip("10.1.1.1"), &err));
	ASSERT_OK(address_mark(&s.world.state, "small", ip("10.1.1.1"), &err));
	cr_assert_str_eq(take(&s, &s.small), "10.1.1.2");
	ASSERT_FAILS(address_mark(&s.world.state, "small", ip("10.1.0.255"), &err), ERROR_USAGE,
		"address 10.1.0.255 is not one of network small");
	ASSERT_FAILS(address_mark(&s.world.state, "none", ip("10.1.1.1"), &err), ERROR_MISSING, "no network \"none\"");
	scene_close(&s);
}

TEST(leases, releasing_before_anything_was_marked_is_fine)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(address_release(&s.world.state, "small", ip("10.1.1.2"), &err));
	ASSERT_FAILS(address_release(&s.world.state, "../small", ip("10.1.1.2"), &err), ERROR_USAGE, "network");
	scene_close(&s);
}
