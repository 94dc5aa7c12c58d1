/* What is used, what happened, and what would fit: as a user sees it, on a terminal and in scripts. */
#include <signal.h>
#include <sys/pidfd.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_session.h"
#include "tests/test.h"

static void top_open(struct session *session, const struct playground *playground, const char *option)
{
	const char *argv[] = {WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent, "top",
		"-i", "200ms", option, NULL};

	session_open(session, argv);
}

#define KEEP_BUSY "while :; do :; done"

TEST(figures, top_is_driven_by_keys_and_leaves_the_terminal_as_it_was, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground here = playground_new();
	auto_session session;

	WARREN_OK(&here, "run", "-d", "--name", "busy", "--cpus", "0.2", "host", "--", "sh", "-c", KEEP_BUSY);
	WARREN_OK(&here, "run", "-d", "--name", "idle", "host", "--", "sleep", "1000");
	top_open(&session, &here, NULL);
	session_await(&session, "\033[?1049h");
	session_await(&session, "2 running");
	session_await(&session, "busy");
	session_await(&session, "idle");
	session_type(&session, "n");
	session_await(&session, "by name");
	session_type(&session, "/id");
	session_await(&session, "filter: id_");
	session_type(&session, "\r");
	session_await(&session, "1 of them like \"id\"");
	session_await(&session, "1-1 of 1");
	session_type(&session, " ");
	session_await(&session, "PAUSED");
	session_resize(&session, 10, 40);
	session_await(&session, "warren top");
	session_type(&session, "q");
	cr_assert(session_end(&session) == 0);
	cr_assert(session_is_restored(&session));
	cr_assert(text_ends_with(text_string(&session.seen), "\033[?1049l"), "the screen of before is back");
}

TEST(figures, top_leaves_the_terminal_as_it_was_whatever_ends_it, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
	auto_playground here = playground_new();

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		auto_session session;

		top_open(&session, &here, NULL);
		session_await(&session, "0 running");
		cr_assert(!session_is_restored(&session), "it is raw now");
		cr_assert(kill(session.pid, signals[i]) == 0);
		cr_assert(session_end(&session) == 0);
		cr_assert(session_is_restored(&session), "after signal %d", signals[i]);
		cr_assert(text_ends_with(text_string(&session.seen), "\033[?1049l"));
	}
}

TEST(figures, without_a_terminal_top_and_stats_are_one_table, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "busy", "host", "--", "sh", "-c", KEEP_BUSY);
	auto_run top = WARREN(&here, "top", "--sort", "memory");

	cr_assert(top.status == 0 && strstr(top.out, "NAME ") == top.out && strstr(top.out, "\nbusy "), "%s", top.out);
	cr_assert(!strchr(top.out, '\033'));
	auto_run wrong = WARREN(&here, "top", "--sort", "colour");

	cr_assert(wrong.status == 2 && strstr(wrong.err, "--sort \"colour\": must be cpu"), "%s", wrong.err);
	auto_run stats = WARREN(&here, "stats", "--format", "{{.name}} {{.pids}}");

	cr_assert_str_eq(stats.out, "busy 1\n");
	auto_run prometheus = WARREN(&here, "stats", "--prometheus");

	cr_assert(strstr(prometheus.out, "# TYPE warren_instance_cpu_seconds_total counter\n"
					 "warren_instance_cpu_seconds_total{name=\"busy\",fleet=\"\"} "),
		"%s", prometheus.out);
	auto_run none = WARREN(&here, "stats", "nobody-*");

	cr_assert(none.status == 0 && !*none.out, "a pattern that matches nothing is not all: %s", none.out);
}

TEST(figures, events_and_usage_tell_of_one_that_is_gone, .fini = playground_rescue)
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "job", "host", "--", "sh", "-c", "exit 7");
	instance_await_state(&here, "job", "stopped");
	WARREN_OK(&here, "rm", "job");
	auto_run events = WARREN(&here, "events", "--filter", "event=die", "job");

	cr_assert(strstr(events.out, "Z die     job reason=exited status=7\n"), "%s", events.out);
	auto_run json = WARREN(&here, "events", "--json", "--since", "1h", "--filter", "event=remove");

	cr_assert(strstr(json.out, "\"event\":\"remove\",\"name\":\"job\""), "%s", json.out);
	auto_run later = WARREN(&here, "events", "--since", "2999-01-01");

	cr_assert(later.status == 0 && !*later.out);
	auto_run usage = WARREN(&here, "usage", "--csv", "--month", "all");

	cr_assert(strstr(usage.out, "name,month,cpu_seconds,memory_gb_hours,") == usage.out, "%s", usage.out);
	cr_assert(strstr(usage.out, "\njob,20"), "%s", usage.out);
	auto_run wrong = WARREN(&here, "usage", "--month", "november");

	cr_assert(wrong.status == 2 && strstr(wrong.err, "--month: \"november\": must be a month as in 2026-11"), "%s",
		wrong.err);
}

TEST(figures, check_says_nothing_when_nothing_is_wrong, .fini = playground_rescue)
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "web", "host", "--", "sleep", "1000");
	auto_run whole = WARREN(&here, "check");

	cr_assert(whole.status == 0 && !*whole.out, "%s", whole.out);
	auto_run list = WARREN(&here, "list", "--format", "{{.monitor}}");
	pid_t monitor = atoi(list.out);

	auto_fd pidfd = pidfd_open(monitor, 0);

	cr_assert(pidfd >= 0 && monitor > 1 && kill(monitor, SIGKILL) == 0, "%s", list.out);
	cr_assert(process_wait_end(pidfd, SLOWLY(10000)));
	auto_run lost = WARREN(&here, "check", "--no-header");

	cr_assert(lost.status == 1 && strstr(lost.out, "web") == lost.out && strstr(lost.out, "its monitor was killed"),
		"%d %s", lost.status, lost.out);
	auto_run repaired = WARREN(&here, "check", "--repair", "--format", "{{.name}} {{.repaired}}");

	cr_assert(repaired.status == 0, "%s", repaired.out);
	cr_assert_str_eq(repaired.out, "web yes\n");
	auto_run monitored = WARREN(&here, "list", "--format", "{{.monitored}}");

	cr_assert_str_eq(monitored.out, "yes\n");
}
