/* Loading the table `inet warren` and keeping the networks' elements in it.
 *
 * It is loaded as text once (20-30 ms, by nft(8)); everything afterwards is elements by netlink. The text is
 * table_text.c's. */
#include "netns/table/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/links/link.h"
#include "netns/subnets/subnet.h"
#include "netns/table/table_text.h"

#define NFT_PROGRAM "/usr/sbin/nft"
#define MARKER_ABSENT 2
#define NFT_TIMEOUT_MS 90000 /* the kernel may have to load its modules first, from a slow disk */

/* --- networks as elements ----------------------------------------------------------------------------------------- */

static unsigned network_group(const struct network *network)
{
	return GROUP_BASE + network->number;
}

/* The same elements go into the text at a build and into messages at a change. */
typedef int element_sink(const struct element *element, void *context);

static int sink_groups(const char *set, const unsigned *groups, size_t count, element_sink *sink, void *context)
{
	struct element element = {.set = set};

	for (size_t i = 0; i < count; i++) {
		uint32_t group = groups[i];
		element_add_key(&element, &group, sizeof(group));
	}
	return sink(&element, context);
}

static int sink_interval(
	const char *set, const void *first, const void *behind, uint8_t length, element_sink *sink, void *context)
{
	struct element begin = {.set = set}, end = {.set = set, .interval_end = true};

	element_add_key(&begin, first, length);
	element_add_key(&end, behind, length);
	if (sink(&begin, context) < 0)
		return -1;
	return sink(&end, context);
}

static int sink_subnets(const struct network *network, element_sink *sink, void *context)
{
	for (size_t i = 0; i < network_subnet_count(network); i++) {
		const struct subnet *subnet = network_subnet(network, i);
		uint32_t behind = htonl(subnet_first(subnet) + subnet_size(subnet));

		if (sink_interval(SET_SUBNETS, &subnet->base, &behind, sizeof(behind), sink, context) < 0)
			return -1;
	}
	return 0;
}

static struct in6_addr subnet6_behind(const struct subnet6 *subnet)
{
	struct in6_addr address = subnet->base;
	unsigned byte = (subnet->prefix - 1) / 8, carry = 1u << (7 - (subnet->prefix - 1) % 8);

	for (unsigned i = byte + 1; i-- > 0 && carry;) {
		carry += address.s6_addr[i];
		address.s6_addr[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return address;
}

/* Those alone that nobody outside can answer to; a subnet of public addresses is routed. */
static bool is_masqueraded(const struct subnet6 *subnet)
{
	return subnet->prefix && subnet6_is_private(subnet);
}

static int sink_subnet6(const struct network *network, element_sink *sink, void *context)
{
	struct in6_addr behind;

	if (!is_masqueraded(&network->subnet6))
		return 0;
	behind = subnet6_behind(&network->subnet6);
	return sink_interval(SET_SUBNETS6, &network->subnet6.base, &behind, sizeof(behind), sink, context);
}

static bool network_reaches(const struct network *from, const struct network *to)
{
	if (from == to)
		return !to->isolated;
	return strings_contain(&to->allow, from->name) || strings_contain(&to->links, from->name) ||
	       strings_contain(&from->links, to->name);
}

static int sink_peers(const struct network_list *networks, const struct network *to, element_sink *sink, void *context)
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *from = &networks->items[i];
		unsigned pair[] = {network_group(from), network_group(to)};

		if (network_reaches(from, to) && sink_groups(SET_PEERS, pair, 2, sink, context) < 0)
			return -1;
	}
	return 0;
}

static int sink_services(const struct network *network, element_sink *sink, void *context)
{
	for (size_t i = 0; i < network->services.count; i++) {
		const struct host_service *service = &network->services.items[i];
		struct element element = {.set = SET_HOST_SERVICES};
		uint32_t group = network_group(network);
		uint16_t port = htons(service->port);

		element_add_key(&element, &group, sizeof(group));
		element_add_key(&element, &service->protocol, sizeof(service->protocol));
		element_add_key(&element, &port, sizeof(port));
		if (sink(&element, context) < 0)
			return -1;
	}
	return 0;
}

static int sink_memberships(const struct network *network, element_sink *sink, void *context)
{
	const struct {
		const char *set;
		bool in;
	} rows[] = {{SET_NETWORKS, true}, {SET_EGRESS, network->egress}, {SET_METADATA, network->metadata},
		{SET_ACCOUNTED, network->accounting}};
	unsigned group = network_group(network);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].in && sink_groups(rows[i].set, &group, 1, sink, context) < 0)
			return -1;
	return 0;
}

