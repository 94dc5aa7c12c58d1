/* The table's text, but for what depends on the host.
 *
 * Networks are device groups, so a rule about a network holds for every instance of it the moment its link exists, and
 * an instance adds nothing here. How the verdicts fit together, in a packet's order:
 *
 *  - guard (raw): what an instance may not even try: loopback addresses, router advertisements, a source that is not
 *    its own address (asked of the routes, so nothing has to be kept per instance).
 *  - publish (nat): published ports, for packets from outside, from instances and from the host itself. A packet that
 *    arrives from elsewhere for 127.0.0.1 is never translated: that would let the neighbours on the wire reach ports
 *    published for this host only. IPv6 needs no such rule: the kernel takes ::1 from no wire.
 *  - forward: what is not ours goes to `foreign`, which keeps the host from becoming a router because of us.
 *  - input: nothing of the host but answers to its own questions and what `host_services` names.
 *  - output: a listening socket that was given to an instance (socket mode) can be turned round and connected from
 *    inside, in the host's network: its mark gives it away.
 *
 * Maps of slots are said to be of `numgen` also where a hash is looked up: both are numbers of 32 bits, and nft 1.0.6
 * dies listing a map of the type of a hash. Their data is `th dport`: with `tcp dport` nft would make the rule hold for
 * TCP alone, without a word. */
#include "netns/table/table_text.h"

#include "base/cleanup.h"
#include "netns/netlink/elements.h"
#include "netns/netns.h"

static const char sets[] = "	set " SET_NETWORKS " { type devgroup; }\n"
			   "	set " SET_PEERS " { type devgroup . devgroup; }\n"
			   "	set " SET_EGRESS " { type devgroup; }\n"
			   "	set " SET_METADATA " { type devgroup; }\n"
			   "	set " SET_ACCOUNTED " { type devgroup; }\n"
			   "	set " SET_SUBNETS " { type ipv4_addr; flags interval; }\n"
			   "	set " SET_SUBNETS6 " { type ipv6_addr; flags interval; }\n"
			   "	set " SET_HOST_SERVICES " { type devgroup . inet_proto . inet_service; }\n"
			   "	map " SET_CLAIMS " { type ipv6_addr . inet_proto . inet_service : ipv6_addr; }\n"
			   "	set " SET_NARROW " { type nf_proto . inet_proto . inet_service; }\n"
			   "	set " SET_OUTSIDE_OUT " { type ipv4_addr; flags dynamic; size 65536; counter; }\n"
			   "	set " SET_OUTSIDE_IN " { type ipv4_addr; flags dynamic; size 65536; counter; }\n"
			   "	set " SET_OUTSIDE_OUT6 " { type ipv6_addr; flags dynamic; size 65536; counter; }\n"
			   "	set " SET_OUTSIDE_IN6 " { type ipv6_addr; flags dynamic; size 65536; counter; }\n"
			   "	map " SET_EGRESS_LIMITS " { type ifname : limit; }\n";

/* --- published ports ---------------------------------------------------------------------------------------------- */

#define NEXT_SLOT "numgen inc mod 64"
#define CLIENTS_SLOT(ip) "jhash " ip " saddr mod 64 seed 0x77"

/* The maps that are looked into for each family, in this order; the ones of IPv6 have a 6 behind their name. */
static const struct port_map {
	const char *name;
	bool by_address;	  /* the host's address is part of the key */
	bool is_range;		  /* which leads to an address and keeps the port */
	const char *slot, *slot6; /* the last part of the key, NULL: none */
} port_maps[] = {
	{SET_ADDRESS_PORTS, true, false, NULL, NULL},
	{SET_ANY_PORTS, false, false, NULL, NULL},
	{SET_BALANCED, true, false, NEXT_SLOT, NEXT_SLOT},
	{SET_BALANCED_ANY, false, false, NEXT_SLOT, NEXT_SLOT},
	{SET_STICKY, true, false, CLIENTS_SLOT("ip"), CLIENTS_SLOT("ip6")},
	{SET_STICKY_ANY, false, false, CLIENTS_SLOT("ip"), CLIENTS_SLOT("ip6")},
	{SET_RANGES, true, true, NULL, NULL},
};

static const struct family {
	const char *suffix, *ip, *type;
} families[] = {{"", "ip", "ipv4_addr"}, {"6", "ip6", "ipv6_addr"}};

static void write_port_map(struct text *text, const struct port_map *map, const struct family *family)
{
	text_appendf(text, "	map %s%s { ", map->name, family->suffix);
	if (map->slot)
		text_appendf(text, "typeof %s%smeta l4proto . th dport . " NEXT_SLOT " : %s daddr . th dport; }\n",
			map->by_address ? family->ip : "", map->by_address ? " daddr . " : "", family->ip);
	else
		text_appendf(text, "type %s%sinet_proto . inet_service : %s%s; }\n",
			map->by_address ? family->type : "", map->by_address ? " . " : "", family->type,
			map->is_range ? "; flags interval" : " . inet_service");
}

static void write_lookup(struct text *text, const struct port_map *map, const struct family *family)
{
	const char *slot = family->suffix[0] ? map->slot6 : map->slot;

	text_appendf(text, "		dnat %s to %s%smeta l4proto . th dport%s%s map @%s%s\n", family->ip,
		map->by_address ? family->ip : "", map->by_address ? " daddr . " : "", slot ? " . " : "",
		slot ? slot : "", map->name, family->suffix);
}

