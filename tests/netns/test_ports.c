/* Publishing ports: who gets one, who is refused and with which words. Whether packets follow is test_ruleset.c's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"
#include "netns/netns.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_scene.h"
#include "tests/netns/support_world.h"

struct scene {
	struct world world;
	struct arena arena;
	struct guest a, b;
};

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){0};
	world_open(&scene->world);
	struct network network =
		network_of(&scene->world, "default", NETWORK_DEFAULT_SUBNET, true, true, &scene->arena);
	guest_open(&scene->world, &network, &scene->a);
	guest_open(&scene->world, &network, &scene->b);
}

static size_t elements_of_all(struct scene *scene)
{
	static const char *const maps[] = {
		SET_ADDRESS_PORTS, SET_ANY_PORTS, SET_RANGES, SET_ADDRESS_PORTS6, SET_ANY_PORTS6, SET_RANGES6};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		count += elements_in(&scene->world, maps[i]);
	return count;
}

static void scene_close(struct scene *scene)
{
	guest_close(&scene->world, &scene->a);
	guest_close(&scene->world, &scene->b);
	cr_assert(elements_of_all(scene) == 0, "ports are left");
	cr_assert(elements_in(&scene->world, SET_CLAIMS) == 0, "claims are left");
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

static int publish(struct scene *scene, const struct guest *guest, const char *text, struct error *err)
{
	struct port port = port_of(text);

	return ports_publish(scene->world.session, &guest->endpoint, &port, 1, err);
}

TEST(ports, refuses_a_port_published_by_another_instance_and_says_whose)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	ASSERT_FAILS(publish(&s, &s.b, "8090:80", &err), ERROR_BUSY,
		"port 127.0.0.1:8090/tcp is published by the instance at 10.88.0.1");
	ASSERT_OK(publish(&s, &s.b, "8090:80/udp", &err));
	ASSERT_OK(publish(&s, &s.b, "127.0.0.2:8090:80", &err));
	scene_close(&s);
}

TEST(ports, refuses_a_port_on_which_a_process_of_the_host_listens)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	auto_fd tcp = listen_in(&s.world, s.world.host, "127.0.0.1", 8090);
	auto_fd udp = udp_in(&s.world, s.world.host, "0.0.0.0", 5300);

	ASSERT_FAILS(publish(&s, &s.a, "8090:80", &err), ERROR_BUSY,
		"port 127.0.0.1:8090/tcp is taken by a process of this host");
	ASSERT_FAILS(publish(&s, &s.a, "0.0.0.0:8090:80", &err), ERROR_BUSY,
		"port 0.0.0.0:8090/tcp is taken by a process of this host");
	ASSERT_FAILS(publish(&s, &s.a, "5300:53/udp", &err), ERROR_BUSY,
		"port 127.0.0.1:5300/udp is taken by a process of this host");
	fd_drop(&tcp);
	fd_drop(&udp);
	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	scene_close(&s);
}

TEST(ports, refuses_an_address_that_the_host_does_not_have)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	static const char *const addresses[] = {"203.0.113.9", "192.0.2.255", "192.0.2.0", "[2001:db8:5::9]"};
	outside_open(&s.world);
	for (size_t i = 0; i < (net_has_ipv6() ? 4 : 3); i++) {
		auto_free char *port = text_format("%s:8090:80", addresses[i]);
		auto_free char *says = text_format("port %s:8090/tcp: this host has no such address", addresses[i]);

		ASSERT_FAILS(publish(&s, &s.a, port, &err), ERROR_USAGE, says);
	}
	ASSERT_OK(publish(&s, &s.a, WAN_HOST ":8090:80", &err));
	scene_close(&s);
}

TEST(ports, the_same_port_on_one_address_and_on_any_is_refused_both_ways)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	ASSERT_FAILS(publish(&s, &s.b, "0.0.0.0:8090:80", &err), ERROR_BUSY,
		"port 0.0.0.0:8090/tcp is published by the instance at 10.88.0.1");
	ASSERT_OK(publish(&s, &s.b, "0.0.0.0:8091:80", &err));
	ASSERT_FAILS(publish(&s, &s.a, "8091:80", &err), ERROR_BUSY,
		"port 127.0.0.1:8091/tcp is published by the instance at 10.88.0.2");
	cr_assert(elements_of_all(&s) == 2, "a refused publication left something");
	scene_close(&s);
}

TEST(ports, one_refused_port_leaves_none_of_the_call_published)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port ports[] = {port_of("8090:80"), port_of("0.0.0.0:8092:80"), port_of("8091:80")};

	ASSERT_OK(publish(&s, &s.b, "8091:80", &err));
	ASSERT_FAILS(ports_publish(s.world.session, &s.a.endpoint, ports, 3, &err), ERROR_BUSY,
		"port 127.0.0.1:8091/tcp is published by the instance at 10.88.0.2");
	cr_assert(elements_of_all(&s) == 1);
	scene_close(&s);
}

TEST(ports, publishing_again_what_leads_here_already_is_fine)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port ports[] = {port_of("8090:80"), port_of("0.0.0.0:8092:80"), port_of("8093:80")};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, 2, &err));
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, 3, &err));
	cr_assert(elements_of_all(&s) == 3);
	ASSERT_FAILS(publish(&s, &s.a, "8090:81", &err), ERROR_BUSY,
		"port 127.0.0.1:8090/tcp is published by the instance at 10.88.0.1");
	scene_close(&s);
}

TEST(ports, a_number_is_chosen_that_nobody_has)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port ports[] = {port_of("80"), port_of("80"), port_of("0.0.0.0::80"), port_of("53/udp")};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, 4, &err));
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		cr_assert(ports[i].published >= 61000, "port %u", ports[i].published);
	cr_assert(ports[0].published != ports[1].published);
	cr_assert(elements_of_all(&s) == 4);
	scene_close(&s);
}

TEST(ports, asked_for_twice_in_one_call_is_once_or_a_contradiction)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port same[] = {port_of("8090:80"), port_of("8090:80")};
	struct port other[] = {port_of("8091:80"), port_of("8091:81")};
	struct port wider[] = {port_of("8092:80"), port_of("0.0.0.0:8092:80")};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, same, 2, &err));
	ASSERT_FAILS(ports_publish(s.world.session, &s.a.endpoint, other, 2, &err), ERROR_USAGE,
		"port 127.0.0.1:8091/tcp is asked for twice");
	ASSERT_FAILS(ports_publish(s.world.session, &s.a.endpoint, wider, 2, &err), ERROR_USAGE,
		"8092/tcp is asked for twice");
	cr_assert(elements_of_all(&s) == 1);
	scene_close(&s);
}

TEST(ports, a_given_number_is_not_chosen_for_another_port)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port first = port_of("80");
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &first, 1, &err));
	ASSERT_OK(ports_unpublish(s.world.session, &s.a.endpoint, &first, 1, &err));
	struct port ports[] = {port_of("80"), first};

	ports[1].target = 81;
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, 2, &err));
	cr_assert(ports[1].published == first.published);
	cr_assert(ports[0].published == first.published + 1);
	scene_close(&s);
}

TEST(ports, a_chosen_number_avoids_listeners_of_the_host_and_ports_of_instances)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", "1024 65023", &err));
	struct port first = port_of("80"), second = port_of("80"), third = port_of("0.0.0.0::80");
	/* Where the search begins follows from address and port: take the first three it would try. */
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &first, 1, &err));
	auto_fd listener = listen_in(&s.world, s.world.host, "127.0.0.1", (uint16_t)(first.published + 1));

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &second, 1, &err));
	cr_assert(second.published == first.published + 2, "%u then %u", first.published, second.published);
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &third, 1, &err));
	cr_assert(third.published == first.published + 3, "%u then %u", first.published, third.published);
	fd_drop(&listener);
	scene_close(&s);
}

