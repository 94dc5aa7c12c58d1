/* One route of type unreachable for each subnet, under the routes of its instances.
 *
 * Without it a packet for an instance that has stopped would follow the host's default route and leave for the uplink;
 * with it whoever sent it learns at once that nobody is there. The metric is our own, so that it never replaces a route
 * of somebody else. */
#include "netns/networks/unreachable.h"

#include <errno.h>

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

static int change_4(struct netlink *netlink, const struct subnet *subnet, uint16_t type, struct error *err)
{
	const struct range range = {AF_INET, (unsigned char)subnet->prefix, sizeof(subnet->base), &subnet->base};
	char text[20];

	if (unreachable_change(netlink, &range, type, err) < 0)
		return blame(err, "subnet %s", subnet_format(subnet, text));
	return 0;
}

static int change_6(struct netlink *netlink, const struct subnet6 *subnet, uint16_t type, struct error *err)
{
	const struct range range = {AF_INET6, (unsigned char)subnet->prefix, sizeof(subnet->base), &subnet->base};
	char text[SUBNET6_TEXT_SIZE];

	if (subnet->prefix && unreachable_change(netlink, &range, type, err) < 0)
		return blame(err, "subnet %s", subnet6_format(subnet, text));
	return 0;
}

int subnet_unreachable(const struct subnet *subnet, uint16_t type, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	return change_4(&netlink, subnet, type, err);
}

int subnet6_unreachable(const struct subnet6 *subnet, uint16_t type, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (type == RTM_NEWROUTE && !net_has_ipv6())
		return 0;
	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	return change_6(&netlink, subnet, type, err);
}

int networks_unreachable(const struct network_list *networks, uint16_t type, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	bool ipv6 = type == RTM_DELROUTE || net_has_ipv6();

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];

		for (size_t k = 0; k < network_subnet_count(network); k++)
			if (change_4(&netlink, network_subnet(network, k), type, err) < 0)
				return -1;
		if (ipv6 && change_6(&netlink, &network->subnet6, type, err) < 0)
			return -1;
	}
	return 0;
}
