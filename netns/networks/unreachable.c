/* One route of type unreachable for each subnet, under the routes of its instances.
 *
 * Without it a packet for an instance that has stopped would follow the host's default route and leave for the uplink;
 * with it whoever sent it learns at once that nobody is there. The metric is our own, so that it never replaces a route
 * of somebody else. */
#include "netns/networks/unreachable.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/address.h"

#define UNREACHABLE_METRIC 0x77777777u

struct range {
	unsigned char family, prefix;
	uint16_t length;
	const void *base;
};

static void put_unreachable(struct request *request, uint16_t type, const struct range *range)
{
	uint16_t flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct nlmsghdr *message = request_message(request, type, flags, "route the unused addresses");
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = range->family;
	head->rtm_dst_len = range->prefix;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_type = RTN_UNREACHABLE;
	mnl_attr_put(message, RTA_DST, range->length, range->base);
	mnl_attr_put_u32(message, RTA_PRIORITY, UNREACHABLE_METRIC);
}

static int unreachable_change(struct netlink *netlink, const struct range *range, uint16_t type, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_unreachable(&request, type, range);
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 0;
	/* Gone already, or a kernel that never had any. */
	return type == RTM_DELROUTE && (request.errnum == ESRCH || range->family == AF_INET6) ? 0 : -1;
}

static int network_cover(struct netlink *netlink, const struct network *network, bool ipv6, struct error *err)
{
	char text[SUBNET6_TEXT_SIZE];

	for (size_t i = 0; i < network_subnet_count(network); i++) {
		const struct subnet *subnet = network_subnet(network, i);
		const struct range range = {
			AF_INET, (unsigned char)subnet->prefix, sizeof(subnet->base), &subnet->base};

		if (unreachable_change(netlink, &range, RTM_NEWROUTE, err) < 0)
			return blame(err, "subnet %s", subnet_format(subnet, text));
	}
	const struct subnet6 *subnet6 = &network->subnet6;
	const struct range range = {AF_INET6, (unsigned char)subnet6->prefix, sizeof(subnet6->base), &subnet6->base};
	if (ipv6 && subnet6->prefix && unreachable_change(netlink, &range, RTM_NEWROUTE, err) < 0)
		return blame(err, "subnet %s", subnet6_format(subnet6, text));
	return 0;
}

int networks_unreachable(const struct network *networks, size_t count, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	bool ipv6 = net_has_ipv6();

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (network_cover(&netlink, &networks[i], ipv6, err) < 0)
			return -1;
	return 0;
}

/* --- strays ------------------------------------------------------------------------------------------------------- */

/* Routes of ours whose network has no record: of a command that was killed between the two. */
struct strays {
	const struct network_list *networks;
	struct arena arena;
	struct range *items;
	size_t count, room;
};

static void strays_drop(struct strays *strays)
{
	arena_drop(&strays->arena);
}

static bool network_has(const struct network *network, const struct range *range)
{
	if (range->family == AF_INET6)
		return network->subnet6.prefix == range->prefix &&
		       memcmp(&network->subnet6.base, range->base, range->length) == 0;
	for (size_t i = 0; i < network_subnet_count(network); i++) {
		const struct subnet *subnet = network_subnet(network, i);

		if (subnet->prefix == range->prefix && memcmp(&subnet->base, range->base, range->length) == 0)
			return true;
	}
	return false;
}

static bool is_stray(const struct strays *strays, const struct range *range)
{
	for (size_t i = 0; i < strays->networks->count; i++)
		if (network_has(&strays->networks->items[i], range))
			return false;
	return true;
}

static void stray_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[RTA_PRIORITY + 1];
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct strays *strays = context;
	const uint32_t *metric;
	struct range range;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		!attributes_of_message(message, sizeof(*head), table, RTA_PRIORITY) ||
		head->rtm_type != RTN_UNREACHABLE || head->rtm_protocol != ROUTE_PROTOCOL ||
		head->rtm_table != RT_TABLE_MAIN)
		return;
	range = (struct range){head->rtm_family, head->rtm_dst_len,
		head->rtm_family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr), NULL};
	metric = attribute_exact(table[RTA_PRIORITY], sizeof(*metric));
	range.base = attribute_exact(table[RTA_DST], range.length);
	if (!metric || *metric != UNREACHABLE_METRIC || !range.base || !is_stray(strays, &range))
		return;
	range.base = arena_bytes(&strays->arena, (const char *)range.base, range.length);
	strays->items = arena_grow(&strays->arena, strays->items, strays->count, &strays->room, sizeof(range));
	strays->items[strays->count++] = range;
}

static int strays_find(struct netlink *netlink, unsigned char family, struct strays *strays, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_GETROUTE, NLM_F_DUMP, "list the routes");
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtm_family = family;
	return request_exchange(netlink, &request, stray_note, strays, err);
}

int unreachable_strays_remove(const struct network_list *networks, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	AUTO(strays_drop) struct strays strays = {.networks = networks};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0 || strays_find(&netlink, AF_INET, &strays, err) < 0 ||
		(net_has_ipv6() && strays_find(&netlink, AF_INET6, &strays, err) < 0))
		return -1;
	for (size_t i = 0; i < strays.count; i++)
		if (unreachable_change(&netlink, &strays.items[i], RTM_DELROUTE, err) < 0)
			return -1;
	return 0;
}
