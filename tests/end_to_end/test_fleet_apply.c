/* apply and down on a whole host: the least that is needed, whoever was killed, and nothing left. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_stepper.h"
#include "tests/test.h"

#define SLEEPER "\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], \"stop_grace_period\": 0"

/* Writes the instances into the playground's file; gives its path. */
static const char *fleet_write(struct playground *playground, const char *instances)
{
	auto_free char *text =
		text_format("{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}}, \"volumes\": "
			    "{\"data\": {}},\n\"instances\": {%s}}\n",
			instances);

	run_write_file(playground->directory.path, "shop.json", 0600, text);
	return arena_format(&playground->arena, "%s/shop.json", playground->directory.path);
}

/* apply with the status and every line of its output in order. */
static void expect_apply(struct playground *playground, const char *instances, int status, const char *out)
{
	auto_run run = WARREN(playground, "apply", "-j", "1", fleet_write(playground, instances));

	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.out, out, "said %s%s", run.out, run.err);
}

static void expect_list(struct playground *playground, const char *names)
{
	auto_run run = WARREN(playground, "list", "-r", "-q");

	cr_assert_str_eq(run.out, names, "running: %s%s", run.out, run.err);
}

/* One that must be there: nothing compares as equal to nothing. */
static const char *fact(struct playground *playground, const char *name, const char *key)
{
	const char *value = instance_fact(playground, name, key);

	cr_assert(*value, "inspect of %s does not say \"%s\"", name, key);
	return arena_string(&playground->arena, value);
}

/* down, and what only a fleet leaves. */
static void expect_down(struct playground *playground)
{
	auto_free char *fleet = text_format("%s/lib/fleets/shop", playground->root);
	auto_free char *network = text_format("%s/lib/networks/inside.json", playground->root);
	auto_run run = WARREN(playground, "down", "shop");

	cr_assert(run.status == 0, "%s", run.err);
	cr_assert(access(fleet, F_OK) < 0 && access(network, F_OK) < 0);
}

TEST(fleet_apply, applying_twice_changes_nothing, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	static const char instances[] = "\"a\": {" SLEEPER ", \"replicas\": 2, \"network\": \"inside\"}";

	expect_apply(&playground, instances, 0, "a-1 started\na-2 started\nshop: 2 started\n");
	const char *pid = fact(&playground, "a-1", "pid"), *address = fact(&playground, "a-1", "address");
	expect_apply(&playground, instances, 0, "shop: 2 unchanged\n");
	cr_assert_str_eq(fact(&playground, "a-1", "pid"), pid);
	cr_assert_str_eq(fact(&playground, "a-1", "address"), address);
	expect_down(&playground);
}

TEST(fleet_apply, does_the_least_that_a_change_needs, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	expect_apply(&playground, "\"a\": {" SLEEPER "}, \"b\": {" SLEEPER "}", 0,
		"a started\nb started\nshop: 2 started\n");
	const char *pid = fact(&playground, "a", "pid");
	/* A limit goes into the running instance. */
	expect_apply(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": 77}}, \"b\": {" SLEEPER "}", 0,
		"a changed\nshop: 1 unchanged, 1 changed\n");
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "77\n");
	/* A variable needs a restart, and the address stays. */
	const char *address = fact(&playground, "a", "address");
	expect_apply(&playground, "\"a\": {" SLEEPER ", \"environment\": {\"A\": \"1\"}}, \"b\": {" SLEEPER "}", 0,
		"a restarted\nshop: 1 unchanged, 1 restarted\n");
	cr_assert_str_neq(fact(&playground, "a", "pid"), pid);
	cr_assert_str_eq(fact(&playground, "a", "address"), address);
	/* Another network: another address. What left the file goes. */
	expect_apply(&playground, "\"a\": {" SLEEPER ", \"network\": \"inside\"}", 0,
		"b removed\na restarted\nshop: 1 restarted, 1 removed\n");
	cr_assert_str_neq(fact(&playground, "a", "address"), address);
	expect_list(&playground, "a\n");
	/* State. */
	expect_apply(&playground, "\"a\": {" SLEEPER ", \"network\": \"inside\", \"state\": \"stopped\"}", 0,
		"a changed\nshop: 1 changed\n");
	expect_list(&playground, "");
	expect_down(&playground);
}

