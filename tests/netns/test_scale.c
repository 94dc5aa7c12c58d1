/* More instances than the kernel's neighbour table holds (1,024), and than a bridge has ports (1,023), with the
 * settings that a kernel begins with: each answers from outside by its published port, and each reaches the next. On an
 * emulated processor there are so many with ./test.sh --full only. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_scene.h"
#include "tests/netns/support_world.h"

#define GUESTS (WARREN_TEST_SLOW > 1 ? 120 : 1100)
#define GUESTS_ALL 1500
#define FIRST_PORT 10000
#define AT_ONCE 250 /* connections */
#define REACH_MS SLOWLY(20000)
#define DIALS 4 /* at each instance: from outside and from the one before, over IPv4 and IPv6 */

static struct guest guests[GUESTS_ALL];
static int listeners[GUESTS_ALL]; /* of both families */

static size_t guests_wanted(void)
{
	return getenv("WARREN_TEST_ALL_POINTS") || getenv("WARREN_TEST_FULL") ? GUESTS_ALL : GUESTS;
}

static void more_descriptors(size_t count)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	SKIP_UNLESS(limit.rlim_max >= 2 * count + 1000, "needs %zu descriptors, %ju are allowed", 2 * count + 1000,
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

/* --- making them -------------------------------------------------------------------------------------------------- */

/* As guest_open(), timing the two parts of the network that are ours. */
static void guest_open_timed(struct world *world, const struct network *network, struct guest *guest, int64_t *us)
{
	struct endpoint *endpoint = &guest->endpoint;
	struct in_addr none = {0};
	struct error err;

	*guest = (struct guest){.endpoint.network_number = network->number, .netns = netns_new()};
	ASSERT_OK(slot_take(&world->state, 0, &endpoint->slot, &err));
	ASSERT_OK(address_take(&world->state, network, none, &endpoint->address, &err));
	struct in6_addr beside = address6_beside(network, endpoint->address);
	if (network->subnet6.prefix)
		ASSERT_OK(address6_take(&world->state, network, &beside, &endpoint->address6, &err));
	int64_t start = now_us();
	ASSERT_OK(endpoint_attach(world->session, endpoint, guest->netns, 5000, &err));
	*us += now_us() - start;
}

static struct port port_of_guest(size_t i, bool six)
{
	struct port port = port_of(six ? "[::]:1:80" : "0.0.0.0:1:80");

	port.published = (uint16_t)(FIRST_PORT + i);
	return port;
}

/* The microseconds it took. */
static int64_t guest_publish(struct world *world, size_t i, bool has_six)
{
	struct port ports[] = {port_of_guest(i, false), port_of_guest(i, true)};
	int64_t start = now_us();
	struct error err;

	ASSERT_OK(ports_publish(world->session, &guests[i].endpoint, ports, has_six ? 2 : 1, &err));
	return now_us() - start;
}

/* The least of the first and of the last hundred: others use the machine as well. */
static void publish_all(struct world *world, size_t count, bool has_six)
{
	int64_t first_us = INT64_MAX, last_us = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		int64_t us = guest_publish(world, i, has_six);

		if (i < 100 && us < first_us)
			first_us = us;
		if (i >= count - 100 && us < last_us)
			last_us = us;
	}
	fprintf(stderr, "a port published in each family: at least %ju us in the first hundred, %ju in the last\n",
		(uintmax_t)first_us, (uintmax_t)last_us);
}

/* --- dialling ----------------------------------------------------------------------------------------------------- */

enum dialler { FROM_OUTSIDE, FROM_BEFORE };

struct dial {
	int from; /* network namespace */
	struct ip_address to;
	uint16_t port;
};

static int dial_begin(struct world *world, const struct dial *dial)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(dial->port), .sin_addr = dial->to.v4};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(dial->port)};
	bool six = dial->to.family == AF_INET6;

	if (six)
		v6.sin6_addr = dial->to.v6;
	netns_enter(dial->from);
	int fd = socket(dial->to.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(world->host);
	cr_assert(fd >= 0);
	cr_assert(connect(fd, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, six ? sizeof(v6) : sizeof(v4)) ==
				  0 ||
			  errno == EINPROGRESS,
		"%s", strerror(errno));
	return fd;
}

/* True when it is established. */
static bool dial_settle(int fd)
{
	socklen_t length = sizeof(int);
	int failed = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length) == 0 && failed == 0;
}

