/* Who reaches whom, as one table: every row is tried with real connections, all at once, and what must not pass is told
 * from what must by a row of its own. docs/network.md says the same in words. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/subnets/ipv6.h"
#include "tests/netns/support_wire.h"
#include "tests/netns/support_world.h"

#define REACH_MS SLOWLY(5000)  /* what must pass has so long; a SYN that is lost comes again after a second */
#define SILENCE_MS SLOWLY(300) /* what is dropped has so long after the last of the others has passed */

#define NOBODY_NUMBER 9999 /* of the network `alone`, given to no instance */
#define ROWS_MAX 64

/* Where processes are. a and b are on an isolated network with egress, c and d on an open one without, e on a third
 * one, which c's and d's network allows in, and which may use one service of the host's and the cloud's metadata. */
enum place { HOST, OUTSIDE, DMZ, A, B, C, D, E, PLACES };
#define FIRST_GUEST A
static const char *const place_names[] = {"host", "outside", "dmz", "a", "b", "c", "d", "e"};

enum outcome { REACHES, REFUSED, UNREACHABLE, SILENT };
static const char *const outcome_names[] = {
	"reaches", "is refused by", "finds unreachable", "is dropped on the way to"};

/* What is dialled, and whom a server sees. SERVER: the server's own address; CLIENT: the client's; HOSTS: any of the
 * host's. GATEWAY: by which instances know the host. */
enum address { NONE, SERVER, CLIENT, HOSTS, WAN, DMZ_WIRE, LOOPBACK, GATEWAY, METADATA, NOBODY, ADDRESSES };
static const char *const address_names[] = {"", "its own address", "", "", "the wire's address",
	"the other wire's address", "loopback", "the gateway", "the metadata service", "an address that nobody has"};

enum ip_family { IPV4, IPV6, FAMILIES };
static const char *const family_names[] = {"IPv4", "IPv6"};
static const int family_numbers[] = {AF_INET, AF_INET6};

/* NULL: known only when the scene is there. */
static const char *const address_texts[FAMILIES][ADDRESSES] = {
	[IPV4] = {[WAN] = WAN_HOST,
		[DMZ_WIRE] = "198.51.100.1",
		[LOOPBACK] = "127.0.0.1",
		[GATEWAY] = "169.254.1.1",
		[METADATA] = "169.254.169.254"},
	[IPV6] = {[WAN] = WAN6_HOST, [DMZ_WIRE] = "2001:db8:6::1", [LOOPBACK] = "::1", [METADATA] = "fd00:ec2::254"},
};
static const char *const place_texts[FAMILIES][FIRST_GUEST] = {
	[IPV4] = {[HOST] = WAN_HOST, [OUTSIDE] = WAN_OUTSIDE, [DMZ] = "198.51.100.2"},
	[IPV6] = {[HOST] = WAN6_HOST, [OUTSIDE] = WAN6_OUTSIDE, [DMZ] = "2001:db8:6::2"},
};

struct row {
	const char *why;
	enum place from;
	enum address to;
	uint16_t port;
	enum outcome outcome;
	enum place server;   /* who answers */
	enum address source; /* whom the server sees */
};

/* Published: 8080 on any address and 8081 on loopback for a, 8082 on the wire's address for d, 8083 where nobody
 * listens; 8084 and 8085 as shared ports. */
