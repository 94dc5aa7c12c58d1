/* Bytes exchanged with the outside, counted apart from those among instances. */
#include <sys/socket.h>

#include "base/cleanup.h"
#include "tests/netns/support_world.h"

#define BYTES 10000

static void send_over(struct world *world, int from, const char *address, uint16_t port, int listener)
{
	char bytes[BYTES] = {0};
	auto_fd client = connection_from(world, from, NULL, address, port);
	auto_fd server = accepted(listener);

	cr_assert(client >= 0 && server >= 0, "to %s: client %d, server %d", address, client, server);
	cr_assert(send(client, bytes, BYTES, 0) == BYTES);
	cr_assert(recv(server, bytes, BYTES, MSG_WAITALL) == BYTES);
}

static bool about(uint64_t counted, uint64_t bytes)
{
	return counted >= bytes && counted < bytes + bytes / 2 + 1000;
}

/* counted: its network is accounted for, and published port 8080 leads to its own. */
struct scene {
	struct world world;
	struct guest counted, neighbour, uncounted;
};

struct way {
	int family;
	const char *any, *host, *outside, *port;
};

static struct traffic traffic_of(struct scene *scene, const struct guest *guest)
{
	struct traffic traffic;
	struct error err;

	ASSERT_OK(traffic_read(scene->world.session, &guest->endpoint, &traffic, &err));
	return traffic;
}

static void expect_counted(struct scene *scene, const struct way *way)
{
	struct world *world = &scene->world;
	const struct endpoint *neighbour = &scene->neighbour.endpoint;
	const struct ip_address beside =
		way->family == AF_INET6 ? ip_from_v6(&neighbour->address6) : ip_from_v4(neighbour->address);
	auto_fd outside = listen_in(world, world->outside, way->any, 80);
	auto_fd inside = listen_in(world, scene->neighbour.netns, way->any, 80);
	auto_fd served = listen_in(world, scene->counted.netns, way->any, 8080);
	char address[INET6_ADDRSTRLEN];
	struct traffic traffic;
	struct error err;
	struct port port;

	ASSERT_OK(port_parse(way->port, &port, &err));
	ASSERT_OK(ports_publish(world->session, &scene->counted.endpoint, &port, 1, &err));
	send_over(world, scene->counted.netns, ip_format(&beside, address), 80, inside);
	traffic = traffic_of(scene, &scene->counted);
	cr_assert(traffic.sent_bytes == 0 && traffic.received_bytes == 0, "what stays inside");
	send_over(world, scene->counted.netns, way->outside, 80, outside);
	traffic = traffic_of(scene, &scene->counted);
	cr_assert(
		about(traffic.sent_bytes, BYTES) && traffic.sent_packets > 1, "%ju out", (uintmax_t)traffic.sent_bytes);
	cr_assert(traffic.received_bytes > 0 && traffic.received_bytes < BYTES / 2);
	send_over(world, world->outside, way->host, 8080, served);
	ASSERT_OK(traffic_take(world->session, &scene->counted.endpoint, &traffic, &err));
	cr_assert(about(traffic.received_bytes, BYTES), "%ju in", (uintmax_t)traffic.received_bytes);
	traffic = traffic_of(scene, &scene->neighbour);
	cr_assert(traffic.sent_bytes == 0 && traffic.received_bytes == 0);
	send_over(world, scene->uncounted.netns, way->outside, 80, outside);
	cr_assert(traffic_of(scene, &scene->uncounted).sent_bytes == 0, "a network without accounting");
}

TEST(traffic, what_goes_out_and_comes_in_is_counted_and_what_stays_inside_is_not)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	static const struct way ways[] = {{AF_INET, "0.0.0.0", WAN_HOST, WAN_OUTSIDE, "0.0.0.0:8080:8080"},
		{AF_INET6, "::", WAN6_HOST, WAN6_OUTSIDE, "[::]:8080:8080"}};
	struct scene scene;
	struct error err;
	world_open(&scene.world);
	outside_open(&scene.world);
	struct network counted = network_of(&scene.world, "counted", "10.88.0.0/16", false, true, &arena);
	struct network other = network_of(&scene.world, "other", "10.89.0.0/16", false, true, &arena);
	counted.accounting = true;
	ASSERT_OK(network_define(&scene.world.state, &counted, &err));
	guest_open(&scene.world, &counted, &scene.counted);
	guest_open(&scene.world, &counted, &scene.neighbour);
	guest_open(&scene.world, &other, &scene.uncounted);

	for (size_t i = 0; i < (net_has_ipv6() ? ARRAY_SIZE(ways) : 1); i++)
		expect_counted(&scene, &ways[i]);
	guest_close(&scene.world, &scene.counted);
	guest_close(&scene.world, &scene.neighbour);
	guest_close(&scene.world, &scene.uncounted);
	world_close(&scene.world);
}