/* 512 numbers to choose from. Those that an instance has, on one address or on any, are passed over however many lie
 * side by side, and marks that stand for nobody are in nobody's way. */
TEST(ports, the_last_free_number_is_chosen_and_then_there_is_none)
{
	NEEDS_ROOT();
	NEEDS_ALL_THE_TIME();
	struct scene s;
	struct error err;
	scene_open(&s);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", "1024 65023", &err));
	struct port marked = port_of("127.0.0.1:65024-65535:24-535"), all = port_of("0.0.0.0::80"), one = port_of("80");

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &marked, 1, &err));
	ASSERT_OK(ports_unpublish(s.world.session, &s.a.endpoint, &marked, 1, &err));
	ASSERT_OK(publish(&s, &s.a, "0.0.0.0:65024-65233:24-233", &err));
	ASSERT_OK(publish(&s, &s.a, "127.0.0.1:65234-65533:234-533", &err));
	ASSERT_OK(ports_publish(s.world.session, &s.b.endpoint, &all, 1, &err));
	cr_assert(all.published >= 65534, "%u", all.published);
	ASSERT_OK(ports_publish(s.world.session, &s.b.endpoint, &one, 1, &err));
	cr_assert(one.published >= 65534 && one.published != all.published, "%u", one.published);
	ASSERT_FAILS(publish(&s, &s.b, "80", &err), ERROR_BUSY, "all ports from 65024 to 65535 are taken");
	ASSERT_FAILS(publish(&s, &s.b, "0.0.0.0::81", &err), ERROR_BUSY, "all ports from 65024 to 65535 are taken");
	ASSERT_OK(ports_unpublish_all(s.world.session, &s.a.endpoint, &err));
	ASSERT_OK(ports_unpublish_all(s.world.session, &s.b.endpoint, &err));
	scene_close(&s);
}