TEST(fleet_apply, keeps_the_files_of_what_it_restarts, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	expect_apply(&playground, "\"a\": {" SLEEPER "}", 0, "a started\nshop: 1 started\n");
	WARREN_OK(&playground, "exec", "a", "touch", "/var/kept");
	expect_apply(&playground, "\"a\": {" SLEEPER ", \"network\": \"inside\", \"hostname\": \"other\"}", 0,
		"a restarted\nshop: 1 restarted\n");
	WARREN_OK(&playground, "exec", "a", "test", "-e", "/var/kept");
	expect_down(&playground);
}

TEST(fleet_apply, takes_nobody_else_s_instance_and_changes_nothing_then, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "b", "--stop-timeout", "0s", "host", "sleep", "infinity");
	auto_run run =
		WARREN(&playground, "apply", fleet_write(&playground, "\"a\": {" SLEEPER "}, \"b\": {" SLEEPER "}"));
	cr_assert(run.status == 4, "%d", run.status);
	cr_assert_str_eq(run.err, "warren: apply shop: the name b is taken by an instance that was made by hand\n",
		"%s", run.err);
	expect_list(&playground, "b\n");
	auto_run down = WARREN(&playground, "down", "shop");
	cr_assert(down.status == 3 && strstr(down.err, "no fleet \"shop\" here"), "%d %s", down.status, down.err);
}

TEST(fleet_apply, starts_nothing_that_depends_on_what_failed, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_run run = WARREN(&playground, "apply", "-q",
		fleet_write(&playground,
			"\"a\": {" SLEEPER "}, \"db\": {\"image\": \"host\", \"command\": \"/bin/nonesuch\"},"
			"\"site\": {" SLEEPER ", \"depends_on\": [\"db\"]}"));

	cr_assert(run.status != 0);
	cr_assert(strstr(run.err, "/bin/nonesuch: no such file or directory"), "%s", run.err);
	cr_assert(strstr(run.err, "site was not started: it depends on db, which failed"), "%s", run.err);
	cr_assert(strstr(run.err, "2 of 3 instances failed; the first: "), "%s", run.err);
	expect_list(&playground, "a\n");
	/* Mended, the next apply does what is left. */
	expect_apply(&playground,
		"\"a\": {" SLEEPER "}, \"db\": {" SLEEPER "}, \"site\": {" SLEEPER ", \"depends_on\": [\"db\"]}", 0,
		"db started\nsite started\nshop: 2 started, 1 unchanged\n");
	expect_down(&playground);
}

TEST(fleet_apply, lets_one_command_at_a_time_at_a_fleet, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *fleets = text_format("%s/lib/fleets/shop", playground.root);
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER "}");

	WARREN_OK(&playground, "apply", file);
	auto_fd held = open(fleets, O_DIRECTORY | O_CLOEXEC);
	cr_assert(held >= 0 && flock(held, LOCK_EX) == 0);
	auto_run apply = WARREN(&playground, "apply", file), down = WARREN(&playground, "down", "shop");
	cr_assert(apply.status == 4 && down.status == 4);
	cr_assert_str_eq(apply.err, "warren: another command is at work on the fleet shop\n");
	fd_drop(&held);
	expect_down(&playground);
}

TEST(fleet_apply, respects_protection, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	expect_apply(&playground, "\"a\": {" SLEEPER ", \"protect\": true}", 0, "a started\nshop: 1 started\n");
	auto_run down = WARREN(&playground, "down", "shop");
	cr_assert(down.status == 4 && strstr(down.err, "a is protected"), "%s", down.err);
	expect_list(&playground, "a\n");
	expect_apply(&playground, "\"a\": {" SLEEPER "}", 0, "a changed\nshop: 1 changed\n");
	expect_down(&playground);
}

TEST(fleet_apply, keeps_volumes_and_their_content, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	static const char instances[] = "\"a\": {" SLEEPER ", \"volumes\": [\"data:/data\"]}";

	expect_apply(&playground, instances, 0, "a started\nshop: 1 started\n");
	WARREN_OK(&playground, "exec", "a", "touch", "/data/kept");
	expect_down(&playground);
	expect_apply(&playground, instances, 0, "a started\nshop: 1 started\n");
	WARREN_OK(&playground, "exec", "a", "test", "-e", "/data/kept");
	expect_down(&playground);
}

