/* plan, set, history and rollback: what they say, what they leave alone, and what an instance is afterwards. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define SLEEPER "\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], \"stop_grace_period\": 0"

static const char *fleet_write(struct playground *playground, const char *instances)
{
	auto_free char *text = text_format(
		"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}}, \"instances\": {%s}}\n",
		instances);

	run_write_file(playground->directory.path, "shop.json", 0600, text);
	return arena_format(&playground->arena, "%s/shop.json", playground->directory.path);
}

static const char *fact(struct playground *playground, const char *name, const char *key)
{
	const char *value = instance_fact(playground, name, key);

	cr_assert(*value, "inspect of %s does not say \"%s\"", name, key);
	return arena_string(&playground->arena, value);
}

static void expect_plan(struct playground *playground, const char *file, int status, const char *text)
{
	auto_run run = WARREN(playground, "plan", file);

	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.out, text, "said\n%s%s", run.out, run.err);
}

static void apply(struct playground *playground, const char *file)
{
	WARREN_OK(playground, "apply", "-q", file);
}

static void down(struct playground *playground)
{
	WARREN_OK(playground, "down", "-q", "shop");
}

/* Every file below the root with what would change if somebody wrote to it or put another in its place. */
static const char *tree_look(struct playground *playground)
{
	auto_run run = RUN("find", playground->root, "-printf", "%P %y %i %s %T@ %C@\n");

	return arena_string(&playground->arena, run.out);
}

TEST(fleet_plan, of_a_new_fleet_makes_nothing, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"replicas\": 4}, \"b\": {" SLEEPER "}");
	const char *before = tree_look(&playground);

	expect_plan(&playground, file, 2,
		"shop: generation 0 -> 1\n"
		"  + network inside: create\n"
		"  + a-1 … a-4 (4): create\n"
		"  + b: create\n"
		"5 to create, 0 unchanged\n");
	auto_run dry = WARREN(&playground, "apply", "--dry-run", file);
	cr_assert(dry.status == 0 && strstr(dry.out, "5 to create"), "%d %s%s", dry.status, dry.out, dry.err);
	cr_assert_str_eq(tree_look(&playground), before, "plan made something:\n%s", tree_look(&playground));
}

TEST(fleet_plan, of_a_bad_file_is_no_waiting_change, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	auto_run run = WARREN(&playground, "plan", fleet_write(&playground, "\"a\": {\"image\": \"host\"}"));

	cr_assert(run.status == 1 && !*run.out, "%d %s", run.status, run.out);
	auto_run none = WARREN(&playground, "plan", "/nonesuch.json");
	cr_assert(none.status == 1, "%d", none.status);
}

/* Whoever reads 2 as "changes wait" would apply because of a slip of the pen. */
TEST(fleet_plan, of_bad_words_is_no_waiting_change, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER "}");

	auto_run option = WARREN(&playground, "plan", "--nonesuch", file);
	cr_assert(option.status == 1 && strstr(option.err, "--nonesuch"), "%d %s", option.status, option.err);
	auto_run many = WARREN(&playground, "plan", file, file);
	cr_assert(many.status == 1, "%d", many.status);
	auto_run few = WARREN(&playground, "plan");
	cr_assert(few.status == 1, "%d", few.status);
	auto_run global = WARREN(&playground, "--nonesuch", "plan", file);
	cr_assert(global.status == 1, "%d", global.status);
	auto_run other = WARREN(&playground, "apply", "--nonesuch", file);
	cr_assert(other.status == 2, "%d", other.status);
}

