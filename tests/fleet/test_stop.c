/* Ends that were asked for. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "fleet/instance/stop.h"
#include "support_host.h"

/* A server as it should be: ends at TERM. */
#define POLITE "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
/* Its first process catches TERM and does nothing about it. */
#define STUBBORN "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done"

static const struct optional unset;

TEST(stop, lets_a_server_say_goodbye)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", POLITE);

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.state == INSTANCE_STOPPED && after.desired == DESIRED_STOPPED && !after.monitored);
	cr_assert(after.last.reason == END_STOPPED && after.last.status == 0);
	cr_assert(strstr(test_logs(&test, "web"), "bye\n"), "the last lines are in the log when stop returns");
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	test_host_close(&test);
}

TEST(stop, kills_the_whole_cgroup_when_the_grace_is_over)
{
	struct test_host test;
	struct error err;
	int64_t began;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", STUBBORN);

	spec.stop_grace_ms = 300;
	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	began = clock_ms();
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	cr_assert(clock_ms() - began >= 300 && clock_ms() - began < 5000);
	cr_assert(strstr(test_logs(&test, "web"), "no\n"), "it was asked first");
	cr_assert(test_status(&test, "web").last.status == 137);
	test_host_close(&test);
}

TEST(stop, does_not_wait_for_a_lonely_process_that_would_ignore_the_signal)
{
	struct test_host test;
	struct error err;
	int64_t began;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.stop_grace_ms = 15000;
	test_run(&test, &spec);
	began = clock_ms();
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	cr_assert(clock_ms() - began < 5000, "%lld ms", (long long)(clock_ms() - began));
	test_host_close(&test);
}

TEST(stop, asks_the_children_of_a_first_process_that_would_ignore_the_signal)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(
		&test, "web", "sh -c \"trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done\"; exit 5");

	spec.stop_grace_ms = 15000;
	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	cr_assert(strstr(test_logs(&test, "web"), "bye\n"), "%s", test_logs(&test, "web"));
	cr_assert(test_status(&test, "web").last.status == 5);
	test_host_close(&test);
}

TEST(stop, thaws_what_is_paused)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", POLITE);

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	ASSERT_OK(instance_pause(&test.host, "web", true, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_PAUSED);
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	cr_assert(strstr(test_logs(&test, "web"), "bye\n"));
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	ASSERT_OK(instance_pause(&test.host, "web", true, &err));
	ASSERT_OK(instance_pause(&test.host, "web", false, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	ASSERT_OK(instance_pause(&test.host, "web", true, &err));
	ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	test_host_close(&test);
}

TEST(stop, reaches_an_instance_that_waits_for_its_restart)
{
	struct test_host test;
	struct error err;
	int64_t began;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exit 1");

	spec.restart = (struct restart_spec){.policy = RESTART_ALWAYS, .delay_ms = 60000, .max_delay_ms = 60000};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_RESTARTING);
	ASSERT_FAILS(instance_start(&test.host, "web", &(struct start_options){0}, &err), ERROR_BUSY,
		"about to be restarted");
	began = clock_ms();
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	cr_assert(clock_ms() - began < 5000);
	cr_assert(test_status(&test, "web").state == INSTANCE_STOPPED);
	test_host_close(&test);
}

/* An exec'ed process that nobody reaps holds up the end of its instance: that is said, and who it is. */
TEST(stop, names_the_process_that_holds_up_the_end)
{
	struct test_host test;
	struct error err;
	struct exec_options options = {0};
	int ready[2], go[2], status;
	char byte;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	cr_assert(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	strings_add(&test.arena, &options.args, "/bin/sleep");
	strings_add(&test.arena, &options.args, "1000");
	options.detach = true;
	pid_t parent = fork();

	if (parent == 0) {
		/* Starts it, and then neither reaps it nor ends, unless the test itself does. */
		close(go[1]);
		if (instance_exec(&test.host, "web", &options, &status, &err) < 0)
			_exit(1);
		if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	cr_assert(read(ready[0], &byte, 1) == 1);
	ASSERT_FAILS(instance_stop(&test.host, "web", (struct optional){.set = true, .value = 100}, &err), ERROR_SYSTEM,
		"waits to be reaped by process");
	cr_assert(write(go[1], "g", 1) == 1 && waitpid(parent, &status, 0) == parent);
	ASSERT_OK(instance_stop(&test.host, "web", unset, &err));
	close(ready[0]);
	close(go[0]);
	close(go[1]);
	test_host_close(&test);
}

TEST(kill, is_not_taken_for_a_failure)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.restart = (struct restart_spec){.policy = RESTART_ALWAYS, .delay_ms = 10, .max_delay_ms = 10};
	test_run(&test, &spec);
	ASSERT_OK(instance_kill(&test.host, "web", SIGKILL, &err));
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.state == INSTANCE_STOPPED && after.last.reason == END_KILLED && after.last.status == 137,
		"%s, %s", instance_state_names[after.state], end_reason_names[after.last.reason]);
	ASSERT_FAILS(instance_kill(&test.host, "web", SIGHUP, &err), ERROR_BUSY, "web is not running");
	test_host_close(&test);
}

TEST(kill, delivers_any_signal)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "web", "trap 'echo reloaded' HUP; echo up; while :; do sleep 0.05; done");

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	ASSERT_OK(instance_kill(&test.host, "web", SIGHUP, &err));
	test_await_log(&test, "web", "reloaded\n");
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	test_host_close(&test);
}