TEST(ports, a_thousand_ports_are_published_and_removed_in_one_call_each)
{
	NEEDS_ROOT();
	struct scene s;
	static struct port ports[1000];
	struct error err;
	scene_open(&s);

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		ports[i] = port_of(i % 2 ? "1:80" : "0.0.0.0:1:80");
		ports[i].published = (uint16_t)(10000 + i);
	}
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, ARRAY_SIZE(ports), &err));
	cr_assert(elements_of_all(&s) == ARRAY_SIZE(ports));
	ASSERT_OK(ports_unpublish(s.world.session, &s.a.endpoint, ports, ARRAY_SIZE(ports), &err));
	cr_assert(elements_of_all(&s) == 0);
	scene_close(&s);
}

/* Refused only in the last of several transactions. */
TEST(ports, a_late_refusal_takes_back_the_earlier_transactions)
{
	NEEDS_ROOT();
	struct scene s;
	static struct port ports[200];
	struct error err;
	scene_open(&s);

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		ports[i] = port_of("1:80");
		ports[i].published = (uint16_t)(10000 + i);
	}
	ASSERT_OK(publish(&s, &s.b, "10199:80", &err));
	ASSERT_FAILS(ports_publish(s.world.session, &s.a.endpoint, ports, ARRAY_SIZE(ports), &err), ERROR_BUSY,
		"port 127.0.0.1:10199/tcp is published by the instance at 10.88.0.2");
	cr_assert(elements_of_all(&s) == 1);
	scene_close(&s);
}

TEST(ports, unpublishing_leaves_what_leads_to_another_instance)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port ports[] = {port_of("8090:80"), port_of("8091:80"), port_of("0.0.0.0:9000:1")};

	ASSERT_OK(publish(&s, &s.b, "8091:80", &err));
	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	ASSERT_OK(ports_unpublish(s.world.session, &s.a.endpoint, ports, 3, &err));
	cr_assert(elements_of_all(&s) == 1);
	ASSERT_OK(ports_unpublish(s.world.session, &s.b.endpoint, ports, 3, &err));
	cr_assert(elements_of_all(&s) == 0);
	scene_close(&s);
}

TEST(ports, unpublishing_an_address_takes_all_of_its_ports_and_no_others)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	ASSERT_OK(publish(&s, &s.a, "0.0.0.0:8091:80", &err));
	ASSERT_OK(publish(&s, &s.b, "8092:80", &err));
	ASSERT_OK(ports_unpublish_all(s.world.session, &s.a.endpoint, &err));
	cr_assert(elements_of_all(&s) == 1);
	scene_close(&s);
}

