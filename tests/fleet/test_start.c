/* Instances from their making to their end, against the real kernel. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/start.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/republish.h"
#include "support_host.h"
#include "tests/refuse.h"

TEST(start, runs_a_program_and_records_its_end)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "echo hello; echo trouble >&2; exit 7");

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_CREATED);
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	ASSERT_OK(instance_wait(&test.host, "web", &status, &err));
	cr_assert(status == 7, "%d", status);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.last.reason == END_EXITED && after.last.status == 7 && !after.monitored);
	const char *log = test_logs(&test, "web");

	cr_assert(strstr(log, "hello\n") && strstr(log, "trouble\n"), "%s", log);
	test_host_close(&test);
}

TEST(start, refuses_what_runs_already)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "sleep 1000");

	test_run(&test, &spec);
	ASSERT_FAILS(instance_start(&test.host, "web", &(struct start_options){0}, &err), ERROR_BUSY,
		"web is running already");
	ASSERT_FAILS(instance_create(&test.host, &spec, &err), ERROR_BUSY, "the name web is taken by another instance");
	ASSERT_FAILS(instance_remove(&test.host, "web", false, &err), ERROR_BUSY,
		"web is running; stop it first, or use --force");
	ASSERT_FAILS(instance_rename(&test.host, "web", "other", &err), ERROR_BUSY, "web is running; stop it first");
	ASSERT_FAILS(instance_start(&test.host, "wep", &(struct start_options){0}, &err), ERROR_MISSING,
		"no instance \"wep\"; did you mean \"web\"?");
	ASSERT_FAILS(instance_stop(&test.host, "../web", (struct optional){0}, &err), ERROR_USAGE, "instance name");
	test_host_close(&test);
}

TEST(start, a_program_that_is_not_there_leaves_nothing_running)
{
	struct test_host test;
	struct error err;
	bool exec_failed = false;
	struct start_options options = {.exec_failed = &exec_failed};

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "");

	spec.command = (struct strings){0};
	strings_add(&test.arena, &spec.command, "/bin/nonesuch");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_FAILS(instance_start(&test.host, "web", &options, &err), ERROR_SYSTEM,
		"start web: execute /bin/nonesuch: no such file or directory");
	cr_assert(exec_failed && err.errnum == ENOENT);
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.state == INSTANCE_STOPPED && after.last.reason == END_START_FAILED);
	cr_assert(strstr(after.last.detail, "/bin/nonesuch"), "%s", after.last.detail);
	cr_assert(!after.monitored && !after.init.pid);
	test_host_close(&test);
}

/* It would hold the caller's locks, a fleet's for one, for as long as the instance runs. */
TEST(start, no_monitor_lives_with_descriptors_of_its_caller)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "sleep 1000");

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	pid_t command = fork();
	if (command == 0) {
		const struct start_options options = {0};

		if (syscall_refuse(SYS_close_range, EPERM) < 0 ||
			instance_start(&test.host, "web", &options, &err) == 0)
			_exit(1);
		fprintf(stderr, "%s\n", err.text);
		_exit(text_equal(err.text, "start web: close the caller's descriptors: Operation not permitted") ? 0
														 : 2);
	}
	cr_assert(waitpid(command, &status, 0) == command && status == 0, "status 0x%x", status);
	cr_assert(!test_status(&test, "web").monitored);
	test_host_close(&test);
}

TEST(start, an_own_user_namespace_and_an_id_range_nobody_else_has)
{
	struct test_host test;
	char map[128];

	test_host_open(&test);
	struct instance_spec one = test_spec(&test, "one", "sleep 1000"), two = test_spec(&test, "two", "sleep 1000");

	test_run(&test, &one);
	test_run(&test, &two);
	struct instance_status a = test_status(&test, "one"), b = test_status(&test, "two");

	cr_assert(a.id_base != b.id_base && a.slot != b.slot);
	snprintf(map, sizeof(map), "/proc/%d/uid_map", a.init.pid);
	FILE *file = fopen(map, "re");
	unsigned inside, host, count;

	cr_assert(file && fscanf(file, "%u %u %u", &inside, &host, &count) == 3);
	fclose(file);
	cr_assert(inside == 0 && host == a.id_base && count == 65536);
	test_host_close(&test);
}

TEST(start, the_death_of_the_command_does_not_undo_the_start)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "echo up; sleep 1000");

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	pid_t command = fork();

	if (command == 0) {
		struct instance instance;
		struct starting starting;

		if (instance_take(&test.host, "web", &instance, &err) < 0 ||
			starting_begin(&instance, &starting, &err) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(command, NULL, 0);
	test_await_log(&test, "web", "up\n");
	cr_assert(test_status(&test, "web").monitored);
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	test_host_close(&test);
}

/* One winner, and no debris of the others. */
TEST(start, twenty_creates_of_one_name_have_one_winner)
{
	enum { MANY = 20 };
	struct test_host test;
	pid_t pids[MANY];
	int winners = 0, busy = 0;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "sleep 1000");

	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct host host;
			struct error err;

			test_host_again(&test, &host);
			_exit(instance_create(&host, &spec, &err) == 0 ? 0 : (int)err.kind);
		}
	}
	for (int i = 0; i < MANY; i++) {
		int status;

		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status));
		winners += WEXITSTATUS(status) == 0;
		busy += WEXITSTATUS(status) == ERROR_BUSY;
	}
	cr_assert(winners == 1 && busy == MANY - 1, "%d won, %d were refused", winners, busy);
	struct error err;
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	ASSERT_OK(dir_list(&arena, test.host.instances, 100, &names, &err));
	cr_assert(names.count == 1, "%zu entries", names.count);
	test_host_close(&test);
}

