/* Network of instances: routed, one veth pair each, no bridge.
 *
 * Host side: link w<slot> in the device group of its network, routes to the instance's addresses, a /32 and a /128, and
 * permanent neighbours. Inside: eth0 with these addresses, default routes over 169.254.1.1 (which the host's loopback
 * carries) and fe80::1 (which nobody has to), permanent neighbours.
 * One static nftables table, `inet warren`; an instance adds nothing to it, a published port one map element. Costs
 * stay flat to thousands. See docs/network.md for the packet's way. */
#ifndef WARREN_NETNS_NETNS_H
#define WARREN_NETNS_NETNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"

/* --- addresses of either kind ------------------------------------------------------------------------------------- */

struct ip_address {
	int family; /* AF_INET, AF_INET6; 0: none */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};
/* "10.88.0.5" or "fd00::5": no zone, no brackets, no IPv4 address dressed as an IPv6 one. */
MUST_CHECK int ip_parse(const char *text, struct ip_address *out, struct error *err);
/* None: "". */
const char *ip_format(const struct ip_address *address, char buffer[INET6_ADDRSTRLEN]);
struct ip_address ip_from_v4(struct in_addr address);
struct ip_address ip_from_v6(const struct in6_addr *address);
/* Of the same family and the same. */
bool ip_equal(const struct ip_address *a, const struct ip_address *b);
/* 0.0.0.0, :: or none. */
bool ip_is_any(const struct ip_address *address);
/* True when a socket of the caller's network namespace can be bound to it: an address of the host. */
bool ip_is_local(const struct ip_address *address);
/* 127.0.0.0/8 or ::1. */
bool ip_is_loopback(const struct ip_address *address);

/* True when the kernel has IPv6 and it is not disabled in the caller's network namespace. Three system calls. */
bool net_has_ipv6(void);

/* --- networks ----------------------------------------------------------------------------------------------------- */

#define NETWORK_DEFAULT "default"
#define NETWORK_DEFAULT_SUBNET "10.88.0.0/16"

struct subnet {
	struct in_addr base; /* network byte order */
	unsigned prefix;     /* 8 … 30 */
};
/* "10.44.0.0/16": host bits must be zero. */
MUST_CHECK int subnet_parse(const char *text, struct subnet *out, struct error *err);
const char *subnet_format(const struct subnet *subnet, char buffer[20]);
/* In the subnet and neither its base nor its broadcast address. */
bool subnet_usable(const struct subnet *subnet, struct in_addr address);

struct subnet6 {
	struct in6_addr base;
	unsigned prefix; /* 48 … 120; 0: none */
};
#define SUBNET6_TEXT_SIZE (INET6_ADDRSTRLEN + 4)
/* "fd12:3456:789a:1::/64" or "2001:db8:1::/64": host bits must be zero. */
MUST_CHECK int subnet6_parse(const char *text, struct subnet6 *out, struct error *err);
const char *subnet6_format(const struct subnet6 *subnet, char buffer[SUBNET6_TEXT_SIZE]);

bool subnet6_has(const struct subnet6 *subnet, const struct in6_addr *address);
bool subnet6_overlaps(const struct subnet6 *a, const struct subnet6 *b);
/* In the subnet, not its base, and with no bits between its prefix and the last 24. */
bool subnet6_usable(const struct subnet6 *subnet, const struct in6_addr *address);

/* A service of the host that instances may reach, by any address of the host. */
struct host_service {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
	uint16_t port;
};
/* "tcp/53", as `network create --service` takes it; port 1 … 65535. */
MUST_CHECK int host_service_parse(const char *text, struct host_service *out, struct error *err);
const char *host_service_format(const struct host_service *service, char buffer[16]);

#define NETWORK_SUBNETS_MAX 16
#define NETWORK_MTU_MIN 1280 /* IPv6 needs it: RFC 8200, section 5 */
#define NETWORK_MTU_MAX 65535

/* A network: kept as one record <state>/networks/<name>.json by network_define(); its number (1 … 4095) decides the
 * device group 0x7700 + number. */
