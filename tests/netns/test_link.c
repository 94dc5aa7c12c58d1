/* Attaching and detaching instances. */
#include "netns/links/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/netns/support_world.h"

static const struct endpoint some = {.slot = 7, .network_number = 1, .address = {0x0500580a}}; /* 10.88.0.5 */

TEST(link, attaching_makes_a_named_pair_and_detaching_removes_it)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();

	cr_assert(!endpoint_exists(world.session, some.slot));
	ASSERT_OK(endpoint_attach(world.session, &some, netns, 1000, &err));
	cr_assert(endpoint_exists(world.session, some.slot));
	cr_assert(link_is_there(some.slot));
	cr_assert(if_nametoindex("w7") == 100007);
	netns_enter(netns);
	cr_assert(if_nametoindex("eth0") != 0);
	netns_enter(world.host);
	ASSERT_OK(endpoint_detach(world.session, some.slot, &err));
	cr_assert(!endpoint_exists(world.session, some.slot));
	ASSERT_OK(endpoint_detach(world.session, some.slot, &err));
	fd_drop(&netns);
	world_close(&world);
}

TEST(link, a_link_that_lives_on_makes_attaching_fail_without_touching_it)
{
	NEEDS_ROOT();
	struct world world;
	struct endpoint other = some;
	struct error err;
	world_open(&world);
	auto_fd first = netns_new();
	auto_fd second = netns_new();

	other.address.s_addr = inet_addr("10.88.0.6");
	ASSERT_OK(endpoint_attach(world.session, &some, first, 1000, &err));
	ASSERT_FAILS(endpoint_attach(world.session, &other, second, 100, &err), ERROR_BUSY,
		"attach w7: the link of an earlier instance is still there");
	cr_assert(endpoint_exists(world.session, some.slot));
	cr_assert(!connects(&world, world.host, "10.88.0.6", 1), "no route of the failed attempt is left");
	command("/usr/sbin/ip route get 10.88.0.5 oif w7");
	fd_drop(&first);
	fd_drop(&second);
	await_gone(&world, some.slot);
	world_close(&world);
}

TEST(link, a_dying_link_of_the_same_slot_is_waited_for)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd first = netns_new();
	auto_fd second = netns_new();

	ASSERT_OK(endpoint_attach(world.session, &some, first, 1000, &err));
	fd_drop(&first);
	ASSERT_OK(endpoint_attach(world.session, &some, second, 10000, &err));
	netns_enter(second);
	cr_assert(if_nametoindex("eth0") != 0);
	netns_enter(world.host);
	fd_drop(&second);
	await_gone(&world, some.slot);
	world_close(&world);
}

TEST(link, an_address_that_is_routed_elsewhere_is_refused_and_nothing_is_left)
{
	NEEDS_ROOT();
	struct world world;
	struct endpoint other = some;
	struct error err;
	world_open(&world);
	auto_fd first = netns_new();
	auto_fd second = netns_new();

	other.slot = 8;
	ASSERT_OK(endpoint_attach(world.session, &some, first, 1000, &err));
	ASSERT_FAILS(endpoint_attach(world.session, &other, second, 60, &err), ERROR_BUSY,
		"attach w8: address 10.88.0.5 is routed to another link");
	cr_assert(!endpoint_exists(world.session, other.slot));
	cr_assert(endpoint_exists(world.session, some.slot));
	fd_drop(&first);
	fd_drop(&second);
	world_close(&world);
}

TEST(link, a_descriptor_that_is_no_namespace_is_refused_with_a_clear_error)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT_FAILS(endpoint_attach(world.session, &some, nothing, 1000, &err), ERROR_SYSTEM,
		"attach w7: create the link pair");
	cr_assert(!endpoint_exists(world.session, some.slot));
	fd_drop(&nothing);
	world_close(&world);
}

static bool route_exists(const char *words)
{
	auto_free char *command = text_format("/usr/sbin/ip %s | grep -q .", words);

	return system(command) == 0;
}

