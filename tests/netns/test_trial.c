#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "tests/test.h"

static void namespace_enter(void)
{
	cr_assert(unshare(CLONE_NEWNET) == 0);
}

TEST(trial, the_whole_table_and_each_kind_of_rule_load_here)
{
	/* Each starts nft, which an emulated processor takes a second for; the whole table has them all. */
	const size_t step = WARREN_TEST_SLOW > 1 && !getenv("WARREN_TEST_FULL") ? 6 : 1;
	struct error err;
	size_t count = 0;

	NEEDS_ROOT();
	namespace_enter();
	ASSERT_OK(net_table_try(&err));
	for (; net_rule_name(count); count++) {
		cr_assert(net_rule_module(count)[0]);
		if (count % step)
			continue;
		err = (struct error){0};
		cr_assert(net_rule_try(count, &err) == 0, "%s: %s", net_rule_name(count), err.text);
	}
	cr_assert(count > 8);
}

TEST(trial, a_link_works_here)
{
	struct error err;

	NEEDS_ROOT();
	namespace_enter();
	ASSERT_OK(net_link_try(&err));
}

TEST(trial, fails_without_the_right_to_try)
{
	const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	struct error err;

	NEEDS_ROOT();
	namespace_enter();
	cr_assert(syscall(SYS_capset, &header, none) == 0);
	ASSERT_FAILS(net_link_try(&err), ERROR_SYSTEM, "Operation not permitted");
}