/* A create that is killed at any moment leaves nothing that the next one does not remove. */
TEST(start, a_killed_create_is_swept_up)
{
	struct test_host test;
	struct error err;
	struct instance staged;
	char path[96];

	test_host_open(&test);
	pid_t pid = fork();

	if (pid == 0) {
		struct record record = {.created_ms = 1};

		if (instance_stage(&test.host, "web", &staged, path, &err) < 0 ||
			slot_take(&test.host.net, 0, &record.slot, &err) < 0 ||
			record_write(staged.dir, &record, &err) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	unsigned slot;

	ASSERT_FAILS(slot_take(&test.host.net, 1, &slot, &err), ERROR_BUSY, "");
	test.host.swept = false;
	host_sweep(&test.host);
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	ASSERT_OK(dir_list(&arena, test.host.instances, 100, &names, &err));
	cr_assert(names.count == 0);
	ASSERT_OK(slot_take(&test.host.net, 1, &slot, &err));
	ASSERT_OK(slot_release(&test.host.net, slot, &err));
	test_host_close(&test);
}

TEST(start, what_a_killed_command_left_goes_without_any_instance_too)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	pid_t pid = fork();

	if (pid == 0) {
		struct instance staged;
		struct record record = {.created_ms = 1};
		char path[96];

		if (instance_stage(&test.host, "web", &staged, path, &err) < 0 ||
			slot_take(&test.host.net, 0, &record.slot, &err) < 0 ||
			record_write(staged.dir, &record, &err) < 0 || host_network_up(&test.host, &err) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	cr_assert(net_host_up(&test.host.net, &err) == 0, "the table is there");
	host_clean(&test.host);
	cr_assert(net_host_up(&test.host.net, &err) == 1, "it was gone");
	test.host.swept = false;
	host_clean(&test.host);
	test_host_close(&test);
}

/* Of the 60 ms that a start takes; of ten times as many on an emulated processor, where a round costs seconds. */
static useconds_t moment_of(int round, int rounds)
{
	return SLOWLY(60000U) * (useconds_t)round / (useconds_t)rounds;
}

/* A start that is killed, command and monitor, somewhere on its way. Where exactly is chance; that nothing is left, or
 * that it runs, holds everywhere. */
TEST(start, killed_at_any_moment_it_can_be_removed)
{
	int rounds = WARREN_TEST_SLOW == 1 || getenv("WARREN_TEST_FULL") ? 25 : 6;
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	struct port port;

	ASSERT_OK(port_parse("18080:80", &port, &err));
	spec.network = NETWORK_DEFAULT;
	spec.ports.items = &port;
	spec.ports.count = 1;
	for (int round = 0; round < rounds; round++) {
		auto_instance instance = INSTANCE_EMPTY;
		AUTO(starting_drop) struct starting starting = STARTING_EMPTY;

		ASSERT_OK(instance_create(&test.host, &spec, &err));
		ASSERT_OK(instance_take(&test.host, "web", &instance, &err));
		ASSERT_OK(starting_begin(&instance, &starting, &err));
		usleep(moment_of(round, rounds));
		kill(starting.monitor, SIGKILL);
		cr_assert(waitpid(starting.monitor, NULL, 0) == starting.monitor);
		instance_drop(&instance);
		ASSERT_OK(instance_remove(&test.host, "web", true, &err));
	}
	test_run(&test, &spec);
	cr_assert(test_status(&test, "web").monitored);
	test_host_close(&test);
}

TEST(start, a_living_create_is_left_alone_by_the_sweeper)
{
	struct test_host test;
	struct instance staged;
	struct error err;
	char path[96];

	test_host_open(&test);
	ASSERT_OK(instance_stage(&test.host, "web", &staged, path, &err));
	host_sweep(&test.host);
	cr_assert(faccessat(test.host.instances, path, F_OK, 0) == 0);
	instance_drop(&staged);
	test.host.swept = false;
	host_sweep(&test.host);
	cr_assert(faccessat(test.host.instances, path, F_OK, 0) < 0);
	test_host_close(&test);
}

TEST(start, publishes_a_port_and_takes_it_back)
{
	struct test_host test;
	struct port ports[64];
	size_t count = 0;
	struct start_options options = {.ports = ports, .port_count = &count};
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "web", "mkdir -p /w; echo page > /w/index.html; exec httpd -f -p 80 -h /w");
	struct port port;

	ASSERT_OK(port_parse("18080:80", &port, &err));
	spec.network = NETWORK_DEFAULT;
	spec.ports.items = &port;
	spec.ports.count = 1;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_OK(instance_start(&test.host, "web", &options, &err));
	cr_assert(count == 1 && ports[0].published == 18080);
	struct instance_spec other = test_spec(&test, "other", "sleep 1000");

	other.network = NETWORK_DEFAULT;
	other.ports = spec.ports;
	ASSERT_OK(instance_create(&test.host, &other, &err));
	ASSERT_FAILS(instance_start(&test.host, "other", &(struct start_options){0}, &err), ERROR_BUSY, "18080");
	cr_assert(test_status(&test, "other").state == INSTANCE_STOPPED);
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	ASSERT_OK(instance_start(&test.host, "other", &(struct start_options){0}, &err));
	test_host_close(&test);
}
