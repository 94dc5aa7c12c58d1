/* Who reaches whom, as one table: every row is tried with real connections, all at once, and what must not pass is told
 * from what must by a row of its own. docs/network.md says the same in words. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_world.h"

#define REACH_MS SLOWLY(5000)  /* what must pass has so long; a SYN that is lost comes again after a second */
#define SILENCE_MS SLOWLY(300) /* what is dropped has so long after the last of the others has passed */

#define METADATA "169.254.169.254"
#define DMZ_HOST "198.51.100.1"
#define DMZ "198.51.100.2"
#define NOBODY "10.88.99.99" /* of the network `alone`, given to no instance */
#define ROWS_MAX 64

/* Where processes are. a and b are on an isolated network with egress, c and d on an open one without, e on a third
 * one, which c's and d's network allows in. */
enum place { HOST, OUTSIDE, DMZ_SIDE, A, B, C, D, E, PLACES };
#define FIRST_GUEST A

enum outcome { REACHES, REFUSED, UNREACHABLE, SILENT };
static const char *const outcome_names[] = {
	"reaches", "is refused by", "finds unreachable", "is dropped on the way to"};
static const char *const place_names[] = {"host", "outside", "dmz", "a", "b", "c", "d", "e"};

struct row {
	const char *why;
	enum place from;
	const char *address; /* NULL: that of `server` */
	uint16_t port;
	enum outcome outcome;
	enum place server;  /* who answers */
	const char *source; /* whom the server sees; NULL: the client's own address */
};

/* Published: 8080 on any address and 8081 on loopback for a, 8082 on the wire's address for d, 8083 where nobody
 * listens. */
static const struct row rows[] = {
	{"the host reaches its instances", HOST, NULL, 80, REACHES, A, "169.254.1.1"},
	{"also on a network without egress", HOST, NULL, 80, REACHES, C, "169.254.1.1"},
	{"what is not published is not there for others", OUTSIDE, NULL, 80, SILENT, A, NULL},
	{"nor with egress off", OUTSIDE, NULL, 80, SILENT, D, NULL},

	{"an isolated network's instances are alone", A, NULL, 80, SILENT, B, NULL},
	{"both ways", B, NULL, 80, SILENT, A, NULL},
	{"itself it sees", A, NULL, 80, REACHES, A, NULL},
	{"an open network's instances see one another", C, NULL, 80, REACHES, D, NULL},
	{"both ways", D, NULL, 80, REACHES, C, NULL},
	{"networks are apart", A, NULL, 80, SILENT, C, NULL},
	{"both ways", C, NULL, 80, SILENT, A, NULL},
	{"an allowed network comes in", E, NULL, 80, REACHES, C, NULL},
	{"which is no permission for the other way", C, NULL, 80, SILENT, E, NULL},
	{"nor for a third", E, NULL, 80, SILENT, A, NULL},
	{"an address that nobody has is answered at once", A, NOBODY, 80, UNREACHABLE, HOST, NULL},
	{"also for the host", HOST, NOBODY, 80, UNREACHABLE, HOST, NULL},

	{"egress leaves with the host's address", A, NULL, 80, REACHES, OUTSIDE, WAN_HOST},
	{"from every network that has it", E, NULL, 80, REACHES, OUTSIDE, WAN_HOST},
	{"and from no other", C, NULL, 80, SILENT, OUTSIDE, NULL},
	{"over every wire", A, NULL, 80, REACHES, DMZ_SIDE, DMZ_HOST},
	{"the cloud's metadata service is the host's", HOST, METADATA, 80, REACHES, OUTSIDE, NULL},
	{"and no instance's", A, METADATA, 80, SILENT, OUTSIDE, NULL},
	{"the host is no router because of us", OUTSIDE, NULL, 80, SILENT, DMZ_SIDE, NULL},
	{"in no direction", DMZ_SIDE, NULL, 80, SILENT, OUTSIDE, NULL},

	{"a service of the host's is there for others", OUTSIDE, WAN_HOST, 3306, REACHES, HOST, NULL},
	{"not for instances", A, WAN_HOST, 3306, SILENT, HOST, NULL},
	{"by no address", A, "169.254.1.1", 3306, SILENT, HOST, NULL},
	{"of no wire", E, DMZ_HOST, 3306, SILENT, HOST, NULL},
	{"on no network", C, WAN_HOST, 3306, SILENT, HOST, NULL},

	{"published on any address: from outside, seen as it is", OUTSIDE, WAN_HOST, 8080, REACHES, A, NULL},
	{"over every wire", DMZ_SIDE, DMZ_HOST, 8080, REACHES, A, NULL},
	{"from the host by its own address", HOST, WAN_HOST, 8080, REACHES, A, ""},
	{"from the host by loopback", HOST, "127.0.0.1", 8080, REACHES, A, "169.254.1.1"},
	{"from a neighbour on an isolated network", B, WAN_HOST, 8080, REACHES, A, NULL},
	{"from the instance itself", A, WAN_HOST, 8080, REACHES, A, "169.254.1.1"},
	{"from another network", C, WAN_HOST, 8080, REACHES, A, NULL},
	{"published on loopback: from the host", HOST, "127.0.0.1", 8081, REACHES, A, "169.254.1.1"},
	{"not by its address", HOST, WAN_HOST, 8081, REFUSED, A, NULL},
	{"not from outside", OUTSIDE, WAN_HOST, 8081, REFUSED, A, NULL},
	{"not from instances", B, WAN_HOST, 8081, SILENT, A, NULL},
	{"published on one address: from outside", OUTSIDE, WAN_HOST, 8082, REACHES, D, NULL},
	{"from the host by it", HOST, WAN_HOST, 8082, REACHES, D, ""},
	{"by no other", HOST, "127.0.0.1", 8082, REFUSED, D, NULL},
	{"from outside by no other", DMZ_SIDE, DMZ_HOST, 8082, REFUSED, D, NULL},
	{"to itself without egress too", D, WAN_HOST, 8082, REACHES, D, "169.254.1.1"},
	{"where nobody listens the instance refuses", OUTSIDE, WAN_HOST, 8083, REFUSED, A, NULL},
};

