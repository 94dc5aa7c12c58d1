/* Health checks of running instances, asked by their monitors. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/monitor/monitor.h"
#include "support_host.h"

static const struct optional quickly = {.set = true, .value = 100};

static struct instance_spec checked(struct test_host *test, const char *script)
{
	struct instance_spec spec = test_spec(test, "web", script);

	spec.health.interval_ms = quickly;
	spec.health.start_interval_ms = quickly;
	spec.health.start_period_ms = (struct optional){true, 0};
	spec.health.retries = (struct optional){true, 2};
	spec.restart.delay_ms = 10;
	spec.restart.max_delay_ms = 20;
	return spec;
}

static void test_is(struct test_host *test, struct instance_spec *spec, const char *line)
{
	strings_add(&test->arena, &spec->health.test, "CMD-SHELL");
	strings_add(&test->arena, &spec->health.test, line);
}

static struct health_status health_of(struct test_host *test)
{
	struct health_status health;
	struct error err;

	ASSERT_OK(instance_health_read(&test->arena, &test->host, "web", &health, &err));
	return health;
}

static void await_health(struct test_host *test, enum health_state state)
{
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;

	while (health_of(test).state != state) {
		cr_assert(clock_ms() < deadline, "%s", health_state_names[health_of(test).state]);
		usleep(5000);
	}
}

static int run_inside(struct test_host *test, const char *line)
{
	struct exec_options options = {0};
	struct error err;
	int status;

	strings_add(&test->arena, &options.args, "/bin/sh");
	strings_add(&test->arena, &options.args, "-c");
	strings_add(&test->arena, &options.args, line);
	ASSERT_OK(instance_exec(&test->host, "web", &options, &status, &err));
	return status;
}

TEST(watch_health, http_is_asked_from_the_host)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "echo ok > /tmp/index.html; exec httpd -f -p 80 -h /tmp");

	spec.network = NETWORK_DEFAULT;
	spec.health.http = "http://:80/index.html";
	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	struct health_status health = test_status(&test, "web").health;

	cr_assert(health.state == HEALTH_HEALTHY && health.results.count > 0);
	cr_assert(health.results.items[health.results.count - 1].status == 200);
	cr_assert_str_eq(health.results.items[health.results.count - 1].output, "HTTP 200");
	cr_assert(run_inside(&test, "rm /tmp/index.html") == 0);
	await_health(&test, HEALTH_UNHEALTHY);
	health = health_of(&test);
	cr_assert(health.failing_streak >= 2 && health.results.items[health.results.count - 1].status == 404);
	/* By hand nothing follows from it. */
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	test_host_close(&test);
}

TEST(watch_health, without_an_address_it_is_asked_on_its_own_loopback)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec httpd -f -p 127.0.0.1:8080 -h /tmp");

	spec.health.tcp = 8080;
	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	cr_assert(health_of(&test).state == HEALTH_NONE && test_status(&test, "web").health.state == HEALTH_NONE);
	test_host_close(&test);
}

TEST(watch_health, a_test_that_fails_ends_and_restarts_it)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "trap 'exit 0' TERM; while :; do sleep 0.05; done");

	test_is(&test, &spec, "echo looking; test ! -e /tmp/broken");
	spec.health.on_failure = HEALTH_RESTART;
	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	cr_assert_str_eq(health_of(&test).results.items[0].output, "looking");
	pid_t before = test_status(&test, "web").init.pid;

	cr_assert(run_inside(&test, "touch /tmp/broken") == 0);
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;
	struct instance_status now;

	do {
		now = test_status(&test, "web");
		cr_assert(clock_ms() < deadline);
	} while (now.state != INSTANCE_RUNNING || now.init.pid == before);
	/* Although its policy is "no"; /tmp is new, so it is well again. */
	cr_assert(now.restarts == 1 && now.last.reason == END_UNHEALTHY, "%s", end_reason_names[now.last.reason]);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	test_host_close(&test);
}

TEST(watch_health, one_that_is_never_well_is_given_up)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec sleep 1000");

	test_is(&test, &spec, "false");
	spec.health.on_failure = HEALTH_RESTART;
	spec.stop_grace_ms = 0;
	spec.restart.policy = RESTART_ON_FAILURE;
	spec.restart.max_retries = (struct optional){true, 1};
	test_run(&test, &spec);
	ASSERT_FAILS(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err), ERROR_BUSY, "unhealthy");
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.restarts == 1 && after.last.reason == END_UNHEALTHY);
	test_host_close(&test);
}

