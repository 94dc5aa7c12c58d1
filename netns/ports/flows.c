/* Connections that the kernel tracks towards an instance.
 *
 * A published port decides where a flow goes when its first packet comes; afterwards the kernel's connection tracking
 * does, for as long as packets keep coming. TCP clients notice that an instance has gone and connect anew; a client of
 * UDP (or one of SCTP, which retries for minutes) that goes on sending would talk to an address that nobody has,
 * although the port leads elsewhere by now. So these flows are forgotten with the ports. */
#include "netns/ports/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/decode.h"
#include "netns/netlink/session.h"

/* Kernel's own numbers (nf_internals.h, since 5.8), not in its public headers. One that does not know them lists all;
 * what comes is looked at anyway. */
#define FILTER_IP_SOURCE (1u << 0)
#define FLOWS_MAX (1u << 20)

static struct nlmsghdr *put_message(
	struct request *request, uint16_t type, uint16_t flags, int family, const char *name)
{
	struct nlmsghdr *message = request_message(request, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, name);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->nfgen_family = (uint8_t)family;
	head->version = NFNETLINK_V0;
	return message;
}

static void put_filter(struct nlmsghdr *message, struct in_addr answered_by)
{
	struct nlattr *filter = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, 0);
	mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, FILTER_IP_SOURCE);
	mnl_attr_nest_end(message, filter);

	struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_REPLY);
	struct nlattr *ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, CTA_IP_V4_SRC, sizeof(answered_by), &answered_by);
	mnl_attr_nest_end(message, ip);
	mnl_attr_nest_end(message, tuple);
}

static bool source_is(const struct nlattr *tuple_ip, const struct ip_address *source)
{
	const struct nlattr *ip[CTA_IP_V6_SRC + 1];
	const void *address;

	attributes_of_nest(tuple_ip, ip, CTA_IP_V6_SRC);
	if (source->family == AF_INET6) {
		address = attribute_exact(ip[CTA_IP_V6_SRC], sizeof(source->v6));
		return address && memcmp(address, &source->v6, sizeof(source->v6)) == 0;
	}
	address = attribute_exact(ip[CTA_IP_V4_SRC], sizeof(source->v4));
	return address && memcmp(address, &source->v4, sizeof(source->v4)) == 0;
}

static bool tuple_read(const struct nlattr *tuple, const struct ip_address *source, struct flow *out)
{
	const struct nlattr *parts[CTA_TUPLE_PROTO + 1], *protocol[CTA_PROTO_NUM + 1];
	const uint8_t *number;

	attributes_of_nest(tuple, parts, CTA_TUPLE_PROTO);
	attributes_of_nest(parts[CTA_TUPLE_PROTO], protocol, CTA_PROTO_NUM);
	number = attribute_exact(protocol[CTA_PROTO_NUM], sizeof(*number));
	out->protocol = number ? *number : 0;
	return number && source_is(parts[CTA_TUPLE_IP], source);
}

static bool state_is_established(const struct nlattr *info)
{
	const struct nlattr *protocols[CTA_PROTOINFO_TCP + 1], *tcp[CTA_PROTOINFO_TCP_STATE + 1];
	const uint8_t *state;

	attributes_of_nest(info, protocols, CTA_PROTOINFO_TCP);
	attributes_of_nest(protocols[CTA_PROTOINFO_TCP], tcp, CTA_PROTOINFO_TCP_STATE);
	state = attribute_exact(tcp[CTA_PROTOINFO_TCP_STATE], sizeof(*state));
	return state && *state == TCP_CONNTRACK_ESTABLISHED;
}

bool flow_read(const struct nlmsghdr *message, const struct ip_address *answered_by, struct flow *out)
{
	const struct nlattr *table[CTA_ID + 1];
	const uint32_t *id;

	if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		!attributes_of_message(message, sizeof(struct nfgenmsg), table, CTA_ID) ||
		!tuple_read(table[CTA_TUPLE_REPLY], answered_by, out) || !table[CTA_TUPLE_ORIG])
		return false;
	id = attribute_exact(table[CTA_ID], sizeof(*id));
	out->tuple_length = mnl_attr_get_payload_len(table[CTA_TUPLE_ORIG]);
	if (!id || out->tuple_length > sizeof(out->tuple))
		return false;
	memcpy(&out->id, id, sizeof(*id));
	memcpy(out->tuple, mnl_attr_get_payload(table[CTA_TUPLE_ORIG]), out->tuple_length);
	out->established = state_is_established(table[CTA_PROTOINFO]);
	return true;
}

