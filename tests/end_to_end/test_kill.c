/* SIGKILL at any system call of `warren`, of the processes it made, or of all of them at once: the next commands list
 * what is there, clear it away without a trace, and make it again. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_sweep.h"
#include "tests/test.h"

#define RUN_SLEEP                                                                                                      \
	{                                                                                                              \
		"run", "-d", "--name", "a", "-p", "8090:80", "-v", "VOLUME", "host", "sleep", "1000"                   \
	}
#define APPLY                                                                                                          \
	{                                                                                                              \
		"apply", "-q", "-j", "3", "FLEET"                                                                      \
	}
#define REMOVE                                                                                                         \
	{                                                                                                              \
		"rm", "-f", "a"                                                                                        \
	}
#define DOWN                                                                                                           \
	{                                                                                                              \
		"down", "-q", "shop"                                                                                   \
	}

static const char fleet[] = "{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": "
			    "{\"a\": {\"image\": \"host\", \"command\": [\"sleep\", \"1000\"], \"replicas\": 3, "
			    "\"network\": \"inside\", \"stop_grace_period\": 0}}}\n";

/* The same with another environment: each is started again; and with other limits: changed as they run. */
static const char other_fleet[] =
	"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": "
	"{\"a\": {\"image\": \"host\", \"command\": [\"sleep\", \"1000\"], "
	"\"environment\": {\"A\": \"1\"}, \"resources\": {\"pids\": 60}, "
	"\"network\": \"inside\", \"stop_grace_period\": 0}}}\n";

static void sweep_warren(struct sweep sweep)
{
	auto_playground playground = playground_new();
	const char *directory = playground.directory.path;
	auto_free char *volume = text_format("%s/volume:/data", directory),
		       *file = text_format("%s/shop.json", directory), *other = text_format("%s/other.json", directory);
	const char *const program[] = {WARREN_PROGRAM, "--root", playground.root, "--cgroup-parent", playground.parent};
	const char *const words[] = {"VOLUME", volume, "FLEET", file, "OTHER", other};

	run_write_file(directory, "shop.json", 0600, fleet);
	run_write_file(directory, "other.json", 0600, other_fleet);
	run_write_file(directory, "volume/file", 0600, "");
	memcpy(sweep.program, program, sizeof(program));
	memcpy(sweep.words, words, sizeof(words));
	sweep.state = playground.root;
	sweep.cgroup = playground.parent;
	sweep.list[0] = "list";
	sweep.list[1] = "--json";
	sweep.state_key = "state";
	sweep.missing_status = 3;
	sweep_run(&sweep);
}

#define KILL_TEST(name, ...)                                                                                           \
	TEST(kill, name, .fini = playground_rescue, .timeout = SLOWLY(7200))                                           \
	{                                                                                                              \
		const struct sweep sweep = {__VA_ARGS__};                                                              \
		if (!sweep.also_slow)                                                                                  \
			NEEDS_A_FAST_PROCESSOR();                                                                      \
		sweep_warren(sweep);                                                                                   \
	}

#define KILLED_RUN                                                                                                     \
	.command = RUN_SLEEP, .again = RUN_SLEEP, .clear = REMOVE, .states = "created starting running stopped"
KILL_TEST(run_alone, KILLED_RUN, .where = STEP_COMMAND)
KILL_TEST(run_its_monitor_or_first_process, KILLED_RUN, .where = STEP_CHILDREN, .width = 12)
KILL_TEST(run_with_all_it_made, KILLED_RUN, .where = STEP_ALL, .width = 16)

/* While its monitor writes down that it has ended, nobody can know yet whether it starts it again. */
#define ENDING "running starting restarting stopped"
#define ON_RUNNING .before = RUN_SLEEP, .again = RUN_SLEEP, .clear = REMOVE
KILL_TEST(stop, ON_RUNNING, .command = {"stop", "-t", "0s", "a"}, .states = ENDING, .also_slow = true)
KILL_TEST(rm, ON_RUNNING, .command = REMOVE, .states = ENDING)
KILL_TEST(exec_alone, ON_RUNNING, .command = {"exec", "a", "true"}, .states = "running")
KILL_TEST(exec_its_process, ON_RUNNING, .command = {"exec", "a", "true"}, .states = "running", .where = STEP_CHILDREN)

#define KILLED_APPLY .command = APPLY, .again = APPLY, .clear = DOWN, .states = "created starting running stopped"
KILL_TEST(apply_alone, KILLED_APPLY, .where = STEP_COMMAND, .width = 16)
KILL_TEST(apply_with_all_it_made, KILLED_APPLY, .where = STEP_ALL, .width = 48)
KILL_TEST(down, .before = APPLY, .command = DOWN, .again = APPLY, .clear = DOWN, .states = ENDING, .width = 16)

#define OTHER                                                                                                          \
	{                                                                                                              \
		"apply", "-q", "OTHER"                                                                                 \
	}
KILL_TEST(apply_of_a_change, .before = APPLY, .command = OTHER, .again = OTHER, .clear = DOWN,
	.states = "created starting restarting running stopped", .width = 60)

#define CREATE                                                                                                         \
	{                                                                                                              \
		"create", "--name", "a", "host", "sleep", "1000"                                                       \
	}
#define ON_STOPPED .before = CREATE, .again = CREATE, .clear = REMOVE
KILL_TEST(create, .command = CREATE, .again = CREATE, .clear = REMOVE, .states = "created", .width = 40)
KILL_TEST(start_alone, ON_STOPPED, .command = {"start", "a"}, .states = "created starting running stopped", .width = 40)
KILL_TEST(start_with_all_it_made, ON_STOPPED, .command = {"start", "a"}, .states = "created starting running stopped",
	.where = STEP_ALL, .width = 120)
KILL_TEST(set, ON_RUNNING, .command = {"set", "--pids-limit", "50", "-p", "8091:81", "--publish-rm", "8090", "a"},
	.states = "running", .width = 40)
KILL_TEST(rename, .before = CREATE, .again = CREATE, .command = {"rename", "a", "b"}, .clear = {"rm", "-f", "--all"},
	.states = "created", .width = 20)
KILL_TEST(snapshot_of_one_that_runs, ON_RUNNING, .command = {"snapshot", "create", "a", "one"},
	.states = "running paused", .width = 20)

#define NETWORK                                                                                                        \
	{                                                                                                              \
		"network", "create", "n"                                                                               \
	}
#define NO_NETWORK                                                                                                     \
	{                                                                                                              \
		"network", "rm", "n"                                                                                   \
	}
KILL_TEST(network_create, .command = NETWORK, .again = NETWORK, .clear = NO_NETWORK, .states = "", .width = 20)
KILL_TEST(network_rm, .before = NETWORK, .command = NO_NETWORK, .again = NETWORK, .clear = NO_NETWORK, .states = "",
	.width = 20)