TEST(watch_health, on_failure_stop_stops_it_for_good)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec sleep 1000");

	test_is(&test, &spec, "exit 3");
	spec.health.on_failure = HEALTH_STOP;
	spec.stop_grace_ms = 0;
	spec.restart.policy = RESTART_ALWAYS;
	test_run(&test, &spec);
	int status;

	ASSERT_OK(instance_wait(&test.host, "web", &status, &err));
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.desired == DESIRED_STOPPED && after.last.reason == END_UNHEALTHY && after.restarts == 0);
	test_host_close(&test);
}

TEST(watch_health, a_test_that_hangs_is_killed)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec sleep 1000");

	test_is(&test, &spec, "echo asked; exec sleep 999");
	spec.health.timeout_ms = (struct optional){true, 200};
	test_run(&test, &spec);
	await_health(&test, HEALTH_UNHEALTHY);
	struct health_status health = health_of(&test);

	cr_assert_str_eq(health.results.items[0].output, "no answer within 200ms");
	/* At most the one that is being asked just now. */
	cr_assert(run_inside(&test, "n=0; for p in /proc/[0-9]*; do case \"$(cat $p/cmdline | tr '\\0' ' ')\" in "
				    "'sleep 999 ') n=$((n + 1));; esac; done; test $n -le 1") == 0);
	test_host_close(&test);
}

TEST(watch_health, waiting_ends_with_the_instance_and_with_the_time)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "sleep 0.3; exit 4");

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_FAILS(instance_wait_healthy(&test.host, "web", 0, &err), ERROR_BUSY, "web is not running");
	ASSERT_OK(instance_remove(&test.host, "web", false, &err));
	test_is(&test, &spec, "false");
	spec.health.retries = (struct optional){true, 1000};
	test_run(&test, &spec);
	ASSERT_FAILS(instance_wait_healthy(&test.host, "web", 50, &err), ERROR_BUSY, "web is not healthy after 50ms");
	ASSERT_FAILS(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err), ERROR_BUSY,
		"web has ended: exited, exit 4");
	test_host_close(&test);
}

TEST(watch_health, what_it_says_while_it_is_stopped_does_not_count)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		checked(&test, "trap ': > /tmp/stopping; sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done");

	test_is(&test, &spec, "test ! -e /tmp/stopping");
	spec.health.retries = (struct optional){true, 1};
	spec.health.on_failure = HEALTH_RESTART;
	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	struct instance_status after = test_status(&test, "web");

	cr_assert(
		after.last.reason == END_STOPPED && after.last.status == 0, "%s", end_reason_names[after.last.reason]);
	test_host_close(&test);
}

TEST(watch_health, without_a_check_running_is_enough)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", 0, &err));
	cr_assert(health_of(&test).state == HEALTH_NONE);
	test_host_close(&test);
}

static void kick(struct test_host *test)
{
	cr_assert(kill(test_status(test, "web").monitor, SIGTERM) == 0);
}

TEST(watch_health, another_check_counts_at_once)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec sleep 1000");

	test_run(&test, &spec);
	test_is(&test, &spec, "true");
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	kick(&test);
	await_health(&test, HEALTH_HEALTHY);
	spec.health.test.items[1] = "echo no; false";
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	kick(&test);
	await_health(&test, HEALTH_UNHEALTHY);
	spec.health = (struct health_spec){.on_failure = HEALTH_UNSAID};
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	kick(&test);
	await_health(&test, HEALTH_NONE);
	test_host_close(&test);
}

TEST(watch_health, a_new_monitor_goes_on_with_what_was_known)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = checked(&test, "exec sleep 1000");

	test_is(&test, &spec, "true");
	spec.health.interval_ms = (struct optional){true, 3600000};
	test_run(&test, &spec);
	ASSERT_OK(instance_wait_healthy(&test.host, "web", TEST_TIMEOUT_MS, &err));
	int64_t since = health_of(&test).since_ms;

	test_kill_monitor(&test, "web");
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	cr_assert(health_of(&test).state == HEALTH_HEALTHY && health_of(&test).since_ms == since);
	test_host_close(&test);
}
