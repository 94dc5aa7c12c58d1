/* What every test file includes instead of Criterion's header.
 *
 * TEST(suite, name) is Criterion's Test with a check that the body leaks no descriptor (Criterion 2.4.1: a failing
 * assertion in .fini does not fail the test, so the check is part of the body). SKIP_UNLESS() says loudly why a test
 * cannot run here. */
#ifndef WARREN_TESTS_TEST_H
#define WARREN_TESTS_TEST_H

#ifdef WARREN_SLIM
#include "tests/slim/slim.h"
#else
#include <criterion/criterion.h>
#endif
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much more time than on a machine of its own everything may take: set by the preset `vm`, for an emulated
 * processor. A constant, so that it fits `.timeout = SLOWLY(120)`. */
#ifndef WARREN_TEST_SLOW
#define WARREN_TEST_SLOW 1
#endif
#define SLOWLY(time) ((time)*WARREN_TEST_SLOW)

static inline int test_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

#define TEST(suite, name, ...)                                                                                         \
	static void test_body_##suite##_##name(void);                                                                  \
	Test(suite, name, ##__VA_ARGS__)                                                                               \
	{                                                                                                              \
		int before = test_open_fds();                                                                          \
		test_body_##suite##_##name();                                                                          \
		int after = test_open_fds();                                                                           \
		cr_assert(before == after, "descriptors: %d before, %d after", before, after);                         \
	}                                                                                                              \
	static void test_body_##suite##_##name(void)

/* Ends the test as skipped on this kernel, with the reason. ./test.sh runs every test on two kernels, and a test that
 * is skipped on both is an error there. */
#define SKIP_UNLESS(condition, ...)                                                                                    \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			cr_skip_test(__VA_ARGS__);                                                                     \
	} while (0)

/* For a test that takes very long on an emulated processor: there it runs with ./test.sh --full only. */
#define NEEDS_A_FAST_PROCESSOR()                                                                                       \
	SKIP_UNLESS(WARREN_TEST_SLOW == 1 || getenv("WARREN_TEST_FULL") || getenv("WARREN_TEST_ALL_POINTS"),           \
		"takes too long on an emulated processor, but for ./test.sh --full")

/* For one of many that ask the same of another command: every day there is no time for all of them, on no kernel. */
#define NEEDS_ALL_THE_TIME()                                                                                           \
	SKIP_UNLESS(getenv("WARREN_TEST_ALL_POINTS") || getenv("WARREN_KILL_STEP"), "left to ./test.sh --full")

#define NEEDS_ROOT() SKIP_UNLESS(geteuid() == 0, "needs root")
#define NEEDS_IPV6() SKIP_UNLESS(access("/proc/net/if_inet6", F_OK) == 0, "needs IPv6 in the kernel")

/* Asserts on functions that fill `struct error err` in scope: shows the text when it went wrong. */
#define ASSERT_OK(call)                                                                                                \
	do {                                                                                                           \
		err = (struct error){0};                                                                               \
		cr_assert((call) >= 0, "%s: %s", #call, err.text);                                                     \
	} while (0)
#define ASSERT_FAILS(call, expected_kind, expected_text)                                                               \
	do {                                                                                                           \
		err = (struct error){0};                                                                               \
		cr_assert((call) < 0, "%s succeeded", #call);                                                          \
		cr_assert(err.kind == (expected_kind), "%s: kind %d: %s", #call, err.kind, err.text);                  \
		cr_assert(strstr(err.text, (expected_text)), "%s: got \"%s\"", #call, err.text);                       \
	} while (0)

#endif
