/* What instances have of the network, against what was given away and what the kernel has. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/host/check.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/claims.h"
#include "fleet/network/republish.h"

static const char *number_text(struct check *check, unsigned number)
{
	return arena_format(check->arena, "%u", number);
}

/* Who has the slot; the second one, should there be two, is a finding. */
static const struct check_instance *slot_owner(struct check *check, unsigned slot)
{
	const struct check_instance *owner = NULL;

	for (size_t i = 0; i < check->count; i++) {
		if (!check->instances[i].known || check->instances[i].record.slot != slot)
			continue;
		if (owner)
			check_add(check, "twice", number_text(check, slot), "%s and %s have the same slot", owner->name,
				check->instances[i].name);
		owner = &check->instances[i];
	}
	return owner;
}

static void slot_look(struct check *check, const struct net_census *census, unsigned slot)
{
	const struct check_instance *owner = slot_owner(check, slot);
	bool lives = owner && (owner->runs || owner->between || owner->monitored);

	/* A half-made one may have it, or what a killed one had: swept up first. */
	if (census->slots[slot] && !owner && !check->staged.count)
		check_add(check, "slot", number_text(check, slot), "it is taken, and no instance has it");
	if (!census->slots[slot] && owner)
		check_add(check, "slot", number_text(check, slot), "%s has it, and it could be given to another",
			owner->name);
	if (census->links[slot] && !lives)
		check_add(check, "link", number_text(check, slot), "w%u is there, and no instance that runs has it",
			slot);
}

static bool same_address(const struct check_instance *a, const struct check_instance *b)
{
	return a->known && b->known && a->record.network && text_equal(a->record.network, b->record.network) &&
	       a->record.address.s_addr && a->record.address.s_addr == b->record.address.s_addr;
}

static void addresses_look(struct check *check)
{
	for (size_t i = 0; i < check->count; i++)
		for (size_t k = i + 1; k < check->count; k++)
			if (same_address(&check->instances[i], &check->instances[k]))
				check_add(check, "twice", check->instances[i].name, "%s has the same address",
					check->instances[k].name);
}

static size_t owners_count(const struct check *check, const char *network)
{
	size_t count = 0;

	for (size_t i = 0; i < check->count; i++)
		count += check->instances[i].known && text_equal(check->instances[i].record.network, network);
	return count;
}

static size_t owners6_count(const struct check *check, const char *network)
{
	size_t count = 0;

	for (size_t i = 0; i < check->count; i++)
		count += check->instances[i].known && text_equal(check->instances[i].record.network, network) &&
			 record_has_ipv6(&check->instances[i].record);
	return count;
}

static int network_look(struct check *check, const char *network, struct error *err)
{
	size_t ipv4, ipv6, owners = owners_count(check, network), owners6 = owners6_count(check, network);

	if (net_addresses_count(&check->host->net, network, &ipv4, &ipv6, err) < 0)
		return -1;
	if (ipv4 != owners && !check->staged.count)
		check_add(check, "addresses", network, "%zu of its addresses are taken, and %zu instances have one",
			ipv4, owners);
	if (ipv6 != owners6 && !check->staged.count)
		check_add(check, "addresses6", network,
			"%zu of its IPv6 addresses are taken, and %zu instances have one", ipv6, owners6);
	return 0;
}

static int networks_look(struct check *check, struct error *err)
{
	struct network_list networks;

	if (network_load_all(check->arena, &check->host->net, &networks, err) < 0)
		return -1;
	for (size_t i = 0; i < networks.count; i++)
		if (network_look(check, networks.items[i].name, err) < 0)
			return -1;
	return 0;
}

static bool address_runs(const struct check *check, struct in_addr address)
{
	for (size_t i = 0; i < check->count; i++)
		if (check->instances[i].known && check->instances[i].record.address.s_addr == address.s_addr &&
			(check->instances[i].runs || check->instances[i].between || check->instances[i].monitored))
			return true;
	return false;
}

static int ports_look(struct check *check, struct net_session *session, struct error *err)
{
	struct net_holders holders;
	char address[INET_ADDRSTRLEN];

	if (net_holders_read(check->arena, session, &holders, err) < 0)
		return -1;
	for (size_t i = 0; i < holders.count; i++)
		if (!address_runs(check, holders.items[i]))
			check_add(check, "port", inet_ntop(AF_INET, &holders.items[i], address, sizeof(address)),
				"ports of this address are published, and no instance that runs has it");
	return 0;
}

int check_network(struct check *check, struct error *err)
{
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	struct net_census *census = arena_new(check->arena, struct net_census);

	if (!session || net_census_read(&check->host->net, session, census, err) < 0)
		return -1;
	/* Whoever is in the middle of making one has what no record names yet. */
	for (unsigned slot = 1; slot <= SLOT_MAX && !check->uncertain; slot++)
		slot_look(check, census, slot);
	addresses_look(check);
	if (ports_look(check, session, err) < 0)
		return -1;
	if (check_wires(check, session, census->has_table, err) < 0)
		return -1;
	return check->uncertain ? 0 : networks_look(check, err);
}

/* --- putting right ------------------------------------------------------------------------------------------------ */

/* Marked again where somebody has it, given back where nobody does. */
int repair_slot(struct host *host, const char *name, struct error *err)
{
	(void)name;
	return host_recover_slots(host, NULL, err);
}

int repair_addresses(struct host *host, const char *name, struct error *err)
{
	return host_recover_addresses(host, name, NULL, err);
}

/* Not when an instance has the address by now: then it is that one's matter. */
int repair_port(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	struct endpoint endpoint = {0};
	struct instance_list list;

	if (!session || instance_list_read(&arena, host, &list, err) < 0)
		return -1;
	if (inet_pton(AF_INET, name, &endpoint.address) != 1)
		return fail(err, ERROR_USAGE, "\"%s\" is no IPv4 address", name);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].address.s_addr == endpoint.address.s_addr && list.items[i].init.pid)
			return fail(err, ERROR_BUSY, "%s has the address and runs", list.items[i].name);
	return ports_unpublish_all(session, &endpoint, err);
}

int repair_table(struct host *host, const char *name, struct error *err)
{
	(void)name;
	return host_network_up(host, err);
}
