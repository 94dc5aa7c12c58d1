/* Removing. Damaged and protected ones are in test_status.c and test_bulk.c. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "support_host.h"

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