static const struct row rows[] = {
	{"the host reaches its instances", HOST, SERVER, 80, REACHES, A, GATEWAY},
	{"also on a network without egress", HOST, SERVER, 80, REACHES, C, GATEWAY},
	{"what is not published is not there for others", OUTSIDE, SERVER, 80, SILENT, A, NONE},
	{"nor with egress off", OUTSIDE, SERVER, 80, SILENT, D, NONE},

	{"an isolated network's instances are alone", A, SERVER, 80, SILENT, B, NONE},
	{"both ways", B, SERVER, 80, SILENT, A, NONE},
	{"itself it sees", A, SERVER, 80, REACHES, A, CLIENT},
	{"an open network's instances see one another", C, SERVER, 80, REACHES, D, CLIENT},
	{"both ways", D, SERVER, 80, REACHES, C, CLIENT},
	{"networks are apart", A, SERVER, 80, SILENT, C, NONE},
	{"both ways", C, SERVER, 80, SILENT, A, NONE},
	{"an allowed network comes in", E, SERVER, 80, REACHES, C, CLIENT},
	{"which is no permission for the other way", C, SERVER, 80, SILENT, E, NONE},
	{"nor for a third", E, SERVER, 80, SILENT, A, NONE},
	{"an address that nobody has is answered at once", A, NOBODY, 80, UNREACHABLE, HOST, NONE},
	{"also for the host", HOST, NOBODY, 80, UNREACHABLE, HOST, NONE},

	{"egress leaves with the host's address", A, SERVER, 80, REACHES, OUTSIDE, WAN},
	{"from every network that has it", E, SERVER, 80, REACHES, OUTSIDE, WAN},
	{"and from no other", C, SERVER, 80, SILENT, OUTSIDE, NONE},
	{"over every wire", A, SERVER, 80, REACHES, DMZ, DMZ_WIRE},
	{"the cloud's metadata service is the host's", HOST, METADATA, 80, REACHES, OUTSIDE, HOSTS},
	{"and no instance's", A, METADATA, 80, SILENT, OUTSIDE, NONE},
	{"but of a network that names it", E, METADATA, 80, REACHES, OUTSIDE, WAN},
	{"the host is no router because of us", OUTSIDE, SERVER, 80, SILENT, DMZ, NONE},
	{"in no direction", DMZ, SERVER, 80, SILENT, OUTSIDE, NONE},

	{"a service of the host's is there for others", OUTSIDE, WAN, 3306, REACHES, HOST, CLIENT},
	{"not for instances", A, WAN, 3306, SILENT, HOST, NONE},
	{"by no address", A, GATEWAY, 3306, SILENT, HOST, NONE},
	{"of no wire", B, DMZ_WIRE, 3306, SILENT, HOST, NONE},
	{"nor without egress", C, WAN, 3306, SILENT, HOST, NONE},
	{"one that its network names", E, WAN, 3306, REACHES, HOST, CLIENT},
	{"by every address", E, GATEWAY, 3306, REACHES, HOST, CLIENT},
	{"of every wire", E, DMZ_WIRE, 3306, REACHES, HOST, CLIENT},
	{"and no other", E, WAN, 3307, SILENT, HOST, NONE},

	{"published on any address: from outside, seen as it is", OUTSIDE, WAN, 8080, REACHES, A, CLIENT},
	{"over every wire", DMZ, DMZ_WIRE, 8080, REACHES, A, CLIENT},
	{"from the host by its own address", HOST, WAN, 8080, REACHES, A, HOSTS},
	{"from the host by loopback", HOST, LOOPBACK, 8080, REACHES, A, GATEWAY},
	{"from a neighbour on an isolated network", B, WAN, 8080, REACHES, A, CLIENT},
	{"from the instance itself", A, WAN, 8080, REACHES, A, GATEWAY},
	{"from another network", C, WAN, 8080, REACHES, A, CLIENT},
	{"published on loopback: from the host", HOST, LOOPBACK, 8081, REACHES, A, GATEWAY},
	{"not by its address", HOST, WAN, 8081, REFUSED, A, NONE},
	{"not from outside", OUTSIDE, WAN, 8081, REFUSED, A, NONE},
	{"not from instances", B, WAN, 8081, SILENT, A, NONE},
	{"published on one address: from outside", OUTSIDE, WAN, 8082, REACHES, D, CLIENT},
	{"from the host by it", HOST, WAN, 8082, REACHES, D, HOSTS},
	{"by no other", HOST, LOOPBACK, 8082, REFUSED, D, NONE},
	{"from outside by no other", DMZ, DMZ_WIRE, 8082, REFUSED, D, NONE},
	{"to itself without egress too", D, WAN, 8082, REACHES, D, GATEWAY},
	{"where nobody listens the instance refuses", OUTSIDE, WAN, 8083, REFUSED, A, NONE},
	{"shared in turn: from outside, seen as it is", OUTSIDE, WAN, 8084, REACHES, A, CLIENT},
	{"from the host", HOST, WAN, 8084, REACHES, A, HOSTS},
	{"from a neighbour", B, WAN, 8084, REACHES, A, CLIENT},
	{"from the one that serves", A, WAN, 8084, REACHES, A, GATEWAY},
	{"shared by client: from outside, seen as it is", DMZ, DMZ_WIRE, 8085, REACHES, D, CLIENT},
	{"from another network", E, WAN, 8085, REACHES, D, CLIENT},
	{"from the one that serves", D, WAN, 8085, REACHES, D, GATEWAY},
};