TEST(ports, twenty_processes_at_once_have_one_winner)
{
	NEEDS_ROOT();
	struct scene s;
	int pidfds[20], winners = 0, status;
	struct error err;
	scene_open(&s);

	for (int i = 0; i < 20; i++) {
		pid_t pid = process_clone(0, -1, &pidfds[i]);
		cr_assert(pid >= 0);
		if (pid > 0)
			continue;
		/* Half of them for one address, half for any. */
		struct net_session *own = net_session_open(&err);
		struct endpoint mine = i % 2 ? s.a.endpoint : s.b.endpoint;
		struct port port = port_of(i % 2 ? "8090:80" : "0.0.0.0:8090:80");
		port.target = (uint16_t)(100 + i);
		_exit(own && ports_publish(own, &mine, &port, 1, &err) == 0 ? 0 : err.kind == ERROR_BUSY ? 1 : 2);
	}
	for (int i = 0; i < 20; i++) {
		ASSERT_OK(process_reap(pidfds[i], &status, &err));
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2, "status %x", status);
		winners += WEXITSTATUS(status) == 0;
		close(pidfds[i]);
	}
	cr_assert(winners == 1 && (size_t)winners == elements_of_all(&s), "%d winners, %zu elements", winners,
		elements_of_all(&s));
	scene_close(&s);
}

/* --- ranges, protocols and families ------------------------------------------------------------------------------- */

TEST(ports, a_range_is_one_element_and_each_of_its_numbers_is_taken)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	ASSERT_OK(publish(&s, &s.a, "8000-8099:8000-8099", &err));
	cr_assert(elements_of_all(&s) == 1 && elements_in(&s.world, SET_CLAIMS) == 100);
	ASSERT_FAILS(publish(&s, &s.b, "8050:80", &err), ERROR_BUSY,
		"port 127.0.0.1:8050/tcp is published by the instance at 10.88.0.1");
	ASSERT_FAILS(publish(&s, &s.b, "0.0.0.0:8099:80", &err), ERROR_BUSY, "published by the instance at 10.88.0.1");
	ASSERT_FAILS(publish(&s, &s.b, "8090-8110:8090-8110", &err), ERROR_BUSY,
		"port 127.0.0.1:8090/tcp is published by the instance at 10.88.0.1");
	ASSERT_FAILS(publish(&s, &s.b, "0.0.0.0:7000-9000:7000-9000", &err), ERROR_BUSY, "published by the instance");
	ASSERT_OK(publish(&s, &s.b, "8050:80/udp", &err));
	ASSERT_OK(publish(&s, &s.b, "8100-8110:8100-8110", &err));
	ASSERT_OK(publish(&s, &s.a, "8000-8099:8000-8099", &err));
	cr_assert(elements_of_all(&s) == 3, "a refused range left something");
	scene_close(&s);
}

TEST(ports, a_range_over_a_port_that_somebody_has_is_refused)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	auto_fd listener = listen_in(&s.world, s.world.host, "127.0.0.1", 9005);

	ASSERT_OK(publish(&s, &s.a, "8005:80", &err));
	ASSERT_FAILS(publish(&s, &s.b, "8000-8300:8000-8300", &err), ERROR_BUSY,
		"port 127.0.0.1:8005/tcp is published by the instance at 10.88.0.1");
	ASSERT_FAILS(publish(&s, &s.b, "9000-9010:9000-9010", &err), ERROR_BUSY,
		"port 127.0.0.1:9005/tcp is taken by a process of this host");
	cr_assert(elements_of_all(&s) == 1 && elements_in(&s.world, SET_CLAIMS) == 1);
	fd_drop(&listener);
	scene_close(&s);
}

TEST(ports, a_range_leads_each_of_its_numbers_to_the_same_one_and_a_shifted_one_to_its_own)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	outside_open(&s.world);
	auto_fd first = listen_in(&s.world, s.a.netns, "0.0.0.0", 8000);
	auto_fd last = listen_in(&s.world, s.a.netns, "0.0.0.0", 8010);
	auto_fd shifted = listen_in(&s.world, s.a.netns, "0.0.0.0", 8110);

	ASSERT_OK(publish(&s, &s.a, "0.0.0.0:8000-8010:8000-8010", &err));
	ASSERT_OK(publish(&s, &s.a, "192.0.2.1:9000-9010:8100-8110", &err));
	cr_assert(elements_of_all(&s) == 12);
	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 8000));
	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 8010));
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8010));
	cr_assert(!connects(&s.world, s.world.outside, WAN_HOST, 8011));
	cr_assert(!connects(&s.world, s.world.outside, WAN_HOST, 7999));
	cr_assert(connects(&s.world, s.world.outside, WAN_HOST, 9010));
	fd_drop(&first);
	fd_drop(&last);
	fd_drop(&shifted);
	scene_close(&s);
}