/* The multicast route comes with the carrier, from the kernel's worker. */
TEST(link, settled_it_needs_no_address_of_the_host_and_has_no_multicast_route)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6");
	struct endpoint both = some;
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();

	inet_pton(AF_INET6, "fd77::5", &both.address6);
	ASSERT_OK(endpoint_attach(world.session, &both, netns, 1000, &err));
	for (int i = 0; i < 200 && !route_exists("-6 route show table local dev w7 ff00::/8"); i++)
		poll(NULL, 0, 10);
	cr_assert(route_exists("-6 route show table local dev w7 ff00::/8"));
	ASSERT_OK(endpoint_settle(world.session, &both, &err));
	cr_assert(!route_exists("-6 route show table local dev w7 ff00::/8"));
	ASSERT_OK(endpoint_settle(world.session, &both, &err));
	command("/usr/sbin/ip addr del 169.254.1.1/32 dev lo");
	cr_assert(route_exists("route show 10.88.0.5 dev w7"));
	cr_assert(route_exists("-6 route show fd77::5 dev w7"));
	fd_drop(&netns);
	await_gone(&world, both.slot);
	world_close(&world);
}

/* Nobody has made the host's part here. */
TEST(link, the_gateways_address_is_put_back_where_somebody_took_it)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();

	cr_assert(!route_exists("addr show dev lo to 169.254.1.1"));
	ASSERT_OK(endpoint_attach(world.session, &some, netns, 1000, &err));
	cr_assert(route_exists("addr show dev lo to 169.254.1.1"));
	fd_drop(&netns);
	await_gone(&world, some.slot);
	world_close(&world);
}

/* A link with the index that a slot would have, but made by somebody else. */
TEST(link, a_foreign_link_is_never_taken_for_ours)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	command("/usr/sbin/ip link add foreign index 100007 type veth peer name other");
	cr_assert(!endpoint_exists(world.session, 7));
	ASSERT_OK(endpoint_detach(world.session, 7, &err));
	cr_assert(if_nametoindex("foreign") == 100007);
	command("/usr/sbin/ip link del foreign");
	command("/usr/sbin/ip link add w7 index 5000 type veth peer name other");
	cr_assert(!link_is_there(7));
	world_close(&world);
}

TEST(link, the_host_side_answers_no_arp)
{
	NEEDS_ROOT();
	struct world world;
	const char *flags;
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();

	ASSERT_OK(endpoint_attach(world.session, &some, netns, 1000, &err));
	/* /sys shows the namespace of its mount, so by ip(8). */
	static const char *const argv[] = {"/usr/sbin/ip", "-br", "link", "show", "w7", NULL};
	AUTO(text_drop) struct text output = {0};
	int status;
	ASSERT_OK(process_run(&(struct helper){.argv = argv, .timeout_ms = 5000}, &output, &status, &err));
	flags = text_string(&output);
	cr_assert(strstr(flags, "NOARP"), "%s", flags);
	cr_assert(strstr(flags, "02:77:00:00:00:01"), "%s", flags);
	text_drop(&output);
	output = (struct text){0};
	fd_drop(&netns);
	world_close(&world);
}

TEST(link, inside_without_an_address_there_is_only_loopback)
{
	NEEDS_ROOT();
	struct world world;
	world_open(&world);
	auto_fd server = listen_in(&world, world.host, "127.0.0.1", 80);

	cr_assert(connects(&world, world.host, "127.0.0.1", 80));
	fd_drop(&server);
	world_close(&world);
}

TEST(link, configuring_inside_without_eth0_says_which_step_failed)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	ASSERT_FAILS(endpoint_configure(world.host, &some, &err), ERROR_SYSTEM,
		"set up the network inside: set the address");
	world_close(&world);
}

