#include <linux/capability.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "runtime/spec.h"
#include "tests/test.h"

TEST(capabilities, have_the_names_that_libcap_gives_them)
{
	for (unsigned number = 0; number <= CAP_LAST_CAP; number++) {
		char buffer[32];
		char *name = cap_to_name((cap_value_t)number);

		cr_assert(strcasecmp(name, capability_name(number, buffer)) == 0, "%u: %s, %s", number, name,
			capability_name(number, buffer));
		cap_free(name);
	}
}

TEST(capabilities, are_read_with_and_without_prefix_in_any_case)
{
	static const char *const spellings[] = {
		"CAP_NET_ADMIN", "NET_ADMIN", "cap_net_admin", "net_admin", "Net_Admin"};
	struct error err = {0};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
		unsigned number = 99;

		ASSERT_OK(capability_parse(spellings[i], &number, &err));
		cr_assert(number == CAP_NET_ADMIN, "%s: %u", spellings[i], number);
	}
}

TEST(capabilities, refuse_unknown_names_with_a_guess)
{
	struct error err = {0};
	unsigned number;

	ASSERT_FAILS(capability_parse("CAP_NET_ADMNI", &number, &err), ERROR_USAGE,
		"unknown capability \"CAP_NET_ADMNI\"; did you mean CAP_NET_ADMIN?");
	ASSERT_FAILS(capability_parse("frobnicate", &number, &err), ERROR_USAGE, "unknown capability \"frobnicate\"");
	cr_assert(!strstr(err.text, "mean"), "%s", err.text);
	ASSERT_FAILS(capability_parse("", &number, &err), ERROR_USAGE, "unknown capability \"\"");
	ASSERT_FAILS(capability_parse("CAP_21", &number, &err), ERROR_USAGE, "unknown capability \"CAP_21\"");
}

TEST(capabilities, of_the_kernel_end_where_it_says)
{
	uint64_t all = capabilities_all();
	FILE *file = fopen("/proc/sys/kernel/cap_last_cap", "re");
	int last = 0;

	cr_assert(file && fscanf(file, "%d", &last) == 1);
	fclose(file);
	cr_assert(all == (UINT64_C(1) << (last + 1)) - 1, "%#llx", (unsigned long long)all);
}

TEST(capabilities, beyond_the_table_are_named_by_number)
{
	char buffer[32];

	cr_assert_str_eq(capability_name(61, buffer), "CAP_61");
}

TEST(rlimits, are_read_in_both_spellings_and_named)
{
	struct error err = {0};
	char buffer[24];
	int resource = -1;

	ASSERT_OK(rlimit_parse("RLIMIT_NOFILE", &resource, &err));
	cr_assert(resource == RLIMIT_NOFILE);
	ASSERT_OK(rlimit_parse("nproc", &resource, &err));
	cr_assert(resource == RLIMIT_NPROC);
	for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
		const char *name = rlimit_name(i, buffer);

		ASSERT_OK(rlimit_parse(name, &resource, &err));
		cr_assert(resource == i, "%s", name);
	}
	ASSERT_FAILS(rlimit_parse("RLIMIT_NOFILES", &resource, &err), ERROR_USAGE,
		"unknown resource limit \"RLIMIT_NOFILES\"; did you mean RLIMIT_NOFILE?");
}
