/* Beside other container engines and the administrator's own rules: theirs go on working, and theirs count. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/netlink/session.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_world.h"

#define ENGINE_HOST "172.17.0.1"
#define ENGINE_CONTAINER "172.17.0.2"
#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

/* What docker 20.10 has in iptables (through nft) with one container that publishes 8088. */
static const char docker_rules[] =
	"table ip nat {\n"
	"	chain DOCKER {\n"
	"		iifname \"docker0\" counter return\n"
	"		iifname != \"docker0\" tcp dport 8088 counter dnat to 172.17.0.2:80\n"
	"	}\n"
	"	chain PREROUTING {\n"
	"		type nat hook prerouting priority dstnat; policy accept;\n"
	"		fib daddr type local counter jump DOCKER\n"
	"	}\n"
	"	chain OUTPUT {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		ip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER\n"
	"	}\n"
	"	chain POSTROUTING {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		oifname != \"docker0\" ip saddr 172.17.0.0/16 counter masquerade\n"
	"		ip saddr 172.17.0.2 ip daddr 172.17.0.2 tcp dport 80 counter masquerade\n"
	"	}\n"
	"}\n"
	"table ip filter {\n"
	"	chain DOCKER {\n"
	"		iifname != \"docker0\" oifname \"docker0\" ip daddr 172.17.0.2 tcp dport 80 counter accept\n"
	"	}\n"
	"	chain DOCKER-ISOLATION-STAGE-1 {\n"
	"		iifname \"docker0\" oifname != \"docker0\" counter jump DOCKER-ISOLATION-STAGE-2\n"
	"		counter return\n"
	"	}\n"
	"	chain DOCKER-ISOLATION-STAGE-2 {\n"
	"		oifname \"docker0\" counter drop\n"
	"		counter return\n"
	"	}\n"
	"	chain DOCKER-USER {\n"
	"		counter return\n"
	"	}\n"
	"	chain FORWARD {\n"
	"		type filter hook forward priority filter; policy drop;\n"
	"		counter jump DOCKER-USER\n"
	"		counter jump DOCKER-ISOLATION-STAGE-1\n"
	"		oifname \"docker0\" ct state related,established counter accept\n"
	"		oifname \"docker0\" counter jump DOCKER\n"
	"		iifname \"docker0\" oifname != \"docker0\" counter accept\n"
	"		iifname \"docker0\" oifname \"docker0\" counter accept\n"
	"	}\n"
	"}\n";

/* What netavark 1.4 (podman) has with one container that publishes 8088. */
static const char netavark_rules[] =
	"table ip nat {\n"
	"	chain NETAVARK-HOSTPORT-SETMARK { counter meta mark set mark or 0x2000; }\n"
	"	chain NETAVARK-HOSTPORT-MASQ { meta mark and 0x2000 == 0x2000 counter masquerade; }\n"
	"	chain NETAVARK-1D8721804F16F {\n"
	"		ip daddr 172.17.0.0/16 counter accept\n"
	"		ip daddr != 224.0.0.0/4 counter masquerade\n"
	"	}\n"
	"	chain NETAVARK-DN-1D8721804F16F {\n"
	"		ip saddr 172.17.0.0/16 tcp dport 8088 counter jump NETAVARK-HOSTPORT-SETMARK\n"
	"		ip saddr 127.0.0.1 tcp dport 8088 counter jump NETAVARK-HOSTPORT-SETMARK\n"
	"		tcp dport 8088 counter dnat to 172.17.0.2:80\n"
	"	}\n"
	"	chain NETAVARK-HOSTPORT-DNAT { tcp dport 8088 counter jump NETAVARK-DN-1D8721804F16F; }\n"
	"	chain PREROUTING {\n"
	"		type nat hook prerouting priority dstnat; policy accept;\n"
	"		fib daddr type local counter jump NETAVARK-HOSTPORT-DNAT\n"
	"	}\n"
	"	chain OUTPUT {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		fib daddr type local counter jump NETAVARK-HOSTPORT-DNAT\n"
	"	}\n"
	"	chain POSTROUTING {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		counter jump NETAVARK-HOSTPORT-MASQ\n"
	"		ip saddr 172.17.0.0/16 counter jump NETAVARK-1D8721804F16F\n"
	"	}\n"
	"}\n"
	"table ip filter {\n"
	"	chain NETAVARK_FORWARD {\n"
	"		ip daddr 172.17.0.0/16 ct state related,established counter accept\n"
	"		ip saddr 172.17.0.0/16 counter accept\n"
	"	}\n"
	"	chain FORWARD {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		counter jump NETAVARK_FORWARD\n"
	"	}\n"
	"}\n";

