/* Ports that several instances share: where connections really go. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"
#include "netns/ports/balance_slots.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_scene.h"
#include "tests/netns/support_world.h"

#define GUESTS 3
#define ACCEPT_MS 4000
#define DATAGRAM_MS 200

struct scene {
	struct world world;
	struct arena arena;
	const struct family *family; /* of the ports that are said without an address */
	struct guest guests[GUESTS];
	int listeners[GUESTS]; /* on port 80 of each, of both families */
};

static void scene_open(struct scene *scene, const struct family *family)
{
	*scene = (struct scene){.family = family};
	world_open(&scene->world);
	outside_open(&scene->world);
	struct network network =
		network_of(&scene->world, "default", NETWORK_DEFAULT_SUBNET, true, true, &scene->arena);
	for (int i = 0; i < GUESTS; i++) {
		guest_open(&scene->world, &network, &scene->guests[i]);
		scene->listeners[i] = listen_both(&scene->world, scene->guests[i].netns, 80);
	}
}

static size_t slots_in_use(struct scene *scene)
{
	static const char *const maps[] = {SET_BALANCED, SET_BALANCED_ANY, SET_STICKY, SET_STICKY_ANY, SET_BALANCED6,
		SET_BALANCED_ANY6, SET_STICKY6, SET_STICKY_ANY6};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		count += elements_in(&scene->world, maps[i]);
	return count;
}