/* For each family what is published: loopback only where the kernel can. */
static const struct {
	enum place place;
	const char *text[FAMILIES];
} published[] = {
	{A, {"0.0.0.0:8080:80", "[::]:8080:80"}},
	{A, {"127.0.0.1:8081:80", NULL}},
	{D, {WAN_HOST ":8082:80", "[" WAN6_HOST "]:8082:80"}},
	{A, {"0.0.0.0:8083:81", "[::]:8083:81"}},
	{A, {"0.0.0.0:8084:80/tcp+balanced", "[::]:8084:80/tcp+balanced"}},
	{D, {"0.0.0.0:8085:80/tcp+sticky", "[::]:8085:80/tcp+sticky"}},
};

struct scene {
	struct world world;
	struct arena arena;
	struct guest guests[PLACES - FIRST_GUEST];
	struct network alone;
	int netns[PLACES];
	int listeners[PLACES][FAMILIES];
	struct ip_address addresses[FAMILIES][ADDRESSES];
	struct ip_address own[FAMILIES][PLACES];
	bool has[FAMILIES];
};

/* --- the scene ---------------------------------------------------------------------------------------------------- */

/* A second wire, so that there is something foreign to forward between. */
static int second_neighbour(struct scene *scene)
{
	const char *const six = scene->has[IPV6] ? address_texts[IPV6][DMZ_WIRE] : NULL;
	const char *const neighbour6 = scene->has[IPV6] ? place_texts[IPV6][DMZ] : NULL;
	const struct wire_end host = {scene->world.host, "dmz", address_texts[IPV4][DMZ_WIRE], six};
	struct wire_end neighbour = {netns_new(), "lan", place_texts[IPV4][DMZ], neighbour6};

	wire_make(&host, &neighbour, WAN_INDEX + 1);
	return neighbour.netns;
}

static void metadata_open(struct scene *scene, enum ip_family family)
{
	const char *metadata = address_texts[family][METADATA], *length = family == IPV6 ? "128" : "32";
	auto_free char *add =
		text_format("/usr/sbin/ip addr add %s/%s dev lan%s", metadata, length, family == IPV6 ? " nodad" : "");
	auto_free char *route =
		text_format("/usr/sbin/ip route add %s/%s via %s", metadata, length, place_texts[family][OUTSIDE]);

	netns_enter(scene->world.outside);
	command(add);
	netns_enter(scene->world.host);
	command(route);
}

static void guests_open(struct scene *scene)
{
	static const char *friends[] = {"friend", NULL};
	static struct host_service services[] = {{IPPROTO_TCP, 3306}};
	struct world *world = &scene->world;
	struct network alone = network_of(world, "alone", "10.88.0.0/16", true, true, &scene->arena);
	struct network open = network_of(world, "open", "10.44.0.0/24", false, false, &scene->arena);
	struct network friend = network_of(world, "friend", "10.45.0.0/24", false, true, &scene->arena);
	const struct network *of[] = {&alone, &alone, &open, &open, &friend};
	struct error err;

	open.allow = (struct strings){friends, 1};
	friend.services.items = services;
	friend.services.count = ARRAY_SIZE(services);
	friend.metadata = true;
	ASSERT_OK(network_define(&world->state, &open, &err));
	ASSERT_OK(network_define(&world->state, &friend, &err));
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		guest_open(world, of[i], &scene->guests[i]);
		scene->netns[FIRST_GUEST + i] = scene->guests[i].netns;
	}
	scene->alone = alone;
}

static struct ip_address parsed(const char *text)
{
	struct ip_address address;
	struct error err;

	ASSERT_OK(ip_parse(text, &address, &err));
	return address;
}

