/* More instances than the kernel's neighbour table holds (1,024), and than a bridge has ports (1,023): all answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_world.h"

#define GUESTS 1100

static struct guest guests[GUESTS];
static int receivers[GUESTS];

static void more_descriptors(void)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	SKIP_UNLESS(limit.rlim_max >= 3 * GUESTS, "needs %d descriptors, %ju are allowed", 3 * GUESTS,
		(uintmax_t)limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* As guest_open(), timing the two parts of the network that are ours. */
static void guest_open_timed(struct world *world, const struct network *network, struct guest *guest, int64_t *us)
{
	struct in_addr none = {0};
	struct error err;

	*guest = (struct guest){.endpoint.network_number = network->number, .netns = netns_new()};
	ASSERT_OK(slot_take(&world->state, 0, &guest->endpoint.slot, &err));
	ASSERT_OK(address_take(&world->state, network, none, &guest->endpoint.address, &err));
	int64_t start = now_us();
	ASSERT_OK(endpoint_attach(world->session, &guest->endpoint, guest->netns, 5000, &err));
	int64_t attached = now_us();
	netns_enter(guest->netns);
	int64_t entered = now_us();
	ASSERT_OK(endpoint_configure_inside(&guest->endpoint, &err));
	*us += attached - start + now_us() - entered;
	netns_enter(world->host);
}

/* Publishes a port of the instance; the microseconds it took. */
static int64_t publish_one(struct world *world, size_t i)
{
	struct port port = {.host_ip = ip_from_v4(ip("127.0.0.1")), .published = (uint16_t)(10000 + i), .target = 80};
	int64_t start = now_us();
	struct error err;

	ASSERT_OK(ports_publish(world->session, &guests[i].endpoint, &port, 1, &err));
	return now_us() - start;
}

/* The least of the first and of the last hundred: others use the machine as well. */
static void publish_all(struct world *world, int64_t *first_us, int64_t *last_us)
{
	*first_us = *last_us = INT64_MAX;
	for (size_t i = 0; i < GUESTS; i++) {
		int64_t us = publish_one(world, i);

		if (i < 100 && us < *first_us)
			*first_us = us;
		if (i >= GUESTS - 100 && us < *last_us)
			*last_us = us;
	}
}

static size_t await_datagrams(size_t expected)
{
	int64_t deadline = clock_ms() + 5000;
	static bool got[GUESTS];
	size_t count = 0;
	char byte;

	while (count < expected && clock_ms() < deadline) {
		for (size_t i = 0; i < GUESTS; i++) {
			if (got[i] || recv(receivers[i], &byte, 1, MSG_DONTWAIT) != 1)
				continue;
			got[i] = true;
			count++;
		}
		sched_yield();
	}
	return count;
}

TEST(scale, eleven_hundred_instances_are_all_reached_with_default_settings)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	static struct link_counters counters[SLOT_MAX + 1];
	struct world world;
	struct error err;
	int64_t us = 0, first_us = 0, publish_first_us = 0, publish_last_us = 0;
	more_descriptors();
	world_open(&world);
	struct network network = network_of(&world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	ASSERT_OK(net_host_up(&world.state, &err));
	auto_fd sender = udp_in(&world, world.host, "0.0.0.0", 4000);

	for (size_t i = 0; i < GUESTS; i++) {
		guest_open_timed(&world, &network, &guests[i], &us);
		receivers[i] = udp_in(&world, guests[i].netns, "0.0.0.0", 5300);
		if (i == 99)
			first_us = us / 100;
	}
	for (size_t i = 0; i < GUESTS; i++) {
		struct sockaddr_in to = {
			.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr = guests[i].endpoint.address};
		cr_assert(sendto(sender, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, "%zu: %s", i,
			strerror(errno));
	}
	size_t reached = await_datagrams(GUESTS);
	int64_t start = now_us();
	ASSERT_OK(link_counters_read_all(world.session, counters, &err));
	fprintf(stderr, "%d instances: %ju us each for link and inside (first hundred %ju), counters of all %ju us\n",
		GUESTS, (uintmax_t)us / GUESTS, (uintmax_t)first_us, (uintmax_t)(now_us() - start));
	cr_assert(reached == GUESTS, "%zu of %d reached", reached, GUESTS);
	publish_all(&world, &publish_first_us, &publish_last_us);
	fprintf(stderr, "a port published: at least %ju us in the first hundred, %ju in the last\n",
		(uintmax_t)publish_first_us, (uintmax_t)publish_last_us);
	for (size_t i = 0; i < GUESTS; i++) {
		cr_assert(counters[guests[i].endpoint.slot].present);
		close(receivers[i]);
		close(guests[i].netns);
	}
	fd_drop(&sender);
	world_close(&world);
}