struct network {
	const char *name;
	unsigned number;
	struct subnet subnet;
	LIST_OF(struct subnet) more; /* further ones, in the order in which they are used when those before are full */
	/* prefix 0 when it is defined: one of this host's own (RFC 4193) is chosen and kept, if the host has IPv6. */
	struct subnet6 subnet6;
	bool ipv4_only;	      /* no IPv6 in it */
	unsigned mtu;	      /* of its instances' links, 1280 … 65535; 0: 1500 */
	bool isolated;	      /* its instances do not see one another */
	bool egress;	      /* may leave the host */
	bool metadata;	      /* may reach the cloud's metadata service; needs egress */
	bool accounting;      /* what its instances exchange with the outside is counted apart */
	const char *owner;    /* the fleet that defined it; "" by hand */
	struct strings allow; /* other networks whose instances may reach this one */
	struct strings links; /* the same, and this one's may reach them */
	LIST_OF(struct host_service) services;
	struct pairs labels;
};
static inline size_t network_subnet_count(const struct network *network)
{
	return 1 + network->more.count;
}
static inline const struct subnet *network_subnet(const struct network *network, size_t i)
{
	return i ? &network->more.items[i - 1] : &network->subnet;
}

/* --- the host's part, shared by all ------------------------------------------------------------------------------- */

/* Where this module keeps what it knows. Both directories exist and belong to the caller. */
struct net_state {
	int run; /* tmpfs: /run/warren/net — slots bitmap, saved sysctls, hosts directories; gone with a reboot, as the
		    kernel's state is */
	int records; /* disk: /var/lib/warren/networks — one record a network */
};

/* Defines (or changes) a network: nft elements (when the host's part is up), then the record; nothing is touched when
 * the record says the same already. Names in `allow` and `links` may be defined later. Subnets may be added at the end
 * at any time; those that are there cannot change while addresses are taken (ERROR_BUSY). A subnet that overlaps
 * another network's or one of the host's own routes/addresses is refused by name. The number is allocated. ERROR_BUSY
 * when another owner has the name. */
MUST_CHECK int network_define(const struct net_state *state, struct network *network, struct error *err);
/* 1: nobody has the subnet, 0: *err says who, as network_define() would. */
MUST_CHECK int subnet_is_free(const struct net_state *state, const struct subnet *subnet, struct error *err);
MUST_CHECK int network_load(
	struct arena *arena, const struct net_state *state, const char *name, struct network *out, struct error *err);
struct network_list {
	struct network *items;
	size_t count;
};
/* Its own entry; NULL: none of that name. */
struct network *network_list_find(const struct network_list *list, const char *name);
MUST_CHECK int network_load_all(
	struct arena *arena, const struct net_state *state, struct network_list *out, struct error *err);
/* What network_define() would refuse of it beside those of the list, before anything is touched. in_use: instances have
 * addresses of the one that has its name now. A subnet whose prefix is 0 is one that will be found. */
MUST_CHECK int network_admit(
	const struct network_list *beside, const struct network *network, bool in_use, struct error *err);
/* What is said of it in its record and to who asks alike, into the object that is open: all but what it is called by,
 * its subnets and its owner. */
struct encoder;
void network_encode(struct encoder *encoder, const struct network *network);
/* Removes record, elements and hosts directory. ERROR_BUSY while a host number of it is taken. */
MUST_CHECK int network_undefine(const struct net_state *state, const char *name, struct error *err);
/* Removes half-written records that killed commands left. */
MUST_CHECK int networks_sweep(const struct net_state *state, struct error *err);

/* Brings the host's part up if it is not (idempotent, one GET when it is): table, 169.254.1.1 on lo, ip_forward (the
 * old value saved first in <run>/sysctls), elements of all defined networks. Also repairs after somebody's `flush
 * ruleset`. Serialised by a lock. Take a slot first: that keeps the host's part from being taken down meanwhile.
 * 0: all was in place. 1: the table is new, and nobody has said net_host_republished() since: the caller publishes the
 * ports of all running instances (again), then says so. */
