/* Traffic counters, from the instance's point of view. */
#include "netns/figures/counters.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "tests/netns/support_world.h"

TEST(counters, received_is_what_the_instance_received)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	static struct link_counters all[SLOT_MAX + 1];
	static const char bytes[1000];
	struct link_counters before, after;
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	struct network network = network_of(&world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	guest_open(&world, &network, &guest);
	auto_fd server = listen_in(&world, guest.netns, "0.0.0.0", 80);
	cr_assert(connects_to(&world, world.host, guest.endpoint.address, 80)); /* the link is really up now */
	auto_fd sender = udp_in(&world, world.host, "0.0.0.0", 4000);
	auto_fd receiver = udp_in(&world, guest.netns, "0.0.0.0", 5300);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr = guest.endpoint.address};

	ASSERT_OK(link_counters_read(world.session, guest.endpoint.slot, &before, &err));
	for (int i = 0; i < 10; i++)
		cr_assert(sendto(sender, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)) == 1000);
	ASSERT_OK(link_counters_read(world.session, guest.endpoint.slot, &after, &err));
	cr_assert(before.present && after.present);
	cr_assert(after.rx_packets - before.rx_packets >= 10);
	cr_assert(after.rx_bytes - before.rx_bytes >= 10000);
	cr_assert(after.tx_bytes - before.tx_bytes < 1000);

	ASSERT_OK(link_counters_read_all(world.session, all, &err));
	cr_assert(all[guest.endpoint.slot].present && all[guest.endpoint.slot].rx_bytes >= after.rx_bytes);
	cr_assert(!all[guest.endpoint.slot + 1].present);
	ASSERT_OK(link_counters_read(world.session, guest.endpoint.slot + 1, &after, &err));
	cr_assert(!after.present);
	fd_drop(&server);
	fd_drop(&sender);
	fd_drop(&receiver);
	guest_close(&world, &guest);
	world_close(&world);
}
