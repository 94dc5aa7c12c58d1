/* IPv4 host numbers: which addresses of a network are taken. They are counted on through the network's subnets, so
 * those that are there never change their place, and further ones are added at the end.
 *
 * The bitmap's tag is the first subnet's base address. It serves when the network's record cannot be read: what is
 * given back is then counted from there. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/networks/leases.h"
#include "netns/subnets/subnet.h"

static int refuse_outside(const struct network *network, const char *address, struct error *err)
{
	char subnet[20];

	return fail(err, ERROR_USAGE, "address %s is not one for instances of network %s (%s%s)", address,
		network->name, subnet_format(&network->subnet, subnet),
		network->more.count ? " and further subnets" : "");
}

static int address_take_wanted(struct bitmap *bitmap, const struct network *network, struct in_addr wanted,
	struct in_addr *address, struct error *err)
{
	uint32_t number = network_host_number(network, wanted);
	char text[INET_ADDRSTRLEN];
	int taken;

	inet_ntop(AF_INET, &wanted, text, sizeof(text));
	if (number == 0)
		return refuse_outside(network, text, err);
	taken = bitmap_test(bitmap, number, err);
	if (taken < 0)
		return -1;
	if (taken)
		return fail(err, ERROR_BUSY, "address %s of network %s is taken", text, network->name);
	*address = wanted;
	return bitmap_put(bitmap, number, true, err);
}

/* The next of the first subnet that has one. */
static int address_take_any(
	struct bitmap *bitmap, const struct network *network, struct in_addr *address, struct error *err)
{
	uint32_t before = 0, usable = 0, number;

	for (size_t i = 0; i < network_subnet_count(network); i++) {
		const struct subnet *subnet = network_subnet(network, i);
		uint32_t size = subnet_size(subnet);
		int found = bitmap_take(bitmap, before + 1, before + size - 2, NULL, &number, err);

		if (found < 0)
			return -1;
		if (found) {
			address->s_addr = htonl(subnet_first(subnet) + number - before);
			return 0;
		}
		before += size;
		usable += size - 2;
	}
	return fail(err, ERROR_BUSY, "all %u addresses of network %s are taken", usable, network->name);
}

int address_take_held(const struct net_state *state, const struct network *network, struct in_addr wanted,
	struct lease_hold *hold, struct in_addr *address, struct error *err)
{
	struct bitmap bitmap;

	if (leases_open_held(state, LEASES_IPV4, network->name, hold, &bitmap, err) < 0)
		return -1;
	if (!bitmap.tag && bitmap_set_tag(&bitmap, subnet_first(&network->subnet), err) < 0)
		return -1;
	if (wanted.s_addr != INADDR_ANY)
		return address_take_wanted(&bitmap, network, wanted, address, err);
	return address_take_any(&bitmap, network, address, err);
}

int address_take(const struct net_state *state, const struct network *network, struct in_addr wanted,
	struct in_addr *address, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;

	return address_take_held(state, network, wanted, &hold, address, err);
}

static int address_put(const struct net_state *state, struct bitmap *bitmap, const char *name, struct in_addr address,
	bool taken, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	uint32_t number = ntohl(address.s_addr) - bitmap->tag;
	char text[INET_ADDRSTRLEN];
	struct network network;
	struct error damage;

	if (network_load(&arena, state, name, &network, &damage) == 0)
		number = network_host_number(&network, address);
	inet_ntop(AF_INET, &address, text, sizeof(text));
	if (number == 0 || number >= HOST_NUMBERS_MAX)
		return fail(err, ERROR_USAGE, "address %s is not one of network %s", text, name);
	return bitmap_put(bitmap, number, taken, err);
}

int address_release_held(const struct net_state *state, const char *network, struct in_addr address,
	struct lease_hold *hold, struct error *err)
{
	struct bitmap bitmap;

	if (leases_open_held(state, LEASES_IPV4, network, hold, &bitmap, err) < 0)
		return -1;
	/* No tag: after a reboot, before anything was marked. */
	return bitmap.tag ? address_put(state, &bitmap, network, address, false, err) : 0;
}

int address_release(const struct net_state *state, const char *network, struct in_addr address, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;

	return address_release_held(state, network, address, &hold, err);
}

int address_mark(const struct net_state *state, const char *network, struct in_addr address, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};
	struct network found;

	if (leases_open(state, LEASES_IPV4, network, &bitmap, err) < 0)
		return -1;
	if (!bitmap.tag && (network_load(&arena, state, network, &found, err) < 0 ||
				   bitmap_set_tag(&bitmap, subnet_first(&found.subnet), err) < 0))
		return -1;
	return address_put(state, &bitmap, network, address, true, err);
}