static int networks_to_elements(const struct network_list *networks, element_sink *sink, void *context)
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];

		if (sink_memberships(network, sink, context) < 0 || sink_subnets(network, sink, context) < 0 ||
			sink_subnet6(network, sink, context) < 0 || sink_services(network, sink, context) < 0 ||
			sink_peers(networks, network, sink, context) < 0)
			return -1;
	}
	return 0;
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

/* The parts of a key as nft(8) reads them: a group, a group and a group, or a group, a protocol and a port. */
static void write_key(struct text *text, const struct element *element)
{
	uint32_t groups[2];
	uint16_t port;

	memcpy(groups, element->key, sizeof(groups));
	memcpy(&port, element->key + 8, sizeof(port));
	text_appendf(text, "%u", groups[0]);
	if (element->key_length == 8)
		text_appendf(text, " . %u", groups[1]);
	if (element->key_length == 12)
		text_appendf(text, " . %u . %u", element->key[4], ntohs(port));
}

static int element_write(const struct element *element, void *context)
{
	struct text *text = context;

	if (strcmp(element->set, SET_SUBNETS) == 0 || strcmp(element->set, SET_SUBNETS6) == 0)
		return 0; /* written as ranges */
	text_appendf(text, "add element inet " TABLE_NAME " %s { ", element->set);
	write_key(text, element);
	text_append(text, " }\n");
	return 0;
}

static void write_subnets(struct text *text, const struct network *network)
{
	char subnet[20], subnet6[SUBNET6_TEXT_SIZE];

	for (size_t i = 0; i < network_subnet_count(network); i++)
		text_appendf(text, "add element inet " TABLE_NAME " " SET_SUBNETS " { %s }\n",
			subnet_format(network_subnet(network, i), subnet));
	if (is_masqueraded(&network->subnet6))
		text_appendf(text, "add element inet " TABLE_NAME " " SET_SUBNETS6 " { %s }\n",
			subnet6_format(&network->subnet6, subnet6));
}

/* Whoever makes a bridge for containers or machines routes for it and has rules of his own. */
static void write_bridges(struct text *text, const char *family, const struct strings *bridges)
{
	static const char *const directions[] = {"iif", "oif"};

	for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
		text_appendf(text, "		meta nfproto %s meta %skind \"bridge\"", family, directions[i]);
		for (size_t k = 0; k < bridges->count; k++)
			text_appendf(text, " %sname != \"%s\"", directions[i], bridges->items[k]);
		text_append(text, " accept\n");
	}
}

static void write_routers(struct text *text, const char *family, const struct ruleset *ruleset,
	const struct strings *routers, bool forwarded)
{
	for (size_t i = 0; routers && i < routers->count; i++)
		text_appendf(text, "		meta nfproto %s iifname \"%s\" accept\n", family, routers->items[i]);
	if (!forwarded && ruleset->bridges)
		write_bridges(text, family, ruleset->bridges);
	text_appendf(text, "		meta nfproto %s %s\n", family, forwarded ? "accept" : "drop");
}

static void write_foreign(struct text *text, const struct ruleset *ruleset)
{
	text_append(text, "	chain foreign {\n");
	write_routers(text, "ipv4", ruleset, ruleset->routers, ruleset->forward_foreign);
	write_routers(text, "ipv6", ruleset, ruleset->routers6, ruleset->forward_foreign6);
	text_append(text, "	}\n");
}

void ruleset_write(struct text *text, const struct ruleset *ruleset)
{
	text_append(text, "table inet " TABLE_NAME "\ndelete table inet " TABLE_NAME "\ntable inet " TABLE_NAME " {\n");
	table_write_sets(text);
	write_foreign(text, ruleset);
	table_write_chains(text);
	text_append(text, "}\n");
	if (networks_to_elements(ruleset->networks, element_write, text) < 0)
		return; /* element_write() does not fail */
	for (size_t i = 0; i < ruleset->networks->count; i++)
		write_subnets(text, &ruleset->networks->items[i]);
}

int ruleset_text_load(const char *ruleset, struct error *err)
{
	static const char *const argv[] = {NFT_PROGRAM, "-f", "-", NULL};
	AUTO(text_drop) struct text output = {0};
	const struct helper helper = {
		.argv = argv, .timeout_ms = NFT_TIMEOUT_MS, .input = ruleset, .input_length = strlen(ruleset)};
	int status;

	if (process_run(&helper, &output, &status, err) < 0)
		return blame(err, "load the nftables table");
	if (status != 0)
		return fail(err, ERROR_SYSTEM, "load the nftables table: nft: %.*s",
			(int)strcspn(text_string(&output), "\n"), text_string(&output));
	return 0;
}

