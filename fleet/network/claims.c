/* What the records of this host claim of slots and addresses, against what is taken.
 *
 * Whoever takes one keeps the list of them locked until its record names it. So with the list in our hands all that is
 * taken and in no record is the lost property of somebody who was killed, whoever else is at work. */
#include "fleet/network/claims.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define ENTRIES_MAX 65536
/* A directory that is renamed while we list comes up under its new name in the next round. */
#define ROUNDS_MAX 100

struct claims {
	struct arena *arena;
	const char *self, *network; /* may be NULL: an entry to leave out; whose addresses are wanted */
	struct slot_claims slots;
	struct lease_claim *leases;
	size_t lease_count, room;
};

static void lease_add(struct claims *claims, const struct lease_claim *lease)
{
	claims->leases =
		arena_grow(claims->arena, claims->leases, claims->lease_count, &claims->room, sizeof(*claims->leases));
	claims->leases[claims->lease_count++] = *lease;
}

/* Staged directories, ".<name>.<random>", name what they may not have yet, or no more. */
static void record_note(struct claims *claims, const char *entry, const struct record *record)
{
	bool certain = *entry != '.';

	claims->slots.claimed[record->slot] = true;
	claims->slots.certain[record->slot] |= certain;
	if (record->network && text_equal(record->network, claims->network))
		lease_add(claims, &(struct lease_claim){record->address, record->address6, certain});
}

/* False: the entry has another name by now. */
static bool entry_read(struct host *host, struct claims *claims, const char *entry)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = openat(host->instances, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct record record;
	struct error ignored;

	if (dir < 0)
		return errno != ENOENT;
	if (!text_equal(entry, claims->self) && record_read(&arena, dir, &record, &ignored) == 0)
		record_note(claims, entry, &record);
	return true;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool names_have(const struct strings *sorted, const char *name)
{
	return sorted->count && bsearch(&name, sorted->items, sorted->count, sizeof(name), names_compare);
}

/* ERROR_BUSY when names change faster than they can be read. */
static int claims_read(struct host *host, struct claims *claims, struct error *err)
{
	struct strings before = {0};
	bool changed = true;

	for (int round = 0; changed && round < ROUNDS_MAX; round++) {
		struct strings names = {0};

		if (dir_list(claims->arena, host->instances, ENTRIES_MAX, &names, err) < 0)
			return -1;
		changed = false;
		for (size_t i = 0; i < names.count; i++)
			if (!names_have(&before, names.items[i])) {
				bool there = entry_read(host, claims, names.items[i]);

				changed |= round > 0 || !there;
			}
		changed |= round == 0;
		before = names;
	}
	return changed ? fail(err, ERROR_BUSY, "instances are being made and removed too fast to list them") : 0;
}

int host_recover_slots(struct host *host, const char *self, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct claims *claims = arena_new(&arena, struct claims);
	auto_fd hold = -1;

	*claims = (struct claims){.arena = &arena, .self = self};
	if (slots_hold(&host->net, &hold, err) < 0 || claims_read(host, claims, err) < 0)
		return -1;
	return slots_keep(hold, &claims->slots, err);
}

int host_recover_addresses(struct host *host, const char *network, const char *self, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;
	AUTO(arena_drop) struct arena arena = {0};
	struct claims *claims = arena_new(&arena, struct claims);
	struct network found;

	/* One that is gone has no addresses. */
	if (network_load(&arena, &host->net, network, &found, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	*claims = (struct claims){.arena = &arena, .self = self, .network = network};
	if (leases_hold(&host->net, network, &hold, err) < 0 || claims_read(host, claims, err) < 0)
		return -1;
	return addresses_keep(
		&host->net, network, &hold, &(struct lease_claims){claims->leases, claims->lease_count}, err);
}

int host_recover_all(struct host *host, const char *self, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_list networks;

	if (network_load_all(&arena, &host->net, &networks, err) < 0)
		return -1;
	for (size_t i = 0; i < networks.count; i++)
		if (host_recover_addresses(host, networks.items[i].name, self, err) < 0)
			return -1;
	return host_recover_slots(host, self, err);
}
