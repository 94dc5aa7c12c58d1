/* Rates, by what really goes through. */
#include "netns/links/rates.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_scene.h"

#define MEGABIT UINT64_C(1000000)
#define MEASURE_MS (500 + 50 * WARREN_TEST_SLOW)

/* A connection between the host and an instance: both ends, not blocking. */
struct wire {
	int host, inside;
};

static void wire_open(struct world *world, struct guest *guest, struct wire *wire)
{
	auto_fd listener = listen_in(world, guest->netns, "0.0.0.0", 80);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = guest->endpoint.address, .sin_port = htons(80)};
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

	wire->host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert(connect(wire->host, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	cr_assert(poll(&poll_fd, 1, SLOWLY(4000)) == 1);
	wire->inside = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	cr_assert(wire->inside >= 0);
}

static void wire_close(struct wire *wire)
{
	close(wire->host);
	close(wire->inside);
}

/* Megabits per second that arrive while the sender always has more. */
static double throughput(int from, int to)
{
	static char piece[65536];
	uint64_t bytes = 0;
	ssize_t length;

	/* What came while nobody read is not of this time. */
	while (recv(to, piece, sizeof(piece), 0) > 0)
		continue;
	int64_t start = clock_ms(), now = start;
	for (; now - start < MEASURE_MS; now = clock_ms()) {
		struct pollfd poll_fds[] = {{.fd = to, .events = POLLIN}, {.fd = from, .events = POLLOUT}};

		poll(poll_fds, 2, 20);
		for (int i = 0; i < 16 && send(from, piece, sizeof(piece), MSG_NOSIGNAL) > 0; i++)
			continue;
		while ((length = recv(to, piece, sizeof(piece), 0)) > 0)
			bytes += (uint64_t)length;
	}
	return (double)bytes * 8 / 1000 / (double)(now - start);
}

/* Never above the rate; close to it sooner or later, for others use the machine as well. The first measurement is of
 * what was under way before. */
static void expect_about(const char *what, int from, int to, double megabits)
{
	double measured = throughput(from, to);

	for (int attempt = 0; attempt < 8; attempt++) {
		measured = throughput(from, to);
		cr_assert(measured < 1.5 * megabits, "%s: %.1f Mbit/s, above %.1f", what, measured, megabits);
		if (measured > 0.6 * megabits)
			return;
	}
	cr_assert(false, "%s: %.1f Mbit/s, far below %.1f", what, measured, megabits);
}

static void rates_are(struct lone *scene, uint64_t egress, uint64_t ingress)
{
	struct link_rates rates;
	struct error err;

	ASSERT_OK(endpoint_rates_read(
		scene->world.session, scene->guest.endpoint.slot, scene->guest.netns, &rates, &err));
	cr_assert(rates.egress_bits == egress && rates.ingress_bits == ingress, "egress %ju, ingress %ju",
		(uintmax_t)rates.egress_bits, (uintmax_t)rates.ingress_bits);
}

static void set(struct lone *scene, uint64_t egress, uint64_t ingress)
{
	struct error err;

	scene->guest.endpoint.rates = (struct link_rates){egress, ingress};
	ASSERT_OK(endpoint_rates_set(scene->world.session, &scene->guest.endpoint, scene->guest.netns, &err));
	rates_are(scene, egress, ingress);
}

/* Megabits to whole bytes a second. */
static uint64_t rounded(double megabits)
{
	return (uint64_t)(megabits * 1000000) / 8 * 8;
}

TEST(rates, both_directions_are_limited_apart_and_changed_while_a_connection_lasts)
{
	NEEDS_ROOT();
	struct lone scene;
	struct wire wire;
	lone_open(&scene);
	wire_open(&scene.world, &scene.guest, &wire);

	rates_are(&scene, 0, 0);
	throughput(wire.inside, wire.host); /* the connection finds its pace */
	double free_out = throughput(wire.inside, wire.host);
	/* A quarter of what this machine can do at most; an emulated one cannot do much. */
	double least = free_out < 128 ? free_out / 16 : 8;
	cr_assert(least * 1000000 > BITRATE_MIN, "%.1f Mbit/s without a limit", free_out);
	set(&scene, rounded(least), rounded(3 * least));
	expect_about("egress", wire.inside, wire.host, least);
	expect_about("ingress", wire.host, wire.inside, 3 * least);
	set(&scene, rounded(4 * least), rounded(3 * least));
	expect_about("a higher egress", wire.inside, wire.host, 4 * least);
	set(&scene, 0, rounded(3 * least));
	throughput(wire.inside, wire.host);
	double lifted = throughput(wire.inside, wire.host);
	cr_assert(lifted > 3 * least, "without a limit %.1f and %.1f Mbit/s", free_out, lifted);
	set(&scene, 0, 0);
	wire_close(&wire);
	lone_close(&scene);
}

TEST(rates, an_instance_has_them_from_its_first_packet)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest = {.endpoint = {.slot = 9, .network_number = 1, .rates = {MEGABIT, 10000 * MEGABIT}}};
	struct link_rates rates;
	struct error err;
	world_open(&world);
	guest.endpoint.address = ip("10.44.0.9");
	guest.netns = netns_new();

	ASSERT_OK(endpoint_attach(world.session, &guest.endpoint, guest.netns, 1000, &err));
	ASSERT_OK(endpoint_rates_read(world.session, 9, guest.netns, &rates, &err));
	cr_assert(rates.egress_bits == MEGABIT);
	cr_assert(rates.ingress_bits == 10000 * MEGABIT, "%ju", (uintmax_t)rates.ingress_bits);
	close(guest.netns);
	await_gone(&world, 9);
	world_close(&world);
}

/* More than 32 bits of bytes per second, and a value at either end. */
TEST(rates, are_what_was_said_from_the_least_to_the_most)
{
	NEEDS_ROOT();
	static const uint64_t values[] = {BITRATE_MIN, 100 * MEGABIT, 40000 * MEGABIT, BITRATE_MAX};
	struct lone scene;
	lone_open(&scene);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		set(&scene, values[i], values[ARRAY_SIZE(values) - 1 - i]);
	lone_close(&scene);
}

TEST(rates, a_namespace_without_eth0_is_refused_and_the_process_is_where_it_was)
{
	NEEDS_ROOT();
	struct lone scene;
	struct endpoint endpoint;
	struct error err;
	lone_open(&scene);
	auto_fd empty = netns_new();

	endpoint = scene.guest.endpoint;
	endpoint.rates.egress_bits = MEGABIT;
	ASSERT_FAILS(endpoint_rates_set(scene.world.session, &endpoint, empty, &err), ERROR_SYSTEM,
		"limit the rate of the link");
	rates_are(&scene, 0, 0);
	cr_assert(endpoint_exists(scene.world.session, endpoint.slot));
	fd_drop(&empty);
	lone_close(&scene);
}
