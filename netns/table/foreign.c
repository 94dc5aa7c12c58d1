/* Tables of others that are in our way.
 *
 * What one table accepts another may still drop. A firewall that drops all forwarding, by its policy (docker's and
 * ufw's do) or by a last rule that drops or rejects whatever comes to it (firewalld's does), therefore cuts instances
 * off, and published ports with them, although everything of ours is in place. Rules with conditions are not judged:
 * what they meet only packets can tell. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/request.h"
#include "netns/netns.h"

#define CHAINS_MAX 64
#define EXPRESSIONS_MAX 8 /* of a rule without conditions: counters, logging, the verdict */

/* A base chain of somebody else's on the hook in question. */
struct foreign_chain {
	uint8_t family;
	const char *table, *name;
	bool drops;
};

struct search {
	struct arena *arena;
	uint32_t hook;
	struct foreign_chain chains[CHAINS_MAX];
	size_t count;
};

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return NULL;
	}
}

static bool number_is(const struct nlattr *attribute, uint32_t value)
{
	const uint32_t *number = attribute_exact(attribute, sizeof(*number));

	return number && ntohl(*number) == value;
}

static uint8_t family_of(const struct nlmsghdr *message)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family;
}

static void chain_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NFTA_CHAIN_POLICY + 1], *hook[NFTA_HOOK_HOOKNUM + 1];
	struct search *search = context;
	const char *of, *name;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
		!attributes_of_message(message, sizeof(struct nfgenmsg), table, NFTA_CHAIN_POLICY) ||
		!table[NFTA_CHAIN_HOOK] || search->count == CHAINS_MAX)
		return;
	attributes_of_nest(table[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_HOOKNUM);
	of = attribute_text(table[NFTA_CHAIN_TABLE]);
	name = attribute_text(table[NFTA_CHAIN_NAME]);
	if (!family_name(family_of(message)) || !of || !name || text_equal(of, TABLE_NAME) ||
		!number_is(hook[NFTA_HOOK_HOOKNUM], search->hook))
		return;
	search->chains[search->count++] = (struct foreign_chain){.family = family_of(message),
		.table = arena_string(search->arena, of),
		.name = arena_string(search->arena, name),
		.drops = number_is(table[NFTA_CHAIN_POLICY], NF_DROP)};
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

enum expression_kind { EXPRESSION_CONDITION, EXPRESSION_IDLE, EXPRESSION_DROP };

static bool verdict_is_drop(const struct nlattr *data)
{
	const struct nlattr *immediate[NFTA_IMMEDIATE_DATA + 1], *value[NFTA_DATA_VERDICT + 1],
		*verdict[NFTA_VERDICT_CODE + 1];

	attributes_of_nest(data, immediate, NFTA_IMMEDIATE_DATA);
	attributes_of_nest(immediate[NFTA_IMMEDIATE_DATA], value, NFTA_DATA_VERDICT);
	attributes_of_nest(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_CODE);
	return number_is(verdict[NFTA_VERDICT_CODE], NF_DROP);
}

static enum expression_kind expression_kind(const struct nlattr *expression)
{
	const struct nlattr *table[NFTA_EXPR_DATA + 1];
	const char *name;

	attributes_of_nest(expression, table, NFTA_EXPR_DATA);
	name = attribute_text(table[NFTA_EXPR_NAME]);
	if (text_equal(name, "counter") || text_equal(name, "log"))
		return EXPRESSION_IDLE;
	if (text_equal(name, "reject"))
		return EXPRESSION_DROP;
	return text_equal(name, "immediate") && verdict_is_drop(table[NFTA_EXPR_DATA]) ? EXPRESSION_DROP
										       : EXPRESSION_CONDITION;
}

static bool rule_drops_all(const struct nlattr *expressions)
{
	const struct nlattr *expression;
	int seen = 0;

	if (!expressions)
		return false;
	mnl_attr_for_each_nested(expression, expressions)
	{
		enum expression_kind kind = expression_kind(expression);

		if (kind == EXPRESSION_DROP)
			return true;
		if (kind == EXPRESSION_CONDITION || ++seen == EXPRESSIONS_MAX)
			return false;
	}
	return false;
}

static void rule_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NFTA_RULE_EXPRESSIONS + 1];
	struct search *search = context;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ||
		!attributes_of_message(message, sizeof(struct nfgenmsg), table, NFTA_RULE_EXPRESSIONS) ||
		!rule_drops_all(table[NFTA_RULE_EXPRESSIONS]))
		return;
	for (size_t i = 0; i < search->count; i++) {
		struct foreign_chain *chain = &search->chains[i];

		if (chain->family == family_of(message) &&
			text_equal(chain->table, attribute_text(table[NFTA_RULE_TABLE])) &&
			text_equal(chain->name, attribute_text(table[NFTA_RULE_CHAIN])))
			chain->drops = true;
	}
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int dump(struct netlink *netlink, uint16_t type, const char *what, message_handler *each, struct search *search,
	struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message =
		request_message(&request, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, what);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = NFPROTO_UNSPEC;
	return request_exchange(netlink, &request, each, search, err);
}

int net_foreign_drops(struct arena *arena, enum packet_way way, struct strings *chains, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	static const uint32_t hooks[] = {
		[WAY_FORWARD] = NF_INET_FORWARD, [WAY_INPUT] = NF_INET_LOCAL_IN, [WAY_OUTPUT] = NF_INET_LOCAL_OUT};
	struct search search = {.arena = arena, .hook = hooks[way]};

	*chains = (struct strings){0};
	if (netlink_open(&netlink, NETLINK_NETFILTER, err) < 0 ||
		dump(&netlink, NFT_MSG_GETCHAIN, "list the nftables chains", chain_note, &search, err) < 0 ||
		dump(&netlink, NFT_MSG_GETRULE, "list the nftables rules", rule_note, &search, err) < 0)
		return -1;
	for (size_t i = 0; i < search.count; i++)
		if (search.chains[i].drops)
			strings_add(arena, chains,
				arena_format(arena, "%s %s %s", family_name(search.chains[i].family),
					search.chains[i].table, search.chains[i].name));
	return 0;
}