MUST_CHECK int net_host_up(const struct net_state *state, struct error *err);
MUST_CHECK int net_host_republished(const struct net_state *state, struct error *err);
/* What of the host's part, apart from the table, somebody has undone since: bits. */
enum host_fault {
	HOST_FORWARDING = 1 << 0,  /* net.ipv4.ip_forward is off */
	HOST_FORWARDING6 = 1 << 1, /* net.ipv6.conf.all.forwarding is off */
	HOST_GATEWAY = 1 << 2,	   /* lo has lost 169.254.1.1 */
	HOST_GATEWAY6 = 1 << 3,	   /* lo has lost the address of the host's own prefix */
	HOST_FAULTS = 4
};
/* 0 when the host's part is not there at all. */
MUST_CHECK int net_host_inspect(const struct net_state *state, unsigned *faults, struct error *err);
/* False when somebody has switched forwarding off, of a family that the host has. Two reads, 10 us: for every start. */
bool net_host_forwards(void);
/* net_host_up() that trusts nothing, with the same result. */
MUST_CHECK int net_host_mend(const struct net_state *state, struct error *err);
/* When no slot is taken any more: removes the table and the address, restores the sysctls as they were, removes hosts
 * directories. Else does nothing. */
MUST_CHECK int net_host_down_if_unused(const struct net_state *state, struct error *err);

/* --- slots and host numbers --------------------------------------------------------------------------------------- */

/* A slot is an instance's number on this host, 1 … 4094: link name w<slot>, ifindex 100000 + slot, id range
 * SLOT_ID_BASE + slot × 65536. */
#define SLOT_MAX 4094
#define SLOT_ID_BASE 1879048192u
#define SLOT_ID_COUNT 65536u

/* Takes a free slot (bitmap under flock, rotating, so that a number just given back is not reused at once), never one
 * whose link still exists. `wanted` > 0: that one or ERROR_BUSY (its old link may be dying still: endpoint_attach()
 * waits for that). All taken: ERROR_BUSY. */
MUST_CHECK int slot_take(const struct net_state *state, unsigned wanted, unsigned *slot, struct error *err);
/* The same, and *hold keeps the list from everybody else until it is closed: who writes down by then what it has loses
 * nothing to a kill (slots_keep()). */
MUST_CHECK int slot_take_held(
	const struct net_state *state, unsigned wanted, unsigned *slot, int *hold, struct error *err);
MUST_CHECK int slot_release(const struct net_state *state, unsigned slot, struct error *err);
/* Takes a host number inside the network: 1.0 is the first usable; base and broadcast are never given. `wanted` ≠
 * 0.0.0.0: that address, ERROR_BUSY when taken, ERROR_USAGE when outside. */
MUST_CHECK int address_take(const struct net_state *state, const struct network *network, struct in_addr wanted,
	struct in_addr *address, struct error *err);
MUST_CHECK int address_release(
	const struct net_state *state, const char *network, struct in_addr address, struct error *err);
/* The same for IPv6, in the network's subnet6. */
MUST_CHECK int address6_take(const struct net_state *state, const struct network *network,
	const struct in6_addr *wanted, struct in6_addr *address, struct error *err);
/* The IPv6 address with the host number that the IPv4 address has in the network, ::: there is none. Nothing is taken.
 */
struct in6_addr address6_beside(const struct network *network, struct in_addr address);
MUST_CHECK int address6_release(
	const struct net_state *state, const char *network, const struct in6_addr *address, struct error *err);
/* Marks what the instances' records say is taken: rebuilding the bitmaps after a reboot. Taken already is fine. */
MUST_CHECK int slot_mark(const struct net_state *state, unsigned slot, struct error *err);
MUST_CHECK int address_mark(
	const struct net_state *state, const char *network, struct in_addr address, struct error *err);
