/* Slots: the numbers from which link name, interface index and id range of an instance follow. */
#include "netns/links/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "netns/links/link.h"

#define SLOTS_FILE "slots"

static bool slot_usable(uint32_t slot)
{
	return !link_is_there(slot);
}

static int slot_check(unsigned slot, struct error *err)
{
	if (slot < 1 || slot > SLOT_MAX)
		return fail(err, ERROR_USAGE, "slot %u: must be 1 to %u", slot, SLOT_MAX);
	return 0;
}

int slots_open(const struct net_state *state, struct bitmap *bitmap, struct error *err)
{
	return bitmap_open(state->run, SLOTS_FILE, bitmap, err);
}

bool slots_exist(const struct net_state *state)
{
	return faccessat(state->run, SLOTS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int slots_forget(const struct net_state *state, struct error *err)
{
	if (unlinkat(state->run, SLOTS_FILE, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove the list of slots");
	return 0;
}

static int slot_take_wanted(struct bitmap *bitmap, unsigned wanted, unsigned *slot, struct error *err)
{
	int taken;

	if (slot_check(wanted, err) < 0)
		return -1;
	taken = bitmap_test(bitmap, wanted, err);
	if (taken < 0)
		return -1;
	if (taken)
		return fail(err, ERROR_BUSY, "slot %u is taken", wanted);
	*slot = wanted;
	return bitmap_put(bitmap, wanted, true, err);
}

static int slot_take_from(struct bitmap *bitmap, unsigned wanted, unsigned *slot, struct error *err)
{
	uint32_t number;
	int found;

	if (wanted > 0)
		return slot_take_wanted(bitmap, wanted, slot, err);
	found = bitmap_take(bitmap, 1, SLOT_MAX, slot_usable, &number, err);
	if (found < 0)
		return -1;
	if (!found)
		return fail(err, ERROR_BUSY, "all %u slots of this host are taken", SLOT_MAX);
	*slot = number;
	return 0;
}

int slot_take_held(const struct net_state *state, unsigned wanted, unsigned *slot, int *hold, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

	if (slots_open(state, &bitmap, err) < 0 || slot_take_from(&bitmap, wanted, slot, err) < 0)
		return -1;
	*hold = take_fd(&bitmap.fd);
	return 0;
}

int slot_take(const struct net_state *state, unsigned wanted, unsigned *slot, struct error *err)
{
	auto_fd hold = -1;

	return slot_take_held(state, wanted, slot, &hold, err);
}

int slots_hold(const struct net_state *state, int *hold, struct error *err)
{
	struct bitmap bitmap;

	if (slots_open(state, &bitmap, err) < 0)
		return -1;
	*hold = bitmap.fd;
	return 0;
}

int slots_keep(int hold, const struct slot_claims *claims, struct error *err)
{
	struct bitmap bitmap;

	if (bitmap_borrow(hold, &bitmap, err) < 0)
		return -1;
	for (unsigned slot = 1; slot <= SLOT_MAX; slot++) {
		int taken = bitmap_test(&bitmap, slot, err);
		bool kept = claims->certain[slot] || (taken && claims->claimed[slot]);

		if (taken < 0 || (taken != kept && bitmap_put(&bitmap, slot, kept, err) < 0))
			return -1;
	}
	return 0;
}

static int slot_put(const struct net_state *state, unsigned slot, bool taken, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};

	if (slot_check(slot, err) < 0 || slots_open(state, &bitmap, err) < 0)
		return -1;
	return bitmap_put(&bitmap, slot, taken, err);
}

int slot_release(const struct net_state *state, unsigned slot, struct error *err)
{
	return slot_put(state, slot, false, err);
}

int slot_mark(const struct net_state *state, unsigned slot, struct error *err)
{
	return slot_put(state, slot, true, err);
}
