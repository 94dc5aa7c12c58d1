/* See support_wire.h. */
#include "tests/netns/support_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/netlink/request.h"
#include "netns/netns.h"
#include "tests/netns/support_world.h"

#define MESSAGES_MAX 8
#define READY_MS SLOWLY(5000)

static void put_address(struct request *request, const char *text, unsigned index)
{
	struct ip_address address;
	struct error err;

	if (!text)
		return;
	ASSERT_OK(ip_parse(text, &address, &err));
	struct nlmsghdr *message = request_message(request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add an address");
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	const bool six = address.family == AF_INET6;

	head->ifa_family = (uint8_t)address.family;
	head->ifa_prefixlen = six ? 64 : 24;
	head->ifa_flags = six ? IFA_F_NODAD : 0;
	head->ifa_index = index;
	mnl_attr_put(message, IFA_LOCAL, six ? 16 : 4, &address.v6);
}

static void put_default_route(struct request *request, const char *text)
{
	struct ip_address gateway;
	struct error err;

	if (!text)
		return;
	ASSERT_OK(ip_parse(text, &gateway, &err));
	struct nlmsghdr *message =
		request_message(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add the default route");
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = (uint8_t)gateway.family;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = RTPROT_STATIC;
	head->rtm_type = RTN_UNICAST;
	mnl_attr_put(message, RTA_GATEWAY, gateway.family == AF_INET6 ? 16 : 4, &gateway.v6);
}

/* The far end is born in its namespace, and down, as the kernel wants it. */
static void put_pair(struct request *request, const struct wire_end *near, const struct wire_end *far, unsigned index)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "create the wire");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifi_index = (int)index;
	head->ifi_flags = head->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, near->name);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = (int)index;
	mnl_attr_put_strz(message, IFLA_IFNAME, far->name);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)far->netns);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

static void put_up(struct request *request, unsigned index)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, 0, "set a link up");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifi_index = (int)index;
	head->ifi_flags = head->ifi_change = IFF_UP;
}

/* In the namespace of that end. far NULL: this is the far one, and the pair is there. */
static void end_make(
	const struct wire_end *end, const struct wire_end *far, const struct wire_end *gateway, unsigned index)
{
	uint64_t buffer[MESSAGES_MAX * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	struct request request;
	struct error err;

	ASSERT_OK(netlink_open(&netlink, NETLINK_ROUTE, &err));
	request_begin(&request, &netlink, buffer, sizeof(buffer));
	if (far)
		put_pair(&request, end, far, index);
	else
		put_up(&request, index);
	put_address(&request, end->address, index);
	put_address(&request, end->address6, index);
	if (gateway) {
		put_default_route(&request, gateway->address);
		put_default_route(&request, gateway->address6);
	}
	ASSERT_OK(request_exchange(&netlink, &request, NULL, NULL, &err));
}

/* Nobody has the link-local addresses of links of ours already, so nobody needs a second to be asked. */
static void duplicates_ignore(const struct wire_end *end)
{
	struct error err;

	if (end->address6)
		ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_dad", "0", &err));
}

static bool is_running(const char *name)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING;
}

/* Whether the kernel hears who asks for that address: RFC 4291, 2.7.1. */
static bool is_solicited(const char *text)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct in6_addr address = ip6(text);
	const uint8_t *end = &address.s6_addr[13];
	const char *groups, *own;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, "/proc/thread-self/net/igmp6", 65536, &groups, NULL, &err));
	own = arena_format(&arena, "ff0200000000000000000001ff%02x%02x%02x", end[0], end[1], end[2]);
	return strstr(groups, own);
}

/* The kernel tells itself a little later that a link has got its carrier, and its IPv6 later still; what is sent before
 * is lost, and asked for again only after a second. */
static void await_ready(const struct wire_end *end)
{
	int64_t deadline = clock_ms() + READY_MS;

	while (!is_running(end->name) || (end->address6 && !is_solicited(end->address6))) {
		cr_assert(clock_ms() < deadline, "%s does not get ready", end->name);
		sched_yield();
	}
}

void wire_make(const struct wire_end *near, const struct wire_end *far, unsigned index)
{
	duplicates_ignore(near);
	end_make(near, far, NULL, index);
	netns_enter(far->netns);
	duplicates_ignore(far);
	end_make(far, NULL, near, index);
	await_ready(far);
	netns_enter(near->netns);
	await_ready(near);
}
