/* The table `inet warren`.
 *
 * Networks are device groups, so a rule about a network holds for every instance of it the moment its link exists, and
 * an instance adds nothing here. Loaded as text once (20-30 ms); everything afterwards is elements by netlink.
 *
 * How the verdicts fit together, in a packet's order:
 *  - guard (raw): what an instance may not even try: IPv6, loopback addresses, a source that is not its own.
 *  - publish (nat): published ports, for packets from outside, from instances and from the host itself. A packet that
 *    arrives from elsewhere for 127.0.0.1 is never translated: that would let the neighbours on the wire reach ports
 *    published for this host only.
 *  - forward: what is not ours goes to `foreign`, which keeps the host from becoming a router because of us.
 *  - input: nothing of the host but answers to its own questions. */
#include "netns/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/link.h"
#include "netns/subnet.h"

#define NFT_PROGRAM "/usr/sbin/nft"
#define NFT_TIMEOUT_MS 90000 /* the kernel may have to load its modules first, from a slow disk */
/* In the name of the chain that the marker's GET asks for: an older or newer warren's table is not taken for ours. */
#define MARKER_CHAIN "version_1"

#define SET_NETWORKS "networks"
#define SET_PEERS "peers"
#define SET_EGRESS "egress"
#define SET_SUBNETS "subnets"

static const char sets_text[] =
	"	set " SET_NETWORKS " { type devgroup; }\n"
	"	set " SET_PEERS " { type devgroup . devgroup; }\n"
	"	set " SET_EGRESS " { type devgroup; }\n"
	"	set " SET_SUBNETS " { type ipv4_addr; flags interval; }\n"
	"	set host_services { type devgroup . inet_proto . inet_service; }\n"
	"	map " SET_ADDRESS_PORTS " { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
	"	map " SET_ANY_PORTS " { type inet_proto . inet_service : ipv4_addr . inet_service; }\n";

/* 0x77000000: packets of a connection from an instance to its own published port. */
static const char chains_text[] =
	"	chain " MARKER_CHAIN " { counter; }\n"
	"	chain publish {\n"
	"		dnat ip to ip daddr . meta l4proto . th dport map @" SET_ADDRESS_PORTS "\n"
	"		dnat ip to meta l4proto . th dport map @" SET_ANY_PORTS "\n"
	"	}\n"
	"	chain arriving {\n"
	"		type nat hook prerouting priority dstnat; policy accept;\n"
	"		ip daddr 127.0.0.0/8 return\n"
	"		fib daddr type local meta l4proto { tcp, udp } jump publish\n"
	"	}\n"
	"	chain own {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		fib daddr type local meta l4proto { tcp, udp } jump publish\n"
	"	}\n"
	"	chain leaving {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		oifgroup @" SET_NETWORKS " meta mark & 0x77000000 == 0x77000000 masquerade\n"
	"		oifgroup @" SET_NETWORKS " ip saddr 127.0.0.0/8 masquerade\n"
	"		oifgroup != @" SET_NETWORKS " ip saddr @" SET_SUBNETS " masquerade\n"
	"	}\n"
	"	chain from_instance {\n"
	"		meta nfproto ipv6 drop\n"
	"		ip daddr 127.0.0.0/8 drop\n"
	"		fib saddr . iif oif missing drop\n"
	"	}\n"
	"	chain guard {\n"
	"		type filter hook prerouting priority raw; policy accept;\n"
	"		iifgroup @" SET_NETWORKS " jump from_instance\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		iifgroup != @" SET_NETWORKS " oifgroup != @" SET_NETWORKS " goto foreign\n"
	"		meta nfproto ipv6 drop\n"
	"		ct state established,related accept\n"
	"		ct state invalid drop\n"
	"		oifgroup @" SET_NETWORKS " ct status dnat fib daddr . iif oif exists"
	" meta mark set meta mark | 0x77000000\n"
	"		oifgroup @" SET_NETWORKS " ct status dnat accept\n"
	"		iifgroup . oifgroup @" SET_PEERS " accept\n"
	"		oifgroup @" SET_NETWORKS " drop\n"
	"		ip daddr 169.254.0.0/16 drop\n"
	"		iifgroup @" SET_EGRESS " accept\n"
	"		drop\n"
	"	}\n"
	"	chain input {\n"
	"		type filter hook input priority filter; policy accept;\n"
	"		iifgroup != @" SET_NETWORKS " accept\n"
	"		icmp type redirect drop\n"
	"		ct state established,related accept\n"
	"		icmp type echo-request accept\n"
	"		iifgroup . meta l4proto . th dport @host_services accept\n"
	"		drop\n"
	"	}\n"
	"	chain output {\n"
	"		type filter hook output priority filter; policy accept;\n"
	"		oifgroup @" SET_NETWORKS " meta nfproto ipv6 drop\n"
	"	}\n";

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