static void scene_close(struct scene *scene)
{
	struct error err;

	for (int i = 0; i < GUESTS; i++) {
		ASSERT_OK(
			balance_leave_all(&scene->world.state, scene->world.session, &scene->guests[i].endpoint, &err));
		close(scene->listeners[i]);
		guest_close(&scene->world, &scene->guests[i]);
	}
	cr_assert(slots_in_use(scene) == 0 && elements_in(&scene->world, SET_CLAIMS) == 0, "slots or claims are left");
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

/* "8080:80/tcp+balanced" on any address. */
static struct port on_any(const struct scene *scene, const char *text)
{
	auto_free char *whole = text_format("%s:%s", scene->family->anywhere, text);

	return port_of(whole);
}

static int join_with(struct scene *scene, int guest, const char *text, unsigned weight, struct error *err)
{
	struct port port = on_any(scene, text);

	return balance_join(&scene->world.state, scene->world.session, &port, &scene->guests[guest].endpoint, weight,
		BALANCE_IN, err);
}

static void join(struct scene *scene, int guest, const char *text, unsigned weight)
{
	struct error err;

	ASSERT_OK(join_with(scene, guest, text, weight, &err));
}

static void turn(struct scene *scene, int guest, const char *text, bool in)
{
	struct port port = on_any(scene, text);
	struct error err;

	ASSERT_OK(balance_turn(
		&scene->world.state, scene->world.session, &port, &scene->guests[guest].endpoint, in, &err));
}

static void leave(struct scene *scene, int guest, const char *text)
{
	struct port port = on_any(scene, text);
	struct error err;

	ASSERT_OK(
		balance_leave(&scene->world.state, scene->world.session, &port, &scene->guests[guest].endpoint, &err));
}

/* The guest that has the connection, and both ends of it. */
struct connection {
	int client, server, guest;
};

static struct connection connect_to(
	struct scene *scene, int from, const char *source, const char *address, uint16_t port)
{
	struct connection connection = {
		.client = connection_from(&scene->world, from, source, address, port), .server = -1, .guest = -1};
	struct pollfd fds[GUESTS];

	if (connection.client < 0)
		return connection;
	for (int i = 0; i < GUESTS; i++)
		fds[i] = (struct pollfd){.fd = scene->listeners[i], .events = POLLIN};
	cr_assert(poll(fds, GUESTS, ACCEPT_MS) == 1, "not exactly one has the connection");
	for (int i = 0; i < GUESTS; i++)
		if (fds[i].revents)
			connection.guest = i;
	connection.server = accept4(scene->listeners[connection.guest], NULL, NULL, SOCK_CLOEXEC);
	cr_assert(connection.server >= 0);
	return connection;
}

static void disconnect(struct connection *connection)
{
	fd_drop(&connection->client);
	fd_drop(&connection->server);
}

static int guest_of(struct scene *scene, int from, const char *source, const char *address, uint16_t port)
{
	struct connection connection = connect_to(scene, from, source, address, port);

	disconnect(&connection);
	return connection.guest;
}

static bool carries(const struct connection *connection)
{
	struct pollfd arrives = {.fd = connection->server, .events = POLLIN};
	char byte;

	return send(connection->client, "x", 1, MSG_NOSIGNAL) == 1 && poll(&arrives, 1, ACCEPT_MS) == 1 &&
	       recv(connection->server, &byte, 1, 0) == 1;
}

/* --- sharing ------------------------------------------------------------------------------------------------------ */

static int guest_from_outside(struct scene *scene, uint16_t port)
{
	return guest_of(scene, scene->world.outside, NULL, scene->family->host, port);
}

/* How many of so many connections from outside each has. */
struct tally {
	int of[GUESTS];
};

static struct tally tally(struct scene *scene, uint16_t port)
{
	struct tally got = {0};

	for (int i = 0; i < BALANCE_SLOTS; i++)
		got.of[guest_from_outside(scene, port)]++;
	return got;
}

FAMILY_TEST(balance, connections_are_shared_by_weight)
{
	struct scene s;
	scene_open(&s, family);

	join(&s, 0, "8080:80/tcp+balanced", 1);
	join(&s, 1, "8080:80/tcp+balanced", 3);
	struct tally got = tally(&s, 8080);
	cr_assert(got.of[0] == 16 && got.of[1] == 48, "%d and %d", got.of[0], got.of[1]);
	scene_close(&s);
}

/* Who has joined changes its weight; all between have some. */
FAMILY_TEST(balance, a_weight_changes_while_they_serve)
{
	struct scene s;
	scene_open(&s, family);

	for (int i = 0; i < GUESTS; i++)
		join(&s, i, "8080:80/tcp+balanced", 1);
	struct tally got = tally(&s, 8080);
	cr_assert(got.of[0] >= 21 && got.of[1] >= 21 && got.of[2] >= 21, "%d, %d, %d", got.of[0], got.of[1], got.of[2]);
	join(&s, 2, "8080:80/tcp+balanced", 6);
	got = tally(&s, 8080);
	cr_assert(got.of[0] == 8 && got.of[1] == 8 && got.of[2] == 48, "%d, %d, %d", got.of[0], got.of[1], got.of[2]);
	scene_close(&s);
}

FAMILY_TEST(balance, a_port_on_a_single_address_is_shared_alike)
{
	struct scene s;
	struct error err;
	const bool six = family->number == AF_INET6;
	const struct port balanced =
		port_of(six ? "[" WAN6_HOST "]:8081:80/tcp+balanced" : WAN_HOST ":8081:80/tcp+balanced");
	const struct port sticky = port_of(six ? "[" WAN6_HOST "]:8082:80/tcp+sticky" : WAN_HOST ":8082:80/tcp+sticky");
	scene_open(&s, family);

	for (int i = 0; i < GUESTS; i++) {
		ASSERT_OK(balance_join(
			&s.world.state, s.world.session, &balanced, &s.guests[i].endpoint, 1, BALANCE_IN, &err));
		ASSERT_OK(balance_join(
			&s.world.state, s.world.session, &sticky, &s.guests[i].endpoint, 1, BALANCE_IN, &err));
	}
	struct tally got = tally(&s, 8081);
	cr_assert(got.of[0] >= 21 && got.of[1] >= 21 && got.of[2] >= 21, "%d, %d, %d", got.of[0], got.of[1], got.of[2]);
	got = tally(&s, 8082);
	cr_assert(got.of[0] == BALANCE_SLOTS || got.of[1] == BALANCE_SLOTS || got.of[2] == BALANCE_SLOTS,
		"one client is with %d, %d, %d", got.of[0], got.of[1], got.of[2]);
	scene_close(&s);
}

FAMILY_TEST(balance, it_works_for_the_host_for_instances_and_by_loopback)
{
	struct scene s;
	scene_open(&s, family);

	join(&s, 0, "8080:80/tcp+balanced", 1);
	join(&s, 1, "8080:80/tcp+balanced", 1);
	for (int i = 0; i < 4; i++) {
		cr_assert(guest_of(&s, s.world.host, NULL, family->host, 8080) >= 0, "the host by its own address");
		cr_assert(guest_of(&s, s.guests[0].netns, NULL, family->host, 8080) >= 0, "a member, perhaps itself");
		cr_assert(guest_of(&s, s.guests[2].netns, NULL, family->host, 8080) >= 0, "another instance");
		/* The kernel sends nothing from ::1 over a link: docs/network.md. */
		if (family->number == AF_INET)
			cr_assert(guest_of(&s, s.world.host, NULL, "127.0.0.1", 8080) >= 0, "the host by loopback");
	}
	scene_close(&s);
}

#define CLIENTS 32

/* A host that has a whole range of addresses, so that there are many clients. */
static void clients_open(const struct family *family)
{
	struct error err;

	if (family->number == AF_INET)
		return;
	command("/usr/sbin/ip -6 route add local 2001:db8:9::/64 dev lo");
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv6/ip_nonlocal_bind", "1", &err));
}

static int guest_of_client(struct scene *scene, int client)
{
	const bool six = scene->family->number == AF_INET6;
	auto_free char *source = text_format("%s%d", six ? "2001:db8:9::" : "127.0.3.", client + 1);

	return guest_of(scene, scene->world.host, source, six ? WAN6_HOST : "127.0.0.1", 8080);
}

FAMILY_TEST(balance, a_client_that_sticks_stays_with_its_member_and_moves_only_when_it_must)
{
	struct scene s;
	int before[CLIENTS], moved = 0, had[GUESTS] = {0};
	scene_open(&s, family);
	clients_open(family);

	for (int i = 0; i < GUESTS; i++)
		join(&s, i, "8080:80/tcp+sticky", 1);
	for (int c = 0; c < CLIENTS; c++) {
		before[c] = guest_of_client(&s, c);
		cr_assert(before[c] >= 0, "client %d is not served", c);
		had[before[c]]++;
		cr_assert(guest_of_client(&s, c) == before[c]);
	}
	cr_assert(had[0] && had[1] && had[2], "%d clients are with %d, %d, %d", CLIENTS, had[0], had[1], had[2]);
	leave(&s, 1, "8080:80/tcp+sticky");
	for (int c = 0; c < CLIENTS; c++) {
		int now = guest_of_client(&s, c);

		cr_assert(now == 0 || now == 2);
		moved += now != before[c];
	}
	cr_assert(moved == had[1], "%d moved, %d had to", moved, had[1]);
	scene_close(&s);
}

/* --- out and in --------------------------------------------------------------------------------------------------- */

/* What draining waits for. */
static int established_to(struct scene *s, int guest)
{
	size_t count;
	struct error err;

	ASSERT_OK(flows_established(s->world.session, &s->guests[guest].endpoint, &count, &err));
	return (int)count;
}

FAMILY_TEST(balance, a_member_that_is_out_keeps_its_connections_and_gets_no_new_ones)
{
	static const char text[] = "8080:80/tcp+balanced";
	struct connection kept[8];
	int of_first = 0;
	struct scene s;
	scene_open(&s, family);

	join(&s, 0, text, 1);
	join(&s, 1, text, 1);
	for (int i = 0; i < 8; i++) {
		kept[i] = connect_to(&s, s.world.outside, NULL, family->host, 8080);
		of_first += kept[i].guest == 0;
	}
	cr_assert(of_first > 0);
	cr_assert(established_to(&s, 0) == of_first, "%d, not %d are established", established_to(&s, 0), of_first);
	turn(&s, 0, text, false);
	for (int i = 0; i < 20; i++)
		cr_assert(guest_from_outside(&s, 8080) == 1);
	for (int i = 0; i < 8; i++)
		cr_assert(carries(&kept[i]), "an established connection was lost");
	turn(&s, 0, text, true);
	struct tally again = tally(&s, 8080);
	cr_assert(again.of[0] == 32, "%d", again.of[0]);
	for (int i = 0; i < 8; i++)
		disconnect(&kept[i]);
	scene_close(&s);
}

static void expect_only(struct scene *scene, int guest)
{
	for (int i = 0; i < 4; i++)
		cr_assert(guest_from_outside(scene, 8080) == guest);
}

FAMILY_TEST(balance, the_last_one_is_not_taken_out_and_goes_when_another_is_in)
{
	static const char text[] = "8080:80/tcp+balanced";
	struct scene s;
	struct error err;
	scene_open(&s, family);
	struct port plain = on_any(&s, "8080:80");
	auto_free char *shared = text_format("port %s:8080/tcp is shared by other instances", family->anywhere);

	join(&s, 0, text, 1);
	join(&s, 1, text, 1);
	turn(&s, 1, text, false);
	expect_only(&s, 0);
	turn(&s, 0, text, false);
	cr_assert(guest_from_outside(&s, 8080) >= 0, "somebody has it");
	leave(&s, 0, text);
	expect_only(&s, 1);
	join(&s, 0, text, 1);
	expect_only(&s, 0);
	leave(&s, 1, text);
	ASSERT_FAILS(ports_publish(s.world.session, &s.guests[1].endpoint, &plain, 1, &err), ERROR_BUSY, shared);
	leave(&s, 0, text);
	ASSERT_OK(ports_publish(s.world.session, &s.guests[1].endpoint, &plain, 1, &err));
	scene_close(&s);
}

FAMILY_TEST(balance, one_takes_the_place_of_another)
{
	struct scene s;
	struct error err;
	scene_open(&s, family);
	struct port port = on_any(&s, "8080:80/tcp+balanced");

	join(&s, 0, "8080:80/tcp+balanced", 1);
	join(&s, 1, "8080:80/tcp+balanced", 1);
	struct connection kept = connect_to(&s, s.world.outside, NULL, family->host, 8080);
	ASSERT_OK(balance_switch(
		&s.world.state, s.world.session, &port, &s.guests[kept.guest].endpoint, &s.guests[2].endpoint, &err));
	struct tally got = tally(&s, 8080);
	cr_assert(got.of[kept.guest] == 0 && got.of[!kept.guest] == 32 && got.of[2] == 32);
	cr_assert(carries(&kept));
	disconnect(&kept);
	scene_close(&s);
}

static int datagram_at(struct scene *s, int client, const int *servers)
{
	struct pollfd fds[GUESTS];
	char byte;

	cr_assert(datagram_send(client, s->family->host, 5300), "%s", strerror(errno));
	for (int i = 0; i < GUESTS; i++)
		fds[i] = (struct pollfd){.fd = servers[i], .events = POLLIN};
	if (poll(fds, GUESTS, DATAGRAM_MS) != 1)
		return -1;
	for (int i = 0; i < GUESTS; i++)
		if (fds[i].revents && recv(servers[i], &byte, 1, 0) == 1)
			return i;
	return -1;
}

/* A link that has just come up drops what it is given first. */
static int datagram_at_last(struct scene *s, int client, const int *servers)
{
	int guest = -1;

	for (int tries = 0; tries < 20 && guest < 0; tries++)
		guest = datagram_at(s, client, servers);
	return guest;
}

FAMILY_TEST(balance, a_udp_client_that_goes_on_sending_comes_to_another_when_its_member_leaves)
{
	struct scene s;
	int servers[GUESTS];
	scene_open(&s, family);
	auto_fd client = udp_in(&s.world, s.world.outside, family->any, 4000);

	for (int i = 0; i < GUESTS; i++) {
		servers[i] = udp_in(&s.world, s.guests[i].netns, family->any, 53);
		join(&s, i, "5300:53/udp+balanced", 1);
	}
	int first = datagram_at_last(&s, client, servers);
	cr_assert(first >= 0);
	for (int i = 0; i < 4; i++)
		cr_assert(datagram_at(&s, client, servers) == first, "a flow stays");
	leave(&s, first, "5300:53/udp+balanced");
	int second = datagram_at(&s, client, servers);
	cr_assert(second >= 0 && second != first);
	for (int i = 0; i < GUESTS; i++)
		close(servers[i]);
	fd_drop(&client);
	scene_close(&s);
}

/* --- who may ------------------------------------------------------------------------------------------------------ */

static void expect_refused(struct scene *s, int guest, const char *text, const char *says)
{
	struct error err;
	auto_free char *message = text_format("port %s:%.4s/tcp%s", s->family->anywhere, text, says);

	ASSERT_FAILS(join_with(s, guest, text, 1, &err), ERROR_BUSY, message);
}

FAMILY_TEST(balance, a_port_that_somebody_has_alone_or_shares_otherwise_is_refused)
{
	struct scene s;
	struct error err;
	scene_open(&s, family);
	struct port plain = on_any(&s, "8080:80");
	auto_fd listener = listen_in(&s.world, s.world.host, family->number == AF_INET6 ? "::1" : "127.0.0.1", 8081);

	ASSERT_OK(ports_publish(s.world.session, &s.guests[0].endpoint, &plain, 1, &err));
	expect_refused(&s, 1, "8080:80/tcp+balanced", " is published by the instance at 10.88.0.1");
	expect_refused(&s, 1, "8081:80/tcp+balanced", " is taken by a process of this host");
	join(&s, 1, "8082:80/tcp+balanced", 1);
	expect_refused(&s, 2, "8082:80/tcp+sticky", ": is balanced for those who have it already");
	cr_assert(slots_in_use(&s) == BALANCE_SLOTS, "a refused member left something");
	fd_drop(&listener);
	scene_close(&s);
}

TEST(balance, a_port_on_one_address_and_on_any_is_refused)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	struct port plain = port_of("8080:80");
	scene_open(&s, &families[0]);

	ASSERT_OK(ports_publish(s.world.session, &s.guests[0].endpoint, &plain, 1, &err));
	expect_refused(&s, 1, "8080:80/tcp+balanced", " is published by the instance at 10.88.0.1");
	scene_close(&s);
}

