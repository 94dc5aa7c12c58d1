/* The host's part of the network: made when the first instance needs it, gone with the last.
 *
 * The table is the sign that all is in place, so commands ask for it alone (one GET). While the part is being made a
 * file says so; it stays until the ports of running instances are published again, which only the caller can do: a
 * command that is killed anywhere in between leaves the rest to the next. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/host/before.h"
#include "netns/links/slots.h"
#include "netns/netlink/address.h"
#include "netns/networks/leases.h"
#include "netns/networks/names.h"
#include "netns/networks/networks.h"
#include "netns/networks/unreachable.h"
#include "netns/ports/balance_record.h"
#include "netns/subnets/ipv6.h"
#include "netns/table/police.h"
#include "netns/table/ruleset.h"

#define UNFINISHED_FILE "unpublished"

/* --- the gateway's address ---------------------------------------------------------------------------------------- */

static int lo_change(const struct ip_address *address, uint16_t type, uint16_t flags, int tolerated, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	char text[INET6_ADDRSTRLEN];
	struct request request;

	if (netlink_open(&netlink, NETLINK_ROUTE, err) < 0)
		return -1;
	request_begin(&request, &netlink, buffer, sizeof(buffer));
	put_address(&request, type, flags, LOOPBACK_INDEX, address);
	if (request_exchange(&netlink, &request, NULL, NULL, err) < 0 && request.errnum != tolerated)
		return blame(err, "%s on lo", ip_format(address, text));
	return 0;
}

static int gateway_change(uint16_t type, uint16_t flags, int tolerated, struct error *err)
{
	const struct ip_address gateway = gateway_of(AF_INET);

	return lo_change(&gateway, type, flags, tolerated, err);
}

/* Instances name fe80::1, which needs no address of the host's to lead there. This one, of the host's own prefix, is
 * what they see of the host: its packets to them come from here, also on a host without any other IPv6 address. */
static int gateway6_change(
	const struct net_state *state, uint16_t type, uint16_t flags, int tolerated, struct error *err)
{
	struct subnet6 own;

	if (own_prefix(state, &own, err) < 0)
		return -1;
	const struct in6_addr bytes = gateway6_address(&own);
	const struct ip_address gateway = ip_from_v6(&bytes);
	return lo_change(&gateway, type, flags, tolerated, err);
}

/* --- up ----------------------------------------------------------------------------------------------------------- */

static int table_build(
	struct netlink *netlink, const struct network_list *networks, const struct before *before, struct error *err)
{
	struct ruleset ruleset = {.networks = networks,
		.forward_foreign = before->forwarded,
		.routers = &before->routers,
		.forward_foreign6 = before->forwarded6,
		.routers6 = &before->routers6,
		.bridges = before->knows_bridges ? &before->bridges : NULL};

	if (ruleset_refuse_foreign(netlink, err) < 0)
		return -1;
	return ruleset_load(&ruleset, err);
}

/* The table comes before forwarding is switched on: no moment in which the host routes for others. */
static int host_make(const struct net_state *state, struct netlink *netlink, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_list networks;
	struct before before;
	int current;

	if (before_remember(&arena, state, &before, err) < 0 || network_load_all(&arena, state, &networks, err) < 0 ||
		file_replace(state->run, UNFINISHED_FILE, 0600, FILE_VOLATILE, "", 0, err) < 0 ||
		gateway_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, EEXIST, err) < 0 ||
		(net_has_ipv6() && gateway6_change(state, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, EEXIST, err) < 0) ||
		networks_unreachable(networks.items, networks.count, err) < 0)
		return -1;
	current = ruleset_is_current(netlink, err);
	if (current < 0 || (current == 0 && (table_build(netlink, &networks, &before, err) < 0 ||
						    police_again(state, netlink, err) < 0)))
		return -1;
	return forwarding_enable(err) < 0 ? -1 : forwarding6_enable(&before, err);
}

static bool host_is_finished(const struct net_state *state)
{
	return faccessat(state->run, UNFINISHED_FILE, F_OK, 0) < 0;
}

int net_host_up(const struct net_state *state, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	auto_fd lock = -1;
	int current;

	if (netlink_open(&netlink, NETLINK_NETFILTER, err) < 0)
		return blame(err, "bring the host's network up");
	current = ruleset_is_current(&netlink, err);
	if (current > 0 && host_is_finished(state))
		return 0;
	lock = current < 0 ? -1 : net_lock(state, err);
	if (lock < 0)
		return blame(err, "bring the host's network up");
	if (host_make(state, &netlink, err) < 0)
		return blame(err, "bring the host's network up");
	return 1;
}

int net_host_mend(const struct net_state *state, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	auto_fd lock = net_lock(state, err);

	if (lock < 0 || netlink_open(&netlink, NETLINK_NETFILTER, err) < 0 || host_make(state, &netlink, err) < 0)
		return blame(err, "mend the host's network");
	return 1;
}

int net_host_republished(const struct net_state *state, struct error *err)
{
	if (unlinkat(state->run, UNFINISHED_FILE, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove the mark " UNFINISHED_FILE);
	return 0;
}

/* --- down --------------------------------------------------------------------------------------------------------- */

/* Forwarding goes off before the table goes, for the same reason; what is remembered is forgotten last. */
static int host_unmake(const struct net_state *state, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	AUTO(arena_drop) struct arena arena = {0};
	const struct network_list none = {0};
	struct before before;
	int remembered = before_load(&arena, state, &before, err);

	if (remembered < 0 || netlink_open(&netlink, NETLINK_NETFILTER, err) < 0)
		return -1;
	if (remembered && before_restore(&before, err) < 0)
		return -1;
	if (ruleset_remove(&netlink, err) < 0 || unreachable_strays_remove(&none, err) < 0)
		return -1;
	if (remembered && before.has_ipv6 && gateway6_change(state, RTM_DELADDR, 0, EADDRNOTAVAIL, err) < 0)
		return -1;
	if (remembered && !before.had_gateway && gateway_change(RTM_DELADDR, 0, EADDRNOTAVAIL, err) < 0)
		return -1;
	if (hosts_forget(state, NULL, err) < 0 || police_forget(state, err) < 0 ||
		balance_records_forget(state, err) < 0 || addresses_forget_unused(state, err) < 0 ||
		net_host_republished(state, err) < 0 || before_forget(state, err) < 0 ||
		file_leftovers_remove(state->run, err) < 0 || file_leftovers_remove(state->records, err) < 0)
		return -1;
	return slots_forget(state, err);
}

int net_host_down_if_unused(const struct net_state *state, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap slots = {.fd = -1};
	auto_fd lock = net_lock(state, err);
	int empty;

	if (lock < 0 || slots_open(state, &slots, err) < 0)
		return -1;
	empty = bitmap_is_empty(&slots, err);
	if (empty <= 0)
		return empty;
	if (host_unmake(state, err) < 0)
		return blame(err, "take the host's network down");
	return 0;
}