TEST(wait, returns_when_the_present_run_has_ended)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "");

	spec.command = (struct strings){0};
	strings_add(&test.arena, &spec.command, "/bin/sh");
	strings_add(&test.arena, &spec.command, "-c");
	strings_add(&test.arena, &spec.command, "trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_FAILS(instance_wait(&test.host, "web", &status, &err), ERROR_BUSY, "web has never run");
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	test_await_log(&test, "web", "up\n");
	pid_t waiter = fork();

	if (waiter == 0) {
		struct host host;

		test_host_again(&test, &host);
		if (instance_wait(&host, "web", &status, &err) < 0)
			_exit(255);
		_exit(status);
	}
	cr_assert(waitpid(waiter, &status, WNOHANG) == 0);
	ASSERT_OK(instance_kill(&test.host, "web", SIGUSR1, &err));
	cr_assert(waitpid(waiter, &status, 0) == waiter && WEXITSTATUS(status) == 9, "%x", status);
	ASSERT_OK(instance_wait(&test.host, "web", &status, &err));
	cr_assert(status == 9);
	test_host_close(&test);
}

TEST(stop, to_start_again_leaves_what_is_wanted_as_it_is_so_that_a_boot_starts_it)
{
	struct test_host test;
	struct boot_request request = {.parallel = 1};
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", POLITE);

	test_run(&test, &spec);
	/* Who wanted to restart or update it was killed here. */
	ASSERT_OK(instance_stop_for(&test.host, "web", unset, STOP_TO_START, &err));
	struct instance_status down = test_status(&test, "web");

	cr_assert(down.state == INSTANCE_STOPPED && !down.monitored && down.desired == DESIRED_RUNNING);
	cr_assert(down.last.reason == END_RESTART);
	ASSERT_OK(host_boot(&test.host, &request, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	test_host_close(&test);
}

TEST(stop, that_was_broken_off_is_finished_by_the_next_start)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", POLITE);

	test_run(&test, &spec);
	pid_t before = test_status(&test, "web").init.pid;

	cr_assert(!test_status(&test, "web").ending);
	ASSERT_FAILS(
		instance_start(&test.host, "web", &(struct start_options){0}, &err), ERROR_BUSY, "running already");
	for (int i = 0; i < 2; i++) {
		auto_instance instance = INSTANCE_EMPTY;

		ASSERT_OK(instance_find(&test.host, "web", &instance, &err));
		if (i)
			ASSERT_OK(halted_write(instance.live, HALT_TO_START, &err));
		else
			ASSERT_OK(desired_write(instance.dir, DESIRED_STOPPED, &err));
		instance_drop(&instance);
		cr_assert(test_status(&test, "web").ending);
		ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
		struct instance_status after = test_status(&test, "web");

		cr_assert(after.state == INSTANCE_RUNNING && after.init.pid != before && !after.ending);
		before = after.init.pid;
	}
	ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	test_host_close(&test);
}