static void addresses_find(struct scene *scene, enum ip_family family)
{
	struct ip_address *addresses = scene->addresses[family];

	for (enum address address = 0; address < ADDRESSES; address++)
		if (address_texts[family][address])
			addresses[address] = parsed(address_texts[family][address]);
	for (enum place place = 0; place < FIRST_GUEST; place++)
		scene->own[family][place] = parsed(place_texts[family][place]);
	for (enum place place = FIRST_GUEST; place < PLACES; place++) {
		const struct endpoint *endpoint = &scene->guests[place - FIRST_GUEST].endpoint;

		scene->own[family][place] =
			family == IPV6 ? ip_from_v6(&endpoint->address6) : ip_from_v4(endpoint->address);
	}
}

/* Those that follow from what the host has drawn. */
static void addresses_derive(struct scene *scene)
{
	struct in_addr nobody = {.s_addr = htonl(ntohl(scene->alone.subnet.base.s_addr) + NOBODY_NUMBER)};
	struct in6_addr nobody6 = address6_beside(&scene->alone, nobody);
	struct subnet6 own;
	struct error err;

	scene->addresses[IPV4][NOBODY] = ip_from_v4(nobody);
	if (!scene->has[IPV6])
		return;
	ASSERT_OK(own_prefix(&scene->world.state, &own, &err));
	struct in6_addr gateway = gateway6_address(&own);

	scene->addresses[IPV6][NOBODY] = ip_from_v6(&nobody6);
	scene->addresses[IPV6][GATEWAY] = ip_from_v6(&gateway);
}

static int publish(struct scene *scene, const struct endpoint *endpoint, struct port *port, struct error *err)
{
	struct world *world = &scene->world;

	if (port->balance == PORT_ALONE)
		return ports_publish(world->session, endpoint, port, 1, err);
	return balance_join(&world->state, world->session, port, endpoint, 1, BALANCE_IN, err);
}

static void publish_all(struct scene *scene, enum ip_family family)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct endpoint *endpoint = &scene->guests[published[i].place - FIRST_GUEST].endpoint;
		struct port port;
		struct error err;

		if (!published[i].text[family])
			continue;
		ASSERT_OK(port_parse(published[i].text[family], &port, &err));
		ASSERT_OK(publish(scene, endpoint, &port, &err));
	}
}

static void family_open(struct scene *scene, enum ip_family family)
{
	addresses_find(scene, family);
	metadata_open(scene, family);
	for (enum place place = 0; place < PLACES; place++)
		scene->listeners[place][family] = listen_in(&scene->world, scene->netns[place],
			family == IPV6 ? "::" : "0.0.0.0", place == HOST ? 3306 : 80);
	publish_all(scene, family);
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){0};
	world_open(&scene->world);
	scene->has[IPV4] = true;
	scene->has[IPV6] = net_has_ipv6();
	outside_open(&scene->world);
	scene->netns[HOST] = scene->world.host;
	scene->netns[OUTSIDE] = scene->world.outside;
	scene->netns[DMZ] = second_neighbour(scene);
	guests_open(scene);
	for (enum ip_family family = 0; family < FAMILIES; family++)
		if (scene->has[family])
			family_open(scene, family);
	addresses_derive(scene);
}