TEST(fleet_plan, says_what_each_key_costs_and_touches_nothing, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground,
			   "\"a\": {" SLEEPER ", \"replicas\": 2, \"resources\": {\"pids\": 50}}, \"b\": {" SLEEPER
			   "}, \"c\": {" SLEEPER "}"),
		   *before;

	apply(&playground, file);
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	file = fleet_write(&playground,
		"\"a\": {" SLEEPER ", \"replicas\": 2, \"resources\": {\"pids\": 60}}, \"b\": {" SLEEPER
		", \"environment\": {\"A\": \"1\"}}, \"d\": {" SLEEPER "}");
	before = tree_look(&playground);
	expect_plan(&playground, file, 2,
		"shop: generation 1 -> 2\n"
		"  - c: remove\n"
		"  ~ a-1, a-2: change live\n"
		"      resources.pids: 50 -> 60  (live)\n"
		"  ! b: restart\n"
		"      environment.A: none -> 1  (restart)\n"
		"  + d: create\n"
		"1 to create, 2 to change live, 1 to restart, 1 to remove, 0 unchanged\n");
	auto_run json = WARREN(&playground, "plan", "--json", file);
	cr_assert(json.status == 2 && strstr(json.out, "\"key\": \"resources.pids\""), "%s", json.out);
	auto_run expanded = WARREN(&playground, "plan", "--expand", file);
	cr_assert(strstr(expanded.out, "      logging.max_size: 10M\n"), "%s", expanded.out);
	auto_run dry = WARREN(&playground, "apply", "--dry-run", file);
	cr_assert(dry.status == 0, "%s", dry.err);
	cr_assert_str_eq(tree_look(&playground), before, "something was touched:\n%s\nbefore:\n%s",
		tree_look(&playground), before);
	down(&playground);
}

TEST(fleet_plan, tells_what_somebody_did_behind_its_back, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground,
		"\"a\": {" SLEEPER ", \"resources\": {\"pids\": 50}}, \"b\": {" SLEEPER "}, \"c\": {" SLEEPER
		"}, \"d\": {" SLEEPER "}, \"e\": {\"image\": \"host\", \"command\": [\"false\"], \"restart\": \"no\"}");

	apply(&playground, file);
	instance_await_state(&playground, "e", "stopped");
	WARREN_OK(&playground, "set", "-q", "--pids-limit", "77", "a");
	WARREN_OK(&playground, "stop", "b");
	WARREN_OK(&playground, "pause", "c");
	WARREN_OK(&playground, "rm", "-f", "d");
	expect_plan(&playground, file, 2,
		"shop: generation 1\n"
		"  ~ a: change live\n"
		"      resources.pids: 77 -> 50  (live)  changed by hand\n"
		"  + b: start: somebody stopped it\n"
		"  ~ c: resume: somebody paused it\n"
		"  + d: create: somebody removed it\n"
		"  + e: start: it ended with status 1\n"
		"1 to create, 2 to start, 1 to change live, 1 to resume, 0 unchanged\n");
	apply(&playground, file);
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "50\n");
	instance_await_state(&playground, "e", "stopped");
	auto_run again = WARREN(&playground, "plan", file);
	cr_assert(strstr(again.out, "1 to start, 4 unchanged"), "%s", again.out);
	down(&playground);
}

/* Written past us, into the kernel itself. */
TEST(fleet_plan, finds_limits_that_are_not_those_of_the_record, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": 50}}");
	static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
	bool written = false;
	struct error err;

	apply(&playground, file);
	for (size_t i = 0; !written && i < 2; i++) {
		auto_free char *knob = text_format("%s/%s/a/pids.max", roots[i], playground.parent);

		written = access(knob, W_OK) == 0 && file_write(AT_FDCWD, knob, "33", &err) == 0;
	}
	SKIP_UNLESS(written, "needs the controller pids");
	expect_plan(&playground, file, 2,
		"shop: generation 1\n"
		"  ~ a: change live\n"
		"      resources.pids: 33 -> 50  (live)  changed by hand\n"
		"1 to change live, 0 unchanged\n");
	apply(&playground, file);
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "50\n");
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	down(&playground);
}

TEST(fleet_plan, what_left_the_file_can_stay_and_null_takes_a_limit_away, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	apply(&playground,
		fleet_write(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": 50}}, \"b\": {" SLEEPER "}"));
	const char *pid = fact(&playground, "a", "pid"), *other = fact(&playground, "b", "pid");

	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "50\n");
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": null}}");

	auto_run plan = WARREN(&playground, "plan", "--no-prune", file);
	cr_assert(plan.status == 2 && !strstr(plan.out, "b: remove"), "%d %s", plan.status, plan.out);
	WARREN_OK(&playground, "apply", "-q", "--no-prune", file);
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	cr_assert_str_eq(fact(&playground, "b", "pid"), other);
	cr_assert_str_neq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "50\n");
	WARREN_OK(&playground, "set", "a", "resources.memory=64M");
	WARREN_OK(&playground, "set", "a", "resources.memory=null");
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	expect_plan(&playground, file, 2, "shop: generation 2\n  - b: remove\n1 to remove, 1 unchanged\n");
	apply(&playground, file);
	auto_run list = WARREN(&playground, "list", "-q");
	cr_assert_str_eq(list.out, "a\n", "%s", list.out);
	down(&playground);
}