int ruleset_load(const struct ruleset *ruleset, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	ruleset_write(&text, ruleset);
	return ruleset_text_load(text_string(&text), err);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static int element_batch(const struct element *element, void *context)
{
	struct request *request = context;

	if (!request_has_room(request))
		return -1;
	batch_add(request, element, false);
	return 0;
}

static int element_count(const struct element *element, void *context)
{
	(void)element;
	++*(size_t *)context;
	return 0;
}

/* Emptied and filled again in one transaction: packets see the old or the new state, and whatever a killed command left
 * behind is mended on the way. */
int ruleset_sync_networks(struct netlink *netlink, const struct network_list *networks, struct error *err)
{
	static const char *const sets[] = {SET_NETWORKS, SET_PEERS, SET_EGRESS, SET_METADATA, SET_ACCOUNTED,
		SET_SUBNETS, SET_SUBNETS6, SET_HOST_SERVICES};
	struct request request;
	size_t count = 0;

	if (networks_to_elements(networks, element_count, &count) < 0)
		return -1;
	size_t size = count * 160 + 16 * REQUEST_MESSAGE_MAX;
	auto_free void *buffer = malloc(size);
	if (!buffer)
		return fail_errno(err, "change the nftables table");
	send_buffer_grow(netlink->fd, size);
	batch_begin(&request, netlink, buffer, size);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		batch_flush(&request, sets[i]);
	if (networks_to_elements(networks, element_batch, &request) < 0)
		return fail(err, ERROR_SYSTEM, "change the nftables table: %zu elements do not fit", count);
	batch_end(&request);
	return request_exchange(netlink, &request, NULL, NULL, err);
}

/* --- the marker --------------------------------------------------------------------------------------------------- */

static void marker_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NFTA_CHAIN_USE + 1];
	const uint32_t *use;

	if (!attributes_of_message(message, sizeof(struct nfgenmsg), table, NFTA_CHAIN_USE))
		return;
	use = attribute_exact(table[NFTA_CHAIN_USE], sizeof(*use));
	*(bool *)context |= use && ntohl(*use) > 0;
}

/* 1: the chain is there and has its rule; 0: it has none; 2: no such chain. */
static int marker_look(struct netlink *netlink, unsigned version, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	char chain[32];
	bool whole = false;

	snprintf(chain, sizeof(chain), MARKER_PREFIX "%u", version);
	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(
		&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, "look for the nftables table");
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain);
	if (request_exchange(netlink, &request, marker_note, &whole, err) == 0)
		return whole;
	return request.errnum == ENOENT ? MARKER_ABSENT : -1;
}

/* The marker chain holds one rule: `nft flush table` leaves the chain but takes the rule. */
int ruleset_is_current(struct netlink *netlink, struct error *err)
{
	int marker = marker_look(netlink, MARKER_VERSION, err);

	return marker == MARKER_ABSENT ? 0 : marker;
}

static int table_exists(struct netlink *netlink, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(
		&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, "look for the nftables table");
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, TABLE_NAME);
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 1;
	return request.errnum == ENOENT ? 0 : -1;
}

/* Any version of ours, emptied or not, may be replaced and removed. */
static int table_is_foreign(struct netlink *netlink, struct error *err)
{
	int exists = table_exists(netlink, err);

	if (exists <= 0)
		return exists;
	for (unsigned version = MARKER_VERSION; version > 0; version--) {
		int marker = marker_look(netlink, version, err);

		if (marker < 0)
			return -1;
		if (marker != MARKER_ABSENT)
			return 0;
	}
	return 1;
}

int ruleset_refuse_foreign(struct netlink *netlink, struct error *err)
{
	int foreign = table_is_foreign(netlink, err);

	if (foreign <= 0)
		return foreign;
	return fail(err, ERROR_BUSY,
		"somebody else's nftables table \"inet " TABLE_NAME "\" is in the way: rename it, or delete it with: "
		"nft delete table inet " TABLE_NAME);
}

int ruleset_remove(struct netlink *netlink, struct error *err)
{
	uint64_t buffer[4 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	int foreign = table_is_foreign(netlink, err);

	if (foreign)
		return foreign < 0 ? -1 : 0;
	batch_begin(&request, netlink, buffer, sizeof(buffer));
	batch_delete_table(&request);
	batch_end(&request);
	if (request_exchange(netlink, &request, NULL, NULL, err) < 0 && request.errnum != ENOENT)
		return -1;
	return 0;
}
