/* The life of one instance as a user drives it: every command once, and what it says. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define SERVER                                                                                                         \
	"trap 'echo reloaded' HUP; trap 'echo bye; exit 0' TERM; echo up; echo oops >&2; while :; do sleep 0.05; done"

static void expect_out(struct run_result run, int status, const char *out)
{
	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.out, out, "said %s%s", run.out, run.err);
	run_result_drop(&run);
}

static void expect_error(struct run_result run, int status, const char *err)
{
	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.err, err, "said %s", run.err);
	run_result_drop(&run);
}

TEST(instance_life, runs_and_is_driven_to_its_end, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	expect_out(WARREN(&here, "run", "-d", "--name", "blog", "--memory", "64M", "--pids-limit", "32", "host", "--",
			   "sh", "-c", SERVER),
		0, "blog\n");
	instance_await_log(&here, "blog", "up\n");
	expect_out(WARREN(&here, "list", "-q"), 0, "blog\n");
	expect_out(WARREN(&here, "exec", "blog", "sh", "-c", "echo inside; exit 4"), 4, "inside\n");
	expect_out(WARREN(&here, "kill", "-s", "HUP", "blog"), 0, "blog\n");
	instance_await_log(&here, "blog", "reloaded\n");
	auto_run logs = WARREN(&here, "logs", "blog");

	cr_assert_str_eq(logs.err, "oops\n", "standard error stays apart");
	expect_out(WARREN(&here, "pause", "blog"), 0, "blog\n");
	cr_assert_str_eq(instance_fact(&here, "blog", "state"), "paused");
	expect_error(
		WARREN(&here, "exec", "blog", "true"), 125, "warren: exec in blog: blog is paused; resume it first\n");
	expect_out(WARREN(&here, "resume", "blog"), 0, "blog\n");
	expect_out(WARREN(&here, "stop", "blog"), 0, "blog\n");
	instance_await_log(&here, "blog", "bye\n");
	cr_assert_str_eq(instance_fact(&here, "blog", "state"), "stopped");
	expect_out(WARREN(&here, "wait", "blog"), 0, "0\n");
	expect_out(WARREN(&here, "rename", "blog", "diary"), 0, "");
	expect_out(WARREN(&here, "start", "diary"), 0, "diary\n");
	expect_error(WARREN(&here, "start", "diary"), 4, "warren: start diary: diary is running already\n");
	expect_out(WARREN(&here, "restart", "diary"), 0, "diary\n");
	expect_error(WARREN(&here, "rm", "diary"), 4, "warren: diary is running; stop it first, or use --force\n");
	expect_out(WARREN(&here, "rm", "-f", "diary"), 0, "diary\n");
	expect_error(WARREN(&here, "inspect", "diary"), 3, "warren: no instance \"diary\"\n");
}

TEST(instance_life, in_the_foreground_it_is_a_command_like_any_other, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	const char *const cat[] = {"run", "-i", "--rm", "host", "--", "cat", NULL};
	auto_run run = WARREN(&here, "run", "--rm", "host", "--", "sh", "-c", "echo out; echo err >&2; exit 7");

	cr_assert(run.status == 7, "%d: %s", run.status, run.err);
	cr_assert_str_eq(run.out, "out\n");
	cr_assert_str_eq(run.err, "err\n");
	expect_out(playground_warren(&here, cat, &(struct run_options){.input = "through\n"}), 0, "through\n");
	auto_run none = WARREN(&here, "run", "--rm", "--name", "x", "host", "--", "nonesuch");

	cr_assert(none.status == 127, "%d", none.status);
	cr_assert_str_eq(none.err, "warren: start x: execute nonesuch: no such file or directory\n");
	auto_run refused = WARREN(&here, "run", "--rm", "host", "--", "/etc/passwd");

	cr_assert(refused.status == 126, "%d", refused.status);
	expect_out(WARREN(&here, "list", "-q"), 0, "");
}

/* With cgroup2 a start fails where others may not walk through the cgroup's parents; a file of the instance's own /etc
 * that its users may not read would show on every kernel. */
TEST(instance_life, the_umask_of_the_caller_changes_nothing, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	mode_t before = umask(077);

	expect_out(WARREN(&here, "run", "--rm", "--user", "33", "host", "--", "sh", "-c",
			   "umask; cat /etc/hostname >/dev/null && echo read; cat /proc/self/cgroup >/dev/null && echo "
			   "grouped"),
		0, "0022\nread\ngrouped\n");
	umask(before);
}

TEST(instance_life, is_restarted_as_the_policy_says, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "web", "--restart", "on-failure:2", "host", "--", "sh", "-c",
		"echo run; exit 3");
	instance_await_state(&here, "web", "stopped");
	expect_out(WARREN(&here, "logs", "web"), 0, "run\nrun\nrun\n");
	cr_assert_str_eq(instance_fact(&here, "web", "restarts"), "2");
	const struct json *last = json_get(instance_inspect(&here, "web"), "last_exit");

	cr_assert(last);
	cr_assert_str_eq(json_get(last, "reason")->text, "exited");
	cr_assert_str_eq(json_get(last, "status")->text, "3");
}

TEST(instance_life, two_instances_cannot_have_one_port, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	expect_out(WARREN(&here, "run", "-d", "--name", "one", "-p", "18080:80", "host", "--", "sleep", "1000"), 0,
		"one\n");
	auto_run two = WARREN(&here, "run", "-d", "--name", "two", "-p", "18080:80", "host", "--", "sleep", "1000");

	cr_assert(two.status == 4 && strstr(two.err, "18080"), "%d: %s", two.status, two.err);
	expect_out(WARREN(&here, "list", "-q"), 0, "one\n");
}
