/* The addresses of an instance. One that nobody asked for has the host number of the slot, in IPv4 and in IPv6, so that
 * who sees one knows the other. */
#include "fleet/network/addresses.h"

#include <arpa/inet.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/network/claims.h"
#include "fleet/spec/network_mode.h"

/* Host numbers below this are left to people who choose addresses themselves. */
#define FIRST_OWN_HOST_NUMBER 256

bool instance_has_network(const struct instance_spec *spec)
{
	return network_is_routed(spec->network);
}

int instance_network(struct arena *arena, struct host *host, const char *name, struct network *out, struct error *err)
{
	if (network_load(arena, &host->net, name, out, err) == 0) {
		if (out->subnet6.prefix || out->ipv4_only || !net_has_ipv6())
			return 0;
		return network_define(&host->net, out, err);
	}
	if (err->kind != ERROR_MISSING || !text_equal(name, NETWORK_DEFAULT))
		return -1;
	forgive(err);
	*out = (struct network){.name = NETWORK_DEFAULT, .isolated = true, .egress = true, .owner = ""};
	if (subnet_parse(NETWORK_DEFAULT_SUBNET, &out->subnet, err) < 0)
		return -1;
	return network_define(&host->net, out, err);
}

static bool is_none(const struct in6_addr *address)
{
	return IN6_IS_ADDR_UNSPECIFIED(address);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

/* The address that goes with the slot, when the network is large enough for one. */
static struct in_addr slot_address(const struct network *network, unsigned slot)
{
	uint32_t number = FIRST_OWN_HOST_NUMBER + slot - 1;
	uint32_t size = network->subnet.prefix >= 31 ? 0 : 1u << (32 - network->subnet.prefix);

	if (number >= size - 1 || size < 2)
		return (struct in_addr){0};
	return (struct in_addr){.s_addr = htonl(ntohl(network->subnet.base.s_addr) + number)};
}

/* Takes the address that the record names, or another one unless that was asked for. 0: this one, 1: another, -1. */
static int take_4(struct host *host, const struct network *network, bool wanted, struct lease_hold *hold,
	struct record *record, struct error *err)
{
	struct in_addr first = record->address;

	if (first.s_addr && address_take_held(&host->net, network, first, hold, &record->address, err) == 0)
		return 0;
	if (wanted || (first.s_addr && err->kind != ERROR_BUSY))
		return -1;
	if (first.s_addr)
		forgive(err);
	record->address.s_addr = 0;
	return address_take_held(&host->net, network, record->address, hold, &record->address, err) < 0 ? -1 : 1;
}

static int refuse_without_6(const struct network *network, struct error *err)
{
	return fail(err, ERROR_USAGE, "network %s has no IPv6 addresses, because %s", network->name,
		net_has_ipv6() ? "it was made without"
			       : "IPv6 is switched off on this host (net.ipv6.conf.all.disable_ipv6)");
}

/* One that was asked for by number is missed by somebody: its network may have IPv6 on a host that has not. */
static void warn_without_6(const struct instance_spec *spec)
{
	char text[INET6_ADDRSTRLEN];

	if (!is_none(&spec->address6) && !net_has_ipv6())
		log_warn("%s goes without its address %s while IPv6 is switched off on this host "
			 "(net.ipv6.conf.all.disable_ipv6)",
			spec->name, inet_ntop(AF_INET6, &spec->address6, text, sizeof(text)));
}

static int take_6(struct host *host, const struct network *network, bool wanted, struct lease_hold *hold,
	struct record *record, struct error *err)
{
	struct in6_addr first = record->address6;

	if (network->subnet6.prefix == 0)
		return wanted ? refuse_without_6(network, err) : 0;
	if (!is_none(&first) && address6_take_held(&host->net, network, &first, hold, &record->address6, err) == 0)
		return 0;
	if (wanted || (!is_none(&first) && err->kind != ERROR_BUSY))
		return -1;
	if (!is_none(&first))
		forgive(err);
	return address6_take_held(&host->net, network, &in6addr_any, hold, &record->address6, err) < 0 ? -1 : 1;
}

static void release_4(struct host *host, const struct record *record, struct lease_hold *hold)
{
	struct error ignored;

	if (address_release_held(&host->net, record->network, record->address, hold, &ignored) < 0)
		log_warn("give the address back: %s", ignored.text);
}

static int take_both(struct host *host, const struct network *network, const struct instance_spec *spec,
	struct lease_hold *hold, struct record *record, struct error *err)
{
	int other = take_4(host, network, spec->address.s_addr, hold, record, err), other6;

	if (other < 0)
		return -1;
	if (other && is_none(&spec->address6))
		record->address6 = address6_beside(network, record->address);
	other6 = take_6(host, network, !is_none(&spec->address6), hold, record, err);
	if (other6 >= 0) {
		warn_without_6(spec);
		return other | other6;
	}
	release_4(host, record, hold);
	return -1;
}

/* The usual ones are named before they are taken, and then the record is right already. */
static int claim(struct host *host, int dir, const struct network *network, const struct instance_spec *spec,
	struct record *record, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;
	struct error ignored;
	int other;

	record->address = spec->address.s_addr ? spec->address : slot_address(network, record->slot);
	record->address6 = is_none(&spec->address6) ? address6_beside(network, record->address) : spec->address6;
	if (record_write(dir, record, err) < 0)
		return -1;
	other = take_both(host, network, spec, &hold, record, err);
	if (other <= 0)
		return other;
	if (record_write(dir, record, err) == 0)
		return 0;
	if (addresses_release(host, record, NULL, &hold, &ignored) < 0)
		log_warn("give the addresses back: %s", ignored.text);
	return -1;
}

/* Our own record must not claim what it could not get: that may be what was lost. */
static int lost_recover(struct host *host, int dir, const struct record *record, struct error *err)
{
	struct record without = {.created_ms = record->created_ms, .slot = record->slot};

	if (record_write(dir, &without, err) < 0)
		return -1;
	return host_recover_addresses(host, record->network, NULL, err);
}

int addresses_claim(struct host *host, int dir, const struct network *network, const struct instance_spec *spec,
	struct record *record, struct error *err)
{
	struct error why;

	if (claim(host, dir, network, spec, record, err) == 0)
		return 0;
	why = *err;
	if (err->kind != ERROR_BUSY || lost_recover(host, dir, record, err) < 0 ||
		claim(host, dir, network, spec, record, err) < 0) {
		*err = why;
		return -1;
	}
	return forgive(err);
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

static bool keeps_4(const struct record *old, const struct record *next, const struct instance_spec *spec)
{
	return text_equal(old->network, next->network) &&
	       (!spec->address.s_addr || spec->address.s_addr == old->address.s_addr);
}

static bool keeps_6(const struct record *old, const struct record *next, const struct instance_spec *spec)
{
	return text_equal(old->network, next->network) && record_has_ipv6(old) &&
	       (is_none(&spec->address6) || IN6_ARE_ADDR_EQUAL(&spec->address6, &old->address6));
}

int addresses_change(struct host *host, const struct network *network, const struct instance_spec *spec,
	const struct record *old, struct lease_hold *hold, struct record *record, struct error *err)
{
	bool kept = keeps_4(old, record, spec);

	record->address = kept ? old->address : spec->address;
	if (!kept && take_4(host, network, spec->address.s_addr, hold, record, err) < 0)
		return -1;
	if (keeps_6(old, record, spec)) {
		record->address6 = old->address6;
		return 0;
	}
	record->address6 = is_none(&spec->address6) ? address6_beside(network, record->address) : spec->address6;
	if (take_6(host, network, !is_none(&spec->address6), hold, record, err) >= 0)
		return 0;
	if (!kept)
		release_4(host, record, hold);
	return -1;
}

/* --- giving back -------------------------------------------------------------------------------------------------- */

int addresses_release(struct host *host, const struct record *record, const struct record *but, struct lease_hold *hold,
	struct error *err)
{
	bool same = but && text_equal(record->network, but->network);
	struct error later;
	int result = 0;

	if (!record->network)
		return 0;
	if (!(same && record->address.s_addr == but->address.s_addr))
		result = address_release_held(&host->net, record->network, record->address, hold, err);
	if (record_has_ipv6(record) && !(same && IN6_ARE_ADDR_EQUAL(&record->address6, &but->address6)) &&
		address6_release_held(&host->net, record->network, &record->address6, hold, result ? &later : err) < 0)
		result = -1;
	return result;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

bool instance_address(struct host *host, const char *name, struct in_addr *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct record record;
	struct error ignored;

	if (instance_find(host, name, &instance, &ignored) < 0 ||
		record_read(&arena, instance.dir, &record, &ignored) < 0 || !record.network)
		return false;
	*out = record.address;
	return true;
}
