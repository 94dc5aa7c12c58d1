/* What others have done to the host's sides of instances, and doing them again.
 *
 * A link, its routes and its neighbours are made in one send and then belong to everybody who may configure the host: a
 * network manager sets the link down, which takes its routes and neighbours along; IPv6 that is switched off takes all
 * of its own; somebody deletes the link. No message of ours would notice, so whoever wants to know looks at all of them
 * at once: one dump each, however many instances there are. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/links/link.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

#define MEND_MESSAGES 8
#define ATTACH_TIMEOUT_MS 5000

/* What was seen of one endpoint, by family: [0] IPv4, [1] IPv6. */
struct sight {
	const struct endpoint *endpoint; /* NULL: nobody asked for this slot */
	unsigned faults;		 /* of the link */
	bool link, routed[2], known[2];
};

/* context: those of all slots. */
static struct sight *sight_of(void *context, int index)
{
	struct sight *by_slot = context;
	unsigned slot = link_slot(index);
	struct sight *sight = slot ? &by_slot[slot] : NULL;

	return sight && sight->endpoint ? sight : NULL;
}

/* --- one message of each kind ------------------------------------------------------------------------------------- */

static void link_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[IFLA_GROUP + 1];
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	const uint32_t *group;
	struct sight *sight;

	if (message->nlmsg_type != RTM_NEWLINK || !attributes_of_message(message, sizeof(*head), table, IFLA_GROUP) ||
		!(sight = sight_of(context, head->ifi_index)))
		return;
	group = attribute_exact(table[IFLA_GROUP], sizeof(*group));
	sight->link = true;
	if (!(head->ifi_flags & IFF_UP))
		sight->faults |= ENDPOINT_DOWN;
	if (!group || *group != GROUP_BASE + sight->endpoint->network_number)
		sight->faults |= ENDPOINT_STRAYED;
	if (table[IFLA_MASTER])
		sight->faults |= ENDPOINT_TAKEN;
}

/* Whether the attribute is the endpoint's address of that family. */
static bool is_own(const struct nlattr *attribute, const struct endpoint *endpoint, int family)
{
	const void *own = family == AF_INET6 ? (const void *)&endpoint->address6 : &endpoint->address;
	size_t length = family == AF_INET6 ? sizeof(endpoint->address6) : sizeof(endpoint->address);
	const void *seen = attribute_exact(attribute, length);

	return seen && memcmp(seen, own, length) == 0;
}

static void route_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[RTA_OIF + 1];
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const int32_t *index;
	struct sight *sight;

	if (message->nlmsg_type != RTM_NEWROUTE || !attributes_of_message(message, sizeof(*head), table, RTA_OIF) ||
		head->rtm_type != RTN_UNICAST || head->rtm_table != RT_TABLE_MAIN ||
		head->rtm_dst_len != (head->rtm_family == AF_INET6 ? 128 : 32))
		return;
	index = attribute_exact(table[RTA_OIF], sizeof(*index));
	sight = index ? sight_of(context, *index) : NULL;
	if (sight && is_own(table[RTA_DST], sight->endpoint, head->rtm_family))
		sight->routed[head->rtm_family == AF_INET6] = true;
}

static void neighbour_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NDA_LLADDR + 1];
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);
	uint8_t mac[MAC_LENGTH];
	const void *seen;
	struct sight *sight;

	if (message->nlmsg_type != RTM_NEWNEIGH || !attributes_of_message(message, sizeof(*head), table, NDA_LLADDR) ||
		!(head->ndm_state & NUD_PERMANENT) || !(sight = sight_of(context, head->ndm_ifindex)))
		return;
	instance_mac(sight->endpoint->address, mac);
	seen = attribute_exact(table[NDA_LLADDR], sizeof(mac));
	if (seen && memcmp(seen, mac, sizeof(mac)) == 0 && is_own(table[NDA_DST], sight->endpoint, head->ndm_family))
		sight->known[head->ndm_family == AF_INET6] = true;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* The dumps, each with the header that its type wants; all begin with the family. */
static const struct look {
	uint16_t type;
	unsigned char family;
	size_t header;
	message_handler *note;
	const char *name;
} looks[] = {
	{RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), link_note, "list the links"},
	{RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), route_note, "list the routes"},
	{RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), route_note, "list the IPv6 routes"},
	{RTM_GETNEIGH, AF_INET, sizeof(struct ndmsg), neighbour_note, "list the neighbours"},
	{RTM_GETNEIGH, AF_INET6, sizeof(struct ndmsg), neighbour_note, "list the IPv6 neighbours"},
};

static int look_once(
	struct netlink *netlink, const struct look *look, struct sight *by_slot, bool *again, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, look->type, NLM_F_DUMP, look->name);
	unsigned char *head = mnl_nlmsg_put_extra_header(message, look->header);
	*head = look->family;
	if (look->type == RTM_GETLINK)
		mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int result = request_exchange(netlink, &request, look->note, by_slot, err);
	*again = request.interrupted;
	return result;
}

