/* The veth pair of an instance, created with everything in one message: the peer is born inside the instance's
 * namespace under its final name and index. Moving or renaming it afterwards would cost an RCU grace period each.
 *
 * Host sides take no part in ARP: both ends have permanent neighbours, so the kernel-wide neighbour limit (1,024) does
 * not count them, and an instance can neither fill the host's table nor ask it for addresses of other links. */
#include "netns/links/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/links/rates.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

#define ATTACH_MESSAGES 8
#define WAIT_SLICE_MS 50 /* routes of a dying link vanish without a message of their own */

#define OPERSTATE_DORMANT 5 /* IF_OPER_DORMANT of linux/if.h, which does not go together with net/if.h */

/* Messages that somebody else may be in the way of, by their place in the request. */
enum pair_step { PAIR_LINK, PAIR_NO_LINK_LOCAL, PAIR_ROUTE };
enum up_step { UP_LINK, UP_ROUTE6 };

struct attempt {
	int link, route, route6; /* what the kernel said to them: 0, an errno, ECANCELED: they were not sent */
};

/* --- looking ------------------------------------------------------------------------------------------------------ */

struct link_sight {
	const char *name;
	bool seen;
};

static void link_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[IFLA_IFNAME + 1];
	struct link_sight *sight = context;
	const char *name;

	if (!attributes_of_message(message, sizeof(struct ifinfomsg), table, IFLA_IFNAME))
		return;
	name = attribute_text(table[IFLA_IFNAME]);
	sight->seen |= name && strcmp(name, sight->name) == 0;
}

/* Asked for by index: asking for a name that does not exist makes the kernel look for a module of that name. */
static bool link_is_seen(struct netlink *netlink, unsigned slot)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct error ignored = {0};
	struct request request;
	char name[IFNAMSIZ];
	struct link_sight sight = {.name = link_name(slot, name)};

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_GETLINK, 0, "look for the link");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)link_index(slot);
	return request_exchange(netlink, &request, link_note, &sight, &ignored) == 0 && sight.seen;
}

/* Without the lock that all messages for links take, and hold for long while others come and go: netdevice(7). */
bool link_is_there(unsigned slot)
{
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq found = {.ifr_ifindex = (int)link_index(slot)};
	char name[IFNAMSIZ];

	return fd >= 0 && ioctl(fd, SIOCGIFNAME, &found) == 0 && strcmp(found.ifr_name, link_name(slot, name)) == 0;
}

bool endpoint_exists(struct net_session *session, unsigned slot)
{
	return link_is_seen(&session->route, slot);
}

/* --- creating ----------------------------------------------------------------------------------------------------- */

/* What both ends have alike. */
static void put_queues_and_mtu(struct nlmsghdr *message, const struct endpoint *endpoint)
{
	mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
	if (endpoint->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, endpoint->mtu);
}

static void put_peer(struct nlmsghdr *message, const struct endpoint *endpoint, int netns)
{
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	uint8_t mac[MAC_LENGTH];

	instance_mac(endpoint->address, mac);
	head->ifi_index = INSIDE_INDEX;
	mnl_attr_put_strz(message, IFLA_IFNAME, INSIDE_NAME);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(mac), mac);
	put_queues_and_mtu(message, endpoint);
	mnl_attr_nest_end(message, peer);
}

/* Down, both: for the peer IFF_UP fails with ENOTCONN, and undoing costs 15 ms. Dormant: the carrier comes with the
 * message that brings this side up, and for a link that is up in every respect the kernel walks through all IPv6 routes
 * of the host, in that message and once more in its worker. One that is dormant is left to the worker. */
static void put_pair(struct request *request, const struct endpoint *endpoint, int netns)
{
	struct nlmsghdr *message =
		request_message(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "create the link pair");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	char name[IFNAMSIZ];

	head->ifi_index = (int)link_index(endpoint->slot);
	head->ifi_flags = IFF_NOARP;
	head->ifi_change = IFF_NOARP;
	mnl_attr_put_strz(message, IFLA_IFNAME, link_name(endpoint->slot, name));
	mnl_attr_put_u32(message, IFLA_GROUP, GROUP_BASE + endpoint->network_number);
	mnl_attr_put_u8(message, IFLA_OPERSTATE, OPERSTATE_DORMANT);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(host_mac), host_mac);
	put_queues_and_mtu(message, endpoint);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	put_peer(message, endpoint, netns);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

bool endpoint_has_ipv6(const struct endpoint *endpoint)
{
	return !IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6);
}

