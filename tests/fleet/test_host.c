/* The host's directories and what a reboot leaves. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/instance.h"
#include "support_host.h"

TEST(host, its_directories_are_roots_alone)
{
	struct test_host test;
	struct stat status;

	test_host_open(&test);
	const int dirs[] = {test.host.run, test.host.lib, test.host.log, test.host.instances, test.host.live};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		cr_assert(fstat(dirs[i], &status) == 0 && (status.st_mode & 077) == 0 && status.st_uid == 0,
			"directory %zu: mode %o", i, status.st_mode & 07777);
	test_host_close(&test);
}

/* What a reboot is to us: tmpfs is empty, and no process of before lives. */
static void reboot(struct test_host *test)
{
	struct error err;
	auto_free char *run = text_format("%s/run", test->directory);

	host_close(&test->host);
	ASSERT_OK(tree_remove(AT_FDCWD, run, &err));
	test_host_again(test, &test->host);
}

TEST(host, after_a_reboot_slots_and_addresses_are_taken_as_before)
{
	struct test_host test;
	struct error err;
	unsigned slot;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000"),
			     other = test_spec(&test, "other", "exec sleep 1000");

	spec.network = other.network = NETWORK_DEFAULT;
	test_run(&test, &spec);
	struct instance_status before = test_status(&test, "web");

	test_kill_monitor(&test, "web");
	auto_fd pidfd = process_open(&before.init, &err);

	cr_assert(kill(before.init.pid, SIGKILL) == 0 && process_wait_end(pidfd, TEST_TIMEOUT_MS) == 1);
	fd_drop(&pidfd);
	reboot(&test);
	struct instance_status after = test_status(&test, "web");

	cr_assert(after.state == INSTANCE_STOPPED && after.last.reason == END_HOST);
	cr_assert(after.desired == DESIRED_RUNNING, "so it is known what should be started again");
	cr_assert(after.slot == before.slot && after.address.s_addr == before.address.s_addr);
	ASSERT_FAILS(slot_take(&test.host.net, before.slot, &slot, &err), ERROR_BUSY, "");
	ASSERT_OK(instance_create(&test.host, &other, &err));
	cr_assert(test_status(&test, "other").address.s_addr != before.address.s_addr);
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	test_host_close(&test);
}

/* The live directory may lie on a disk (--root): then it is the boot id that tells. */
TEST(host, a_run_of_another_boot_is_over_even_if_its_record_is_there)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	auto_instance instance = INSTANCE_EMPTY;
	static const char stale[] =
		"{\"version\": 1, \"boot\": \"0badb007-0000-0000-0000-000000000000\", \"started\": true,"
		" \"init\": {\"pid\": 1, \"start_time\": 1}}";

	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_OK(instance_find(&test.host, "web", &instance, &err));
	ASSERT_OK(instance_live_make(&instance, &err));
	ASSERT_OK(file_replace(instance.live, "run.json", 0600, FILE_VOLATILE, stale, sizeof(stale) - 1, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_STOPPED);
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	instance_drop(&instance);
	test_host_close(&test);
}
