/* IPv4 host numbers: which addresses of a network are taken. The bitmap's tag is the subnet's base address, so that
 * giving an address back needs no record. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/leases.h"
#include "netns/subnet.h"

/* The subnet for a bitmap that has none yet comes from the network's record. */
static int leases_open_based(
	const struct net_state *state, const char *network, struct bitmap *bitmap, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network found;

	if (leases_open(state, LEASES_IPV4, network, bitmap, err) < 0)
		return -1;
	if (bitmap->tag)
		return 0;
	if (network_load(&arena, state, network, &found, err) < 0)
		return -1;
	return bitmap_set_tag(bitmap, subnet_first(&found.subnet), err);
}

static int address_take_wanted(struct bitmap *bitmap, const struct network *network, struct in_addr wanted,
	struct in_addr *address, struct error *err)
{
	char text[INET_ADDRSTRLEN], subnet[20];
	uint32_t number = ntohl(wanted.s_addr) - bitmap->tag;
	int taken;

	inet_ntop(AF_INET, &wanted, text, sizeof(text));
	if (!subnet_usable(&network->subnet, wanted))
		return fail(err, ERROR_USAGE, "address %s is not one for instances of network %s (%s)", text,
			network->name, subnet_format(&network->subnet, subnet));
	taken = bitmap_test(bitmap, number, err);
	if (taken < 0)
		return -1;
	if (taken)
		return fail(err, ERROR_BUSY, "address %s of network %s is taken", text, network->name);
	*address = wanted;
	return bitmap_put(bitmap, number, true, err);
}

int address_take(const struct net_state *state, const struct network *network, struct in_addr wanted,
	struct in_addr *address, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};
	uint32_t last = subnet_size(&network->subnet) - 2, number;
	int found;

	if (leases_open(state, LEASES_IPV4, network->name, &bitmap, err) < 0)
		return -1;
	if (!bitmap.tag && bitmap_set_tag(&bitmap, subnet_first(&network->subnet), err) < 0)
		return -1;
	if (wanted.s_addr != INADDR_ANY)
		return address_take_wanted(&bitmap, network, wanted, address, err);
	found = bitmap_take(&bitmap, 1, last, NULL, &number, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail(err, ERROR_BUSY, "all %u addresses of network %s are taken", last, network->name);
	address->s_addr = htonl(bitmap.tag + number);
	return 0;
}

static int address_put(
	struct bitmap *bitmap, const char *network, struct in_addr address, bool taken, struct error *err)
{
	char text[INET_ADDRSTRLEN];
	uint32_t number = ntohl(address.s_addr) - bitmap->tag;

	inet_ntop(AF_INET, &address, text, sizeof(text));
	if (number == 0 || number >= 1u << 24)
		return fail(err, ERROR_USAGE, "address %s is not one of network %s", text, network);
	return bitmap_put(bitmap, number, taken, err);
}

int address_release(const struct net_state *state, const char *network, struct in_addr address, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

	if (leases_open(state, LEASES_IPV4, network, &bitmap, err) < 0)
		return -1;
	/* No tag: after a reboot, before anything was marked. */
	return bitmap.tag ? address_put(&bitmap, network, address, false, err) : 0;
}

int address_mark(const struct net_state *state, const char *network, struct in_addr address, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

	if (leases_open_based(state, network, &bitmap, err) < 0)
		return -1;
	return address_put(&bitmap, network, address, true, err);
}