TEST(fleet_plan, knows_when_a_file_that_is_read_at_the_start_changes, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground,
		"\"a\": {" SLEEPER
		", \"configs\": [{\"source\": \"conf\", \"target\": \"/etc/conf\", \"mode\": \"0444\"}]}, "
		"\"b\": {" SLEEPER ", \"env_file\": [\"env\"]}, \"c\": {" SLEEPER "}");

	run_write_file(playground.directory.path, "conf", 0600, "one\n");
	run_write_file(playground.directory.path, "env", 0600, "A=1\n");
	apply(&playground, file);
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	/* Written again with the same content: nothing. */
	run_write_file(playground.directory.path, "conf", 0644, "one\n");
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	run_write_file(playground.directory.path, "conf", 0600, "two\n");
	run_write_file(playground.directory.path, "env", 0600, "A=2\n");
	expect_plan(&playground, file, 2,
		"shop: generation 1\n"
		"  ! a: restart: a file that it reads when it starts has changed\n"
		"  ! b: restart: a file that it reads when it starts has changed\n"
		"2 to restart, 1 unchanged\n");
	apply(&playground, file);
	auto_run config = WARREN(&playground, "exec", "a", "cat", "/etc/conf");
	cr_assert_str_eq(config.out, "two\n", "%s%s", config.out, config.err);
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	down(&playground);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

TEST(fleet_history, rolls_back_to_what_was_applied, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	apply(&playground, fleet_write(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": 50}}"));
	const char *pid = fact(&playground, "a", "pid");
	apply(&playground,
		fleet_write(&playground, "\"a\": {" SLEEPER ", \"resources\": {\"pids\": 60}}, \"b\": {" SLEEPER
					 ", \"network\": \"inside\"}"));
	auto_run history = WARREN(
		&playground, "history", "--no-header", "--format", "{{.Generation}} {{.State}} {{.Instances}}", "shop");
	cr_assert_str_eq(history.out, "1 complete 1\n2 complete 2\n", "%s%s", history.out, history.err);
	auto_run diff = WARREN(&playground, "diff", "shop", "1");
	cr_assert_str_eq(diff.out,
		"shop\n  ~ a: change live\n      resources.pids: 50 -> 60  (live)\n  + b: create\n"
		"1 to create, 1 to change live, 0 unchanged\n",
		"%s%s", diff.out, diff.err);
	auto_run dry = WARREN(&playground, "rollback", "--dry-run", "shop");
	cr_assert(dry.status == 0 && strstr(dry.out, "shop: generation 2 -> 3\n"), "%d %s%s", dry.status, dry.out,
		dry.err);
	auto_run back = WARREN(&playground, "rollback", "shop");
	cr_assert_str_eq(back.out, "b removed\na changed\nshop: 1 removed, 1 changed\n", "%s%s", back.out, back.err);
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "50\n");
	auto_run after = WARREN(&playground, "history", "--format", "{{.Generation}} {{.State}}", "shop");
	cr_assert_str_eq(after.out, "1 complete\n2 complete\n3 complete\n", "%s", after.out);
	auto_run from = WARREN(&playground, "history", "--format", "{{.From}}", "shop");
	cr_assert(strstr(from.out, "rollback to 1\n"), "%s", from.out);
	/* One that failed is no place to go back to by default. */
	auto_run broken = WARREN(&playground, "apply", "-q",
		fleet_write(&playground,
			"\"a\": {" SLEEPER "}, \"x\": {\"image\": \"host\", \"command\": [\"/bin/nonesuch\"]}"));
	cr_assert(broken.status != 0);
	auto_run unfinished = WARREN(&playground, "history", "--format", "{{.Generation}} {{.State}}", "shop");
	cr_assert_str_eq(unfinished.out, "1 complete\n2 complete\n3 complete\n4 unfinished\n", "%s", unfinished.out);
	auto_run boot = WARREN(&playground, "boot");
	cr_assert(strstr(boot.err, "the last apply of the fleet shop did not come to its end"), "%s", boot.err);
	WARREN_OK(&playground, "rollback", "-q", "shop");
	auto_run list = WARREN(&playground, "list", "-q");
	cr_assert_str_eq(list.out, "a\n", "%s", list.out);
	auto_run none = WARREN(&playground, "rollback", "shop", "17");
	cr_assert(none.status == 3 && strstr(none.err, "shop has no generation 17"), "%d %s", none.status, none.err);
	auto_run missing = WARREN(&playground, "history", "shp");
	cr_assert(missing.status == 3 && strstr(missing.err, "did you mean \"shop\"?"), "%s", missing.err);
	down(&playground);
}