struct scene {
	struct world world;
	struct arena arena;
	struct guest guests[PLACES - FIRST_GUEST];
	int netns[PLACES];
	int listeners[PLACES][2];
	int dmz;
};

/* --- the scene ---------------------------------------------------------------------------------------------------- */

/* A second wire, so that there is something foreign to forward between. */
static int second_neighbour(struct world *world)
{
	int other = netns_new();
	auto_free char *link =
		text_format("/usr/sbin/ip link add dmz type veth peer name lan netns /proc/%d/fd/%d", getpid(), other);

	command(link);
	command("/usr/sbin/ip addr add " DMZ_HOST "/24 dev dmz");
	command("/usr/sbin/ip link set dmz up");
	netns_enter(other);
	command("/usr/sbin/ip link set lo up");
	command("/usr/sbin/ip addr add " DMZ "/24 dev lan");
	command("/usr/sbin/ip link set lan up");
	command("/usr/sbin/ip route add default via " DMZ_HOST);
	netns_enter(world->host);
	return other;
}

static void metadata_open(struct world *world)
{
	netns_enter(world->outside);
	command("/usr/sbin/ip addr add " METADATA "/32 dev lan");
	netns_enter(world->host);
	command("/usr/sbin/ip route add " METADATA "/32 via " WAN_OUTSIDE);
}

static void guests_open(struct scene *scene)
{
	static const char *friends[] = {"friend", NULL};
	struct world *world = &scene->world;
	struct network alone = network_of(world, "alone", "10.88.0.0/16", true, true, &scene->arena);
	struct network open = network_of(world, "open", "10.44.0.0/24", false, false, &scene->arena);
	struct network friend = network_of(world, "friend", "10.45.0.0/24", false, true, &scene->arena);
	const struct network *of[] = {&alone, &alone, &open, &open, &friend};
	struct error err;

	open.allow = (struct strings){friends, 1};
	ASSERT_OK(network_define(&world->state, &open, &err));
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		guest_open(world, of[i], &scene->guests[i]);
		scene->netns[FIRST_GUEST + i] = scene->guests[i].netns;
	}
}

static const struct guest *guest_at(const struct scene *scene, enum place place)
{
	return &scene->guests[place - FIRST_GUEST];
}

static void publish(struct scene *scene, enum place place, const char *text)
{
	struct port port;
	struct error err;

	ASSERT_OK(port_parse(text, &port, &err));
	ASSERT_OK(ports_publish(scene->world.session, &guest_at(scene, place)->endpoint, &port, 1, &err));
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){0};
	world_open(&scene->world);
	outside_open(&scene->world);
	scene->dmz = second_neighbour(&scene->world);
	metadata_open(&scene->world);
	scene->netns[HOST] = scene->world.host;
	scene->netns[OUTSIDE] = scene->world.outside;
	scene->netns[DMZ_SIDE] = scene->dmz;
	guests_open(scene);
	for (enum place place = 0; place < PLACES; place++)
		scene->listeners[place][0] =
			listen_in(&scene->world, scene->netns[place], "0.0.0.0", place == HOST ? 3306 : 80);
	publish(scene, A, "0.0.0.0:8080:80");
	publish(scene, A, "127.0.0.1:8081:80");
	publish(scene, D, WAN_HOST ":8082:80");
	publish(scene, A, "0.0.0.0:8083:81");
}