MUST_CHECK int address6_mark(
	const struct net_state *state, const char *network, const struct in6_addr *address, struct error *err);

/* A network's two lists of addresses, from the first use of each of them kept from everybody else until they are
 * dropped. Taking and giving back goes through it meanwhile, always IPv4 first. Who writes down what it has before it
 * drops them loses nothing to a kill: what is taken while nobody holds them, and written down nowhere, is lost
 * property (addresses_keep()). */
struct lease_hold {
	int lists[2]; /* -1: not in use */
};
#define LEASE_HOLD_NONE                                                                                                \
	{                                                                                                              \
		{                                                                                                      \
			-1, -1                                                                                         \
		}                                                                                                      \
	}
void lease_hold_drop(struct lease_hold *hold);
MUST_CHECK int address_take_held(const struct net_state *state, const struct network *network, struct in_addr wanted,
	struct lease_hold *hold, struct in_addr *address, struct error *err);
MUST_CHECK int address_release_held(const struct net_state *state, const char *network, struct in_addr address,
	struct lease_hold *hold, struct error *err);
MUST_CHECK int address6_take_held(const struct net_state *state, const struct network *network,
	const struct in6_addr *wanted, struct lease_hold *hold, struct in6_addr *address, struct error *err);
MUST_CHECK int address6_release_held(const struct net_state *state, const char *network, const struct in6_addr *address,
	struct lease_hold *hold, struct error *err);

/* Both lists at once, for who compares them with what is written down. */
MUST_CHECK int leases_hold(
	const struct net_state *state, const char *network, struct lease_hold *hold, struct error *err);
MUST_CHECK int slots_hold(const struct net_state *state, int *hold, struct error *err);
/* What somebody has by what is written down. */
struct lease_claim {
	struct in_addr address;	  /* 0.0.0.0: none */
	struct in6_addr address6; /* ::: none */
	bool certain;		  /* false: it may not be taken yet, or no more */
};
struct lease_claims {
	const struct lease_claim *items;
	size_t count;
};
/* With both held: gives back what nobody claims, and marks what is claimed for certain. */
MUST_CHECK int addresses_keep(const struct net_state *state, const char *network, struct lease_hold *hold,
	const struct lease_claims *claims, struct error *err);
struct slot_claims {
	bool claimed[SLOT_MAX + 1], certain[SLOT_MAX + 1];
};
MUST_CHECK int slots_keep(int hold, const struct slot_claims *claims, struct error *err);

/* --- one instance ------------------------------------------------------------------------------------------------- */

/* One route and one netfilter netlink socket; opened once per process. All messages are built and parsed by libmnl with
 * checked lengths. */
struct net_session;
struct net_session *net_session_open(struct error *err); /* NULL on failure */
void net_session_drop(struct net_session **session);

/* Bits per second, 0: no limit. As the instance sees them: egress is what it sends. */
struct link_rates {
	uint64_t egress_bits, ingress_bits;
};

struct endpoint {
	unsigned slot;
	unsigned network_number;
	struct in_addr address;
	struct in6_addr address6; /* ::: none */
	unsigned mtu;		  /* 0: 1500 */
	struct link_rates rates;
};

/* Makes both ends of the link: three sends, of which the last brings the carrier. An old link of this slot that is
 * still dying is waited for, at most timeout_ms. On failure nothing is left. netns: stays the caller's; the process is
 * inside for a moment, so it has one thread. */
MUST_CHECK int endpoint_attach(
	struct net_session *session, const struct endpoint *endpoint, int netns, int64_t timeout_ms, struct error *err);
/* Until the kernel's worker has seen the carrier, 0.2 ms after an attach that has the machine to itself: what the
 * instance sends before that is lost. ERROR_BUSY: not within timeout_ms. */
MUST_CHECK int endpoint_await(int netns, int64_t timeout_ms, struct error *err);
/* What has time until the instance runs: makes the host's routes of the link fewer and firmer. For one whose carrier is
 * on; what does not do it yet, or not at all, works as well. */