static void scene_close(struct scene *scene)
{
	for (enum ip_family family = 0; family < FAMILIES; family++)
		for (enum place place = 0; place < PLACES && scene->has[family]; place++)
			close(scene->listeners[place][family]);
	for (enum place place = FIRST_GUEST; place < PLACES; place++)
		guest_close(&scene->world, &scene->guests[place - FIRST_GUEST]);
	close(scene->netns[DMZ]);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

struct attempt {
	const struct row *row;
	enum ip_family family;
	int fd;
	bool done;
	enum outcome outcome;
	bool accepted; /* and by whom, and seen as whom */
	enum place server;
	struct ip_address source;
};

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

static const struct ip_address *address_of(const struct scene *scene, const struct attempt *attempt, enum address which)
{
	const struct row *row = attempt->row;

	if (which == SERVER || which == CLIENT)
		return &scene->own[attempt->family][which == SERVER ? row->server : row->from];
	return &scene->addresses[attempt->family][which];
}

static void attempt_begin(struct scene *scene, struct attempt *attempt)
{
	const struct row *row = attempt->row;
	union socket_address to;
	socklen_t length = socket_address(&to, address_of(scene, attempt, row->to), row->port);

	netns_enter(scene->netns[row->from]);
	attempt->fd = socket(family_numbers[attempt->family], SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(scene->world.host);
	cr_assert(attempt->fd >= 0);
	if (connect(attempt->fd, &to.any, length) < 0 && errno != EINPROGRESS) {
		attempt->done = true;
		attempt->outcome = outcome_of(row, errno);
	}
}

/* Says which one it is, so that the server can tell. */
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
	struct pollfd polls[ROWS_MAX * FAMILIES];
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
static void accept_all(struct scene *scene, enum place place, enum ip_family family, struct attempt *all, size_t count)
{
	union socket_address source;
	socklen_t length = sizeof(source);
	unsigned char number;
	int fd;

	while ((fd = accept4(scene->listeners[place][family], &source.any, &length, SOCK_CLOEXEC)) >= 0) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		cr_assert(poll(&readable, 1, REACH_MS) == 1 && recv(fd, &number, 1, 0) == 1 && number < count);
		all[number].accepted = true;
		all[number].server = place;
		all[number].source = family == IPV6 ? ip_from_v6(&source.v6.sin6_addr) : ip_from_v4(source.v4.sin_addr);
		close(fd);
		length = sizeof(source);
	}
	cr_assert(errno == EAGAIN);
}

static bool is_right(const struct scene *scene, const struct attempt *attempt)
{
	const struct row *row = attempt->row;

	if ((attempt->done ? attempt->outcome : SILENT) != row->outcome)
		return false;
	if (row->outcome != REACHES)
		return true;
	return attempt->accepted && attempt->server == row->server &&
	       (row->source == HOSTS || ip_equal(&attempt->source, address_of(scene, attempt, row->source)));
}

static void attempt_tell(const struct attempt *attempt)
{
	const struct row *row = attempt->row;
	char source[INET6_ADDRSTRLEN];

	fprintf(stderr, "%s: %s: %s %s %s by %s port %u", family_names[attempt->family], row->why,
		place_names[row->from], outcome_names[attempt->done ? attempt->outcome : SILENT],
		place_names[row->server], address_names[row->to], row->port);
	if (attempt->accepted)
		fprintf(stderr, ", answered by %s, seen as %s", place_names[attempt->server],
			ip_format(&attempt->source, source));
	fprintf(stderr, "\n");
}

/* The kernel sends nothing from ::1 over a link: docs/network.md. */
static bool needs_ipv4(const struct row *row)
{
	return row->to == LOOPBACK && row->outcome == REACHES;
}

TEST(matrix, everybody_reaches_whom_the_table_says_and_nobody_else)
{
	NEEDS_ROOT();
	struct attempt all[ARRAY_SIZE(rows) * FAMILIES] = {0};
	struct scene scene;
	size_t count = 0, wrong = 0;

	_Static_assert(ARRAY_SIZE(rows) <= ROWS_MAX, "an attempt's number is a byte, and poll has room for these");
	scene_open(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct attempt attempt = {.row = &rows[i / FAMILIES], .family = (enum ip_family)(i % FAMILIES)};

		if (!scene.has[attempt.family] || (attempt.family == IPV6 && needs_ipv4(attempt.row)))
			continue;
		all[count] = attempt;
		attempt_begin(&scene, &all[count++]);
	}
	attempts_await(all, count);
	for (size_t i = 0; i < PLACES * FAMILIES; i++)
		if (scene.has[i % FAMILIES])
			accept_all(&scene, (enum place)(i / FAMILIES), (enum ip_family)(i % FAMILIES), all, count);
	for (size_t i = 0; i < count; i++) {
		if (!is_right(&scene, &all[i])) {
			attempt_tell(&all[i]);
			wrong++;
		}
		close(all[i].fd);
	}
	scene_close(&scene);
	cr_assert(wrong == 0, "%zu of %zu", wrong, count);
}
