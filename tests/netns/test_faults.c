/* Host's sides that somebody has tampered with: each is seen for what it is, and mended while the instance goes on. */
#include <arpa/inet.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/links/link.h"
#include "tests/netns/support_scene.h"

struct scene {
	struct lone lone;
	int listener;
};

static void scene_open(struct scene *scene)
{
	lone_open_with_outside(&scene->lone);
	scene->listener = listen_both(&scene->lone.world, scene->lone.guest.netns, 80);
}

static void scene_close(struct scene *scene)
{
	close(scene->listener);
	lone_close(&scene->lone);
}

static unsigned faults_of(struct scene *scene)
{
	unsigned faults;
	struct error err;

	ASSERT_OK(endpoints_inspect(scene->lone.world.session, &scene->lone.guest.endpoint, 1, &faults, &err));
	return faults;
}

/* From the host and outwards, over both families. */
static void expect_reached(struct scene *scene, const char *after)
{
	struct world *world = &scene->lone.world;
	const struct guest *guest = &scene->lone.guest;
	auto_fd server = listen_both(world, world->outside, 80);

	cr_assert(connects_to(world, world->host, guest->endpoint.address, 80), "after %s", after);
	cr_assert(connects(world, guest->netns, WAN_OUTSIDE, 80), "out after %s", after);
	if (!net_has_ipv6())
		return;
	cr_assert(connects_to6(world, world->host, &guest->endpoint.address6, 80), "IPv6 after %s", after);
	cr_assert(connects(world, guest->netns, WAN6_OUTSIDE, 80), "IPv6 out after %s", after);
}

static void mend(struct scene *scene)
{
	struct error err;

	ASSERT_OK(endpoint_mend(scene->lone.world.session, &scene->lone.guest.endpoint, scene->lone.guest.netns, &err));
}

/* The words have one %s, the link. */
static void tamper(struct scene *scene, const char *words)
{
	auto_free char *link = text_format("w%u", scene->lone.guest.endpoint.slot);
	const char *hole = strstr(words, "%s");
	auto_free char *line = text_format("/usr/sbin/ip %.*s%s%s", (int)(hole - words), words, link, hole + 2);

	command(line);
}

TEST(faults, whatever_was_done_to_a_link_is_named_and_mended)
{
	NEEDS_ROOT();
	static const struct {
		const char *words;
		unsigned faults;
	} rows[] = {
		{"link set %s down", ENDPOINT_DOWN | ENDPOINT_UNROUTED | ENDPOINT_NEIGHBOUR},
		{"link set %s group 0", ENDPOINT_STRAYED},
		{"link set %s master br0", ENDPOINT_TAKEN},
		{"route flush dev %s", ENDPOINT_UNROUTED},
		{"neigh flush dev %s nud permanent", ENDPOINT_NEIGHBOUR},
		{"link del %s", ENDPOINT_GONE},
	};
	struct scene s;
	scene_open(&s);
	command("/usr/sbin/ip link add br0 type bridge");

	cr_assert(faults_of(&s) == 0, "as it was made: %x", faults_of(&s));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tamper(&s, rows[i].words);
		cr_assert(faults_of(&s) == rows[i].faults, "%s: %x", rows[i].words, faults_of(&s));
		mend(&s);
		cr_assert(faults_of(&s) == 0, "%s, mended: %x", rows[i].words, faults_of(&s));
		expect_reached(&s, rows[i].words);
	}
	mend(&s);
	cr_assert(faults_of(&s) == 0, "mended though it was whole: %x", faults_of(&s));
	scene_close(&s);
}

TEST(faults, what_was_lost_of_ipv6_alone_is_seen)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	scene_open(&s);

	tamper(&s, "-6 route flush dev %s");
	cr_assert(faults_of(&s) == ENDPOINT_UNROUTED, "%x", faults_of(&s));
	mend(&s);
	tamper(&s, "-6 neigh flush dev %s nud permanent");
	cr_assert(faults_of(&s) == ENDPOINT_NEIGHBOUR, "%x", faults_of(&s));
	mend(&s);
	expect_reached(&s, "what was lost of IPv6");
	scene_close(&s);
}

TEST(faults, an_address_that_is_led_elsewhere_is_refused)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	char address[INET_ADDRSTRLEN];
	scene_open(&s);
	auto_free char *elsewhere = text_format("/usr/sbin/ip route replace %s/32 dev wan",
		inet_ntop(AF_INET, &s.lone.guest.endpoint.address, address, sizeof(address)));

	tamper(&s, "route flush dev %s");
	command(elsewhere);
	ASSERT_FAILS(endpoint_mend(s.lone.world.session, &s.lone.guest.endpoint, s.lone.guest.netns, &err), ERROR_BUSY,
		"its address is routed to another link");
	scene_close(&s);
}

TEST(faults, of_many_only_those_that_have_one_are_named)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guests[5];
	struct endpoint endpoints[ARRAY_SIZE(guests)];
	unsigned faults[ARRAY_SIZE(guests)];
	struct error err;
	world_open(&world);
	struct network network = network_of(&world, "many", "10.44.0.0/16", false, true, &arena);

	for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
		guest_open(&world, &network, &guests[i]);
		endpoints[i] = guests[i].endpoint;
	}
	auto_free char *down = text_format("/usr/sbin/ip link set w%u down", endpoints[3].slot);
	command(down);
	ASSERT_OK(endpoints_inspect(world.session, endpoints, ARRAY_SIZE(guests), faults, &err));
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		cr_assert((faults[i] != 0) == (i == 3), "%zu: %x", i, faults[i]);
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		guest_close(&world, &guests[i]);
	world_close(&world);
}