MUST_CHECK int endpoint_settle(struct net_session *session, const struct endpoint *endpoint, struct error *err);
/* Removes the host side without waiting where possible; absent is fine. Normally the namespace's end does it. */
MUST_CHECK int endpoint_detach(struct net_session *session, unsigned slot, struct error *err);
bool endpoint_exists(struct net_session *session, unsigned slot);

/* What others have done to the host's side of an instance that runs. */
enum endpoint_fault {
	ENDPOINT_GONE = 1 << 0,	     /* its link was deleted */
	ENDPOINT_DOWN = 1 << 1,	     /* it was set down */
	ENDPOINT_STRAYED = 1 << 2,   /* it is in another group than its network's, so that no rule knows it */
	ENDPOINT_TAKEN = 1 << 3,     /* it is a port of a bridge, or the like */
	ENDPOINT_UNROUTED = 1 << 4,  /* no route leads an address of it there */
	ENDPOINT_NEIGHBOUR = 1 << 5, /* the link address of an address is not known, or another */
	ENDPOINT_FAULTS = 6
};
/* faults[i]: bits, those of endpoints[i]. All links, routes and neighbours of the host are looked through. */
MUST_CHECK int endpoints_inspect(struct net_session *session, const struct endpoint *endpoints, size_t count,
	unsigned *faults, struct error *err);
/* Makes both ends as endpoint_attach() does; what is right already stays. netns: the
 * instance's. A link that had gone is made anew: publish the ports again, for loopback. The process is in the
 * namespace for a moment, so it has one thread. */
MUST_CHECK int endpoint_mend(
	struct net_session *session, const struct endpoint *endpoint, int netns, struct error *err);

/* Makes the rates of a running instance what the endpoint says; its namespace must have its eth0. The process is in
 * that namespace for a moment, so it has one thread. */
MUST_CHECK int endpoint_rates_set(
	struct net_session *session, const struct endpoint *endpoint, int netns, struct error *err);
/* What the kernel has. */
MUST_CHECK int endpoint_rates_read(
	struct net_session *session, unsigned slot, int netns, struct link_rates *rates, struct error *err);

/* For an instance that has CAP_NET_ADMIN over its network and could lift the limit at its own end: what it sends above
 * so many bits per second is dropped at the host's. 0: nothing is, not even for one that had the slot before. Needs the
 * host's part. */
MUST_CHECK int endpoint_police(
	const struct net_state *state, struct net_session *session, unsigned slot, uint64_t bits, struct error *err);

/* The instance's end alone, as endpoint_attach() does it: lo up, eth0 up with its addresses, the gateway's link
 * address, default routes. For a link that is there; what is right already stays. */
MUST_CHECK int endpoint_configure(int netns, const struct endpoint *endpoint, struct error *err);

/* --- one instance in a network of somebody else's ----------------------------------------------------------------- */

/* The host's own network around it, not one of ours: eth0 is a macvlan on a link of the host, or one end of a veth pair
 * whose other end, w<slot>, is a port of a bridge that the host has. Neither our table nor our routes take part. */
enum lan_kind { LAN_MACVLAN, LAN_BRIDGE };
struct lan_endpoint {
	enum lan_kind kind;
	const char *parent; /* the link, or the bridge */
	unsigned slot;
	uint8_t mac[6];		/* all 0: the kernel's choice */
	struct in_addr address; /* 0.0.0.0: the link is brought up, and nothing else */
	unsigned prefix;
	struct in_addr gateway; /* 0.0.0.0: no default route */
	unsigned mtu;		/* 0: the parent's */
};
/* Whether the parent is there, up, and of the right kind. ERROR_USAGE with what would be right. */
MUST_CHECK int lan_check(enum lan_kind kind, const char *parent, struct error *err);
/* eth0 (for now w<slot> in case of a macvlan) is born inside netns; it goes with that. An old link of this slot that is
 * still dying is waited for, at most timeout_ms. */
MUST_CHECK int lan_attach(struct net_session *session, const struct lan_endpoint *endpoint, int netns,
	int64_t timeout_ms, struct error *err);