static int sink_subnet(const struct subnet *subnet, element_sink *sink, void *context)
{
	struct element first = {.set = SET_SUBNETS}, end = {.set = SET_SUBNETS, .interval_end = true};
	uint32_t behind = htonl(subnet_first(subnet) + subnet_size(subnet));

	element_add_key(&first, &subnet->base, sizeof(subnet->base));
	element_add_key(&end, &behind, sizeof(behind));
	if (sink(&first, context) < 0)
		return -1;
	return sink(&end, context);
}

static int sink_peers(const struct network_list *networks, const struct network *to, element_sink *sink, void *context)
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *from = &networks->items[i];
		bool may = from == to ? !to->isolated : strings_contain(&to->allow, from->name);
		unsigned pair[] = {network_group(from), network_group(to)};

		if (may && sink_groups(SET_PEERS, pair, 2, sink, context) < 0)
			return -1;
	}
	return 0;
}

static int networks_to_elements(const struct network_list *networks, element_sink *sink, void *context)
{
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];
		unsigned group = network_group(network);

		if (sink_groups(SET_NETWORKS, &group, 1, sink, context) < 0 ||
			sink_subnet(&network->subnet, sink, context) < 0 ||
			(network->egress && sink_groups(SET_EGRESS, &group, 1, sink, context) < 0) ||
			sink_peers(networks, network, sink, context) < 0)
			return -1;
	}
	return 0;
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

static void write_foreign(struct text *text, const struct ruleset *ruleset)
{
	text_append(text, "	chain foreign {\n		meta nfproto ipv6 accept\n");
	for (size_t i = 0; i < ruleset->routers->count; i++)
		text_appendf(text, "		iifname \"%s\" accept\n", ruleset->routers->items[i]);
	text_appendf(text, "		%s\n	}\n", ruleset->forward_foreign ? "accept" : "drop");
}

static uint32_t key_word(const struct element *element, unsigned index)
{
	uint32_t word;

	memcpy(&word, element->key + index * sizeof(word), sizeof(word));
	return word;
}

static int element_write(const struct element *element, void *context)
{
	struct text *text = context;

	if (strcmp(element->set, SET_SUBNETS) == 0)
		return 0; /* written as ranges */
	text_appendf(text, "add element inet " TABLE_NAME " %s { %u", element->set, key_word(element, 0));
	if (element->key_length > sizeof(uint32_t))
		text_appendf(text, " . %u", key_word(element, 1));
	text_append(text, " }\n");
	return 0;
}

void ruleset_write(struct text *text, const struct ruleset *ruleset)
{
	char subnet[20];

	text_append(text, "table inet " TABLE_NAME "\ndelete table inet " TABLE_NAME "\ntable inet " TABLE_NAME " {\n");
	text_append(text, sets_text);
	write_foreign(text, ruleset);
	text_append(text, chains_text);
	text_append(text, "}\n");
	if (networks_to_elements(ruleset->networks, element_write, text) < 0)
		return; /* element_write() does not fail */
	for (size_t i = 0; i < ruleset->networks->count; i++)
		text_appendf(text, "add element inet " TABLE_NAME " " SET_SUBNETS " { %s }\n",
			subnet_format(&ruleset->networks->items[i].subnet, subnet));
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

/* A transaction larger than the socket's send buffer is refused whole; root may have any. */
static void send_buffer_grow(int fd, size_t size)
{
	int wanted = size > INT32_MAX ? INT32_MAX : (int)size;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) < 0)
		return; /* then send() says so */
}

/* Emptied and filled again in one transaction: packets see the old or the new state, and whatever a killed command left
 * behind is mended on the way. */
int ruleset_sync_networks(struct netlink *netlink, const struct network_list *networks, struct error *err)
{
	static const char *const sets[] = {SET_NETWORKS, SET_PEERS, SET_EGRESS, SET_SUBNETS};
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

/* The marker chain holds one rule: `nft flush table` leaves the chain but takes the rule. */
int ruleset_is_current(struct netlink *netlink, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;
	bool whole = false;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(
		&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, "look for the nftables table");
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, MARKER_CHAIN);
	if (request_exchange(netlink, &request, marker_note, &whole, err) == 0)
		return whole;
	return request.errnum == ENOENT ? 0 : -1;
}

int ruleset_remove(struct netlink *netlink, struct error *err)
{
	uint64_t buffer[4 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	batch_begin(&request, netlink, buffer, sizeof(buffer));
	batch_delete_table(&request);
	batch_end(&request);
	if (request_exchange(netlink, &request, NULL, NULL, err) < 0 && request.errnum != ENOENT)
		return -1;
	return 0;
}