/* The link stays somebody else's, and neither route of the failed attempt remains on it. */
TEST(link, a_failed_attempt_leaves_no_route_of_either_kind)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6 in the kernel");
	static const char *const argv[] = {"/usr/sbin/ip", "-6", "route", "show", "dev", "w7", NULL};
	AUTO(text_drop) struct text output = {0};
	struct endpoint mine = some, other = some;
	struct world world;
	struct error err;
	int status;
	world_open(&world);
	auto_fd first = netns_new();
	auto_fd second = netns_new();

	mine.address6 = ip6("fd01::5");
	other.address = ip("10.88.0.6");
	other.address6 = ip6("fd01::6");
	ASSERT_OK(endpoint_attach(world.session, &mine, first, 1000, &err));
	ASSERT_FAILS(endpoint_attach(world.session, &other, second, 100, &err), ERROR_BUSY,
		"attach w7: the link of an earlier instance is still there");
	ASSERT_OK(process_run(&(struct helper){.argv = argv, .timeout_ms = SLOWLY(5000)}, &output, &status, &err));
	cr_assert(strstr(text_string(&output), "fd01::5 "), "%s", text_string(&output));
	cr_assert(!strstr(text_string(&output), "fd01::6"), "%s", text_string(&output));
	fd_drop(&first);
	fd_drop(&second);
	await_gone(&world, 7);
	world_close(&world);
}

TEST(link, an_ipv6_address_that_is_routed_elsewhere_is_refused_by_name)
{
	NEEDS_ROOT();
	SKIP_UNLESS(net_has_ipv6(), "needs IPv6 in the kernel");
	struct endpoint mine = some, other = {.slot = 8, .network_number = 1};
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd first = netns_new();
	auto_fd second = netns_new();

	mine.address6 = other.address6 = ip6("fd01::5");
	other.address = ip("10.88.0.6");
	ASSERT_OK(endpoint_attach(world.session, &mine, first, 1000, &err));
	ASSERT_FAILS(endpoint_attach(world.session, &other, second, 60, &err), ERROR_BUSY,
		"attach w8: address fd01::5 is routed to another link");
	cr_assert(!endpoint_exists(world.session, 8));
	fd_drop(&first);
	fd_drop(&second);
	world_close(&world);
}

static int events_open(void)
{
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE};

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return take_fd(&fd);
}

#define CARRIER (1 << 16) /* IFF_LOWER_UP of linux/if.h, which does not go together with net/if.h */

/* What a socket has heard since, up to and behind the carrier. */
struct heard {
	unsigned before, after;
	bool carrier;
};

static bool has_carrier(const struct nlmsghdr *message)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);

	return message->nlmsg_type == RTM_NEWLINK && head->ifi_type == ARPHRD_ETHER && head->ifi_flags & CARRIER;
}

static struct heard hear(int events)
{
	uint64_t buffer[8192 / sizeof(uint64_t)];
	struct heard heard = {0};
	ssize_t length;

	while ((length = recv(events, buffer, sizeof(buffer), 0)) > 0) {
		int left = (int)length;

		for (struct nlmsghdr *message = (void *)buffer; mnl_nlmsg_ok(message, left);
			message = mnl_nlmsg_next(message, &left)) {
			heard.carrier |= has_carrier(message);
			if (message->nlmsg_type == RTM_NEWNEIGH || message->nlmsg_type == RTM_NEWROUTE)
				*(heard.carrier ? &heard.after : &heard.before) += 1;
		}
	}
	return heard;
}

/* With it a worker of the kernel's takes the lock for links, for as long as the host has instances. */
TEST(link, the_carrier_comes_when_all_else_is_there)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();
	auto_fd outside = events_open();
	netns_enter(netns);
	auto_fd inside = events_open();
	netns_enter(world.host);

	ASSERT_OK(endpoint_attach(world.session, &some, netns, 1000, &err));
	struct heard host = hear(outside), instance = hear(inside);
	cr_assert(host.carrier && host.before >= 2 && host.after == 0, "%u before, %u after", host.before, host.after);
	cr_assert(instance.before >= 2 && instance.after == 0, "%u before, %u after", instance.before, instance.after);
	fd_drop(&outside);
	fd_drop(&inside);
	fd_drop(&netns);
	await_gone(&world, some.slot);
	world_close(&world);
}