/* Child side, inside the namespace with CAP_NET_ADMIN over it: lo up, eth0 up with its address and default route. No
 * allocation, no locks. */
MUST_CHECK int lan_configure_inside(const struct lan_endpoint *endpoint, struct error *err);

/* A network namespace that somebody made, by path ("/run/netns/blue"). Refused: what is no network namespace, the
 * caller's own, and a path on which somebody else than root could put another. Gives its descriptor. */
MUST_CHECK int netns_open(const char *path, struct error *err);

/* --- published ports ---------------------------------------------------------------------------------------------- */

enum port_protocol { PORT_TCP, PORT_UDP, PORT_SCTP };
extern const char *const port_protocol_names[]; /* "tcp", "udp", "sctp", NULL */
/* How its packets come to the instance: translated by the kernel, or by a listening socket of the host that the
 * instance is given (tcp only; nothing in this module concerns those). */
enum port_mode { PORT_NAT, PORT_SOCKET };
extern const char *const port_mode_names[]; /* "nat", "socket", NULL */
/* One instance has it alone, or several share it: each new connection goes to the next of them, or always to the same
 * for one client address. */
enum port_balance { PORT_ALONE, PORT_BALANCED, PORT_STICKY };
extern const char *const port_balance_names[]; /* "alone", "balanced", "sticky", NULL */

struct port {
	struct ip_address host_ip; /* 0.0.0.0 or :: any of that family; default is 127.0.0.1 */
	uint16_t published;	   /* host's; 0: a free one is chosen */
	uint16_t target;	   /* the instance's */
	uint16_t following;	   /* a range: so many more ports, on both sides */
	enum port_protocol protocol;
	enum port_mode mode;
	enum port_balance balance;
};
/* "8080:80", "127.0.0.1:8080:80", "[::]:8080:80", "8080:80/udp", "8000-8010:8000-8010/sctp", "8080:80/tcp+socket",
 * "80" (published 0). Checked. */
MUST_CHECK int port_parse(const char *text, struct port *out, struct error *err);
/* "8000-8010": the first, and how many follow. */
MUST_CHECK int port_range_parse(const char *text, uint16_t *first, uint16_t *following, struct error *err);
/* What no single word says wrong: socket mode of udp, translation from ::1, ranges past 65535 … */
MUST_CHECK int port_check(const struct port *port, struct error *err);
#define PORT_TEXT_SIZE 128
const char *port_format(const struct port *port, char buffer[PORT_TEXT_SIZE]); /* "127.0.0.1:8080->80/tcp" */
/* True when both cannot be published: same protocol, a common number, a common address. */
bool ports_collide(const struct port *a, const struct port *b);
bool ports_equal(const struct port *a, const struct port *b);
/* What the listening socket of a port in socket mode is marked with: new connections of such sockets are dropped, so
 * that what is inside cannot turn it round and call out with it from the host's own network. */
#define NET_SOCKET_MARK 0x78000000u

/* Adds one map element per port (one for a whole range), all or none. Ports in socket mode and shared ones are passed
 * over. A port that another instance publishes or a process of the host listens
 * on: ERROR_BUSY with address, port and who. published 0 is filled in. Loopback publishing sets route_localnet on the
 * instance's own link only. */
MUST_CHECK int ports_publish(struct net_session *session, const struct endpoint *endpoint, struct port *ports,
	size_t count, struct error *err);
/* Absent elements, and those that lead to another address by now, are left alone. */
MUST_CHECK int ports_unpublish(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct error *err);
/* Every claim and element of the instance, for cleaning up after a kill. What others share stays. */
MUST_CHECK int ports_unpublish_all(struct net_session *session, const struct endpoint *endpoint, struct error *err);
/* Other ports than before, in one transaction: those in both stay untouched, and so do numbers that were chosen. -1:
 * all is as before. */