TEST(ports, families_and_protocols_do_not_collide_and_each_is_refused_twice)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	struct error err;
	scene_open(&s);
	static const char *const forms[] = {"0.0.0.0:8090:80", "0.0.0.0:8090:80/udp", "0.0.0.0:8090:80/sctp",
		"[::]:8090:80", "[::]:8090:80/udp", "[::]:8090:80/sctp", "[::]:8100-8110:8100-8110/udp"};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		ASSERT_OK(publish(&s, &s.a, forms[i], &err));
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		ASSERT_FAILS(publish(&s, &s.b, forms[i], &err), ERROR_BUSY, "published by the instance at 10.88.0.1");
	ASSERT_FAILS(publish(&s, &s.b, "[fd00::99]:8090:80", &err), ERROR_USAGE, "this host has no such address");
	cr_assert(elements_of_all(&s) == ARRAY_SIZE(forms));
	scene_close(&s);
}

TEST(ports, refuses_an_ipv6_port_on_which_a_process_listens_or_that_the_instance_cannot_serve)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct scene s;
	struct error err;
	scene_open(&s);
	auto_fd listener = listen_in(&s.world, s.world.host, "::1", 8090);
	struct endpoint four = s.a.endpoint;
	struct port port = port_of("[::]:8091:80");

	ASSERT_FAILS(publish(&s, &s.a, "[::]:8090:80", &err), ERROR_BUSY,
		"port [::]:8090/tcp is taken by a process of this host");
	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	four.address6 = in6addr_any;
	ASSERT_FAILS(ports_publish(s.world.session, &four, &port, 1, &err), ERROR_USAGE,
		"port [::]:8091->80/tcp: the instance has no IPv6 address, because its network had none when it was "
		"made, "
		"or it has switched it off; publish on an IPv4 address");
	fd_drop(&listener);
	scene_close(&s);
}

/* The mark that a number is used on a single address stays behind; see ports.c. */
TEST(ports, a_number_that_was_once_used_on_one_address_is_free_for_any)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	struct port port = port_of("8090:80");
	scene_open(&s);

	ASSERT_OK(publish(&s, &s.a, "8090:80", &err));
	ASSERT_OK(ports_unpublish(s.world.session, &s.a.endpoint, &port, 1, &err));
	cr_assert(elements_in(&s.world, SET_NARROW) == 1);
	ASSERT_OK(publish(&s, &s.b, "0.0.0.0:8090:80", &err));
	ASSERT_FAILS(publish(&s, &s.a, "8090:80", &err), ERROR_BUSY, "published by the instance at 10.88.0.2");
	scene_close(&s);
}

/* --- while it runs ------------------------------------------------------------------------------------------------ */

TEST(ports, a_change_is_one_transaction_that_keeps_what_stays)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port old[] = {port_of("8090:80"), port_of("8091:80"), port_of("80")};
	struct port next[] = {port_of("8091:81"), port_of("0.0.0.0:8092:80"), port_of("80"), port_of("8090:80")};
	struct port taken[] = {port_of("8099:1"), port_of("8093:80")};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, old, 3, &err));
	ASSERT_OK(ports_change(s.world.session, &s.a.endpoint, old, 3, next, 4, &err));
	cr_assert(next[2].published == old[2].published, "a chosen number stays");
	cr_assert(elements_of_all(&s) == 4);
	struct port same[] = {port_of("8091:81")};
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, same, 1, &err));
	ASSERT_OK(publish(&s, &s.b, "8093:80", &err));
	ASSERT_FAILS(ports_change(s.world.session, &s.a.endpoint, next, 4, taken, 2, &err), ERROR_BUSY,
		"change published ports: port 127.0.0.1:8093/tcp is published by the instance at 10.88.0.2");
	cr_assert(elements_of_all(&s) == 5, "a refused change changed something");
	ASSERT_OK(ports_change(s.world.session, &s.a.endpoint, next, 4, NULL, 0, &err));
	cr_assert(elements_of_all(&s) == 1);
	scene_close(&s);
}

