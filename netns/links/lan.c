/* Instances in the host's own network: a macvlan on one of its links, or a port of a bridge that it has.
 *
 * A macvlan is born inside the instance's namespace under the name and index of its slot, which nothing else of the
 * host has: kernels before 6.14 look for the wanted name on the host first, and would take the host's eth0 for it. It
 * is renamed from inside. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/links/link.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

#define INSIDE_MESSAGES 5
#define OLD_LINK_TIMEOUT_MS 5000
#define OLD_LINK_SLICE_MS 5
#define BRIDGE_PORTS_MAX 1023 /* BR_MAX_PORTS of the kernel's net/bridge/br_private.h, less one */

/* --- the parent --------------------------------------------------------------------------------------------------- */

struct parent {
	bool found, up, ethernet;
	char kind[32]; /* "bridge"; "" of a hardware link */
};

static void parent_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1];
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	struct parent *parent = context;
	const char *kind;

	if (message->nlmsg_type != RTM_NEWLINK || !attributes_of_message(message, sizeof(*head), table, IFLA_LINKINFO))
		return;
	parent->found = true;
	parent->up = head->ifi_flags & IFF_UP;
	parent->ethernet = head->ifi_type == ARPHRD_ETHER;
	attributes_of_nest(table[IFLA_LINKINFO], info, IFLA_INFO_KIND);
	kind = attribute_text(info[IFLA_INFO_KIND]);
	if (kind)
		snprintf(parent->kind, sizeof(parent->kind), "%s", kind);
}

static int parent_look(unsigned index, struct parent *parent, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	struct request request;

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	request_begin(&request, &netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_GETLINK, 0, "look for the link");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)index;
	return request_exchange(&netlink, &request, parent_note, parent, err);
}

static int parent_find(enum lan_kind kind, const char *name, unsigned *index, struct error *err)
{
	const char *word = kind == LAN_BRIDGE ? "bridge" : "macvlan";
	struct parent parent = {0};

	*index = strlen(name) < IFNAMSIZ ? if_nametoindex(name) : 0;
	if (!*index)
		return fail(err, ERROR_USAGE, "%s:%s: this host has no link \"%s\"", word, name, name);
	if (parent_look(*index, &parent, err) < 0)
		return blame(err, "%s:%s", word, name);
	if (kind == LAN_BRIDGE && strcmp(parent.kind, "bridge") != 0)
		return fail(err, ERROR_USAGE, "%s:%s: %s is no bridge; macvlan:%s puts instances on a link", word, name,
			name, name);
	if (!parent.ethernet)
		return fail(err, ERROR_USAGE, "%s:%s: %s is no Ethernet link, as a macvlan needs", word, name, name);
	if (!parent.up)
		return fail(err, ERROR_USAGE, "%s:%s: the link is down; ip link set %s up", word, name, name);
	return 0;
}

int lan_check(enum lan_kind kind, const char *parent, struct error *err)
{
	unsigned index;

	return parent_find(kind, parent, &index, err);
}

/* --- outside ------------------------------------------------------------------------------------------------------ */

static void put_mac_and_mtu(struct nlmsghdr *message, const struct lan_endpoint *endpoint)
{
	static const uint8_t none[MAC_LENGTH];

	if (memcmp(endpoint->mac, none, sizeof(none)) != 0)
		mnl_attr_put(message, IFLA_ADDRESS, sizeof(endpoint->mac), endpoint->mac);
	if (endpoint->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, endpoint->mtu);
}

static struct nlmsghdr *put_new_link(struct request *request, const struct lan_endpoint *endpoint)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "create the link");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	char name[IFNAMSIZ];

	head->ifi_index = (int)link_index(endpoint->slot);
	if (endpoint->kind == LAN_BRIDGE)
		head->ifi_flags = head->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, link_name(endpoint->slot, name));
	return message;
}

static void put_macvlan(struct request *request, const struct lan_endpoint *endpoint, unsigned parent, int netns)
{
	struct nlmsghdr *message = put_new_link(request, endpoint);

	mnl_attr_put_u32(message, IFLA_LINK, parent);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns);
	put_mac_and_mtu(message, endpoint);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "macvlan");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static void put_bridge_port(struct request *request, const struct lan_endpoint *endpoint, unsigned bridge, int netns)
{
	struct nlmsghdr *message = put_new_link(request, endpoint);
	struct ifinfomsg *head;

	mnl_attr_put_u32(message, IFLA_MASTER, bridge);
	if (endpoint->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, endpoint->mtu);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = INSIDE_INDEX;
	mnl_attr_put_strz(message, IFLA_IFNAME, INSIDE_NAME);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns);
	put_mac_and_mtu(message, endpoint);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static int attach_once(struct netlink *netlink, const struct lan_endpoint *endpoint, unsigned parent, int netns,
	int *errnum, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	if (endpoint->kind == LAN_BRIDGE)
		put_bridge_port(&request, endpoint, parent, netns);
	else
		put_macvlan(&request, endpoint, parent, netns);
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 0;
	*errnum = request.errnum;
	return -1;
}