MUST_CHECK int ports_change(struct net_session *session, const struct endpoint *endpoint, const struct port *old,
	size_t old_count, struct port *ports, size_t count, struct error *err);
/* One transaction after which these ports of the one instance lead to the other. Established connections stay where
 * they are, flows of UDP and SCTP are forgotten. Those that lead there already are fine, absent ones are added.
 * ERROR_BUSY: a third has one. */
MUST_CHECK int ports_switch(struct net_session *session, const struct endpoint *from, const struct endpoint *to,
	const struct port *ports, size_t count, struct error *err);
/* ERROR_BUSY when an instance publishes one of them by the table, which binding would not show. */
MUST_CHECK int ports_refuse_published(
	struct net_session *session, const struct port *ports, size_t count, struct error *err);
/* --- shared ports ------------------------------------------------------------------------------------------------- */

/* One published port of several instances. Each connection goes to one of the 64 slots the port has in the kernel, the
 * next one or (sticky) the one that the client's address hashes to; the members that are in have the slots among them,
 * by weight. Connections that are established stay where they are whatever changes. A port belongs to its members: the
 * first to join takes it, the last to leave gives it back. Each of these functions is one transaction, serialised by a
 * lock; a member that is changed, or is there already, or is not there, is fine. */
#define BALANCE_MEMBERS_MAX 64
#define BALANCE_WEIGHT_MAX 100
enum balance_entry { BALANCE_OUT, BALANCE_IN, BALANCE_AS_BEFORE /* not there before: in */ };

/* ERROR_BUSY: the port belongs to somebody who does not share it, or is shared in another way. weight: 1 …
 * BALANCE_WEIGHT_MAX. */
MUST_CHECK int balance_join(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, unsigned weight, enum balance_entry entry, struct error *err);
/* in false: new connections go to the others. With nobody in, to all. */
MUST_CHECK int balance_turn(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, bool in, struct error *err);
/* Flows of UDP and SCTP to it are forgotten. */
MUST_CHECK int balance_leave(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, struct error *err);
/* Of every port it is a member of: for cleaning up after a kill. */
MUST_CHECK int balance_leave_all(
	const struct net_state *state, struct net_session *session, const struct endpoint *endpoint, struct error *err);
/* `to` takes the place and the slots of `from`, with its weight, and is in. */
MUST_CHECK int balance_switch(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *from, const struct endpoint *to, struct error *err);

struct balance_member {
	struct in_addr address;
	struct in6_addr address6;
	uint16_t target;
	unsigned weight;
	bool in;
};
struct balance {
	struct port port; /* the members' target is their own */
	struct balance_member members[BALANCE_MEMBERS_MAX];
	size_t count;
};
/* Count 0: nobody shares it. */
MUST_CHECK int balance_read(
	const struct net_state *state, const struct port *port, struct balance *out, struct error *err);

/* --- connections -------------------------------------------------------------------------------------------------- */

/* How many TCP connections to published ports of the instance the kernel knows as established. */
MUST_CHECK int flows_established(
	struct net_session *session, const struct endpoint *endpoint, size_t *count, struct error *err);

/* --- names -------------------------------------------------------------------------------------------------------- */

/* Names of a network's instances, one or several labels joined by dots, at most 253 characters. "localhost" and its
 * like are refused: they are each instance's own. */
MUST_CHECK int host_name_check(const char *name, struct error *err);
/* The network's hosts file, <run>/hosts/<network>/hosts, replaced atomically; instances have the directory bound
 * read-only and /etc/hosts as a link into it, so they see changes. Afterwards these names, and no others, lead to the
 * endpoint's addresses; several endpoints may have the same name. */
MUST_CHECK int hosts_set(const struct net_state *state, const char *network, const struct endpoint *endpoint,
	const struct strings *names, struct error *err);
MUST_CHECK int hosts_remove(
	const struct net_state *state, const char *network, const struct endpoint *endpoint, struct error *err);
/* Descriptor (O_PATH) of that directory, made when missing. */
MUST_CHECK int hosts_directory(const struct net_state *state, const char *network, struct error *err);

