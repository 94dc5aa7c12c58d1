/* Tables of others that are in our way.
 *
 * What one table accepts another may still drop. A firewall that drops all forwarding by its policy (docker's and
 * ufw's do) therefore cuts instances off, and published ports with them, although everything of ours is in place. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/cleanup.h"
#include "netns/elements.h"
#include "netns/netns.h"
#include "netns/request.h"

#define CHAINS_MAX 64

struct drops {
	struct arena *arena;
	struct strings *chains;
};

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_INET ? "inet" : family == NFPROTO_IPV4 ? "ip" : NULL;
}

static bool number_is(const struct nlattr *attribute, uint32_t value)
{
	const uint32_t *number = attribute_exact(attribute, sizeof(*number));

	return number && ntohl(*number) == value;
}

static void chain_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NFTA_CHAIN_POLICY + 1], *hook[NFTA_HOOK_HOOKNUM + 1];
	struct drops *drops = context;
	const char *family, *of, *name;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
		!attributes_of_message(message, sizeof(struct nfgenmsg), table, NFTA_CHAIN_POLICY) ||
		!table[NFTA_CHAIN_HOOK] || drops->chains->count == CHAINS_MAX)
		return;
	attributes_of_nest(table[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_HOOKNUM);
	family = family_name(((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family);
	of = attribute_text(table[NFTA_CHAIN_TABLE]);
	name = attribute_text(table[NFTA_CHAIN_NAME]);
	if (!family || !of || !name || text_equal(of, TABLE_NAME) ||
		!number_is(hook[NFTA_HOOK_HOOKNUM], NF_INET_FORWARD) || !number_is(table[NFTA_CHAIN_POLICY], NF_DROP))
		return;
	strings_add(drops->arena, drops->chains, arena_format(drops->arena, "%s %s %s", family, of, name));
}

int net_foreign_drops(struct arena *arena, struct strings *chains, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	struct drops drops = {arena, chains};
	struct request request;

	*chains = (struct strings){0};
	if (netlink_open(&netlink, NETLINK_NETFILTER, err) < 0)
		return -1;
	request_begin(&request, &netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(
		&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, "list the nftables chains");
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = NFPROTO_UNSPEC;
	return request_exchange(&netlink, &request, chain_note, &drops, err);
}
