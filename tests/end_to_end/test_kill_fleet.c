/* The same as test_kill.c for the commands that work on a whole fleet: whatever of it was done when it was killed, the
 * next `apply` does the rest, and nothing more. */
#include "tests/end_to_end/support_kill.h"

#define FLEET_OF(word)                                                                                                 \
	{                                                                                                              \
		"apply", "-q", "-j", "3", word                                                                         \
	}
/* Status 0: as the file says, in every key. */
#define AS_SAID_BY(word)                                                                                               \
	{                                                                                                              \
		"plan", word                                                                                           \
	}
#define COMING "created starting running stopped"
#define CHANGING "created starting restarting running stopped"

#define KILLED_APPLY                                                                                                   \
	.command = APPLY, .next = APPLY, .after = "a-1=running a-2=running a-3=running", .proof = AS_SAID_BY("FLEET"), \
	.again = APPLY, .clear = DOWN, .states = COMING
KILL_TEST(apply_alone, KILLED_APPLY, .where = STEP_COMMAND, .width = 16)
KILL_TEST(apply_with_all_it_made, KILLED_APPLY, .where = STEP_ALL, .width = 48)
KILL_TEST(down, .before = APPLY, .command = DOWN, .again = APPLY, .clear = DOWN, .states = ENDING, .width = 16)

#define KILLED_APPLY_OF_ALL                                                                                            \
	.command = FLEET_OF("ALL"), .next = FLEET_OF("ALL"), .after = "a=running", .proof = AS_SAID_BY("ALL"),         \
	.again = FLEET_OF("ALL"), .clear = DOWN, .tidy = {{"volume", "rm", "data"}}, .states = COMING
KILL_TEST(apply_of_one_with_everything, KILLED_APPLY_OF_ALL, .where = STEP_COMMAND, .width = 60)
KILL_TEST(
	apply_of_one_with_everything_and_all_it_made, KILLED_APPLY_OF_ALL, .where = STEP_ALL, .width = 120, .least = 3)

#define CHANGED(from, to) .before = FLEET_OF(from), .command = FLEET_OF(to), .again = FLEET_OF(to), .clear = DOWN
#define THEN(to, names) .next = FLEET_OF(to), .after = names, .proof = AS_SAID_BY(to)
#define BOTH "a-1=running a-2=running"
KILL_TEST(apply_of_a_change, CHANGED("FLEET", "OTHER"), THEN("OTHER", "a=running"), .states = CHANGING, .width = 60)
KILL_TEST(apply_of_a_live_change, CHANGED("PAIR", "LIVE"), THEN("LIVE", BOTH), .states = "running", .width = 30)
KILL_TEST(apply_that_restarts, CHANGED("PAIR", "RESTART"), THEN("RESTART", BOTH), .states = CHANGING, .width = 100,
	.least = 3)
KILL_TEST(apply_that_restarts_with_all_it_made, CHANGED("PAIR", "RESTART"), THEN("RESTART", BOTH), .states = CHANGING,
	.where = STEP_ALL, .width = 150, .least = 9)
KILL_TEST(apply_that_recreates, CHANGED("PAIR", "RECREATE"), THEN("RECREATE", BOTH), .states = CHANGING, .width = 100,
	.least = 3)
KILL_TEST(apply_that_recreates_with_all_it_made, CHANGED("PAIR", "RECREATE"), THEN("RECREATE", BOTH),
	.states = CHANGING, .where = STEP_ALL, .width = 150, .least = 9)
KILL_TEST(apply_with_a_stand_in, CHANGED("SITE", "ROLLED"), THEN("ROLLED", "a=running"), .states = CHANGING,
	.width = 100, .least = 3)
KILL_TEST(apply_with_a_stand_in_and_all_it_made, CHANGED("SITE", "ROLLED"), THEN("ROLLED", "a=running"),
	.states = CHANGING, .where = STEP_ALL, .width = 150, .least = 7)

#define PAIR .before = FLEET_OF("PAIR"), .again = FLEET_OF("PAIR"), .clear = DOWN
KILL_TEST(rollback, PAIR, .then = FLEET_OF("LIVE"), .command = {"rollback", "-q", "shop", "1"},
	.next = {"rollback", "-q", "shop", "1"}, .after = BOTH, .proof = AS_SAID_BY("PAIR"), .states = "running",
	.width = 40)
KILL_TEST(stop_of_one_that_drains, PAIR, .command = {"stop", "a-1"}, .next = FLEET_OF("PAIR"), .after = BOTH,
	.proof = AS_SAID_BY("PAIR"), .states = ENDING, .width = 20)
KILL_TEST(stop_of_one_that_drains_finished_by_stop, PAIR, .command = {"stop", "a-1"}, .next = {"stop", "a-1"},
	.after = "a-1=stopped a-2=running", .states = ENDING, .width = 40)
KILL_TEST(restart_of_one_that_drains, PAIR, .command = {"restart", "a-1"}, .next = FLEET_OF("PAIR"), .after = BOTH,
	.proof = AS_SAID_BY("PAIR"), .states = CHANGING, .width = 40)

/* Those who have come say nothing and stay: a stop has its drain to wait, and is killed in it. */
#define VISITED                                                                                                        \
	.before = FLEET_OF("DRAINED"), .again = FLEET_OF("DRAINED"), .clear = DOWN, .visited = 8095, .rare = true,     \
	.states = CHANGING
KILL_TEST(stop_that_waits_for_visitors, VISITED, .command = {"stop", "a-1"}, .next = {"stop", "a-1"},
	.after = "a-1=stopped a-2=running", .width = 20)
KILL_TEST(stop_that_waits_for_visitors_and_apply, VISITED, .command = {"stop", "a-1"}, .next = FLEET_OF("DRAINED"),
	.after = BOTH, .proof = AS_SAID_BY("DRAINED"), .width = 40)
KILL_TEST(apply_that_waits_for_visitors, VISITED, .command = FLEET_OF("DRAINED-2"), THEN("DRAINED-2", BOTH),
	.width = 100, .least = 3)
KILL_TEST(apply_that_waits_for_visitors_and_goes_back, VISITED, .command = FLEET_OF("DRAINED-2"), THEN("DRAINED", BOTH),
	.width = 100, .least = 3)
KILL_TEST(rm_of_one_with_visitors, VISITED, .command = {"rm", "-f", "a-1"}, .next = FLEET_OF("DRAINED"), .after = BOTH,
	.proof = AS_SAID_BY("DRAINED"), .width = 40)
