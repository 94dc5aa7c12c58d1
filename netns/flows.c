/* Flows of published UDP ports.
 *
 * A published port decides where a flow goes when its first packet comes; afterwards the kernel's connection tracking
 * does, for as long as packets keep coming. TCP clients notice that an instance has gone and connect anew; a UDP client
 * that goes on sending would talk to an address that nobody has, although the port leads elsewhere by now. So the flows
 * of an instance's UDP ports are forgotten with the ports. */
#include "netns/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/decode.h"

/* Kernel's own numbers (nf_internals.h, since 5.8), not in its public headers. One that does not know them lists all;
 * what comes is looked at anyway. */
#define FILTER_IP_SOURCE (1u << 0)
#define FILTER_PROTOCOL (1u << 3)
#define FLOWS_MAX (1u << 20)

static struct nlmsghdr *put_message(struct request *request, uint16_t type, uint16_t flags, const char *name)
{
	struct nlmsghdr *message = request_message(request, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, name);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->nfgen_family = AF_INET;
	head->version = NFNETLINK_V0;
	return message;
}

static void put_filter(struct nlmsghdr *message, struct in_addr answered_by)
{
	struct nlattr *filter = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, 0);
	mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, FILTER_IP_SOURCE | FILTER_PROTOCOL);
	mnl_attr_nest_end(message, filter);

	struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_REPLY);
	struct nlattr *ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, CTA_IP_V4_SRC, sizeof(answered_by), &answered_by);
	mnl_attr_nest_end(message, ip);
	struct nlattr *protocol = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_nest_end(message, protocol);
	mnl_attr_nest_end(message, tuple);
}

static bool tuple_is(const struct nlattr *tuple, struct in_addr source)
{
	const struct nlattr *parts[CTA_TUPLE_PROTO + 1], *ip[CTA_IP_V4_SRC + 1], *protocol[CTA_PROTO_NUM + 1];
	const void *address;
	const uint8_t *number;

	attributes_of_nest(tuple, parts, CTA_TUPLE_PROTO);
	attributes_of_nest(parts[CTA_TUPLE_IP], ip, CTA_IP_V4_SRC);
	attributes_of_nest(parts[CTA_TUPLE_PROTO], protocol, CTA_PROTO_NUM);
	address = attribute_exact(ip[CTA_IP_V4_SRC], sizeof(source));
	number = attribute_exact(protocol[CTA_PROTO_NUM], sizeof(*number));
	return address && number && memcmp(address, &source, sizeof(source)) == 0 && *number == IPPROTO_UDP;
}

bool flow_read(const struct nlmsghdr *message, struct in_addr answered_by, struct flow *out)
{
	const struct nlattr *table[CTA_ID + 1];
	const uint32_t *id;

	if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		!attributes_of_message(message, sizeof(struct nfgenmsg), table, CTA_ID) ||
		!tuple_is(table[CTA_TUPLE_REPLY], answered_by) || !table[CTA_TUPLE_ORIG])
		return false;
	id = attribute_exact(table[CTA_ID], sizeof(*id));
	out->tuple_length = mnl_attr_get_payload_len(table[CTA_TUPLE_ORIG]);
	if (!id || out->tuple_length > sizeof(out->tuple))
		return false;
	memcpy(&out->id, id, sizeof(*id));
	memcpy(out->tuple, mnl_attr_get_payload(table[CTA_TUPLE_ORIG]), out->tuple_length);
	return true;
}

struct collection {
	struct arena *arena;
	struct in_addr address;
	LIST_OF(struct flow) flows;
	size_t room;
};

static void collect(const struct nlmsghdr *message, void *context)
{
	struct collection *collection = context;
	struct flow flow, *larger;

	if (collection->flows.count >= FLOWS_MAX || !flow_read(message, collection->address, &flow))
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

static int flow_delete(struct netlink *netlink, const struct flow *flow, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = put_message(&request, IPCTNL_MSG_CT_DELETE, 0, "forget a UDP flow");
	mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->tuple_length, flow->tuple);
	mnl_attr_put(message, CTA_ID, sizeof(flow->id), &flow->id);
	if (request_exchange(netlink, &request, NULL, NULL, err) < 0 && request.errnum != ENOENT)
		return -1;
	return 0;
}

int flows_forget_udp(struct netlink *netlink, struct in_addr address, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	AUTO(arena_drop) struct arena arena = {0};
	struct collection collection = {.arena = &arena, .address = address};
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_filter(put_message(&request, IPCTNL_MSG_CT_GET, NLM_F_DUMP, "list UDP flows"), address);
	if (request_exchange(netlink, &request, collect, &collection, err) < 0)
		return request.errnum == EINVAL || request.errnum == EOPNOTSUPP ? 0 : -1;
	for (size_t i = 0; i < collection.flows.count; i++)
		if (flow_delete(netlink, &collection.flows.items[i], err) < 0)
			return -1;
	return 0;
}