/* --- killed ------------------------------------------------------------------------------------------------------- */

/* Starts apply, waits for its `lines`th line, kills it, and reaps it. */
static void apply_and_kill(const struct playground *playground, const char *file, int lines)
{
	int ends[2];
	char byte;

	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl(WARREN_PROGRAM, WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent,
			"apply", "-j", "2", file, NULL);
		_exit(127);
	}
	close(ends[1]);
	while (lines > 0 && read(ends[0], &byte, 1) == 1)
		lines -= byte == '\n';
	kill(child, SIGKILL);
	cr_assert(waitpid(child, NULL, 0) == child);
	close(ends[0]);
}

TEST(fleet_apply, completes_what_a_killed_one_began, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"replicas\": 8, \"network\": \"inside\"}");

	for (int lines = 0; lines < 8; lines += 3) {
		apply_and_kill(&playground, file, lines);
		WARREN_OK(&playground, "apply", file);
		expect_list(&playground, "a-1\na-2\na-3\na-4\na-5\na-6\na-7\na-8\n");
		auto_run again = WARREN(&playground, "apply", file);
		cr_assert_str_eq(again.out, "shop: 8 unchanged\n", "%s%s", again.out, again.err);
		expect_down(&playground);
	}
}

TEST(fleet_apply, can_be_taken_down_after_a_kill, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"replicas\": 8, \"network\": \"inside\"}");

	for (int lines = 0; lines < 8; lines += 4) {
		apply_and_kill(&playground, file, lines);
		auto_run down = WARREN(&playground, "down", "shop");
		cr_assert(down.status == 0 || (lines == 0 && down.status == 3), "%d %s", down.status, down.err);
		expect_list(&playground, "");
	}
}

TEST(fleet_apply, knows_its_own_instance_when_its_record_is_damaged, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	static const char instances[] = "\"a\": {" SLEEPER "}, \"b\": {" SLEEPER "}";

	expect_apply(&playground, instances, 0, "a started\nb started\nshop: 2 started\n");
	run_write_file(playground.root, "lib/instances/a/spec.json", 0600, "{\"version\": 1, ");
	expect_apply(&playground, instances, 0, "a recreated\nshop: 1 unchanged, 1 recreated\n");
	run_write_file(playground.root, "lib/instances/b/spec.json", 0600, "");
	expect_down(&playground);
	expect_list(&playground, "");
}

static bool shows_unmonitored(const struct playground *playground)
{
	auto_run list = WARREN(playground, "list");

	cr_assert(list.status == 0, "%s", list.err);
	return strstr(list.out, "unmonitored");
}

TEST(fleet_apply, gives_a_monitor_to_one_that_lost_it, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	static const char instances[] = "\"a\": {" SLEEPER "}, \"b\": {" SLEEPER "}";

	expect_apply(&playground, instances, 0, "a started\nb started\nshop: 2 started\n");
	const char *pid = fact(&playground, "a", "pid");
	auto_run monitor = WARREN(&playground, "list", "--format", "{{.Monitor}}", "a");
	cr_assert(atoi(monitor.out) > 1 && kill(atoi(monitor.out), SIGKILL) == 0, "%s%s", monitor.out, monitor.err);
	while (!shows_unmonitored(&playground))
		poll(NULL, 0, 10);
	expect_apply(&playground, instances, 0, "a started\nshop: 1 started, 1 unchanged\n");
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	cr_assert(!shows_unmonitored(&playground));
	expect_apply(&playground, instances, 0, "shop: 2 unchanged\n");
	expect_down(&playground);
}

/* A power cut may leave any file of a moment ago empty, and what lay below /run is gone. */
static void power_cut(const struct playground *playground, const char *empty)
{
	auto_free char *run = text_format("%s/run", playground->root);
	struct error err;

	run_write_file(playground->root, empty, 0600, "");
	ASSERT_OK(tree_remove(AT_FDCWD, run, &err));
}

