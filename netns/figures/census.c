/* What this module has given away, and what of it the kernel has: for who compares it with the records of those who
 * should have it. Each list is read under its own lock; between two of them things change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/links/slots.h"
#include "netns/netlink/bitmap.h"
#include "netns/netlink/session.h"
#include "netns/networks/leases.h"
#include "netns/ports/port_elements.h"
#include "netns/subnets/subnet.h"
#include "netns/table/ruleset.h"

static int slots_read(const struct net_state *state, bool out[SLOT_MAX + 1], struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

	if (!slots_exist(state))
		return 0;
	if (slots_open(state, &bitmap, err) < 0)
		return -1;
	for (uint32_t slot = 1; slot <= SLOT_MAX; slot++) {
		int taken = bitmap_test(&bitmap, slot, err);

		if (taken < 0)
			return -1;
		out[slot] = taken;
	}
	return 0;
}

static int links_read(struct net_session *session, bool out[SLOT_MAX + 1], struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct link_counters *counters = arena_new_array(&arena, SLOT_MAX + 1, struct link_counters);

	if (link_counters_read_all(session, counters, err) < 0)
		return -1;
	for (unsigned slot = 1; slot <= SLOT_MAX; slot++)
		out[slot] = counters[slot].present;
	return 0;
}

int net_census_read(
	const struct net_state *state, struct net_session *session, struct net_census *out, struct error *err)
{
	int current = ruleset_is_current(&session->filter, err);

	*out = (struct net_census){.has_table = current > 0};
	if (current < 0 || slots_read(state, out->slots, err) < 0 || links_read(session, out->links, err) < 0)
		return blame(err, "look at the network");
	return 0;
}

int net_addresses_count(
	const struct net_state *state, const char *network, size_t *ipv4, size_t *ipv6, struct error *err)
{
	const struct {
		enum lease_kind kind;
		size_t *count;
	} rows[] = {{LEASES_IPV4, ipv4}, {LEASES_IPV6, ipv6}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

		*rows[i].count = 0;
		if (!leases_exist(state, rows[i].kind, network))
			continue;
		if (leases_open(state, rows[i].kind, network, &bitmap, err) < 0 ||
			bitmap_count(&bitmap, rows[i].count, err) < 0)
			return -1;
	}
	return 0;
}

void net_addresses_usable(const struct network *network, size_t *ipv4, size_t *ipv6)
{
	*ipv4 = *ipv6 = 0;
	for (size_t i = 0; i < network_subnet_count(network); i++)
		*ipv4 += subnet_size(network_subnet(network, i)) - 2;
	if (network->subnet6.prefix)
		*ipv6 = subnet6_last(&network->subnet6) - subnet6_first(&network->subnet6) + 1;
}

/* --- published ports ---------------------------------------------------------------------------------------------- */

struct collection {
	struct arena *arena;
	struct net_holders *holders;
	size_t room;
};

static void holder_note(const struct element *claim, void *context)
{
	struct collection *collection = context;
	struct net_holders *holders = collection->holders;
	struct in_addr holder = claim_holder(claim);

	if (!holder.s_addr || (holders->count && holders->items[holders->count - 1].s_addr == holder.s_addr))
		return;
	holders->items = arena_grow(
		collection->arena, holders->items, holders->count, &collection->room, sizeof(*holders->items));
	holders->items[holders->count++] = holder;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in_addr));
}

int net_holders_read(struct arena *arena, struct net_session *session, struct net_holders *out, struct error *err)
{
	struct collection collection = {.arena = arena, .holders = out};
	size_t kept = 0;

	*out = (struct net_holders){0};
	/* No table: nothing is published. */
	if (elements_dump(&session->filter, SET_CLAIMS, holder_note, &collection, err) < 0 && err->errnum != ENOENT)
		return blame(err, "list the published ports");
	*err = (struct error){0};
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_addresses);
	for (size_t i = 0; i < out->count; i++)
		if (!kept || out->items[kept - 1].s_addr != out->items[i].s_addr)
			out->items[kept++] = out->items[i];
	out->count = kept;
	return 0;
}