static void scene_close(struct scene *scene)
{
	for (enum place place = 0; place < PLACES; place++)
		close(scene->listeners[place][0]);
	for (enum place place = FIRST_GUEST; place < PLACES; place++)
		guest_close(&scene->world, &scene->guests[place - FIRST_GUEST]);
	close(scene->dmz);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

struct attempt {
	const struct row *row;
	int fd;
	bool done;
	enum outcome outcome;
	bool accepted; /* and by whom, and seen as whom */
	enum place server;
	struct in_addr source;
};

static struct in_addr address_of(const struct scene *scene, enum place place)
{
	static const char *const names[] = {WAN_HOST, WAN_OUTSIDE, DMZ};

	return place < FIRST_GUEST ? ip(names[place]) : guest_at(scene, place)->endpoint.address;
}

static enum outcome outcome_of(const struct row *row, int errnum)
{
	switch (errnum) {
	case 0:
		return REACHES;
	case ECONNREFUSED:
		return REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return UNREACHABLE;
	default:
		cr_assert_fail("%s: %s", row->why, strerror(errnum));
		return SILENT;
	}
}

static void attempt_begin(struct scene *scene, struct attempt *attempt)
{
	const struct row *row = attempt->row;
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(row->port),
		.sin_addr = row->address ? ip(row->address) : address_of(scene, row->server)};

	netns_enter(scene->netns[row->from]);
	attempt->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(scene->world.host);
	cr_assert(attempt->fd >= 0);
	if (connect(attempt->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		attempt->done = true;
		attempt->outcome = outcome_of(row, errno);
	}
}

/* Says which row it is, so that the server can tell. */
static void attempt_settle(struct attempt *attempt, const struct attempt *all)
{
	unsigned char number = (unsigned char)(attempt - all);
	socklen_t length = sizeof(int);
	int errnum = 0;

	cr_assert(getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &errnum, &length) == 0);
	attempt->done = true;
	attempt->outcome = outcome_of(attempt->row, errnum);
	if (attempt->outcome == REACHES)
		cr_assert(send(attempt->fd, &number, 1, 0) == 1);
}

/* True when some that must come to something have not yet. */
static bool attempts_look(struct attempt *all, size_t count, int wait_ms)
{
	struct pollfd polls[ROWS_MAX];
	bool some = false;

	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = all[i].done ? -1 : all[i].fd, .events = POLLOUT};
	cr_assert(poll(polls, count, wait_ms) >= 0);
	for (size_t i = 0; i < count; i++) {
		if (!all[i].done && polls[i].revents)
			attempt_settle(&all[i], all);
		some |= !all[i].done && all[i].row->outcome != SILENT;
	}
	return some;
}

static void attempts_await(struct attempt *all, size_t count)
{
	int64_t deadline = clock_ms() + REACH_MS;

	while (attempts_look(all, count, 50) && clock_ms() < deadline)
		;
	for (deadline = clock_ms() + SILENCE_MS; clock_ms() < deadline;)
		attempts_look(all, count, 50);
}

/* Every connection that was established waits at some server. */
static void accept_all(struct scene *scene, enum place place, struct attempt *all, size_t count)
{
	struct sockaddr_in source = {0};
	socklen_t length = sizeof(source);
	unsigned char number;
	int fd;

	while ((fd = accept4(scene->listeners[place][0], (struct sockaddr *)&source, &length, SOCK_CLOEXEC)) >= 0) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		cr_assert(poll(&readable, 1, REACH_MS) == 1 && recv(fd, &number, 1, 0) == 1 && number < count);
		all[number].accepted = true;
		all[number].server = place;
		all[number].source = source.sin_addr;
		close(fd);
	}
	cr_assert(errno == EAGAIN);
}

static bool is_seen_right(const struct scene *scene, const struct attempt *attempt)
{
	const char *source = attempt->row->source;

	if (source && !*source)
		return true; /* any of the host's */
	return attempt->source.s_addr == (source ? ip(source) : address_of(scene, attempt->row->from)).s_addr;
}

/* The number of rows that came out wrong, each with its line. */
static int attempts_judge(const struct scene *scene, struct attempt *all, size_t count)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		const struct row *row = all[i].row;
		enum outcome outcome = all[i].done ? all[i].outcome : SILENT;
		char source[INET_ADDRSTRLEN];
		bool right = outcome == row->outcome &&
			     (outcome != REACHES || (all[i].accepted && all[i].server == row->server &&
							    is_seen_right(scene, &all[i])));

		if (right)
			continue;
		wrong++;
		fprintf(stderr, "row %zu: %s: %s %s %s port %u", i, row->why, place_names[row->from],
			outcome_names[outcome], row->address ? row->address : place_names[row->server], row->port);
		if (all[i].accepted)
			fprintf(stderr, ", answered by %s, seen as %s", place_names[all[i].server],
				inet_ntop(AF_INET, &all[i].source, source, sizeof(source)));
		fprintf(stderr, "\n");
	}
	return wrong;
}

TEST(matrix, everybody_reaches_whom_the_table_says_and_nobody_else)
{
	NEEDS_ROOT();
	struct attempt all[ARRAY_SIZE(rows)] = {0};
	struct scene scene;

	_Static_assert(ARRAY_SIZE(rows) <= ROWS_MAX, "an attempt's number is a byte, and poll has room for these");
	scene_open(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		all[i].row = &rows[i];
		attempt_begin(&scene, &all[i]);
	}
	attempts_await(all, ARRAY_SIZE(rows));
	for (enum place place = 0; place < PLACES; place++)
		accept_all(&scene, place, all, ARRAY_SIZE(rows));
	int wrong = attempts_judge(&scene, all, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		close(all[i].fd);
	scene_close(&scene);
	cr_assert(wrong == 0, "%d of %zu rows", wrong, ARRAY_SIZE(rows));
}
