/* Slots: unique, rotating, bounded. */
#include "netns/links/slots.h"

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_world.h"

static unsigned take(struct world *world)
{
	unsigned slot = 0;
	struct error err;

	ASSERT_OK(slot_take(&world->state, 0, &slot, &err));
	return slot;
}

TEST(slots, a_number_given_back_is_not_reused_at_once)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	cr_assert(take(&world) == 1);
	cr_assert(take(&world) == 2);
	ASSERT_OK(slot_release(&world.state, 2, &err));
	cr_assert(take(&world) == 3);
	world_close(&world);
}

TEST(slots, a_wanted_one_is_given_once)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	unsigned slot;
	world_open(&world);

	ASSERT_OK(slot_take(&world.state, 17, &slot, &err));
	cr_assert(slot == 17);
	ASSERT_FAILS(slot_take(&world.state, 17, &slot, &err), ERROR_BUSY, "slot 17 is taken");
	ASSERT_FAILS(slot_take(&world.state, 4095, &slot, &err), ERROR_USAGE, "slot 4095: must be 1 to 4094");
	ASSERT_FAILS(slot_release(&world.state, 0, &err), ERROR_USAGE, "slot 0: must be 1 to 4094");
	world_close(&world);
}

TEST(slots, all_can_be_taken_and_then_none)
{
	NEEDS_ROOT();
	static bool seen[SLOT_MAX + 1];
	struct world world;
	struct error err;
	unsigned slot;
	world_open(&world);

	for (unsigned i = 0; i < SLOT_MAX; i++) {
		slot = take(&world);
		cr_assert(slot >= 1 && slot <= SLOT_MAX && !seen[slot], "slot %u", slot);
		seen[slot] = true;
	}
	ASSERT_FAILS(slot_take(&world.state, 0, &slot, &err), ERROR_BUSY, "all 4094 slots of this host are taken");
	ASSERT_OK(slot_release(&world.state, 1234, &err));
	cr_assert(take(&world) == 1234);
	world_close(&world);
}

TEST(slots, one_whose_link_still_exists_is_passed_over)
{
	NEEDS_ROOT();
	struct world world;
	struct endpoint old = {.slot = 1, .network_number = 1, .address = ip("10.88.0.9")};
	struct error err;
	world_open(&world);
	auto_fd netns = netns_new();

	ASSERT_OK(endpoint_attach(world.session, &old, netns, 1000, &err));
	cr_assert(take(&world) == 2);
	fd_drop(&netns);
	world_close(&world);
}

TEST(slots, marking_is_idempotent_and_takes)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	ASSERT_OK(slot_mark(&world.state, 1, &err));
	ASSERT_OK(slot_mark(&world.state, 1, &err));
	cr_assert(take(&world) == 2);
	world_close(&world);
}

TEST(slots, processes_at_once_get_different_ones)
{
	NEEDS_ROOT();
	enum { PROCESSES = 8, EACH = 50 };
	struct world world;
	int pidfds[PROCESSES], status;
	struct error err;
	world_open(&world);

	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = process_clone(0, -1, &pidfds[i]);
		unsigned slot;
		cr_assert(pid >= 0);
		for (int k = 0; pid == 0 && k < EACH; k++)
			if (slot_take(&world.state, 0, &slot, &err) < 0)
				_exit(1);
		if (pid == 0)
			_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		ASSERT_OK(process_reap(pidfds[i], &status, &err));
		cr_assert(status == 0);
		close(pidfds[i]);
	}
	cr_assert(take(&world) == PROCESSES * EACH + 1);
	world_close(&world);
}