/* The mark that a number is used on one address stays behind. */
FAMILY_TEST(balance, a_number_that_was_once_used_on_one_address_can_be_shared_on_any)
{
	struct scene s;
	struct error err;
	struct port plain = port_of(family->number == AF_INET6 ? "[" WAN6_HOST "]:8080:80" : "8080:80");
	scene_open(&s, family);

	ASSERT_OK(ports_publish(s.world.session, &s.guests[0].endpoint, &plain, 1, &err));
	ASSERT_OK(ports_unpublish(s.world.session, &s.guests[0].endpoint, &plain, 1, &err));
	join(&s, 1, "8080:80/tcp+balanced", 1);
	cr_assert(guest_from_outside(&s, 8080) == 1);
	scene_close(&s);
}

/* As after `nft flush ruleset`: the table is new, the record is not. */
FAMILY_TEST(balance, members_find_their_slots_again_in_a_new_table)
{
	struct scene s;
	struct error err;
	scene_open(&s, family);
	struct port port = on_any(&s, "8080:80/tcp+balanced");

	join(&s, 0, "8080:80/tcp+balanced", 1);
	join(&s, 1, "8080:80/tcp+balanced", 1);
	turn(&s, 1, "8080:80/tcp+balanced", false);
	command("/usr/sbin/nft flush ruleset");
	cr_assert(net_host_up(&s.world.state, &err) == 1);
	for (int i = 0; i < 2; i++)
		ASSERT_OK(balance_join(
			&s.world.state, s.world.session, &port, &s.guests[i].endpoint, 1, BALANCE_AS_BEFORE, &err));
	expect_only(&s, 0); /* who was out is out */
	scene_close(&s);
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

static void expect_quotas(struct balance *balance, const int before[BALANCE_SLOTS], const unsigned *quotas, int kept)
{
	int after[BALANCE_SLOTS], same = 0;
	unsigned had[BALANCE_MEMBERS_MAX] = {0};

	slots_share(balance, before, after);
	for (int i = 0; i < BALANCE_SLOTS; i++) {
		cr_assert(after[i] >= 0 && after[i] < (int)balance->count, "slot %d is nobody's", i);
		had[after[i]]++;
		same += after[i] == before[i];
	}
	for (size_t i = 0; i < balance->count; i++)
		cr_assert(had[i] == quotas[i], "member %zu has %u, not %u", i, had[i], quotas[i]);
	cr_assert(same == kept, "%d of 64 kept, not %d", same, kept);
}

TEST(balance, slots_are_shared_by_weight_and_moved_as_little_as_can_be)
{
	struct balance balance = {.port.published = 80,
		.count = 3,
		.members = {{.weight = 2, .in = true}, {.weight = 1, .in = true}, {.weight = 1, .in = true}}};
	int before[BALANCE_SLOTS], now[BALANCE_SLOTS];

	for (int i = 0; i < BALANCE_SLOTS; i++)
		before[i] = NO_MEMBER;
	expect_quotas(&balance, before, (unsigned[]){32, 16, 16}, 0);
	slots_share(&balance, before, now);
	balance.members[2].in = false;
	balance.members[0].weight = 1;
	expect_quotas(&balance, now, (unsigned[]){32, 32, 0}, 48);
	balance.members[2].in = true;
	balance.members[2].weight = 100;
	expect_quotas(&balance, now, (unsigned[]){1, 1, 62}, 18);
}

TEST(balance, every_member_has_a_slot_however_many_and_however_light)
{
	struct balance balance = {.port.published = 80, .count = BALANCE_MEMBERS_MAX};
	int before[BALANCE_SLOTS];
	unsigned quotas[BALANCE_MEMBERS_MAX];

	for (int i = 0; i < BALANCE_SLOTS; i++) {
		before[i] = NO_MEMBER;
		balance.members[i] = (struct balance_member){.weight = i ? 1 : 100, .in = true};
		quotas[i] = 1;
	}
	expect_quotas(&balance, before, quotas, 0);
}

TEST(balance, with_nobody_in_all_have_slots_and_without_members_nobody)
{
	struct balance balance = {.count = 2, .members = {{.weight = 1}, {.weight = 3}}};
	int before[BALANCE_SLOTS] = {0}, after[BALANCE_SLOTS], second = 0;

	slots_share(&balance, before, after);
	for (int i = 0; i < BALANCE_SLOTS; i++)
		second += after[i] == 1;
	cr_assert(second == 48, "%d", second);
	balance.count = 0;
	for (int i = 0; i < BALANCE_SLOTS; i++)
		before[i] = NO_MEMBER;
	slots_share(&balance, before, after);
	for (int i = 0; i < BALANCE_SLOTS; i++)
		cr_assert(after[i] == NO_MEMBER);
}