/* Links come and go meanwhile; the kernel says so, and something may have been left out. What was seen stays seen. */
static int look_at(struct netlink *netlink, const struct look *look, struct sight *by_slot, struct error *err)
{
	bool again = true;

	for (int tries = 0; again && tries < 5; tries++)
		if (look_once(netlink, look, by_slot, &again, err) < 0)
			return -1;
	return 0;
}

static unsigned sight_faults(const struct sight *sight, bool has_ipv6)
{
	unsigned faults = sight->faults;

	if (!sight->link)
		return ENDPOINT_GONE;
	has_ipv6 &= endpoint_has_ipv6(sight->endpoint);
	if (!sight->routed[0] || (has_ipv6 && !sight->routed[1]))
		faults |= ENDPOINT_UNROUTED;
	if (!sight->known[0] || (has_ipv6 && !sight->known[1]))
		faults |= ENDPOINT_NEIGHBOUR;
	return faults;
}

int endpoints_inspect(struct net_session *session, const struct endpoint *endpoints, size_t count, unsigned *faults,
	struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct sight *by_slot = arena_new_array(&arena, SLOT_MAX + 1, struct sight);
	bool has_ipv6 = net_has_ipv6();

	for (size_t i = 0; i < count; i++)
		by_slot[endpoints[i].slot].endpoint = &endpoints[i];
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		if ((has_ipv6 || looks[i].family != AF_INET6) && look_at(&session->route, &looks[i], by_slot, err) < 0)
			return blame(err, "inspect the links of instances");
	for (size_t i = 0; i < count; i++)
		faults[i] = sight_faults(&by_slot[endpoints[i].slot], has_ipv6);
	return 0;
}

/* --- doing it again ----------------------------------------------------------------------------------------------- */

static void put_link_back(struct request *request, const struct endpoint *endpoint)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, 0, "put the link back into its group");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifi_index = (int)link_index(endpoint->slot);
	head->ifi_flags = IFF_NOARP;
	head->ifi_change = IFF_NOARP;
	mnl_attr_put_u32(message, IFLA_GROUP, GROUP_BASE + endpoint->network_number);
	mnl_attr_put_u32(message, IFLA_MASTER, 0);
}

/* The route may be there, or be somebody else's: looked at afterwards. */
static void put_way_back(struct request *request, int index, const struct ip_address *address, const uint8_t *mac)
{
	put_host_route(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, address);
	request_tolerate(request);
	put_neighbour(request, index, address, mac, "set the instance's link address");
}

static int host_side_mend(struct netlink *netlink, const struct endpoint *endpoint, bool has_ipv6, struct error *err)
{
	const struct ip_address address = ip_from_v4(endpoint->address), address6 = ip_from_v6(&endpoint->address6);
	uint64_t buffer[(MEND_MESSAGES + 1) * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	int index = (int)link_index(endpoint->slot);
	uint8_t mac[MAC_LENGTH];
	struct request request;

	instance_mac(endpoint->address, mac);
	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_link_back(&request, endpoint);
	put_link_without_link_local(&request, index);
	put_link_up(&request, index, "bring the host's side of the link up");
	put_way_back(&request, index, &address, mac);
	if (has_ipv6)
		put_way_back(&request, index, &address6, mac);
	return request_exchange(netlink, &request, NULL, NULL, err);
}

static int mend_verify(struct net_session *session, const struct endpoint *endpoint, struct error *err)
{
	unsigned faults;

	if (endpoints_inspect(session, endpoint, 1, &faults, err) < 0)
		return -1;
	if (faults & ENDPOINT_UNROUTED)
		return fail(err, ERROR_BUSY, "its address is routed to another link");
	return faults ? fail(err, ERROR_SYSTEM, "somebody is changing it right now") : 0;
}

int endpoint_mend(struct net_session *session, const struct endpoint *endpoint, int netns, struct error *err)
{
	bool has_ipv6 = endpoint_has_ipv6(endpoint) && net_has_ipv6();
	struct endpoint wanted = *endpoint;
	char name[IFNAMSIZ];
	int result;

	if (!has_ipv6)
		wanted.address6 = in6addr_any;
	if (endpoint_exists(session, endpoint->slot))
		result = host_side_mend(&session->route, &wanted, has_ipv6, err);
	else
		result = endpoint_attach(session, &wanted, netns, ATTACH_TIMEOUT_MS, err);
	if (result < 0 || endpoint_configure(netns, &wanted, err) < 0 || mend_verify(session, &wanted, err) < 0)
		return blame(err, "mend %s", link_name(endpoint->slot, name));
	return 0;
}
