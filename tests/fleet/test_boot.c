/* After the host has gone down and come up the same instances run, however it went down. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support_host.h"

static struct instance_spec sleeper(struct test_host *test, const char *name)
{
	return test_spec(test, name, "exec sleep 1000");
}

struct order_seen {
	struct text names;
};

static void see(void *context, const char *name, const struct error *result)
{
	struct order_seen *seen = context;

	cr_assert(result->kind == ERROR_NONE, "%s", result->text);
	text_appendf(&seen->names, "%s ", name);
}

static void order_drop(struct order_seen *seen)
{
	text_drop(&seen->names);
}

static void expect_boot(struct test_host *test, bool dry_run, const char *names)
{
	AUTO(order_drop) struct order_seen seen = {0};
	struct boot_request request = {.parallel = 1, .dry_run = dry_run, .done = see, .context = &seen};
	struct error err;

	ASSERT_OK(host_boot(&test->host, &request, &err));
	cr_assert_str_eq(text_string(&seen.names), names, "started %s", text_string(&seen.names));
}

static void expect_halt(struct test_host *test, const char *names)
{
	AUTO(order_drop) struct order_seen seen = {0};
	struct boot_request request = {.parallel = 1, .done = see, .context = &seen};
	struct error err;

	ASSERT_OK(host_halt(&test->host, &request, &err));
	cr_assert_str_eq(text_string(&seen.names), names, "stopped %s", text_string(&seen.names));
}

TEST(boot, starts_again_what_ran_and_nothing_else)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = sleeper(&test, "runs");

	test_run(&test, &spec);
	spec = sleeper(&test, "stopped");
	spec.restart.policy = RESTART_ALWAYS;
	test_run(&test, &spec);
	ASSERT_OK(instance_stop(&test.host, "stopped", (struct optional){true, 0}, &err));
	spec = sleeper(&test, "by-hand-only");
	spec.autostart = false;
	test_run(&test, &spec);
	spec = sleeper(&test, "never-started");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	spec = test_spec(&test, "done", "exit 0");
	test_run(&test, &spec);
	test_await_state(&test, "done", INSTANCE_STOPPED);
	spec = sleeper(&test, "paused");
	test_run(&test, &spec);
	ASSERT_OK(instance_pause(&test.host, "paused", true, &err));
	expect_boot(&test, false, "");
	expect_halt(&test, "by-hand-only paused runs ");
	cr_assert(test_status(&test, "runs").state == INSTANCE_STOPPED);
	cr_assert(test_status(&test, "runs").desired == DESIRED_RUNNING);
	cr_assert(test_status(&test, "runs").last.reason == END_HOST);
	expect_boot(&test, true, "paused runs ");
	cr_assert(test_status(&test, "runs").state == INSTANCE_STOPPED, "a dry run starts nothing");
	expect_boot(&test, false, "paused runs ");
	cr_assert(test_status(&test, "runs").state == INSTANCE_RUNNING);
	cr_assert(test_status(&test, "paused").state == INSTANCE_PAUSED);
	expect_boot(&test, false, "");
	/* What was stopped at the host's end is as any other: its owner may stop it. */
	ASSERT_OK(instance_stop(&test.host, "runs", (struct optional){true, 0}, &err));
	cr_assert(test_status(&test, "runs").last.reason == END_KILLED ||
		  test_status(&test, "runs").last.reason == END_STOPPED);
	expect_boot(&test, false, "");
	test_host_close(&test);
}

static void overtake(void *context, const char *name, const struct error *result)
{
	struct host *host = context;
	struct error err;

	cr_assert(result->kind == ERROR_NONE, "%s", result->text);
	if (!text_equal(name, "first"))
		return;
	ASSERT_OK(instance_start(host, "started", &(struct start_options){0}, &err));
	ASSERT_OK(instance_remove(host, "removed", true, &err));
}

TEST(boot, is_content_with_what_somebody_else_has_started_or_removed_meanwhile)
{
	static const char *const names[] = {"first", "removed", "started"};
	struct test_host test;
	struct error err;

	test_host_open(&test);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct instance_spec spec = sleeper(&test, names[i]);

		spec.priority = -(int64_t)i;
		test_run(&test, &spec);
	}
	expect_halt(&test, "first removed started ");
	struct boot_request request = {.parallel = 1, .done = overtake, .context = &test.host};
	ASSERT_OK(host_boot(&test.host, &request, &err));
	cr_assert(test_status(&test, "started").state == INSTANCE_RUNNING);
	test_host_close(&test);
}

