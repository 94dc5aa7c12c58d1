/* What the monitor does, and what happens without it. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/instance.h"
#include "support_host.h"

static struct restart_spec restarting(enum restart_policy policy, int64_t max_retries)
{
	return (struct restart_spec){.policy = policy,
		.delay_ms = 10,
		.max_delay_ms = 20,
		.max_retries = {.set = max_retries >= 0, .value = max_retries}};
}

static size_t lines_of(const char *text, const char *line)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, line)); at += strlen(line))
		count++;
	return count;
}

TEST(monitor, starts_a_failed_one_again_until_it_gives_up)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "echo run; exit 3");

	spec.restart = restarting(RESTART_ON_FAILURE, 3);
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct instance_status after = test_status(&test, "web");

	cr_assert(lines_of(test_logs(&test, "web"), "run\n") == 4, "%s", test_logs(&test, "web"));
	cr_assert(after.restarts == 3 && after.last.reason == END_EXITED && after.last.status == 3);
	test_host_close(&test);
}

static pid_t await_other_init(struct test_host *test, const char *name, pid_t before)
{
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;
	struct instance_status now;

	do {
		now = test_status(test, name);
		cr_assert(clock_ms() < deadline, "not restarted");
	} while (now.state != INSTANCE_RUNNING || now.init.pid == before);
	return now.init.pid;
}

static ino_t namespace_of(pid_t pid, const char *name)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	cr_assert(stat(path, &status) == 0);
	return status.st_ino;
}

TEST(monitor, restarts_in_the_same_user_and_network_namespace)
{
	struct test_host test;
	struct port port;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.restart = restarting(RESTART_ALWAYS, -1);
	spec.network = NETWORK_DEFAULT;
	ASSERT_OK(port_parse("18080:80", &port, &err));
	spec.ports.items = &port;
	spec.ports.count = 1;
	test_run(&test, &spec);
	struct instance_status before = test_status(&test, "web");
	ino_t user = namespace_of(before.init.pid, "user"), net = namespace_of(before.init.pid, "net");

	cr_assert(kill(before.init.pid, SIGKILL) == 0);
	pid_t again = await_other_init(&test, "web", before.init.pid);
	struct instance_status after = test_status(&test, "web");

	cr_assert(namespace_of(again, "user") == user && namespace_of(again, "net") == net);
	cr_assert(after.restarts == 1 && after.port_count == 1 && after.ports[0].published == 18080);
	cr_assert(after.last.reason == END_SIGNAL && after.last.status == 137);
	test_host_close(&test);
}

TEST(monitor, says_out_of_memory)
{
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec tail /dev/zero");

	spec.resources.memory_bytes = (struct optional){.set = true, .value = 16 << 20};
	spec.resources.swap_bytes = (struct optional){.set = true, .value = 0};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.last.reason == END_OUT_OF_MEMORY && after.last.status == 137, "%s",
		end_reason_names[after.last.reason]);
	test_host_close(&test);
}

TEST(monitor, a_log_flood_neither_blocks_the_server_nor_grows_beyond_its_bound)
{
	struct test_host test;
	struct stat status;
	int64_t sum = 0;

	test_host_open(&test);
	/* Many times the bound: here forty, on an emulated processor four. */
	struct instance_spec spec = test_spec(&test, "web",
		WARREN_TEST_SLOW == 1 ? "yes 0123456789012345678901234567890123456789 | head -n 200000; echo done"
				      : "yes 0123456789012345678901234567890123456789 | head -n 20000; echo done");

	spec.logging.max_size_bytes = 100000;
	spec.logging.max_files = 2;
	test_run(&test, &spec);
	test_await_log(&test, "web", "done\n");
	auto_fd dir = openat(test.host.log, "web", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"log", "log.1", "log.2"};

		if (fstatat(dir, names[i], &status, 0) == 0)
			sum += status.st_size;
	}
	cr_assert(sum <= 200000 && sum > 100000, "%lld bytes", (long long)sum);
	cr_assert(fstatat(dir, "log.2", &status, 0) < 0);
	fd_drop(&dir);
	test_host_close(&test);
}

TEST(monitor, its_death_is_not_the_servers)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web",
		"trap 'echo hup' HUP; trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	test_kill_monitor(&test, "web");
	struct instance_status now = test_status(&test, "web");

	cr_assert(now.state == INSTANCE_RUNNING && !now.monitored && !now.monitor);
	/* Its log writes go on, into the pipe. */
	ASSERT_OK(instance_kill(&test.host, "web", SIGHUP, &err));
	/* A start gives it a new monitor, which finds what was written meanwhile. */
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	test_await_log(&test, "web", "hup\n");
	struct instance_status again = test_status(&test, "web");

	cr_assert(again.monitored && again.init.pid == now.init.pid);
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	cr_assert(strstr(test_logs(&test, "web"), "bye\n"));
	cr_assert(test_status(&test, "web").last.reason == END_STOPPED);
	test_host_close(&test);
}

TEST(monitor, an_adopted_one_is_restarted_in_its_namespaces)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.restart = restarting(RESTART_ALWAYS, -1);
	test_run(&test, &spec);
	test_kill_monitor(&test, "web");
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	struct instance_status before = test_status(&test, "web");
	ino_t user = namespace_of(before.init.pid, "user");

	cr_assert(kill(before.init.pid, SIGKILL) == 0);
	cr_assert(namespace_of(await_other_init(&test, "web", before.init.pid), "user") == user);
	test_host_close(&test);
}