/* All of a bunch at once; the number that were established. */
static size_t dial_all(struct world *world, const struct dial *dials, size_t count)
{
	struct pollfd polls[AT_ONCE];
	int64_t deadline = clock_ms() + REACH_MS;
	size_t waiting = count, reached = 0;

	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = dial_begin(world, &dials[i]), .events = POLLOUT};
	while (waiting && clock_ms() < deadline && poll(polls, count, 100) >= 0)
		for (size_t i = 0; i < count; i++) {
			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			reached += dial_settle(polls[i].fd);
			close(polls[i].fd);
			polls[i].fd = -1;
			waiting--;
		}
	for (size_t i = 0; i < count; i++)
		if (polls[i].fd >= 0)
			close(polls[i].fd);
	return reached;
}

/* Who dials instance i: from outside by its port, and the one before it by its address. */
static void dial_fill(struct world *world, size_t count, size_t i, enum dialler who, bool six, struct dial *out)
{
	const struct guest *guest = &guests[i];
	struct ip_address wan;
	struct error err;

	ASSERT_OK(ip_parse(six ? WAN6_HOST : WAN_HOST, &wan, &err));
	*out = (struct dial){.from = world->outside, .to = wan, .port = (uint16_t)(FIRST_PORT + i)};
	if (who == FROM_OUTSIDE)
		return;
	out->from = guests[(i + count - 1) % count].netns;
	out->to = six ? ip_from_v6(&guest->endpoint.address6) : ip_from_v4(guest->endpoint.address);
	out->port = 80;
}

static void everybody_is_dialled(struct world *world, size_t count, bool has_six)
{
	static struct dial dials[AT_ONCE];

	for (int way = 0; way < DIALS; way++) {
		size_t reached = 0;

		if (way % 2 && !has_six)
			continue;
		for (size_t i = 0; i < count;) {
			size_t bunch = 0;

			for (; bunch < AT_ONCE && i < count; bunch++, i++)
				dial_fill(world, count, i, way / 2, way % 2, &dials[bunch]);
			reached += dial_all(world, dials, bunch);
		}
		cr_assert(reached == count, "%zu of %zu reached %s over %s", reached, count,
			way / 2 ? "by the one before" : "from outside", way % 2 ? "IPv6" : "IPv4");
	}
}

/* Who dialled knows of a connection before the one who is called does: those that are expected are waited for. */
static int connections_count(int listener, int expected)
{
	struct pollfd called = {.fd = listener, .events = POLLIN};
	int fd, came = 0;

	while (poll(&called, 1, came < expected ? REACH_MS : 0) == 1 &&
		(fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
		came++;
	}
	return came;
}

/* Nobody else's: each has as many connections as were made to it. */
static void everybody_was_reached(size_t count, bool has_six)
{
	const int expected = has_six ? DIALS : DIALS / 2;

	for (size_t i = 0; i < count; i++) {
		int came = connections_count(listeners[i], expected);

		cr_assert(came == expected, "instance %zu was reached %d times", i, came);
	}
}

TEST(scale, more_instances_than_a_bridge_has_ports_are_all_reached_with_default_settings, .timeout = SLOWLY(300))
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	static struct link_counters counters[SLOT_MAX + 1];
	const size_t count = guests_wanted();
	struct world world;
	struct error err;
	int64_t us = 0, first_us = 0;
	more_descriptors(count);
	world_open(&world);
	outside_open(&world);
	struct network network = network_of(&world, "scale", "10.77.0.0/16", false, true, &arena);
	const bool has_six = network.subnet6.prefix;
	ASSERT_OK(net_host_up(&world.state, &err));

	for (size_t i = 0; i < count; i++) {
		guest_open_timed(&world, &network, &guests[i], &us);
		listeners[i] = listen_both(&world, guests[i].netns, 80);
		if (i == 99)
			first_us = us / 100;
	}
	fprintf(stderr, "%zu instances: %ju us each for link and inside (first hundred %ju)\n", count,
		(uintmax_t)us / count, (uintmax_t)first_us);
	publish_all(&world, count, has_six);
	int64_t start = now_us();
	everybody_is_dialled(&world, count, has_six);
	fprintf(stderr, "dialled in %ju ms\n", (uintmax_t)(now_us() - start) / 1000);
	everybody_was_reached(count, has_six);
	start = now_us();
	ASSERT_OK(link_counters_read_all(world.session, counters, &err));
	fprintf(stderr, "counters of all in %ju us\n", (uintmax_t)(now_us() - start));
	for (size_t i = 0; i < count; i++) {
		cr_assert(counters[guests[i].endpoint.slot].present);
		close(listeners[i]);
		close(guests[i].netns);
	}
	world_close(&world);
}