TEST(boot, follows_dependencies_and_priority_and_halts_the_other_way_round)
{
	static const struct {
		const char *name, *on;
		int64_t priority;
	} rows[] = {{"app", "db", 0}, {"db", NULL, 0}, {"first", NULL, 10}, {"front", "app", 5}, {"last", NULL, -10}};
	struct test_host test;

	test_host_open(&test);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct instance_spec spec = sleeper(&test, rows[i].name);
		struct dependency on = {.name = rows[i].on, .condition = "started"};

		spec.priority = rows[i].priority;
		if (rows[i].on) {
			spec.depends_on.items = &on;
			spec.depends_on.count = 1;
		}
		test_run(&test, &spec);
	}
	expect_halt(&test, "front app first db last ");
	expect_boot(&test, false, "first db last app front ");
	test_host_close(&test);
}

/* What waits for its restart must not come back while the host goes down, but after it. */
TEST(boot, one_that_waits_for_its_restart_is_halted_too)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exit 1");

	spec.restart = (struct restart_spec){.policy = RESTART_ALWAYS, .delay_ms = 3600000, .max_delay_ms = 3600000};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_RESTARTING);
	expect_halt(&test, "web ");
	test_await_state(&test, "web", INSTANCE_STOPPED);
	expect_boot(&test, true, "web ");
	test_host_close(&test);
}

/* As after a power cut: what the kernel had is gone, <run> is gone, records say nothing of an end. */
TEST(boot, after_a_power_cut_all_that_ran_runs_again)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = sleeper(&test, "web");

	test_run(&test, &spec);
	spec = sleeper(&test, "other");
	test_run(&test, &spec);
	ASSERT_OK(instance_stop(&test.host, "other", (struct optional){true, 0}, &err));
	pid_t init = test_status(&test, "web").init.pid;

	test_kill_monitor(&test, "web");
	cr_assert(kill(init, SIGKILL) == 0);
	while (kill(init, 0) == 0)
		usleep(2000);
	host_close(&test.host);
	auto_fd directory = open(test.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_OK(tree_remove(directory, "run", &err));
	test_host_again(&test, &test.host);
	cr_assert(test_status(&test, "web").last.reason == END_HOST);
	expect_boot(&test, false, "web ");
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	fd_drop(&directory);
	test_host_close(&test);
}

/* Its output would wait in the pipes until somebody comes. */
TEST(boot, gives_a_monitor_to_what_has_lost_its_own)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = sleeper(&test, "web");

	spec.autostart = false;
	test_run(&test, &spec);
	pid_t init = test_status(&test, "web").init.pid;

	test_kill_monitor(&test, "web");
	cr_assert(!test_status(&test, "web").monitored);
	expect_boot(&test, false, "web ");
	cr_assert(test_status(&test, "web").monitored);
	cr_assert(test_status(&test, "web").init.pid == init);
	expect_boot(&test, false, "");
	test_host_close(&test);
}

TEST(boot, waits_for_the_health_that_others_depend_on)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec db = test_spec(&test, "db", "sleep 0.4; : >/tmp/up; exec sleep 1000");
	struct dependency on = {.name = "db", .condition = "healthy"};

	strings_add(&test.arena, &db.health.test, "CMD-SHELL");
	strings_add(&test.arena, &db.health.test, "test -e /tmp/up");
	db.health.interval_ms = db.health.start_interval_ms = (struct optional){true, 1000};
	db.health.start_period_ms = (struct optional){true, 10000};
	test_run(&test, &db);
	struct instance_spec app = sleeper(&test, "app");

	app.depends_on.items = &on;
	app.depends_on.count = 1;
	test_run(&test, &app);
	expect_halt(&test, "app db ");
	expect_boot(&test, false, "db app ");
	int64_t between_ms = test_status(&test, "app").started_ms - test_status(&test, "db").started_ms;

	cr_assert(between_ms >= 350, "%lld ms", (long long)between_ms);
	cr_assert(test_status(&test, "db").health.state == HEALTH_HEALTHY);
	test_host_close(&test);
}
