/* Removing and renaming. Damaged and protected ones are in test_status.c and test_bulk.c. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "support_host.h"

TEST(remove, a_renamed_instance_keeps_its_files_log_and_place)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "old", "cat /root/mark 2>/dev/null; echo here > /root/mark");

	test_run(&test, &spec);
	ASSERT_OK(instance_wait(&test.host, "old", &status, &err));
	test_await_state(&test, "old", INSTANCE_STOPPED);
	struct instance_status before = test_status(&test, "old");

	ASSERT_OK(instance_rename(&test.host, "old", "new", &err));
	ASSERT_FAILS(instance_start(&test.host, "old", &(struct start_options){0}, &err), ERROR_MISSING,
		"no instance \"old\"");
	ASSERT_OK(instance_start(&test.host, "new", &(struct start_options){0}, &err));
	ASSERT_OK(instance_wait(&test.host, "new", &status, &err));
	test_await_log(&test, "new", "here\n");
	struct instance_status after = test_status(&test, "new");

	cr_assert(after.slot == before.slot && after.created_ms == before.created_ms);
	cr_assert_str_eq(after.spec->name, "new");
	test_host_close(&test);
}

TEST(remove, a_rename_onto_a_running_instance_touches_nothing_of_it)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec one = test_spec(&test, "one", "echo one; exec sleep 1000"),
			     two = test_spec(&test, "two", "true");

	test_run(&test, &one);
	test_await_log(&test, "one", "one\n");
	ASSERT_OK(instance_create(&test.host, &two, &err));
	ASSERT_FAILS(instance_rename(&test.host, "two", "one", &err), ERROR_BUSY,
		"the name one is taken by another instance");
	ASSERT_FAILS(instance_rename(&test.host, "two", "Two", &err), ERROR_USAGE, "instance name");
	cr_assert(test_status(&test, "one").state == INSTANCE_RUNNING && test_status(&test, "one").monitored);
	cr_assert(strstr(test_logs(&test, "one"), "one\n"));
	cr_assert(test_status(&test, "two").state == INSTANCE_CREATED);
	test_host_close(&test);
}

/* As the kernel tells it in /proc/locks: "1: -> FLOCK  ADVISORY  WRITE PID …". */
static bool is_waiting_for_a_lock(pid_t pid)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *wanted = arena_format(&arena, " %d ", pid), *locks;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, "/proc/locks", 16 << 20, &locks, NULL, &err));
	struct strings lines = strings_split(&arena, locks, '\n');

	for (size_t i = 0; i < lines.count; i++)
		if (strstr(lines.items[i], "-> FLOCK") && strstr(lines.items[i], wanted))
			return true;
	return false;
}

TEST(remove, holds_no_addresses_while_it_waits_for_the_slots)
{
	struct test_host test;
	int slots, status;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.network = NETWORK_DEFAULT;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_OK(slots_hold(&test.host.net, &slots, &err));
	pid_t pid = fork();
	if (pid == 0) {
		close(slots);
		_exit(instance_remove(&test.host, "web", false, &err) < 0);
	}
	for (int64_t deadline = clock_ms() + TEST_TIMEOUT_MS; !is_waiting_for_a_lock(pid); usleep(5000))
		cr_assert(clock_ms() < deadline, "it never waits");
	auto_fd lists = openat(test.host.net.run, "addresses", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_held = lock_is_held(lists, NETWORK_DEFAULT);
	close(slots);
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0);
	cr_assert(!is_held, "who takes the network down waits for it, and it for him");
	test_host_close(&test);
}