/* An image whose file /what says what it is. */
static void image_make(struct playground *playground, const char *name, const char *what)
{
	const char *tree = arena_format(&playground->arena, "%s/tree", playground->directory.path);
	auto_run made = RUN("sh", "-c",
		"mkdir -p \"$0/bin\" && cp /bin/busybox \"$0/bin/\" && ln -sf busybox \"$0/bin/sleep\" && echo \"$1\" "
		">\"$0/what\"",
		tree, what);

	cr_assert(made.status == 0, "%s", made.err);
	WARREN_OK(playground, "image", "import", tree, name);
}

static const char *fleet_of(struct playground *playground, const char *image)
{
	return fleet_write(playground,
		arena_format(&playground->arena,
			"\"a\": {\"image\": \"%s\", \"command\": [\"/bin/sleep\", \"1000\"], \"stop_grace_period\": 0}",
			image));
}

static void expect_image(struct playground *playground, const char *what)
{
	auto_run seen = WARREN(playground, "exec", "a", "/bin/busybox", "cat", "/what");

	cr_assert_str_eq(seen.out, what, "%s%s", seen.out, seen.err);
}

TEST(fleet_history, rolls_back_to_the_image_that_a_name_meant, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	image_make(&playground, "app:1", "old");
	apply(&playground, fleet_of(&playground, "app:1"));
	expect_image(&playground, "old\n");
	image_make(&playground, "app:2", "new");
	apply(&playground, fleet_of(&playground, "app:2"));
	/* The name means another image from here on, and nobody seems to need the old one. */
	image_make(&playground, "app:1", "moved");
	WARREN_OK(&playground, "image", "prune", "--all");
	expect_image(&playground, "new\n");
	auto_run dry = WARREN(&playground, "rollback", "--dry-run", "shop");
	cr_assert(dry.status == 0 && strstr(dry.out, "app:2 -> app:1@sha256:"), "%s%s", dry.out, dry.err);
	WARREN_OK(&playground, "rollback", "-q", "shop");
	expect_image(&playground, "old\n");
	/* Back and forth: 2 still means what it meant, if it is here. */
	WARREN_OK(&playground, "rollback", "-q", "shop", "2");
	expect_image(&playground, "new\n");
	/* Somebody took it by force. */
	auto_run gone = RUN("sh", "-c", "rm \"$0\"/lib/fleets/shop/images/*", playground.root);
	cr_assert(gone.status == 0, "%s", gone.err);
	WARREN_OK(&playground, "image", "prune", "--all");
	auto_run lost = WARREN(&playground, "rollback", "-q", "--pull", "never", "shop", "1");
	cr_assert(lost.status != 0 && strstr(lost.err, "app:1 was sha256:") && strstr(lost.err, "is not here"), "%d %s",
		lost.status, lost.err);
	expect_image(&playground, "new\n");
	down(&playground);
}

/* --- set ---------------------------------------------------------------------------------------------------------- */

static void expect_set(struct playground *playground, const char *option, const char *value, const char *out)
{
	auto_run run = WARREN(playground, "set", option, value, "a");

	cr_assert(run.status == 0, "%s %s: %s", option, value, run.err);
	cr_assert_str_eq(run.out, out, "%s %s: said %s", option, value, run.out);
}

