/* Subnets against what the host has already: one dump of its routes, one of its addresses. */
#include "netns/subnets/overlap.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/address.h"
#include "netns/subnets/subnet.h"

/* The range that an attribute's address and a prefix make; false for a default route and for what is damaged. */
static bool range_set(struct range *out, unsigned char family, const struct nlattr *attribute, unsigned prefix)
{
	size_t length = family == AF_INET ? sizeof(out->base.v4) : sizeof(out->base.v6);
	const uint8_t *bytes = attribute_exact(attribute, length);
	uint8_t *base = out->base.v6.s6_addr; /* where the IPv4 one begins too */

	if ((family != AF_INET && family != AF_INET6) || !bytes || prefix == 0 || prefix > 8 * length)
		return false;
	*out = (struct range){.base.family = family, .prefix = prefix};
	memcpy(base, bytes, (prefix + 7) / 8);
	if (prefix % 8)
		base[prefix / 8] &= (uint8_t)(0xff00 >> prefix % 8);
	return true;
}

static bool ranges_overlap(const struct range *a, const struct range *b)
{
	if (a->base.family != b->base.family)
		return false;
	if (a->base.family == AF_INET)
		return subnet_overlaps(
			&(struct subnet){a->base.v4, a->prefix}, &(struct subnet){b->base.v4, b->prefix});
	return subnet6_overlaps(&(struct subnet6){a->base.v6, a->prefix}, &(struct subnet6){b->base.v6, b->prefix});
}

bool route_read(const struct nlmsghdr *message, struct range *out, int *index)
{
	const struct nlattr *table[RTA_OIF + 1];
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const uint32_t *oif;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		!attributes_of_message(message, sizeof(struct rtmsg), table, RTA_OIF))
		return false;
	if (head->rtm_type != RTN_UNICAST && head->rtm_type != RTN_LOCAL)
		return false;
	oif = attribute_exact(table[RTA_OIF], sizeof(*oif));
	*index = oif ? (int)*oif : 0;
	return link_slot(*index) == 0 && range_set(out, head->rtm_family, table[RTA_DST], head->rtm_dst_len);
}

bool address_read(const struct nlmsghdr *message, struct range *out, int *index)
{
	const struct nlattr *table[IFA_LOCAL + 1];
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != RTM_NEWADDR ||
		!attributes_of_message(message, sizeof(struct ifaddrmsg), table, IFA_LOCAL))
		return false;
	*index = (int)head->ifa_index;
	return range_set(
		out, head->ifa_family, table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS], head->ifa_prefixlen);
}

struct search {
	const struct range *range;
	const char *what;
	bool (*read)(const struct nlmsghdr *message, struct range *out, int *index);
	bool found;
	struct range other;
	int index;
};

static void search_note(const struct nlmsghdr *message, void *context)
{
	struct search *search = context;
	struct range other;
	int index;

	if (search->found || !search->read(message, &other, &index) || !ranges_overlap(search->range, &other))
		return;
	search->found = true;
	search->other = other;
	search->index = index;
}

static int search_dump(struct netlink *netlink, uint16_t type, struct search *search, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	struct rtmsg *head;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, type, NLM_F_DUMP, search->what);
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtm_family =
		(unsigned char)search->range->base.family; /* the first byte of every route message's header */
	return request_exchange(netlink, &request, search_note, search, err);
}

static const char *range_format(const struct range *range, char buffer[SUBNET6_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, SUBNET6_TEXT_SIZE, "%s/%u", ip_format(&range->base, address), range->prefix);
	return buffer;
}

static int search_refuse(const struct search *search, struct error *err)
{
	char link[IFNAMSIZ] = "", subnet[SUBNET6_TEXT_SIZE], other[SUBNET6_TEXT_SIZE];

	if (search->index > 0 && !if_indextoname((unsigned)search->index, link))
		link[0] = '\0';
	return fail(err, ERROR_USAGE, "subnet %s overlaps %s %s%s%s of this host; choose another subnet",
		range_format(search->range, subnet), search->what, range_format(&search->other, other),
		link[0] ? " on " : "", link);
}

static int range_check_host(const struct range *range, struct error *err)
{
	static const struct {
		uint16_t type;
		const char *what;
		bool (*read)(const struct nlmsghdr *message, struct range *out, int *index);
	} dumps[] = {
		{RTM_GETADDR, "the address", address_read},
		{RTM_GETROUTE, "the route", route_read},
	};
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		struct search search = {.range = range, .what = dumps[i].what, .read = dumps[i].read};

		if (search_dump(&netlink, dumps[i].type, &search, err) < 0)
			return -1;
		if (search.found)
			return search_refuse(&search, err);
	}
	return 0;
}

int subnet_check_host(const struct subnet *subnet, struct error *err)
{
	const struct range range = {ip_from_v4(subnet->base), subnet->prefix};

	return range_check_host(&range, err);
}

int subnet6_check_host(const struct subnet6 *subnet, struct error *err)
{
	const struct range range = {ip_from_v6(&subnet->base), subnet->prefix};

	return range_check_host(&range, err);
}
