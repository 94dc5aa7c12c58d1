/* Bytes exchanged with the outside, counted apart from those among instances. */
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "tests/netns/support_world.h"

#define BYTES 10000

static void send_over(struct world *world, int from, const char *address, uint16_t port, int listener)
{
	char bytes[BYTES] = {0};
	auto_fd client = connection_from(world, from, NULL, address, port);
	auto_fd server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	cr_assert(client >= 0 && server >= 0);
	cr_assert(send(client, bytes, BYTES, 0) == BYTES);
	cr_assert(recv(server, bytes, BYTES, MSG_WAITALL) == BYTES);
}

static bool about(uint64_t counted, uint64_t bytes)
{
	return counted >= bytes && counted < bytes + bytes / 2 + 1000;
}

TEST(traffic, what_goes_out_and_comes_in_is_counted_and_what_stays_inside_is_not)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest a, b, uncounted;
	struct traffic traffic;
	struct error err;
	world_open(&world);
	outside_open(&world);
	struct network counted = network_of(&world, "counted", "10.88.0.0/16", false, true, &arena);
	struct network other = network_of(&world, "other", "10.89.0.0/16", false, true, &arena);
	counted.accounting = true;
	ASSERT_OK(network_define(&world.state, &counted, &err));
	guest_open(&world, &counted, &a);
	guest_open(&world, &counted, &b);
	guest_open(&world, &other, &uncounted);
	auto_fd outside = listen_in(&world, world.outside, "0.0.0.0", 80);
	auto_fd inside = listen_in(&world, b.netns, "0.0.0.0", 80);
	auto_fd served = listen_in(&world, a.netns, "0.0.0.0", 8080);
	struct port port;
	ASSERT_OK(port_parse("0.0.0.0:8080:8080", &port, &err));
	ASSERT_OK(ports_publish(world.session, &a.endpoint, &port, 1, &err));
	char address[INET6_ADDRSTRLEN];
	const struct ip_address b_address = ip_from_v4(b.endpoint.address);

	send_over(&world, a.netns, ip_format(&b_address, address), 80, inside);
	ASSERT_OK(traffic_read(world.session, &a.endpoint, &traffic, &err));
	cr_assert(traffic.sent_bytes == 0 && traffic.received_bytes == 0, "what stays inside");
	send_over(&world, a.netns, WAN_OUTSIDE, 80, outside);
	ASSERT_OK(traffic_read(world.session, &a.endpoint, &traffic, &err));
	cr_assert(
		about(traffic.sent_bytes, BYTES) && traffic.sent_packets > 1, "%ju out", (uintmax_t)traffic.sent_bytes);
	cr_assert(traffic.received_bytes > 0 && traffic.received_bytes < BYTES / 2);
	send_over(&world, world.outside, WAN_HOST, 8080, served);
	ASSERT_OK(traffic_take(world.session, &a.endpoint, &traffic, &err));
	cr_assert(about(traffic.received_bytes, BYTES), "%ju in", (uintmax_t)traffic.received_bytes);
	ASSERT_OK(traffic_read(world.session, &b.endpoint, &traffic, &err));
	cr_assert(traffic.sent_bytes == 0 && traffic.received_bytes == 0);
	send_over(&world, uncounted.netns, WAN_OUTSIDE, 80, outside);
	ASSERT_OK(traffic_read(world.session, &uncounted.endpoint, &traffic, &err));
	cr_assert(traffic.sent_bytes == 0, "a network without accounting");
	fd_drop(&outside);
	fd_drop(&inside);
	fd_drop(&served);
	guest_close(&world, &a);
	guest_close(&world, &b);
	guest_close(&world, &uncounted);
	world_close(&world);
}