static int pair_make(
	struct netlink *netlink, const struct endpoint *endpoint, int netns, struct attempt *attempt, struct error *err)
{
	const struct ip_address address = ip_from_v4(endpoint->address), address6 = ip_from_v6(&endpoint->address6);
	uint64_t buffer[(ATTACH_MESSAGES + 1) * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	int index = (int)link_index(endpoint->slot), result;
	struct request request;
	uint8_t mac[MAC_LENGTH];

	instance_mac(endpoint->address, mac);
	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_pair(&request, endpoint, netns);
	put_link_without_link_local(&request, index);
	put_early_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, endpoint->address);
	put_neighbour(&request, index, &address, mac, "set the instance's link address");
	if (endpoint_has_ipv6(endpoint))
		put_neighbour(&request, index, &address6, mac, "set the instance's link address");
	put_rate(&request, index, endpoint->rates.ingress_bits);
	result = request_exchange(netlink, &request, NULL, NULL, err);
	attempt->link = request.errors[PAIR_LINK];
	attempt->route = request.errors[PAIR_ROUTE];
	return result;
}

/* The carrier comes on, and a worker of the kernel's begins to tell everybody of it under the one lock for links: for
 * 0.2 to 0.8 ms at 1,000 instances. Hence all else is done: an IPv6 route alone needs a link that is up (and since
 * Linux 6.16 no lock). */
static int link_bring_up(
	struct netlink *netlink, const struct endpoint *endpoint, struct attempt *attempt, struct error *err)
{
	const struct ip_address address6 = ip_from_v6(&endpoint->address6);
	uint64_t buffer[3 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	int index = (int)link_index(endpoint->slot), result;
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_link_up(&request, index, "bring the host's side of the link up");
	if (endpoint_has_ipv6(endpoint))
		put_host_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, &address6);
	result = request_exchange(netlink, &request, NULL, NULL, err);
	if (endpoint_has_ipv6(endpoint))
		attempt->route6 = request.errors[UP_ROUTE6];
	return result;
}

static int attach_once(
	struct netlink *netlink, const struct endpoint *endpoint, int netns, struct attempt *attempt, struct error *err)
{
	*attempt = (struct attempt){ECANCELED, ECANCELED, ECANCELED};
	if (pair_make(netlink, endpoint, netns, attempt, err) < 0 || endpoint_configure(netns, endpoint, err) < 0)
		return -1;
	return link_bring_up(netlink, endpoint, attempt, err);
}

/* --- undoing ------------------------------------------------------------------------------------------------------ */

static int link_delete(struct netlink *netlink, unsigned slot, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_DELLINK, 0, "delete the link");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)link_index(slot);
	if (request_exchange(netlink, &request, NULL, NULL, err) < 0 && request.errnum != ENODEV)
		return -1;
	return 0;
}

/* The link belongs to somebody else (an instance that is dying, usually), but the route may have been added to it. */
static void stray_route_delete(struct netlink *netlink, const struct endpoint *endpoint)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	struct error ignored = {0};

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_early_route(&request, RTM_DELROUTE, 0, (int)link_index(endpoint->slot), endpoint->address);
	/* Gone together with the link already: nothing left to undo. */
	if (request_exchange(netlink, &request, NULL, NULL, &ignored) < 0)
		return;
}

/* After a failed attempt: leaves nothing of it. The error that is being reported stays. */
static void attach_undo(struct netlink *netlink, const struct endpoint *endpoint, const struct attempt *attempt)
{
	struct error ignored = {0};

	if (attempt->link != 0 && attempt->route == 0)
		stray_route_delete(netlink, endpoint);
	else if (attempt->link == 0 && link_delete(netlink, endpoint->slot, &ignored) < 0)
		return;
}

/* --- waiting for an old link -------------------------------------------------------------------------------------- */

int link_events_open(struct error *err)
{
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, "watch the host's links");
	return take_fd(&fd);
}

void link_events_await(int fd, int64_t left_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char drained[4096];
	int rounds = 0;

	poll(&poll_fd, 1, (int)(left_ms < WAIT_SLICE_MS ? left_ms : WAIT_SLICE_MS));
	while (recv(fd, drained, sizeof(drained), MSG_DONTWAIT) > 0 && rounds++ < 256)
		continue;
}

/* Whoever is first to ask makes the kernel load the module; while it is being loaded for one, modprobe tells others
 * that it is there, and they are refused: so a fleet's first instances of a boot, started side by side. */
static bool kind_is_unknown(const struct attempt *attempt)
{
	return attempt->link == EOPNOTSUPP;
}

static bool attach_may_pass(const struct attempt *attempt)
{
	return attempt->link == EEXIST || attempt->link == EBUSY || kind_is_unknown(attempt) ||
	       (attempt->link == 0 && (attempt->route == EEXIST || attempt->route6 == EEXIST));
}

