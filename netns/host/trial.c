/* What the host's network needs of the kernel, tried for real in a network namespace that plays the host's.
 *
 * The whole table is loaded first, as it is for instances; only when that fails is each kind of rule tried alone, so
 * that the one that is missing can be named. The kernel loads its modules while we try: what is said to be missing
 * could not be loaded either. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/links/link.h"
#include "netns/netlink/address.h"
#include "netns/netns.h"
#include "netns/table/ruleset.h"

#define TABLE(content) "table inet trial\ndelete table inet trial\ntable inet trial {\n" content "\n}\n"
#define CHAIN(hook, rule) TABLE("chain c {\ntype " hook "; policy accept;\n" rule "\n}")
#define FILTER "filter hook forward priority filter"

/* One per kind of expression, set or chain in netns/table/ruleset.c. */
static const struct {
	const char *name, *module, *text;
} rules[] = {
	{"tables of inet", "nf_tables", TABLE("")},
	{"sets", "nf_tables", TABLE("set s { type devgroup . inet_proto . inet_service; }")},
	{"sets of ranges", "nf_tables", TABLE("set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }")},
	{"chains before routing", "nf_tables", CHAIN("filter hook prerouting priority raw", "accept")},
	{"counters", "nf_tables", TABLE("chain c { counter; }")},
	{"groups of links", "nft_meta, in nf_tables", CHAIN(FILTER, "iifgroup . oifgroup { 1 . 2 } accept")},
	{"packet marks", "nft_meta, in nf_tables", CHAIN(FILTER, "meta mark set meta mark | 0x77000000")},
	{"icmp", "nf_tables", CHAIN(FILTER, "icmp type { redirect, echo-request } drop")},
	{"connection tracking", "nft_ct and nf_conntrack",
		CHAIN(FILTER, "ct state established,related accept\nct status dnat accept")},
	{"routing questions", "nft_fib and nft_fib_inet",
		CHAIN("filter hook prerouting priority raw",
			"fib saddr . iif oif missing drop\nfib daddr type local accept")},
	{"chains of nat", "nft_chain_nat and nf_nat", CHAIN("nat hook prerouting priority dstnat", "accept")},
	{"published ports", "nft_nat",
		TABLE("map m { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
		      "chain c {\ntype nat hook prerouting priority dstnat; policy accept;\n"
		      "dnat ip to meta l4proto . th dport map @m\n}")},
	{"ranges of published ports", "nf_tables",
		TABLE("map m { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }\n"
		      "chain c {\ntype nat hook prerouting priority dstnat; policy accept;\n"
		      "dnat ip to ip daddr . meta l4proto . th dport map @m\n}")},
	{"shared ports, in turn", "nft_numgen",
		TABLE("map m { typeof meta l4proto . th dport . numgen inc mod 64 : ip daddr . th dport; }\n"
		      "chain c {\ntype nat hook prerouting priority dstnat; policy accept;\n"
		      "dnat ip to meta l4proto . th dport . numgen inc mod 64 map @m\n}")},
	{"shared ports, by client", "nft_hash",
		TABLE("map m { typeof meta l4proto . th dport . numgen inc mod 64 : ip daddr . th dport; }\n"
		      "chain c {\ntype nat hook prerouting priority dstnat; policy accept;\n"
		      "dnat ip to meta l4proto . th dport . jhash ip saddr mod 64 seed 0x77 map @m\n}")},
	{"sets that count", "nf_tables",
		TABLE("set s { type ipv4_addr; flags dynamic; size 65536; counter; }\n"
		      "chain c {\ntype " FILTER "; policy accept;\nupdate @s { ip saddr }\n}")},
	{"limits by link", "nft_limit and nft_objref",
		TABLE("map m { type ifname : limit; }\n"
		      "chain c {\ntype " FILTER "; policy accept;\nlimit name iifname map @m drop\n}")},
	{"masquerading", "nft_masq", CHAIN("nat hook postrouting priority srcnat", "ip saddr 10.0.0.0/8 masquerade")},
};

const char *net_rule_name(size_t rule)
{
	return rule < ARRAY_SIZE(rules) ? rules[rule].name : NULL;
}

const char *net_rule_module(size_t rule)
{
	return rules[rule].module;
}

int net_rule_try(size_t rule, struct error *err)
{
	return ruleset_text_load(rules[rule].text, err);
}

int net_table_try(struct error *err)
{
	struct network network = {.name = "trial", .number = 1, .egress = true};
	const struct network_list networks = {.items = &network, .count = 1};
	const struct strings routers = {0};
	const struct ruleset ruleset = {.networks = &networks, .routers = &routers};

	if (subnet_parse(NETWORK_DEFAULT_SUBNET, &network.subnet, err) < 0)
		return -1;
	return ruleset_load(&ruleset, err);
}

/* The namespace that we are in plays the host's, a second one the instance's. */
int net_link_try(struct error *err)
{
	const struct endpoint endpoint = {.slot = 1, .network_number = 1, .address = {htonl(0x0a580001)}};
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	auto_fd inside = -1;

	if (!session)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return fail_errno(err, "unshare the network namespace");
	inside = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (inside < 0)
		return fail_errno(err, "open /proc/self/ns/net");
	return endpoint_attach(session, &endpoint, inside, 0, err);
}