/* A host with one instance of ours that publishes 8080, and a neighbour outside. */
struct scene {
	struct world world;
	struct arena arena;
	struct guest guest;
	int server;	      /* of the instance, on port 80 */
	int container, other; /* another engine's, and its server; -1 until engine_open() */
};

static void scene_open(struct scene *scene)
{
	struct network network;
	struct port port;
	struct error err;

	*scene = (struct scene){.container = -1, .other = -1};
	world_open(&scene->world);
	outside_open(&scene->world);
	network = network_of(&scene->world, "default", NETWORK_DEFAULT_SUBNET, true, true, &scene->arena);
	guest_open(&scene->world, &network, &scene->guest);
	scene->server = listen_in(&scene->world, scene->guest.netns, "0.0.0.0", 80);
	ASSERT_OK(port_parse("0.0.0.0:8080:80", &port, &err));
	ASSERT_OK(ports_publish(scene->world.session, &scene->guest.endpoint, &port, 1, &err));
}

static void scene_close(struct scene *scene)
{
	fd_drop(&scene->server);
	fd_drop(&scene->container);
	fd_drop(&scene->other);
	guest_close(&scene->world, &scene->guest);
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

/* As engines do it: a bridge, a container on it, forwarding, and their rules. */
static void engine_open(struct scene *scene, const char *bridge, const char *rules)
{
	struct world *world = &scene->world;
	auto_free char *make = text_format("/usr/sbin/ip link add %s type bridge", bridge);
	auto_free char *address = text_format("/usr/sbin/ip addr add " ENGINE_HOST "/16 dev %s", bridge);
	auto_free char *up = text_format("/usr/sbin/ip link set %s up", bridge);
	auto_free char *master = text_format("/usr/sbin/ip link set veth0 master %s up", bridge);
	struct error err;

	command(make);
	command(address);
	command(up);
	scene->container = netns_new();
	auto_free char *pair = text_format("/usr/sbin/ip link add veth0 type veth peer name eth0 netns /proc/%d/fd/%d",
		getpid(), scene->container);
	command(pair);
	command(master);
	netns_enter(scene->container);
	command("/usr/sbin/ip link set lo up");
	command("/usr/sbin/ip addr add " ENGINE_CONTAINER "/16 dev eth0");
	command("/usr/sbin/ip link set eth0 up");
	command("/usr/sbin/ip route add default via " ENGINE_HOST);
	netns_enter(world->host);
	ASSERT_OK(file_write(AT_FDCWD, IP_FORWARD, "1", &err));
	ASSERT_OK(ruleset_text_load(rules, &err));
	scene->other = listen_in(world, scene->container, "0.0.0.0", 80);
}

static void expect_engine_works(struct scene *scene)
{
	struct world *world = &scene->world;
	auto_fd server = listen_in(world, world->outside, "0.0.0.0", 80);

	cr_assert(connects(world, scene->container, WAN_OUTSIDE, 80), "its container does not get out");
	cr_assert(accepted_from(server).s_addr == ip(WAN_HOST).s_addr, "with the host's address");
	cr_assert(connects(world, world->outside, WAN_HOST, 8088), "its port is not reached from outside");
	cr_assert(connects(world, world->host, WAN_HOST, 8088), "nor from the host");
}

static void expect_ours_works(struct scene *scene)
{
	struct world *world = &scene->world;
	auto_fd server = listen_in(world, world->outside, "0.0.0.0", 80);

	cr_assert(connects(world, scene->guest.netns, WAN_OUTSIDE, 80), "ours does not get out");
	cr_assert(connects(world, world->outside, WAN_HOST, 8080), "our port is not reached from outside");
	cr_assert(connects(world, world->host, "127.0.0.1", 8080), "nor from the host");
}

static void expect_apart(struct scene *scene)
{
	struct world *world = &scene->world;

	cr_assert(is_dropped_to(world, scene->container, scene->guest.endpoint.address, 80), "it reaches ours");
	cr_assert(is_dropped(world, scene->guest.netns, ENGINE_HOST, 22), "ours reaches its side of the host");
}

TEST(coexistence, with_podman_that_came_after_us_both_work)
{
	NEEDS_ROOT();
	struct scene s;
	scene_open(&s);

	engine_open(&s, "podman0", netavark_rules);
	expect_engine_works(&s);
	expect_ours_works(&s);
	expect_apart(&s);
	scene_close(&s);
}

/* docker drops by its policy what it does not know. The remedy is what warren doctor prints. */
TEST(coexistence, docker_cuts_us_off_until_it_is_told_and_goes_on_working)
{
	NEEDS_ROOT();
	struct scene s;
	struct strings chains;
	struct error err;
	scene_open(&s);

	engine_open(&s, "docker0", docker_rules);
	expect_engine_works(&s);
	cr_assert(is_dropped(&s.world, s.world.outside, WAN_HOST, 8080));
	ASSERT_OK(net_foreign_drops(&s.arena, WAY_FORWARD, &chains, &err));
	cr_assert(strings_contain(&chains, "ip filter FORWARD"));
	ASSERT_OK(ruleset_text_load("insert rule ip filter FORWARD iifgroup 30465-34559 accept\n"
				    "insert rule ip filter FORWARD oifgroup 30465-34559 accept\n",
		&err));
	expect_ours_works(&s);
	expect_engine_works(&s);
	expect_apart(&s);
	scene_close(&s);
}

/* Forwarding is what others count on by now. */
TEST(coexistence, our_end_leaves_forwarding_to_who_came_after_us)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	engine_open(&s, "docker0", docker_rules);
	fd_drop(&s.server);
	guest_close(&s.world, &s.guest);
	ASSERT_OK(net_host_down_if_unused(&s.world.state, &err));
	cr_assert(ruleset_is_current(&s.world.session->filter, &err) == 0);
	expect_engine_works(&s);
	fd_drop(&s.container);
	fd_drop(&s.other);
	world_close(&s.world);
	arena_drop(&s.arena);
}