TEST(ports, a_large_change_that_is_refused_leaves_everything_as_it_was)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);
	struct port old = port_of("9000-9999:8000-8999"), next[] = {port_of("9000-9999:7000-7999"), port_of("8093:80")};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &old, 1, &err));
	ASSERT_OK(publish(&s, &s.b, "8093:80", &err));
	ASSERT_FAILS(ports_change(s.world.session, &s.a.endpoint, &old, 1, next, 2, &err), ERROR_BUSY, "8093/tcp");
	cr_assert(elements_of_all(&s) == 1001);
	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, &old, 1, &err));
	ASSERT_OK(ports_change(s.world.session, &s.a.endpoint, &old, 1, next, 1, &err));
	cr_assert(elements_of_all(&s) == 1001);
	scene_close(&s);
}

FAMILY_TEST(ports, a_switch_leads_new_connections_elsewhere_and_keeps_the_established)
{
	struct scene s;
	struct error err;
	size_t established;
	scene_open(&s);
	outside_open(&s.world);
	auto_fd first = listen_in(&s.world, s.a.netns, family->any, 80);
	auto_fd second = listen_in(&s.world, s.b.netns, family->any, 80);
	auto_free char *single = text_format("%s:8090:80", family->anywhere);
	auto_free char *range = text_format("%s:8100-8110:8100-8110", family->anywhere);
	auto_free char *udp = text_format("%s:8095:80/udp", family->anywhere);
	struct port ports[] = {port_of(single), port_of(range), port_of(udp)};

	ASSERT_OK(ports_publish(s.world.session, &s.a.endpoint, ports, 2, &err));
	auto_fd kept = connection_from(&s.world, s.world.outside, NULL, family->host, 8090);
	auto_fd served = accepted(first);
	cr_assert(kept >= 0 && served >= 0);
	ASSERT_OK(flows_established(s.world.session, &s.a.endpoint, &established, &err));
	cr_assert(established == 1, "%zu", established);
	ASSERT_OK(ports_switch(s.world.session, &s.a.endpoint, &s.b.endpoint, ports, 3, &err));
	cr_assert(elements_of_all(&s) == 3);
	cr_assert(connects(&s.world, s.world.outside, family->host, 8090));
	cr_assert(accept4(first, NULL, NULL, SOCK_CLOEXEC) < 0, "the first one got a new connection");
	struct pollfd comes = {.fd = second, .events = POLLIN};
	cr_assert(poll(&comes, 1, 3000) == 1, "the second one did not");
	struct pollfd arrives = {.fd = served, .events = POLLIN};
	cr_assert(send(kept, "x", 1, 0) == 1 && poll(&arrives, 1, 3000) == 1, "the established one is lost");
	ASSERT_OK(ports_switch(s.world.session, &s.a.endpoint, &s.b.endpoint, ports, 3, &err));
	ASSERT_FAILS(publish(&s, &s.a, single, &err), ERROR_BUSY, "published by the instance at 10.88.0.2");
	fd_drop(&kept);
	fd_drop(&served);
	fd_drop(&first);
	fd_drop(&second);
	scene_close(&s);
}

TEST(ports, a_table_of_our_name_that_is_not_ours_is_refused_and_an_emptied_one_of_ours_is_not)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	command("/usr/sbin/nft flush table inet warren");
	cr_assert(net_host_up(&s.world.state, &err) == 1);
	command("/usr/sbin/nft delete table inet warren");
	command("/usr/sbin/nft add table inet warren");
	ASSERT_FAILS(net_host_up(&s.world.state, &err), ERROR_BUSY,
		"somebody else's nftables table \"inet warren\" is in the way");
	command("/usr/sbin/nft delete table inet warren");
	cr_assert(net_host_up(&s.world.state, &err) == 1);
	scene_close(&s);
}
