/* Instances that sleep when nobody calls them, and who wakes them. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define PUBLISHED "18080:80"
#define URL "http://127.0.0.1:18080/"
#define SERVER "mkdir /tmp/w; echo well > /tmp/w/index.html; exec busybox httpd -f -p 80 -h /tmp/w"

static void server_start(struct playground *here, const char *idle)
{
	host_ip("link set lo up");
	WARREN_OK(here, "run", "-d", "--name", "web", "--idle", idle, "-p", PUBLISHED, "--health-tcp", "80",
		"--health-interval", "200ms", "host", "--", "sh", "-c", SERVER);
}

static void assert_answers(void)
{
	auto_run fetch = RUN("curl", "-sSm", "20", URL);

	cr_assert_str_eq(fetch.out, "well\n", "status %d: %s", fetch.status, fetch.err);
}

static const char *health_of(struct playground *here)
{
	return json_get(json_get(instance_inspect(here, "web"), "health"), "state")->text;
}

/* How often the monitor has gone to wait: each wake-up is one more. */
static const char *waits_of(struct playground *here, const char *pid)
{
	const char *path = arena_format(&here->arena, "/proc/%s/status", pid), *text, *line;
	struct error err;

	ASSERT_OK(file_read(&here->arena, AT_FDCWD, path, 65536, &text, NULL, &err));
	line = strstr(text, "\nvoluntary_ctxt_switches:");
	cr_assert(line, "%s", text);
	return arena_bytes(&here->arena, line + 1, strcspn(line + 1, "\n"));
}

static void assert_nothing_wakes_its_monitor(struct playground *here)
{
	const char *pid = instance_fact(here, "web", "monitor_pid"), *before;

	poll(NULL, 0, 300); /* its memory is being taken back */
	before = waits_of(here, pid);
	poll(NULL, 0, 1000);
	cr_assert_str_eq(waits_of(here, pid), before);
	cr_assert_str_eq(instance_fact(here, "web", "state"), "asleep");
}

TEST(idle, a_server_sleeps_undisturbed_and_answers_who_calls, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground here = playground_new();

	server_start(&here, "1s");
	for (int round = 0; round < 2; round++) {
		instance_await_state(&here, "web", "asleep");
		if (round == 0)
			assert_nothing_wakes_its_monitor(&here);
		cr_assert_str_eq(health_of(&here), "healthy");
		assert_answers();
		cr_assert_str_eq(instance_fact(&here, "web", "state"), "running");
	}
	auto_run events = WARREN(&here, "events", "--json", "web");
	cr_assert(strstr(events.out, "\"event\":\"sleep\"") && strstr(events.out, "\"event\":\"wake\"") &&
			  strstr(events.out, "\"reason\":\"connection\""),
		"%s", events.out);
}

TEST(idle, commands_wake_it_and_it_stays_awake_under_their_hands, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground here = playground_new();

	server_start(&here, "1s");
	instance_await_state(&here, "web", "asleep");
	/* Longer than it would take to fall asleep again, which is one and a half seconds at most. */
	auto_run exec = WARREN(&here, "exec", "web", "sh", "-c", "sleep 2; echo woken");
	cr_assert_str_eq(exec.out, "woken\n", "status %d: %s", exec.status, exec.err);
	instance_await_state(&here, "web", "asleep");
	WARREN_OK(&here, "healthcheck", "run", "web");
	instance_await_state(&here, "web", "asleep");
	WARREN_OK(&here, "pause", "web");
	cr_assert_str_eq(instance_fact(&here, "web", "state"), "paused");
	WARREN_OK(&here, "resume", "web");
	assert_answers();
	instance_await_state(&here, "web", "asleep");
	auto_run set = WARREN(&here, "set", "web", "idle=null");
	cr_assert(set.status == 0, "%s", set.err);
	instance_await_state(&here, "web", "running");
	assert_answers();
}

TEST(idle, it_is_stopped_in_its_sleep_with_grace, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "one", "--idle", "1s", "host", "--", "sh", "-c",
		"trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
	instance_await_log(&here, "one", "ready");
	instance_await_state(&here, "one", "asleep");
	WARREN_OK(&here, "stop", "one");
	auto_run logs = WARREN(&here, "logs", "one");
	cr_assert(strstr(logs.out, "bye"), "%s", logs.out);
	cr_assert_str_eq(instance_fact(&here, "one", "state"), "stopped");
}

TEST(idle, a_monitor_killed_meanwhile_leaves_it_asleep_until_the_next_command, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	struct process_id monitor;
	struct error err;

	server_start(&here, "1s");
	instance_await_state(&here, "web", "asleep");
	ASSERT_OK(process_identify(atoi(instance_fact(&here, "web", "monitor_pid")), &monitor, &err));
	auto_fd pidfd = process_open(&monitor, &err);
	cr_assert(pidfd >= 0 && process_signal(pidfd, SIGKILL, &err) == 0 && process_wait_end(pidfd, 20000));
	cr_assert_str_eq(instance_fact(&here, "web", "state"), "asleep");
	WARREN_OK(&here, "start", "web");
	cr_assert_str_eq(instance_fact(&here, "web", "state"), "running");
	assert_answers();
	instance_await_state(&here, "web", "asleep");
	assert_answers();
}

TEST(idle, is_refused_where_nobody_sees_who_calls, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	auto_run host = WARREN(&here, "run", "--idle", "1s", "--network", "host", "host", "--", "true");
	auto_run socket = WARREN(&here, "run", "--idle", "1s", "-p", "8080:80/tcp+socket", "host", "--", "true");

	cr_assert(host.status == 2 && strstr(host.err, "idle: with the network \"host\""), "%s", host.err);
	cr_assert(socket.status == 2 && strstr(socket.err, "idle: port 8080 is in socket mode"), "%s", socket.err);
}
