/* IPv6 host numbers: which addresses of a network are taken. The number is the last 24 bits of the address itself. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/networks/leases.h"
#include "netns/subnets/subnet.h"

static int take_wanted(
	struct bitmap *bitmap, const struct network *network, const struct in6_addr *wanted, struct error *err)
{
	char text[INET6_ADDRSTRLEN], subnet[SUBNET6_TEXT_SIZE];
	int taken;

	inet_ntop(AF_INET6, wanted, text, sizeof(text));
	if (!subnet6_usable(&network->subnet6, wanted))
		return fail(err, ERROR_USAGE, "address %s is not one for instances of network %s (%s)", text,
			network->name, subnet6_format(&network->subnet6, subnet));
	taken = bitmap_test(bitmap, address6_number(wanted), err);
	if (taken < 0)
		return -1;
	if (taken)
		return fail(err, ERROR_BUSY, "address %s of network %s is taken", text, network->name);
	return bitmap_put(bitmap, address6_number(wanted), true, err);
}

struct in6_addr address6_beside(const struct network *network, struct in_addr address)
{
	const struct subnet6 *subnet = &network->subnet6;
	uint32_t number = network_host_number(network, address);

	if (subnet->prefix == 0 || number == 0 || number > subnet6_last(subnet) - subnet6_first(subnet) + 1)
		return in6addr_any;
	return subnet6_address(subnet, subnet6_first(subnet) - 1 + number);
}

int address6_take_held(const struct net_state *state, const struct network *network, const struct in6_addr *wanted,
	struct lease_hold *hold, struct in6_addr *address, struct error *err)
{
	uint32_t first = subnet6_first(&network->subnet6), last = subnet6_last(&network->subnet6), number;
	struct bitmap bitmap;
	int found;

	if (network->subnet6.prefix == 0)
		return fail(err, ERROR_USAGE, "network %s has no IPv6 addresses", network->name);
	if (leases_open_held(state, LEASES_IPV6, network->name, hold, &bitmap, err) < 0)
		return -1;
	if (!IN6_IS_ADDR_UNSPECIFIED(wanted)) {
		*address = *wanted;
		return take_wanted(&bitmap, network, wanted, err);
	}
	found = bitmap_take(&bitmap, first, last, NULL, &number, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail(err, ERROR_BUSY, "all %u IPv6 addresses of network %s are taken", last - first + 1,
			network->name);
	*address = subnet6_address(&network->subnet6, number);
	return 0;
}

int address6_take(const struct net_state *state, const struct network *network, const struct in6_addr *wanted,
	struct in6_addr *address, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;

	return address6_take_held(state, network, wanted, &hold, address, err);
}

static int address6_put(const struct net_state *state, const char *network, const struct in6_addr *address, bool taken,
	struct lease_hold *hold, struct error *err)
{
	struct bitmap bitmap;

	if (leases_open_held(state, LEASES_IPV6, network, hold, &bitmap, err) < 0)
		return -1;
	return bitmap_put(&bitmap, address6_number(address), taken, err);
}

int address6_release_held(const struct net_state *state, const char *network, const struct in6_addr *address,
	struct lease_hold *hold, struct error *err)
{
	return address6_put(state, network, address, false, hold, err);
}

int address6_release(
	const struct net_state *state, const char *network, const struct in6_addr *address, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;

	return address6_put(state, network, address, false, &hold, err);
}

int address6_mark(const struct net_state *state, const char *network, const struct in6_addr *address, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;

	return address6_put(state, network, address, true, &hold, err);
}
