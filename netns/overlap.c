/* Subnets against what the host has already: one dump of its routes, one of its addresses. */
#include "netns/overlap.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/address.h"
#include "netns/subnet.h"

static bool subnet_set(struct subnet *out, const uint32_t *base, unsigned prefix)
{
	if (!base || prefix == 0 || prefix > 32)
		return false;
	out->prefix = prefix;
	memcpy(&out->base, base, sizeof(*base));
	out->base.s_addr &= htonl(subnet_mask(prefix));
	return true;
}

bool route_read(const struct nlmsghdr *message, struct subnet *out, int *index)
{
	const struct nlattr *table[RTA_OIF + 1];
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const uint32_t *oif;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		!attributes_of_message(message, sizeof(struct rtmsg), table, RTA_OIF) || head->rtm_family != AF_INET)
		return false;
	if (head->rtm_type != RTN_UNICAST && head->rtm_type != RTN_LOCAL)
		return false;
	oif = attribute_exact(table[RTA_OIF], sizeof(*oif));
	*index = oif ? (int)*oif : 0;
	return link_slot(*index) == 0 && subnet_set(out, attribute_exact(table[RTA_DST], 4), head->rtm_dst_len);
}

bool address_read(const struct nlmsghdr *message, struct subnet *out, int *index)
{
	const struct nlattr *table[IFA_LOCAL + 1];
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *address;

	if (message->nlmsg_type != RTM_NEWADDR ||
		!attributes_of_message(message, sizeof(struct ifaddrmsg), table, IFA_LOCAL) ||
		head->ifa_family != AF_INET)
		return false;
	address = table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS];
	*index = (int)head->ifa_index;
	return subnet_set(out, attribute_exact(address, 4), head->ifa_prefixlen);
}

struct search {
	const struct subnet *subnet;
	const char *what;
	bool (*read)(const struct nlmsghdr *message, struct subnet *out, int *index);
	bool found;
	struct subnet other;
	int index;
};

static void search_note(const struct nlmsghdr *message, void *context)
{
	struct search *search = context;
	struct subnet other;
	int index;

	if (search->found || !search->read(message, &other, &index) || !subnet_overlaps(search->subnet, &other))
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
	head->rtm_family = AF_INET; /* the first byte of every route message's header */
	return request_exchange(netlink, &request, search_note, search, err);
}

static int search_refuse(const struct search *search, struct error *err)
{
	char link[IFNAMSIZ] = "", subnet[20], other[20];

	if (search->index > 0 && !if_indextoname((unsigned)search->index, link))
		link[0] = '\0';
	return fail(err, ERROR_USAGE, "subnet %s overlaps %s %s%s%s of this host; choose another subnet",
		subnet_format(search->subnet, subnet), search->what, subnet_format(&search->other, other),
		link[0] ? " on " : "", link);
}

int subnet_check_host(const struct subnet *subnet, struct error *err)
{
	static const struct {
		uint16_t type;
		const char *what;
		bool (*read)(const struct nlmsghdr *message, struct subnet *out, int *index);
	} dumps[] = {
		{RTM_GETADDR, "the address", address_read},
		{RTM_GETROUTE, "the route", route_read},
	};
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		struct search search = {.subnet = subnet, .what = dumps[i].what, .read = dumps[i].read};

		if (search_dump(&netlink, dumps[i].type, &search, err) < 0)
			return -1;
		if (search.found)
			return search_refuse(&search, err);
	}
	return 0;
}