TEST(fleet_apply, makes_anew_what_a_power_cut_left_empty, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	static const struct {
		const char *file, *apply;
	} rows[] = {
		{"lib/instances/a/spec.json", "a recreated\nb started\nshop: 1 started, 1 recreated\n"},
		{"lib/instances/a/record.json", "a recreated\nb started\nshop: 1 started, 1 recreated\n"},
		{"lib/instances/a/desired", "a started\nb started\nshop: 2 started\n"},
	};
	static const char instances[] =
		"\"a\": {" SLEEPER ", \"network\": \"inside\"}, \"b\": {" SLEEPER ", \"network\": \"inside\"}";

	expect_apply(&playground, instances, 0, "a started\nb started\nshop: 2 started\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		WARREN_OK(&playground, "stop", "--all");
		power_cut(&playground, rows[i].file);
		auto_run list = WARREN(&playground, "list");
		cr_expect(list.status == 0, "%s: %s%s", rows[i].file, list.out, list.err);
		expect_apply(&playground, instances, 0, rows[i].apply);
	}
	expect_down(&playground);
}

/* What could not be brought to the disk is not called complete. */
TEST(fleet_apply, is_over_when_all_is_on_the_disk, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *record = text_format("%s/lib/fleets/shop/record.json", playground.root);
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER "}"), *text;
	const char *argv[] = {
		WARREN_PROGRAM, "--root", playground.root, "--cgroup-parent", playground.parent, "apply", file, NULL};
	struct error err;

	/* The first use of an image brings that to the disk too. */
	WARREN_OK(&playground, "apply", file);
	expect_down(&playground);
	auto_step step = step_run(
		&(struct step){.argv = argv, .where = STEP_COMMAND, .at = 1, .call = SYS_syncfs, .error = EIO});
	cr_assert(step.reached && step.status == 1 && strstr(step.err, "Input/output error"), "%d: %s", step.status,
		step.err);
	ASSERT_OK(file_read(&playground.arena, AT_FDCWD, record, 1 << 16, &text, NULL, &err));
	cr_assert(strstr(text, "\"complete\": false"), "%s", text);
	WARREN_OK(&playground, "apply", file);
	expect_down(&playground);
}

TEST(fleet_down, of_a_fleet_that_is_not_there_guesses, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	expect_apply(&playground, "\"a\": {" SLEEPER "}", 0, "a started\nshop: 1 started\n");
	auto_run down = WARREN(&playground, "down", "shp");
	cr_assert(down.status == 3, "%d", down.status);
	cr_assert_str_eq(down.err, "warren: no fleet \"shp\" here; did you mean \"shop\"?\n");
	expect_down(&playground);
}

/* Each socket that has just taken a port out of a table waits for the kernel when it is closed. */
TEST(fleet_down, of_many_speaks_through_few_sockets, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *calls = text_format("%s/calls", playground.directory.path);
	const char *file = fleet_write(&playground,
			   "\"a\": {" SLEEPER ", \"ports\": [\"8091:80\"]}, \"b\": {" SLEEPER
			   ", \"ports\": [\"8092:80\"]}, \"c\": {" SLEEPER
			   ", \"ports\": [\"8093:80\"]}, \"d\": {" SLEEPER ", \"ports\": [\"8094:80\"]}"),
		   *text;
	struct error err;
	int sockets = 0;

	WARREN_OK(&playground, "apply", file);
	auto_run down = RUN("strace", "-E", "ASAN_OPTIONS=detect_leaks=0", "-e", "trace=socket", "-o", calls,
		WARREN_PROGRAM, "--root", playground.root, "--cgroup-parent", playground.parent, "down", "shop");
	cr_assert(down.status == 0, "%s", down.err);
	ASSERT_OK(file_read(&playground.arena, AT_FDCWD, calls, 1 << 20, &text, NULL, &err));
	for (const char *at = text; (at = strstr(at, "NETLINK_NETFILTER")); at++)
		sockets++;
	/* To stop, to stop what is to be removed, to remove; and for the last one, to see that nothing is left. */
	cr_assert(sockets >= 1 && sockets <= 7, "%d sockets:\n%s", sockets, text);
}
