/* SIGKILL at any system call of `warren-oci`, of the processes it made, or of all of them at once: `list` answers,
 * `delete -f` leaves nothing, and the same id can be had again. */
#include "tests/end_to_end/support_bundle.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_sweep.h"
#include "tests/test.h"

#define CREATE                                                                                                         \
	{                                                                                                              \
		"create", "ID"                                                                                         \
	}
#define RUN_DETACHED                                                                                                   \
	{                                                                                                              \
		"run", "--detach", "ID"                                                                                \
	}
#define DELETE                                                                                                         \
	{                                                                                                              \
		"delete", "--force", "ID"                                                                              \
	}

static void sweep_oci(struct sweep sweep)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *cgroup = text_format("warren-oci/%s", bundle.id);
	const char *const program[] = {WARREN_OCI_PROGRAM, "--root", bundle.state};
	const char *const words[] = {"ID", bundle.id};
	const char *const list[] = {"list", "--format", "json"};

	remains_seclude();
	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]");
	memcpy(sweep.program, program, sizeof(program));
	memcpy(sweep.words, words, sizeof(words));
	memcpy(sweep.list, list, sizeof(list));
	sweep.directory = bundle.path;
	sweep.state = bundle.state;
	sweep.cgroup = cgroup;
	sweep.state_key = "status";
	sweep_run(&sweep);
}

#define KILL_TEST(name, ...)                                                                                           \
	TEST(kill_oci, name, .timeout = SLOWLY(7200))                                                                  \
	{                                                                                                              \
		const struct sweep sweep = {.clear = DELETE, __VA_ARGS__};                                             \
		if (!sweep.also_slow)                                                                                  \
			NEEDS_A_FAST_PROCESSOR();                                                                      \
		sweep_oci(sweep);                                                                                      \
	}

#define KILLED_CREATE .command = CREATE, .again = CREATE, .states = "creating created stopped"
KILL_TEST(create_alone, KILLED_CREATE, .where = STEP_COMMAND, .also_slow = true)
KILL_TEST(create_its_first_process, KILLED_CREATE, .where = STEP_CHILDREN)
KILL_TEST(create_with_all_it_made, KILLED_CREATE, .where = STEP_ALL)

#define KILLED_RUN .command = RUN_DETACHED, .again = RUN_DETACHED, .states = "creating created running stopped"
KILL_TEST(run_alone, KILLED_RUN, .where = STEP_COMMAND)
KILL_TEST(run_with_all_it_made, KILLED_RUN, .where = STEP_ALL)

KILL_TEST(start, .before = CREATE, .command = {"start", "ID"}, .again = CREATE, .states = "created running stopped")

#define ON_RUNNING .before = RUN_DETACHED, .again = RUN_DETACHED
KILL_TEST(delete, ON_RUNNING, .command = DELETE, .states = "running stopped")
KILL_TEST(exec_alone, ON_RUNNING, .command = {"exec", "ID", "/bin/true"}, .states = "running")
KILL_TEST(exec_its_process, ON_RUNNING, .command = {"exec", "ID", "/bin/true"}, .states = "running",
	.where = STEP_CHILDREN)
KILL_TEST(exec_with_all_it_made, ON_RUNNING, .command = {"exec", "ID", "/bin/true"}, .states = "running",
	.where = STEP_ALL)
KILL_TEST(kill, ON_RUNNING, .command = {"kill", "ID", "KILL"}, .states = "running stopped", .width = 1)