static void write_publish(struct text *text, const struct family *family)
{
	text_appendf(text, "	chain publish_%s {\n", family->ip);
	for (size_t i = 0; i < ARRAY_SIZE(port_maps); i++)
		write_lookup(text, &port_maps[i], family);
	text_append(text, "	}\n");
}

void table_write_sets(struct text *text)
{
	text_append(text, sets);
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (size_t i = 0; i < ARRAY_SIZE(port_maps); i++)
			write_port_map(text, &port_maps[i], &families[f]);
}

/* --- chains ------------------------------------------------------------------------------------------------------- */

/* 0x77000000: packets of a connection from an instance to its own published port. 0x78000000: NET_SOCKET_MARK. */
static const char chains[] =
	"	chain " MARKER_CHAIN " { counter; }\n"
	"	chain publish {\n"
	"		meta nfproto vmap { ipv4 : goto publish_ip, ipv6 : goto publish_ip6 }\n"
	"	}\n"
	"	chain arriving {\n"
	"		type nat hook prerouting priority dstnat; policy accept;\n"
	"		ip daddr 127.0.0.0/8 return\n"
	"		fib daddr type local meta l4proto { tcp, udp, sctp } jump publish\n"
	"	}\n"
	"	chain own {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		fib daddr type local meta l4proto { tcp, udp, sctp } jump publish\n"
	"	}\n"
	"	chain leaving {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		oifgroup @" SET_NETWORKS " meta mark & 0x77000000 == 0x77000000 masquerade\n"
	"		oifgroup @" SET_NETWORKS " ip saddr 127.0.0.0/8 masquerade\n"
	"		oifgroup != @" SET_NETWORKS " ip saddr @" SET_SUBNETS " masquerade\n"
	"		oifgroup != @" SET_NETWORKS " ip6 saddr @" SET_SUBNETS6 " masquerade\n"
	"	}\n"
	"	chain from_instance {\n"
	"		limit name iifname map @" SET_EGRESS_LIMITS " drop\n"
	"		ip daddr 127.0.0.0/8 drop\n"
	"		ip6 daddr ::1 drop\n"
	"		icmpv6 type { nd-router-solicit, nd-router-advert, nd-redirect } drop\n"
	"		fib saddr . iif oif missing drop\n"
	"	}\n"
	"	chain guard {\n"
	"		type filter hook prerouting priority raw; policy accept;\n"
	"		iifgroup @" SET_NETWORKS " jump from_instance\n"
	"	}\n"
	"	chain pass {\n"
	"		iifgroup @" SET_ACCOUNTED " oifgroup != @" SET_NETWORKS " jump count_out\n"
	"		oifgroup @" SET_ACCOUNTED " iifgroup != @" SET_NETWORKS " jump count_in\n"
	"		accept\n"
	"	}\n"
	"	chain count_out {\n"
	"		update @" SET_OUTSIDE_OUT " { ip saddr }\n"
	"		update @" SET_OUTSIDE_OUT6 " { ip6 saddr }\n"
	"	}\n"
	"	chain count_in {\n"
	"		update @" SET_OUTSIDE_IN " { ip daddr }\n"
	"		update @" SET_OUTSIDE_IN6 " { ip6 daddr }\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		iifgroup != @" SET_NETWORKS " oifgroup != @" SET_NETWORKS " goto foreign\n"
	"		ct state established,related goto pass\n"
	"		ct state invalid drop\n"
	"		oifgroup @" SET_NETWORKS " ct status dnat fib daddr . iif oif exists"
	" meta mark set meta mark | 0x77000000\n"
	"		oifgroup @" SET_NETWORKS " ct status dnat goto pass\n"
	"		iifgroup . oifgroup @" SET_PEERS " accept\n"
	"		oifgroup @" SET_NETWORKS " drop\n"
	"		iifgroup @" SET_METADATA " ip daddr 169.254.169.254 iifgroup @" SET_EGRESS " goto pass\n"
	"		iifgroup @" SET_METADATA " ip6 daddr fd00:ec2::254 iifgroup @" SET_EGRESS " goto pass\n"
	"		ip daddr 169.254.0.0/16 drop\n"
	"		ip6 daddr { fd00:ec2::254, fe80::/10 } drop\n"
	"		iifgroup @" SET_EGRESS " goto pass\n"
	"		drop\n"
	"	}\n"
	"	chain input {\n"
	"		type filter hook input priority filter; policy accept;\n"
	"		iifgroup != @" SET_NETWORKS " accept\n"
	"		icmp type redirect drop\n"
	"		ct state established,related accept\n"
	"		icmp type echo-request accept\n"
	"		icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept\n"
	"		iifgroup . meta l4proto . th dport @" SET_HOST_SERVICES " accept\n"
	"		drop\n"
	"	}\n"
	"	chain output {\n"
	"		type filter hook output priority filter; policy accept;\n"
	"		meta mark & 0x7f000000 == 0x78000000 ct state new drop\n"
	"	}\n";

void table_write_chains(struct text *text)
{
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		write_publish(text, &families[f]);
	text_append(text, chains);
}
