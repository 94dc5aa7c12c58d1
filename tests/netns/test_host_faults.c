/* The host's part, when somebody has undone what is not the table. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/netns/support_scene.h"

#define FORWARD "/proc/sys/net/ipv4/ip_forward"
#define FORWARD6 "/proc/sys/net/ipv6/conf/all/forwarding"

static void setting_write(const char *path, const char *value)
{
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, value, &err));
}

static unsigned faults_of(struct world *world)
{
	unsigned faults;
	struct error err;

	ASSERT_OK(net_host_inspect(&world->state, &faults, &err));
	return faults;
}

static void mend(struct world *world)
{
	struct error err;

	cr_assert(net_host_mend(&world->state, &err) == 1, "%s", err.text);
	ASSERT_OK(net_host_republished(&world->state, &err));
	cr_assert(faults_of(world) == 0, "%x", faults_of(world));
}

TEST(host_faults, there_are_none_without_instances)
{
	NEEDS_ROOT();
	struct world world;
	world_open(&world);

	cr_assert(faults_of(&world) == 0, "%x", faults_of(&world));
	world_close(&world);
}

TEST(host_faults, forwarding_and_the_gateway_are_missed_and_mended)
{
	NEEDS_ROOT();
	struct lone lone;
	lone_open_with_outside(&lone);
	auto_fd server = listen_both(&lone.world, lone.guest.netns, 80);

	cr_assert(faults_of(&lone.world) == 0, "as it was made: %x", faults_of(&lone.world));
	setting_write(FORWARD, "0");
	cr_assert(faults_of(&lone.world) == HOST_FORWARDING, "%x", faults_of(&lone.world));
	mend(&lone.world);
	command("/usr/sbin/ip addr del 169.254.1.1/32 dev lo");
	cr_assert(faults_of(&lone.world) == HOST_GATEWAY, "%x", faults_of(&lone.world));
	mend(&lone.world);
	cr_assert(connects_to(&lone.world, lone.world.host, lone.guest.endpoint.address, 80));
	fd_drop(&server);
	lone_close(&lone);
}

TEST(host_faults, forwarding_of_ipv6_is_missed_on_a_host_that_had_it_before_too)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	AUTO(arena_drop) struct arena arena = {0};

	for (int before = 0; before < 2; before++) {
		struct world world;
		struct guest guest;
		world_open(&world);
		setting_write(FORWARD6, before ? "1" : "0");
		struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);

		guest_open(&world, &network, &guest);
		setting_write(FORWARD6, "0");
		cr_assert(faults_of(&world) == HOST_FORWARDING6, "%x", faults_of(&world));
		mend(&world);
		guest_close(&world, &guest);
		world_close(&world);
	}
}

static void ipv6_switch(const char *disabled)
{
	setting_write("/proc/sys/net/ipv6/conf/all/disable_ipv6", disabled);
	setting_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", disabled);
}

/* While it is off nothing of it is missed, and the table can be made anew; once it is on, all is there again. */
TEST(host_faults, ipv6_may_be_switched_off_and_on_while_instances_run)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct lone lone;
	struct error err;
	unsigned faults;
	lone_open(&lone);
	auto_fd server = listen_both(&lone.world, lone.guest.netns, 80);

	ipv6_switch("1");
	cr_assert(faults_of(&lone.world) == 0, "%x", faults_of(&lone.world));
	ASSERT_OK(endpoints_inspect(lone.world.session, &lone.guest.endpoint, 1, &faults, &err));
	cr_assert(faults == 0, "%x", faults);
	command("/usr/sbin/nft flush ruleset");
	cr_assert(net_host_up(&lone.world.state, &err) == 1, "%s", err.text);
	ASSERT_OK(net_host_republished(&lone.world.state, &err));
	cr_assert(connects_to(&lone.world, lone.world.host, lone.guest.endpoint.address, 80));
	ipv6_switch("0");
	cr_assert(faults_of(&lone.world) == HOST_GATEWAY6, "%x", faults_of(&lone.world));
	mend(&lone.world);
	ASSERT_OK(endpoints_inspect(lone.world.session, &lone.guest.endpoint, 1, &faults, &err));
	cr_assert(faults == (ENDPOINT_UNROUTED | ENDPOINT_NEIGHBOUR), "%x", faults);
	ASSERT_OK(endpoint_mend(lone.world.session, &lone.guest.endpoint, lone.guest.netns, &err));
	cr_assert(connects_to6(&lone.world, lone.world.host, &lone.guest.endpoint.address6, 80));
	fd_drop(&server);
	lone_close(&lone);
}

TEST(host_faults, the_last_one_goes_while_ipv6_is_off)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct lone lone;
	struct error err;
	lone_open(&lone);

	ipv6_switch("1");
	guest_close(&lone.world, &lone.guest);
	ASSERT_OK(net_host_down_if_unused(&lone.world.state, &err));
	cr_assert(faults_of(&lone.world) == 0, "%x", faults_of(&lone.world));
	world_close(&lone.world);
	arena_drop(&lone.arena);
}
