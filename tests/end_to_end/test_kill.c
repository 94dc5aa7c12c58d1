/* SIGKILL at any system call of `warren`, of the processes it made, or of all of them at once: the next commands list
 * what is there, lead to what was wanted or clear it away without a trace, and make it again. Those that are about one
 * instance; test_kill_kept.c has those about networks, volumes and images, test_kill_fleet.c the fleet's. */
#include "tests/end_to_end/support_kill.h"

#define KILLED_RUN                                                                                                     \
	.command = RUN_SLEEP, .again = RUN_SLEEP, .clear = REMOVE, .states = "created starting running stopped"
KILL_TEST(run_alone, KILLED_RUN, .where = STEP_COMMAND)
KILL_TEST(run_its_monitor_or_first_process, KILLED_RUN, .where = STEP_CHILDREN, .width = 12)
KILL_TEST(run_with_all_it_made, KILLED_RUN, .where = STEP_ALL, .width = 16)

#define ON_RUNNING .before = RUN_SLEEP, .again = RUN_SLEEP, .clear = REMOVE
KILL_TEST(stop, ON_RUNNING, .command = {"stop", "-t", "0s", "a"}, .states = ENDING, .next = RESTART,
	.after = "a=running", .also_slow = true)
KILL_TEST(restart, ON_RUNNING, .command = RESTART, .states = ENDING, .next = RESTART, .after = "a=running", .width = 60)
KILL_TEST(kill, ON_RUNNING, .command = {"kill", "a"}, .states = ENDING, .width = 20)
KILL_TEST(rm, ON_RUNNING, .command = REMOVE, .states = ENDING)
KILL_TEST(pause, ON_RUNNING, .command = {"pause", "a"}, .states = "running paused", .next = RESTART,
	.after = "a=running", .width = 20)
KILL_TEST(resume, ON_RUNNING, .then = {"pause", "a"}, .command = {"resume", "a"}, .states = "running paused",
	.next = RESTART, .after = "a=running", .width = 20)
KILL_TEST(exec_alone, ON_RUNNING, .command = {"exec", "a", "true"}, .states = "running")
KILL_TEST(exec_its_process, ON_RUNNING, .command = {"exec", "a", "true"}, .states = "running", .where = STEP_CHILDREN)

#define ON_STOPPED .before = CREATE, .again = CREATE, .clear = REMOVE
KILL_TEST(create, .command = CREATE, .again = CREATE, .clear = REMOVE, .states = "created", .width = 40)
KILL_TEST(start_alone, ON_STOPPED, .command = {"start", "a"}, .states = "created starting running stopped",
	.next = RESTART, .after = "a=running", .width = 40)
KILL_TEST(start_with_all_it_made, ON_STOPPED, .command = {"start", "a"}, .states = "created starting running stopped",
	.next = RESTART, .after = "a=running", .where = STEP_ALL, .width = 120)
KILL_TEST(set, ON_RUNNING, .command = {"set", "--pids-limit", "50", "-p", "8091:81", "--publish-rm", "8090", "a"},
	.states = "running", .next = {"set", "--pids-limit", "60", "-p", "8092:81", "a"}, .after = "a=running",
	.width = 40)
KILL_TEST(rename, .before = CREATE, .again = CREATE, .command = {"rename", "a", "b"}, .clear = {"rm", "-f", "--all"},
	.states = "created", .width = 20)
KILL_TEST(clone, .before = CREATE, .again = CREATE, .command = {"clone", "a", "b"}, .clear = REMOVE_ALL,
	.next = {"clone", "a", "c"}, .states = "created", .width = 40)
KILL_TEST(snapshot_of_one_that_runs, ON_RUNNING, .command = {"snapshot", "create", "a", "one"},
	.states = "running paused", .next = RESTART, .after = "a=running", .width = 20)
KILL_TEST(snapshot_restore, ON_STOPPED, .then = {"snapshot", "create", "a", "one"},
	.command = {"snapshot", "restore", "a", "one"}, .next = {"snapshot", "restore", "a", "one"},
	.after = "a=created", .states = "created", .width = 20)
KILL_TEST(snapshot_rm, ON_STOPPED, .then = {"snapshot", "create", "a", "one"},
	.command = {"snapshot", "rm", "a", "one"}, .next = {"snapshot", "create", "a", "two"}, .after = "a=created",
	.states = "created", .width = 20)
KILL_TEST(commit, .before = {"image", "import", "dir:HOME", "kept:1"},
	.then = {"create", "--name", "a", "--network", "none", "kept:1", "true"}, .command = {"commit", "a", "made:1"},
	.next = {"commit", "a", "made:1"}, .after = "a=created", .proof = {"image", "verify"}, .states = "created",
	.again = CREATE, .clear = REMOVE,
	.tidy = {{"image", "rm", "made:1"}, {"image", "rm", "kept:1"}, {"image", "prune"}}, .width = 40)
KILL_TEST(copying_in, ON_RUNNING, .command = {"cp", "FLEET", "a:/tmp/file"}, .states = "running",
	.next = {"cp", "FLEET", "a:/tmp/file"}, .after = "a=running", .width = 20)

/* Asleep until somebody calls: whoever wakes it is killed. */
KILL_TEST(waking, .before = {"run", "-d", "--name", "a", "--idle", "1s", "host", "sleep", "1000"}, .settled = "asleep",
	.command = {"exec", "a", "true"}, .next = {"exec", "a", "true"}, .again = RUN_SLEEP, .clear = REMOVE,
	.states = "asleep running paused", .width = 40)

KILL_TEST(boot, ON_RUNNING, .then = {"boot", "--stop"}, .command = {"boot"}, .next = {"boot"}, .after = "a=running",
	.states = "created starting running stopped", .width = 60)
KILL_TEST(boot_stop, ON_RUNNING, .command = {"boot", "--stop"}, .next = {"boot"}, .after = "a=running",
	.states = ENDING, .width = 60)
