/* Publishing ports: who gets one, who is refused and with which words. Whether packets follow is test_ruleset.c's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/elements.h"
#include "netns/netns.h"
#include "netns/ruleset.h"
#include "netns/session.h"
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

static void count_one(const struct element *element, void *context)
{
	(void)element;
	++*(size_t *)context;
}

static size_t elements_in(struct scene *scene, const char *set)
{
	size_t count = 0;
	struct error err;

	ASSERT_OK(elements_dump(&scene->world.session->filter, set, count_one, &count, &err));
	return count;
}

static size_t elements_of_all(struct scene *scene)
{
	static const char *const maps[] = {
		SET_ADDRESS_PORTS, SET_ANY_PORTS, SET_RANGES, SET_ADDRESS_PORTS6, SET_ANY_PORTS6, SET_RANGES6};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		count += elements_in(scene, maps[i]);
	return count;
}

static void scene_close(struct scene *scene)
{
	guest_close(&scene->world, &scene->a);
	guest_close(&scene->world, &scene->b);
	cr_assert(elements_of_all(scene) == 0, "ports are left");
	cr_assert(elements_in(scene, SET_CLAIMS) == 0, "claims are left");
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

static struct port port_of(const char *text)
{
	struct port port;
	struct error err;

	ASSERT_OK(port_parse(text, &port, &err));
	return port;
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

	ASSERT_FAILS(publish(&s, &s.a, "203.0.113.9:8090:80", &err), ERROR_USAGE,
		"port 203.0.113.9:8090/tcp: this host has no such address");
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