TEST(instance_set, changes_what_runs_and_nothing_is_started_again, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "a", "-p", "8085:80", "--stop-timeout", "0s", "host", "sleep",
		"infinity");
	const char *pid = fact(&playground, "a", "pid");
	expect_set(&playground, "--pids-limit", "77", "a: resources.pids: 512 -> 77\n");
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "77\n");
	expect_set(&playground, "--pids-limit", "none", "a: resources.pids: 77 -> unlimited\n");
	cr_assert_str_eq(instance_cgroup_file(&playground, "a", "pids", "pids.max", "pids.max"), "max\n");
	expect_set(&playground, "--pids-limit", "none", "a: as it was\n");
	expect_set(&playground, "--restart", "on-failure:3",
		"a: restart.policy: no -> on-failure\na: restart.max_retries: none -> 3\n");
	expect_set(&playground, "--label-add", "tier=web", "a: labels.tier: none -> web\n");
	expect_set(&playground, "--publish", "8086:81",
		"a: ports: 127.0.0.1:8085->80/tcp -> 127.0.0.1:8085->80/tcp, 127.0.0.1:8086->81/tcp\n");
	expect_set(&playground, "--publish-rm", "8085",
		"a: ports: 127.0.0.1:8085->80/tcp, 127.0.0.1:8086->81/tcp -> 127.0.0.1:8086->81/tcp\n");
	auto_run list = WARREN(&playground, "list", "--format", "{{.Ports}}", "--label", "tier=web");
	cr_assert_str_eq(list.out, "127.0.0.1:8086->81/tcp\n", "%s", list.out);
	cr_assert_str_eq(fact(&playground, "a", "pid"), pid);
	/* What was given back can be had by another, and stays away after a restart. */
	WARREN_OK(&playground, "run", "-d", "--name", "b", "-p", "8085:80", "--stop-timeout", "0s", "host", "sleep",
		"infinity");
	WARREN_OK(&playground, "restart", "a");
	auto_run after = WARREN(&playground, "list", "--format", "{{.Name}} {{.Ports}}");
	cr_assert_str_eq(after.out, "a 127.0.0.1:8086->81/tcp\nb 127.0.0.1:8085->80/tcp\n", "%s", after.out);
}

static void expect_refusal(
	struct playground *playground, const char *option, const char *value, int status, const char *said)
{
	auto_run run = WARREN(playground, "set", option, value, "--pids-limit", "33", "a");

	cr_assert(run.status == status, "%s %s: status %d: %s", option, value, run.status, run.err);
	cr_assert(strstr(run.err, said), "%s %s: said %s", option, value, run.err);
	cr_assert_str_eq(instance_cgroup_file(playground, "a", "pids", "pids.max", "pids.max"), "512\n",
		"%s %s was refused, and the other limit set", option, value);
}

TEST(instance_set, does_all_or_nothing, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "b", "-p", "8087:80", "--stop-timeout", "0s", "host", "sleep",
		"infinity");
	WARREN_OK(&playground, "run", "-d", "--name", "a", "--stop-timeout", "0s", "host", "sleep", "infinity");
	expect_refusal(&playground, "--publish", "8087:81", 4, "port 127.0.0.1:8087/tcp is published by");
	expect_refusal(&playground, "--publish-rm", "1", 3, "set a: port \"1\" is not published");
	expect_refusal(&playground, "--memory", "12", 2, "set a: resources.memory: less than 1M");
	expect_refusal(&playground, "--memory", "much", 2, "warren: \"memory\": \"much\" is not a size");
	expect_refusal(&playground, "--key", "resources.memry=null", 2, "unknown key \"memry\"; did you mean");
	expect_refusal(
		&playground, "--key", "memory=1", 2, "unknown key \"memory\"; did you mean \"resources.memory\"?");
	expect_refusal(&playground, "--key", "resources.memry=1", 2, "unknown key \"memry\"; did you mean \"memory\"?");
	expect_refusal(&playground, "--key", "image=other", 2, "\"image\" cannot be set");
	expect_refusal(&playground, "--key", "environment.A=1", 4, "\"environment.A\" counts from the next start");
	auto_run nothing = WARREN(&playground, "set", "a");
	cr_assert(nothing.status == 2, "%d %s", nothing.status, nothing.err);
	const char *pid = fact(&playground, "a", "pid");
	auto_run restarted = WARREN(&playground, "set", "--allow-restart", "environment.A=1", "a");
	cr_assert_str_eq(restarted.out, "a: environment.A: none -> 1\n", "%s%s", restarted.out, restarted.err);
	cr_assert_str_neq(fact(&playground, "a", "pid"), pid);
	/* What it cannot be started with is taken back. */
	auto_run never = WARREN(&playground, "set", "--allow-restart", "environment.A=2", "command=[\"/nonesuch\"]",
		"-p", "8086:80", "a");
	cr_assert(never.status == 1 && strstr(never.err, "/nonesuch"), "%d %s", never.status, never.err);
	auto_run env = WARREN(&playground, "exec", "a", "printenv", "A");
	cr_assert_str_eq(env.out, "1\n", "%s", env.err);
	cr_assert_str_eq(fact(&playground, "a", "state"), "running");
	auto_run ports = WARREN(&playground, "port", "a");
	cr_assert(!strstr(ports.out, "8086"), "%s", ports.out);
}