/* A bridge that was there before and did not route does not begin to because of us. */
TEST(coexistence, a_bridge_that_was_there_before_does_not_become_a_router)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct scene s = {.container = -1, .other = -1, .server = -1};
	struct error err;
	world_open(&s.world);
	outside_open(&s.world);
	engine_open(&s, "br0", "table ip none { }\n");
	ASSERT_OK(file_write(AT_FDCWD, IP_FORWARD, "0", &err));
	struct network network = network_of(&s.world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	guest_open(&s.world, &network, &s.guest);

	auto_fd server = listen_in(&s.world, s.world.outside, "0.0.0.0", 80);
	cr_assert(connects(&s.world, s.world.host, WAN_OUTSIDE, 80));
	cr_assert(is_dropped(&s.world, s.container, WAN_OUTSIDE, 80));
	cr_assert(is_dropped(&s.world, s.world.outside, ENGINE_CONTAINER, 80));
	fd_drop(&server);
	scene_close(&s);
}

TEST(coexistence, an_administrators_drop_counts)
{
	NEEDS_ROOT();
	struct scene s;
	struct error err;
	scene_open(&s);

	expect_ours_works(&s);
	ASSERT_OK(ruleset_text_load("table inet wall {\n"
				    "	chain f { type filter hook forward priority 10; policy accept;\n"
				    "		ip saddr " WAN_OUTSIDE " ct state new drop\n	}\n"
				    "	chain i { type filter hook input priority -10; policy accept;\n"
				    "		iifname \"w*\" icmp type echo-request drop\n	}\n}\n",
		&err));
	cr_assert(is_dropped(&s.world, s.world.outside, WAN_HOST, 8080), "a drop behind our accept");
	cr_assert(connects(&s.world, s.world.host, "127.0.0.1", 8080), "which says nothing of the host");
	scene_close(&s);
}

/* Somebody's `nft flush ruleset` takes all; theirs and ours come back each by its own hand. */
TEST(coexistence, a_flush_is_mended_without_touching_what_others_load_anew)
{
	NEEDS_ROOT();
	struct scene s;
	struct port port;
	struct error err;
	scene_open(&s);

	engine_open(&s, "podman0", netavark_rules);
	ASSERT_OK(ruleset_text_load("flush ruleset\n", &err));
	ASSERT_OK(ruleset_text_load(netavark_rules, &err));
	cr_assert(net_host_up(&s.world.state, &err) == 1);
	ASSERT_OK(port_parse("0.0.0.0:8080:80", &port, &err));
	ASSERT_OK(ports_publish(s.world.session, &s.guest.endpoint, &port, 1, &err));
	ASSERT_OK(net_host_republished(&s.world.state, &err));
	expect_engine_works(&s);
	expect_ours_works(&s);
	expect_apart(&s);
	scene_close(&s);
}
