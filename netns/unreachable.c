/* One route of type unreachable for each subnet, under the /32 of its instances.
 *
 * Without it a packet for an instance that has stopped would follow the host's default route and leave for the uplink;
 * with it whoever sent it learns at once that nobody is there. The metric is our own, so that it never replaces a route
 * of somebody else. */
#include "netns/unreachable.h"

#include <errno.h>

#include "base/cleanup.h"
#include "netns/address.h"

#define UNREACHABLE_METRIC 0x77777777u

static void put_unreachable(struct request *request, uint16_t type, const struct subnet *subnet)
{
	uint16_t flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct nlmsghdr *message = request_message(request, type, flags, "route the unused addresses");
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = AF_INET;
	head->rtm_dst_len = (unsigned char)subnet->prefix;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_type = RTN_UNREACHABLE;
	mnl_attr_put(message, RTA_DST, sizeof(subnet->base), &subnet->base);
	mnl_attr_put_u32(message, RTA_PRIORITY, UNREACHABLE_METRIC);
}

static int unreachable_change(struct netlink *netlink, const struct subnet *subnet, uint16_t type, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	char text[20];

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_unreachable(&request, type, subnet);
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 0;
	if (type == RTM_DELROUTE && request.errnum == ESRCH)
		return 0;
	return blame(err, "subnet %s", subnet_format(subnet, text));
}

int subnet_unreachable(const struct subnet *subnet, uint16_t type, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	return unreachable_change(&netlink, subnet, type, err);
}

int networks_unreachable(const struct network_list *networks, uint16_t type, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	for (size_t i = 0; i < networks->count; i++)
		for (size_t k = 0; k < network_subnet_count(&networks->items[i]); k++)
			if (unreachable_change(&netlink, network_subnet(&networks->items[i], k), type, err) < 0)
				return -1;
	return 0;
}
