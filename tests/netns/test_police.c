/* Rates at the host's end. */
#include "netns/table/police.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_world.h"

#define MEGABIT UINT64_C(1000000)
#define PACKET 1000
#define QUIET_MS SLOWLY(50)
#define PACKETS 1000 /* a megabyte at once: more than any burst of a small rate */

struct scene {
	struct world world;
	struct arena arena;
	struct guest guest;
	int receiver;
};

static void scene_open(struct scene *scene)
{
	int size = 16 << 20;

	*scene = (struct scene){0};
	world_open(&scene->world);
	struct network network = network_of(&scene->world, "shop", "10.44.0.0/16", false, true, &scene->arena);
	outside_open(&scene->world);
	guest_open(&scene->world, &network, &scene->guest);
	scene->receiver = udp_in(&scene->world, scene->world.outside, "0.0.0.0", 5300);
	cr_assert(setsockopt(scene->receiver, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0);
}

static void scene_close(struct scene *scene)
{
	close(scene->receiver);
	guest_close(&scene->world, &scene->guest);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

static void police(struct scene *scene, uint64_t bits)
{
	struct error err;

	ASSERT_OK(endpoint_police(&scene->world.state, scene->world.session, scene->guest.endpoint.slot, bits, &err));
}

/* A slow processor is behind with those before. */
static void send_one(int sender, const char packet[PACKET], const struct sockaddr_in *to)
{
	struct pollfd room = {.fd = sender, .events = POLLOUT};

	while (sendto(sender, packet, PACKET, 0, (const struct sockaddr *)to, sizeof(*to)) != PACKET)
		cr_assert((errno == EAGAIN || errno == ENOBUFS) && poll(&room, 1, 10000) == 1, "%s", strerror(errno));
}

/* Those that are there, and those that come before it has been quiet for a while. */
static int arrived(struct scene *scene, int quiet_ms)
{
	struct pollfd more = {.fd = scene->receiver, .events = POLLIN};
	static char packet[PACKET];
	int count = 0;

	while (poll(&more, 1, quiet_ms) == 1 && recv(scene->receiver, packet, PACKET, MSG_DONTWAIT) > 0)
		count++;
	return count;
}

/* How many of the packets that the instance sends at once arrive. */
static int arrive(struct scene *scene)
{
	auto_fd sender = udp_in(&scene->world, scene->guest.netns, "0.0.0.0", 4000);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = ip(WAN_OUTSIDE), .sin_port = htons(5300)};
	static char packet[PACKET];
	int count = 0;

	for (int i = 0; i < PACKETS; i++) {
		send_one(sender, packet, &to);
		count += arrived(scene, 0);
	}
	return count + arrived(scene, QUIET_MS);
}

TEST(police, what_is_above_the_rate_is_dropped_and_all_arrives_without)
{
	NEEDS_ROOT();
	struct scene scene;
	scene_open(&scene);

	cr_assert(arrive(&scene) == PACKETS);
	police(&scene, MEGABIT);
	int limited = arrive(&scene);
	cr_assert(limited > 20 && limited < PACKETS / 2, "%d of %d", limited, PACKETS);
	police(&scene, 10000 * MEGABIT); /* another rate, in place of the first */
	cr_assert(arrive(&scene) == PACKETS);
	police(&scene, MEGABIT);
	police(&scene, 0);
	police(&scene, 0);
	cr_assert(arrive(&scene) == PACKETS);
	scene_close(&scene);
}

TEST(police, a_table_made_anew_has_it_again)
{
	NEEDS_ROOT();
	struct scene scene;
	struct error err;
	scene_open(&scene);

	police(&scene, MEGABIT);
	command("/usr/sbin/nft flush ruleset");
	ASSERT_OK(net_host_up(&scene.world.state, &err));
	cr_assert(arrive(&scene) < PACKETS / 2);
	police(&scene, 0);
	cr_assert(arrive(&scene) == PACKETS);
	scene_close(&scene);
}

/* Of the table, not of the file. */
static void limit_vanish(unsigned slot)
{
	auto_free char *rules = text_format("delete element inet warren egress_limits { w%u }\n"
					    "delete limit inet warren w%u\n",
		slot, slot);
	struct error err;

	ASSERT_OK(ruleset_text_load(rules, &err));
}

/* As if killed between the file and the table, or between the table and the file. */
TEST(police, what_a_kill_leaves_is_put_right_by_the_next)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	scene_open(&scene);
	unsigned slot = scene.guest.endpoint.slot;

	police(&scene, MEGABIT);
	limit_vanish(slot);
	police(&scene, MEGABIT);
	cr_assert(arrive(&scene) < PACKETS / 2);
	limit_vanish(slot);
	police(&scene, 0);
	cr_assert(faccessat(scene.world.state.run, arena_format(&arena, "policed/w%u", slot), F_OK, 0) < 0);
	scene_close(&scene);
}

TEST(police, the_last_to_go_leaves_no_file)
{
	NEEDS_ROOT();
	struct scene scene;
	struct error err;
	scene_open(&scene);
	unsigned slot = scene.guest.endpoint.slot;

	police(&scene, MEGABIT);
	guest_close(&scene.world, &scene.guest);
	await_gone(&scene.world, slot);
	ASSERT_OK(net_host_down_if_unused(&scene.world.state, &err));
	cr_assert(faccessat(scene.world.state.run, "policed", F_OK, 0) < 0);
	close(scene.receiver);
	world_close(&scene.world);
	arena_drop(&scene.arena);
}