TEST(monitor, the_next_command_finishes_what_it_left)
{
	struct test_host test;
	struct error err;
	struct port port;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.network = NETWORK_DEFAULT;
	ASSERT_OK(port_parse("18080:80", &port, &err));
	spec.ports.items = &port;
	spec.ports.count = 1;
	test_run(&test, &spec);
	struct instance_status before = test_status(&test, "web");

	test_kill_monitor(&test, "web");
	auto_fd pidfd = process_open(&before.init, &err);

	cr_assert(kill(before.init.pid, SIGKILL) == 0 && process_wait_end(pidfd, TEST_TIMEOUT_MS) == 1);
	fd_drop(&pidfd);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	cr_assert(test_status(&test, "web").last.reason == END_HOST);
	/* Port, cgroup and record are in order again: it starts as if nothing had been. */
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	test_kill_monitor(&test, "web");
	ASSERT_OK(instance_restart(&test.host, "web", (struct optional){0}, &err));
	cr_assert(test_status(&test, "web").monitored);
	test_kill_monitor(&test, "web");
	ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	test_host_close(&test);
}

TEST(monitor, removes_a_passing_instance_itself)
{
	struct test_host test;
	struct instance_list list;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "true");

	spec.remove = true;
	test_run(&test, &spec);
	cr_assert(waitpid(-1, NULL, 0) > 0, "the monitor ends");
	ASSERT_OK(instance_list_read(&test.arena, &test.host, &list, &err));
	cr_assert(list.count == 0);
	test_host_close(&test);
}

TEST(monitor, holds_no_descriptor_of_its_caller)
{
	struct test_host test;
	int pipe_ends[2];
	char byte;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	cr_assert(pipe(pipe_ends) == 0);
	test_run(&test, &spec);
	close(pipe_ends[1]);
	cr_assert(read(pipe_ends[0], &byte, 1) == 0, "neither monitor nor instance has the other end");
	close(pipe_ends[0]);
	test_host_close(&test);
}

TEST(monitor, leaves_the_session_and_the_cgroup_of_its_caller)
{
	struct test_host test;
	AUTO(arena_drop) struct arena arena = {0};
	char path[64];
	const char *text;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	test_run(&test, &spec);
	pid_t monitor = test_status(&test, "web").monitor;

	cr_assert(getsid(monitor) == monitor);
	SKIP_UNLESS(test.host.cgroups.mode != CGROUP_NONE, "needs cgroups");
	snprintf(path, sizeof(path), "/proc/%d/cgroup", monitor);
	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 65536, &text, NULL, &err));
	cr_assert(strstr(text, "/_monitors\n"), "%s", text);
	test_host_close(&test);
}

TEST(monitor, changes_what_becomes_of_the_log_while_it_runs)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "web", "trap 'echo hup' HUP; echo up; while :; do sleep 0.05; done");

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	pid_t monitor = test_status(&test, "web").monitor;

	spec.logging.driver = LOG_DRIVER_NONE;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	cr_assert(kill(monitor, SIGTERM) == 0);
	/* It has no log any more, but reads on: a server that writes much is never held up. */
	auto_fd dir = openat(test.host.log, "web", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct exec_options flood = {0};
	int status;

	strings_add(&test.arena, &flood.args, "/bin/sh");
	strings_add(&test.arena, &flood.args, "-c");
	strings_add(&test.arena, &flood.args, "yes | head -c 2000000 > /proc/1/fd/1");
	ASSERT_OK(instance_exec(&test.host, "web", &flood, &status, &err));
	cr_assert(status == 0);
	spec.logging.driver = LOG_DRIVER_FILE;
	spec.logging.max_size_bytes = 8192;
	spec.logging.max_files = 1;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	cr_assert(kill(monitor, SIGTERM) == 0);
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;

	do {
		cr_assert(clock_ms() < deadline);
		ASSERT_OK(instance_kill(&test.host, "web", SIGHUP, &err));
		usleep(10000);
	} while (!strstr(test_logs(&test, "web"), "hup\n"));
	cr_assert(test_status(&test, "web").monitor == monitor);
	fd_drop(&dir);
	test_host_close(&test);
}

/* The sum of a file's lines "Name: NUMBER …" of these names. */
static long proc_sum(struct test_host *test, pid_t pid, const char *file, const char *first, const char *second)
{
	const char *path = arena_format(&test->arena, "/proc/%d/%s", pid, file), *text;
	const char *const names[] = {first, second};
	struct error err;
	long sum = 0;

	ASSERT_OK(file_read(&test->arena, AT_FDCWD, path, 65536, &text, NULL, &err));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *line = strstr(text, names[i]);

		cr_assert(line, "%s: no %s", path, names[i]);
		sum += strtol(line + strlen(names[i]), NULL, 10);
	}
	return sum;
}

TEST(monitor, is_not_woken_when_nothing_happens)
{
	static const char voluntary[] = "\nvoluntary_ctxt_switches:", others[] = "nonvoluntary_ctxt_switches:";
	struct test_host test;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "echo up; exec sleep 1000");

	test_run(&test, &spec);
	test_await_log(&test, "web", "up\n");
	pid_t monitor = test_status(&test, "web").monitor;
	long before = 0, after = -1;

	/* The line that it has just written may still be on its way back to sleep. */
	for (int rounds = 0; rounds < 3 && after != before; rounds++) {
		before = proc_sum(&test, monitor, "status", voluntary, others);
		usleep(300000);
		after = proc_sum(&test, monitor, "status", voluntary, others);
	}
	cr_assert(after == before, "%ld wake-ups in 0.3 s", after - before);
	test_host_close(&test);
}