/* The early route names the gateway's address as its source; somebody took it from lo. */
static bool gateway_is_gone(const struct attempt *attempt)
{
	return attempt->link == 0 && attempt->route == EINVAL;
}

static int gateway_restore(struct netlink *netlink, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	const struct ip_address gateway = gateway_of(AF_INET);
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_address(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, LOOPBACK_INDEX, &gateway);
	return request_exchange(netlink, &request, NULL, NULL, err);
}

static int attach_refuse(const struct endpoint *endpoint, const struct attempt *attempt, struct error *err)
{
	bool four = attempt->route == EEXIST;
	const struct ip_address taken = four ? ip_from_v4(endpoint->address) : ip_from_v6(&endpoint->address6);
	char name[IFNAMSIZ], address[INET6_ADDRSTRLEN];

	ip_format(&taken, address);
	link_name(endpoint->slot, name);
	if (attempt->link)
		return fail(err, ERROR_BUSY, "attach %s: the link of an earlier instance is still there", name);
	return fail(err, ERROR_BUSY, "attach %s: address %s is routed to another link", name, address);
}

/* The table drops what an instance says as a router, but a table can be flushed, and a link like this one would believe
 * it. There is no message for that; absent without IPv6. */
static void link_ignore_routers(struct net_session *session, unsigned slot)
{
	(void)link_value_set(session, AF_INET6, slot, "accept_ra", '0');
}

int endpoint_attach(
	struct net_session *session, const struct endpoint *endpoint, int netns, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;
	struct attempt attempt;
	bool restored = false;
	auto_fd events = -1;
	char name[IFNAMSIZ];

	while (attach_once(&session->route, endpoint, netns, &attempt, err) < 0) {
		int64_t left_ms = deadline_ms - clock_ms();

		attach_undo(&session->route, endpoint, &attempt);
		if (!restored && gateway_is_gone(&attempt)) {
			restored = true;
			if (gateway_restore(&session->route, err) == 0)
				continue;
		}
		if (!attach_may_pass(&attempt) || (left_ms <= 0 && kind_is_unknown(&attempt)))
			return blame(err, "attach %s", link_name(endpoint->slot, name));
		if (left_ms <= 0)
			return attach_refuse(endpoint, &attempt, err);
		if (events < 0)
			events = link_events_open(err); /* the next attempt comes before the first wait */
		else
			link_events_await(events, left_ms);
		if (events < 0)
			return -1;
	}
	link_ignore_routers(session, endpoint->slot);
	return 0;
}

/* The early route would go with the gateway's address, should somebody take that from lo. And among the multicast
 * routes of 1,000 links the kernel looks one after the other: for each link that is new, in each walk through all
 * routes, and for each packet that an instance sends to a group. */
int endpoint_settle(struct net_session *session, const struct endpoint *endpoint, struct error *err)
{
	const struct ip_address address = ip_from_v4(endpoint->address);
	uint64_t buffer[3 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	int index = (int)link_index(endpoint->slot);
	struct request request;
	char name[IFNAMSIZ];

	request_begin(&request, &session->route, buffer, sizeof(buffer));
	put_host_route(&request, RTM_NEWROUTE, NLM_F_REPLACE, index, &address);
	if (endpoint_has_ipv6(endpoint))
		put_no_multicast_route(&request, index);
	if (request_exchange(&session->route, &request, NULL, NULL, err) < 0)
		return blame(err, "settle %s", link_name(endpoint->slot, name));
	return 0;
}

int endpoint_detach(struct net_session *session, unsigned slot, struct error *err)
{
	char name[IFNAMSIZ];

	if (!endpoint_exists(session, slot))
		return 0;
	if (link_delete(&session->route, slot, err) < 0)
		return blame(err, "detach %s", link_name(slot, name));
	return 0;
}

static int loopback_allow_by_netlink(struct netlink *netlink, unsigned slot, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_NEWLINK, 0, "open the link to the loopback address");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)link_index(slot);
	struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET);
	struct nlattr *values = mnl_attr_nest_start(message, IFLA_INET_CONF);
	mnl_attr_put_u32(message, IPV4_DEVCONF_ROUTE_LOCALNET, 1);
	mnl_attr_nest_end(message, values);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, families);
	return request_exchange(netlink, &request, NULL, NULL, err);
}

/* By netlink the kernel tells everybody of the link as a whole, and to say where its other end is it walks through all
 * network namespaces that it has a number for: 100 us at 1,000 instances, where the file takes 13. */
int link_allow_loopback(struct net_session *session, unsigned slot, struct error *err)
{
	return link_value_set(session, AF_INET, slot, "route_localnet", '1')
		       ? 0
		       : loopback_allow_by_netlink(&session->route, slot, err);
}
