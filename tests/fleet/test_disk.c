/* What an instance leaves on disk: limits of it, and instances that leave nothing. */
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/images.h"
#include "support_host.h"

#define FILLS "dd if=/dev/zero of=/root/full bs=64k count=256 2>/dev/null && echo all; df -k / | tail -n 1"
#define MIB (INT64_C(1) << 20)

static void run_to_end(struct test_host *test, const char *name)
{
	struct error err;
	int status;

	ASSERT_OK(instance_start(&test->host, name, &(struct start_options){0}, &err));
	ASSERT_OK(instance_wait(&test->host, name, &status, &err));
	test_await_state(test, name, INSTANCE_STOPPED);
}

/* Otherwise nothing may stay of it: a skipped test ends at once. */
static bool open_where(struct test_host *test, bool quotas_on)
{
	test_host_open(test);
	if ((disk_quota_state(test->host.lib) == DISK_QUOTA_ON) == quotas_on)
		return true;
	test_host_close(test);
	return false;
}

TEST(disk, a_limit_is_given_at_the_creation_and_changed_later, .timeout = SLOWLY(60))
{
	struct test_host test;
	struct error err;

	SKIP_UNLESS(open_where(&test, true), "needs a file system with project quotas");
	struct instance_spec spec = test_spec(&test, "one", FILLS);
	spec.resources.disk_bytes = (struct optional){true, 8 * MIB};
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	run_to_end(&test, "one");
	cr_assert(strstr(test_logs(&test, "one"), "8192") && !strstr(test_logs(&test, "one"), "all"), "%s",
		test_logs(&test, "one"));
	spec.resources.disk_bytes.value = 32 * MIB;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	run_to_end(&test, "one");
	cr_assert(strstr(test_logs(&test, "one"), "all"), "%s", test_logs(&test, "one"));
	cr_assert(strstr(test_logs(&test, "one"), "32768"), "%s", test_logs(&test, "one"));
	test_host_close(&test);
}

TEST(disk, a_limit_that_nothing_can_keep_is_refused_before_anything_is_made, .timeout = SLOWLY(60))
{
	struct test_host test;
	struct error err;

	SKIP_UNLESS(open_where(&test, false), "needs a file system without project quotas");
	struct instance_spec spec = test_spec(&test, "one", "true");
	spec.resources.disk_bytes = (struct optional){true, 8 * MIB};
	ASSERT_FAILS(instance_create(&test.host, &spec, &err), ERROR_USAGE, "disk: ");
	cr_assert(faccessat(test.host.instances, "one", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	spec.resources.disk_bytes.set = false;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	spec.resources.disk_bytes.set = true;
	ASSERT_FAILS(instance_update(&test.host, &spec, &err), ERROR_USAGE, "disk: ");
	test_host_close(&test);
}

TEST(disk, an_ephemeral_instance_begins_anew_at_each_start, .timeout = SLOWLY(60))
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec =
		test_spec(&test, "one", "test -e /root/mark && echo kept; echo x > /root/mark && echo written");
	spec.ephemeral = true;
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	run_to_end(&test, "one");
	run_to_end(&test, "one");
	cr_assert(strstr(test_logs(&test, "one"), "written\nwritten\n"), "%s", test_logs(&test, "one"));
	cr_assert(faccessat(test.host.instances, "one/e", F_OK, AT_SYMLINK_NOFOLLOW) < 0, "gone with its end");
	spec.ephemeral = false;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	run_to_end(&test, "one");
	run_to_end(&test, "one");
	cr_assert(strstr(test_logs(&test, "one"), "kept\n"), "%s", test_logs(&test, "one"));
	test_host_close(&test);
}