/* --- counters ----------------------------------------------------------------------------------------------------- */

/* Byte and packet counters of a slot's link. Without a link: present false. */
struct link_counters {
	bool present;
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets; /* as the instance sees them */
};
MUST_CHECK int link_counters_read(
	struct net_session *session, unsigned slot, struct link_counters *out, struct error *err);
/* The same for the links of all slots in one dump: out[slot]. */
MUST_CHECK int link_counters_read_all(
	struct net_session *session, struct link_counters out[SLOT_MAX + 1], struct error *err);

/* --- who calls ---------------------------------------------------------------------------------------------------- */

/* What our own questions to an instance are marked with: they are no visit. */
#define NET_PROBE_MARK 0x08000000u
/* A socket that is readable when, since it was opened or emptied, something has come for the slot's instance that a
 * program in it would have to answer: the first packet of a connection, data, a datagram; from the host too. */
MUST_CHECK int arrivals_open(unsigned slot, struct error *err);
/* Empties it. How much was there; it holds but a few, so ARRIVALS_MAX says many. */
#define ARRIVALS_MAX 8
size_t arrivals_take(int fd);

/* --- looking for what was lost ------------------------------------------------------------------------------------ */

struct net_census {
	bool has_table;		  /* in this version and filled */
	bool slots[SLOT_MAX + 1]; /* taken */
	bool links[SLOT_MAX + 1]; /* there: w<slot> */
};
MUST_CHECK int net_census_read(
	const struct net_state *state, struct net_session *session, struct net_census *out, struct error *err);
/* Whose published ports are in the table: their IPv4 addresses, each once. Shared ports belong to nobody alone. */
struct net_holders {
	struct in_addr *items; /* sorted by their bytes */
	size_t count;
};
MUST_CHECK int net_holders_read(
	struct arena *arena, struct net_session *session, struct net_holders *out, struct error *err);
/* How many addresses of a network are taken. */
MUST_CHECK int net_addresses_count(
	const struct net_state *state, const char *network, size_t *ipv4, size_t *ipv6, struct error *err);
/* How many there are for instances. */
void net_addresses_usable(const struct network *network, size_t *ipv4, size_t *ipv6);

/* What an instance of a network with accounting has exchanged with what is neither an instance nor this host, over both
 * families, since it was last taken (or its address was first seen). */
struct traffic {
	uint64_t sent_bytes, sent_packets, received_bytes, received_packets;
};
MUST_CHECK int traffic_read(
	struct net_session *session, const struct endpoint *endpoint, struct traffic *out, struct error *err);
/* The same, and counting begins anew: at the end of a run, before its address is somebody else's. */
MUST_CHECK int traffic_take(
	struct net_session *session, const struct endpoint *endpoint, struct traffic *out, struct error *err);

/* --- what it needs of the kernel ---------------------------------------------------------------------------------- */

/* Each tries the real thing in the caller's network namespace, which is thrown away afterwards (the last one leaves it
 * for another). Kernel modules may be loaded by it. */
MUST_CHECK int net_table_try(struct error *err); /* the whole nftables table, with the nft program */
MUST_CHECK int net_link_try(struct error *err);	 /* a veth pair, its route and its neighbour, both ends */
/* One kind of rule of that table; rules are numbered from 0, the name is NULL behind the last one. */
const char *net_rule_name(size_t rule);
const char *net_rule_module(size_t rule); /* the module that has it, for the remedy */
MUST_CHECK int net_rule_try(size_t rule, struct error *err);
/* Chains of other tables that drop what is forwarded (or what comes in to the host, or leaves it) unless they accept
 * it, as "ip filter FORWARD": they cut instances off whatever our table says. At most 64. In the caller's namespace,
 * changing nothing. */
enum packet_way { WAY_FORWARD, WAY_INPUT, WAY_OUTPUT };
MUST_CHECK int net_foreign_drops(struct arena *arena, enum packet_way way, struct strings *chains, struct error *err);

#endif