/* --- others at work ----------------------------------------------------------------------------------------------- */

static pid_t warren_begin(const struct playground *playground, const char *const words[])
{
	const char *argv[16] = {WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent};
	pid_t child;

	for (size_t i = 0; words[i] && i < 10; i++)
		argv[5 + i] = words[i];
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(WARREN_PROGRAM, (char *const *)argv);
		_exit(127);
	}
	cr_assert(child > 0);
	return child;
}

static int warren_end(pid_t child)
{
	int status;

	cr_assert(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define BEGIN(playground, ...) warren_begin(playground, (const char *const[]){__VA_ARGS__, NULL})

/* One of two gives way at once, or comes second and finds nothing to do. */
TEST(fleet_plan, two_commands_at_once_leave_the_fleet_as_one_of_them_says, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground, "\"a\": {" SLEEPER ", \"replicas\": 4}");
	pid_t one = BEGIN(&playground, "apply", file), other = BEGIN(&playground, "apply", file);
	int first = warren_end(one), second = warren_end(other);

	cr_assert((first == 0 && (second == 0 || second == 4)) || (second == 0 && first == 4), "%d and %d", first,
		second);
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	one = BEGIN(&playground, "apply", file);
	other = BEGIN(&playground, "stop", "a-1", "a-2", "a-3", "a-4");
	first = warren_end(one);
	cr_assert(warren_end(other) == 0);
	apply(&playground, file);
	expect_plan(&playground, file, 0, "shop: generation 1\nnothing to do: the host is as the file says\n");
	down(&playground);
}

/* Whatever it was doing: create, start, change, remove. */
TEST(fleet_plan, converges_after_a_kill_at_any_moment, .fini = playground_rescue, .timeout = SLOWLY(600))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	static const char *const instances[] = {
		"\"a\": {" SLEEPER ", \"replicas\": 4, \"network\": \"inside\", \"resources\": {\"pids\": 50}}",
		"\"a\": {" SLEEPER ", \"replicas\": 3, \"network\": \"inside\", \"resources\": {\"pids\": 60}, "
		"\"environment\": {\"A\": \"1\"}}, \"b\": {" SLEEPER "}",
	};
	int rounds = getenv("WARREN_TEST_ALL_POINTS") ? 50 : 4;

	srand(7);
	for (int i = 0; i < rounds; i++) {
		const char *file = fleet_write(&playground, instances[i % 2]);
		pid_t child = BEGIN(&playground, "apply", "-j", "2", file);

		poll(NULL, 0, rand() % SLOWLY(600));
		kill(child, SIGKILL);
		warren_end(child);
		apply(&playground, file);
		auto_run plan = WARREN(&playground, "plan", file);
		cr_assert(plan.status == 0, "round %d: %s%s", i, plan.out, plan.err);
		auto_run list = WARREN(&playground, "list", "-r", "-q");
		cr_assert_str_eq(
			list.out, i % 2 ? "a-1\na-2\na-3\nb\n" : "a-1\na-2\na-3\na-4\n", "round %d: %s", i, list.out);
		auto_run check = WARREN(&playground, "check");
		cr_assert(check.status == 0, "round %d: %s%s", i, check.out, check.err);
	}
	down(&playground);
}
