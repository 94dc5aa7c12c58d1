/* Addresses that were taken and are nobody's: of who was killed between taking one and writing that down, or whose
 * record is lost. All that is needed to find them is what is written down, read while nobody can take any. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "netns/networks/leases.h"
#include "netns/subnets/subnet.h"

int leases_hold(const struct net_state *state, const char *network, struct lease_hold *hold, struct error *err)
{
	struct bitmap bitmap;

	if (leases_open_held(state, LEASES_IPV4, network, hold, &bitmap, err) < 0)
		return -1;
	return leases_open_held(state, LEASES_IPV6, network, hold, &bitmap, err);
}

/* 0: it has none of this kind, or one that the network cannot have. */
static uint32_t claim_number(const struct network *network, enum lease_kind kind, const struct lease_claim *claim)
{
	if (kind == LEASES_IPV4)
		return network_host_number(network, claim->address);
	return subnet6_usable(&network->subnet6, &claim->address6) ? address6_number(&claim->address6) : 0;
}

static int numbers_compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static int kind_keep(struct bitmap *bitmap, const struct network *network, enum lease_kind kind,
	const struct lease_claims *claims, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	uint32_t *kept = arena_new_array(&arena, claims->count + 1, uint32_t);
	size_t count = 0;

	for (size_t i = 0; i < claims->count; i++) {
		uint32_t number = claim_number(network, kind, &claims->items[i]);

		if (number == 0 || number >= HOST_NUMBERS_MAX)
			continue;
		if (claims->items[i].certain && bitmap_put(bitmap, number, true, err) < 0)
			return -1;
		kept[count++] = number;
	}
	qsort(kept, count, sizeof(*kept), numbers_compare);
	return bitmap_keep(bitmap, kept, count, err);
}

int addresses_keep(const struct net_state *state, const char *name, struct lease_hold *hold,
	const struct lease_claims *claims, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network network;
	struct bitmap bitmap;

	if (network_load(&arena, state, name, &network, err) < 0 ||
		leases_open_held(state, LEASES_IPV4, name, hold, &bitmap, err) < 0)
		return -1;
	if (!bitmap.tag && claims->count && bitmap_set_tag(&bitmap, subnet_first(&network.subnet), err) < 0)
		return -1;
	if (kind_keep(&bitmap, &network, LEASES_IPV4, claims, err) < 0 ||
		leases_open_held(state, LEASES_IPV6, name, hold, &bitmap, err) < 0)
		return -1;
	return kind_keep(&bitmap, &network, LEASES_IPV6, claims, err);
}