struct collection {
	struct arena *arena;
	const struct ip_address *address;
	bool established_only;
	LIST_OF(struct flow) flows;
	size_t room, established;
};

static void collect(const struct nlmsghdr *message, void *context)
{
	struct collection *collection = context;
	struct flow flow, *larger;

	if (collection->flows.count >= FLOWS_MAX || !flow_read(message, collection->address, &flow))
		return;
	collection->established += flow.established;
	if (collection->established_only || (flow.protocol != IPPROTO_UDP && flow.protocol != IPPROTO_SCTP))
		return;
	if (collection->flows.count == collection->room) {
		collection->room = collection->room * 2 + 16;
		larger = arena_new_array(collection->arena, collection->room, struct flow);
		if (collection->flows.count)
			memcpy(larger, collection->flows.items, collection->flows.count * sizeof(*larger));
		collection->flows.items = larger;
	}
	collection->flows.items[collection->flows.count++] = flow;
}

/* Those of IPv6 are all listed: of these the kernel's filter leaves out the very ones that are asked for (the
 * comparison is the wrong way round, seen on 6.18), so it would say that nobody is connected. */
static int flows_list(struct netlink *netlink, struct collection *collection, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message =
		put_message(&request, IPCTNL_MSG_CT_GET, NLM_F_DUMP, collection->address->family, "list flows");
	if (collection->address->family == AF_INET)
		put_filter(message, collection->address->v4);
	if (request_exchange(netlink, &request, collect, collection, err) < 0)
		return request.errnum == EINVAL || request.errnum == EOPNOTSUPP ? 0 : -1;
	return 0;
}

static int flow_delete(struct netlink *netlink, const struct flow *flow, int family, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = put_message(&request, IPCTNL_MSG_CT_DELETE, 0, family, "forget a flow");
	mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->tuple_length, flow->tuple);
	mnl_attr_put(message, CTA_ID, sizeof(flow->id), &flow->id);
	if (request_exchange(netlink, &request, NULL, NULL, err) < 0 && request.errnum != ENOENT)
		return -1;
	return 0;
}

static int flows_forget_to(struct netlink *netlink, const struct ip_address *address, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct collection collection = {.arena = &arena, .address = address};

	if (flows_list(netlink, &collection, err) < 0)
		return -1;
	for (size_t i = 0; i < collection.flows.count; i++)
		if (flow_delete(netlink, &collection.flows.items[i], address->family, err) < 0)
			return -1;
	return 0;
}

static size_t addresses_of(const struct endpoint *endpoint, struct ip_address out[2])
{
	size_t count = 0;

	if (endpoint->address.s_addr != htonl(INADDR_ANY))
		out[count++] = ip_from_v4(endpoint->address);
	if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6))
		out[count++] = ip_from_v6(&endpoint->address6);
	return count;
}

int flows_forget(struct netlink *netlink, const struct endpoint *endpoint, struct error *err)
{
	struct ip_address addresses[2];
	size_t count = addresses_of(endpoint, addresses);

	for (size_t i = 0; i < count; i++)
		if (flows_forget_to(netlink, &addresses[i], err) < 0)
			return -1;
	return 0;
}

int flows_established(
	struct net_session *session, const struct endpoint *endpoint, size_t *established, struct error *err)
{
	struct ip_address addresses[2];
	size_t count = addresses_of(endpoint, addresses);

	*established = 0;
	for (size_t i = 0; i < count; i++) {
		struct collection collection = {.address = &addresses[i], .established_only = true};

		if (flows_list(&session->filter, &collection, err) < 0)
			return blame(err, "count connections");
		*established += collection.established;
	}
	return 0;
}