static int attach_refuse(const struct lan_endpoint *endpoint, int errnum, struct error *err)
{
	char name[IFNAMSIZ];

	if (errnum == EXFULL)
		return fail(err, ERROR_BUSY, "bridge:%s: it has %d ports, and a bridge can have no more",
			endpoint->parent, BRIDGE_PORTS_MAX);
	if (errnum == EEXIST)
		return fail(err, ERROR_BUSY, "attach %s: the link of an earlier instance is still there",
			link_name(endpoint->slot, name));
	return blame(err, "attach to %s", endpoint->parent);
}

int lan_attach(struct net_session *session, const struct lan_endpoint *endpoint, int netns, int64_t timeout_ms,
	struct error *err)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;
	auto_fd events = -1;
	unsigned parent;
	int errnum = 0;

	if (parent_find(endpoint->kind, endpoint->parent, &parent, err) < 0)
		return -1;
	while (attach_once(&session->route, endpoint, parent, netns, &errnum, err) < 0) {
		int64_t left_ms = deadline_ms - clock_ms();

		if (errnum != EEXIST || left_ms <= 0)
			return attach_refuse(endpoint, errnum, err);
		if (events < 0)
			events = link_events_open(err); /* the next attempt comes before the first wait */
		else
			link_events_await(events, left_ms);
		if (events < 0)
			return -1;
	}
	return 0;
}

/* --- inside ------------------------------------------------------------------------------------------------------- */

static void put_rename(struct request *request, int index)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, 0, "name the link " INSIDE_NAME);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifi_index = index;
	mnl_attr_put_strz(message, IFLA_IFNAME, INSIDE_NAME);
}

static void put_lan_address(struct request *request, int index, const struct lan_endpoint *endpoint)
{
	struct nlmsghdr *message =
		request_message(request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "set the address");
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	const uint32_t hosts = endpoint->prefix < 31 ? UINT32_MAX >> endpoint->prefix : 0;
	const struct in_addr broadcast = {.s_addr = endpoint->address.s_addr | htonl(hosts)};

	head->ifa_family = AF_INET;
	head->ifa_prefixlen = (unsigned char)endpoint->prefix;
	head->ifa_index = (unsigned)index;
	mnl_attr_put(message, IFA_LOCAL, sizeof(endpoint->address), &endpoint->address);
	mnl_attr_put(message, IFA_ADDRESS, sizeof(endpoint->address), &endpoint->address);
	if (hosts)
		mnl_attr_put(message, IFA_BROADCAST, sizeof(broadcast), &broadcast);
}

static void put_lan_gateway(struct request *request, int index, struct in_addr gateway)
{
	struct nlmsghdr *message =
		request_message(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "set the default route");
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = AF_INET;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = RTPROT_STATIC;
	head->rtm_type = RTN_UNICAST;
	mnl_attr_put(message, RTA_GATEWAY, sizeof(gateway), &gateway);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
}

static int configure_once(struct netlink *netlink, const struct lan_endpoint *endpoint, int *errnum, struct error *err)
{
	uint64_t buffer[(INSIDE_MESSAGES + 1) * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	int index = endpoint->kind == LAN_BRIDGE ? INSIDE_INDEX : (int)link_index(endpoint->slot);
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_link_up(&request, LOOPBACK_INDEX, "bring lo up");
	if (endpoint->kind == LAN_MACVLAN)
		put_rename(&request, index);
	put_link_up(&request, index, "bring " INSIDE_NAME " up");
	if (endpoint->address.s_addr != INADDR_ANY)
		put_lan_address(&request, index, endpoint);
	if (endpoint->gateway.s_addr != INADDR_ANY)
		put_lan_gateway(&request, index, endpoint->gateway);
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 0;
	*errnum = request.errnum;
	return -1;
}

/* Of two macvlans of one link only one can be up with the same link address: the one of the run before may be dying
 * still, in a namespace that cannot be seen from here. */
int lan_configure_inside(const struct lan_endpoint *endpoint, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	int64_t deadline_ms = clock_ms() + OLD_LINK_TIMEOUT_MS;
	int errnum = 0;

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return blame(err, "set up the network inside");
	while (configure_once(&netlink, endpoint, &errnum, err) < 0) {
		if (errnum != EADDRINUSE || clock_ms() >= deadline_ms)
			return blame(err, "set up the network inside");
		poll(NULL, 0, OLD_LINK_SLICE_MS);
	}
	return 0;
}
