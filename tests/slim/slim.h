/* A runner of tests that costs next to nothing: in the emulated machine (tests/vm) it stands in for Criterion.
 *
 * Criterion starts its program anew for each test. On a real processor that is a millisecond; on an emulated one it is
 * a fifth of a second, of which nearly all is the dynamic linker's, and most tests take less than that. Here each test
 * is a fork of a process in which no test has ever run, so it finds the same untouched state, and that costs a few
 * milliseconds there. What a test may say is what ours say in Criterion's words; anything else does not compile, so
 * that nothing is silently passed over (docs/decisions/032). */
#ifndef WARREN_TESTS_SLIM_H
#define WARREN_TESTS_SLIM_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slim_test {
	const char *suite;
	const char *name;
	void (*body)(void);
	/* Run before and after the body, in its process; fini also after a body that failed or was skipped. */
	void (*init)(void);
	void (*fini)(void);
	/* Seconds; 0: SLIM_TIMEOUT. */
	double timeout;
};

#define SLIM_TIMEOUT (300.0 * WARREN_TEST_SLOW)

/* A test by itself is a row of the section that the runner walks. */
#define Test(suite_name, test_name, ...)                                                                               \
	static void slim_body_##suite_name##_##test_name(void);                                                        \
	static const struct slim_test slim_test_##suite_name##_##test_name = {.suite = #suite_name,                    \
		.name = #test_name,                                                                                    \
		.body = slim_body_##suite_name##_##test_name,                                                          \
		##__VA_ARGS__};                                                                                        \
	static const struct slim_test *const slim_row_##suite_name##_##test_name                                       \
		__attribute__((section("slim_tests"), used)) = &slim_test_##suite_name##_##test_name;                  \
	static void slim_body_##suite_name##_##test_name(void)

/* An assertion that did not hold: said on standard error and counted. The first ends the test, the second lets it go
 * on. */
_Noreturn void slim_fail(const char *file, int line, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void slim_note(const char *file, int line, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Ends the test as one that cannot run here. */
_Noreturn void cr_skip_test(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The blank makes a format of what may be none; without a comma before it, it is part of the caller's. */
#define SLIM_CHECK(act, holds, what, ...)                                                                              \
	do {                                                                                                           \
		if (!(holds))                                                                                          \
			act(__FILE__, __LINE__, what, " " __VA_ARGS__);                                                \
	} while (0)
#define SLIM_COMPARE(act, a, relation, b, ...) SLIM_CHECK(act, ((a)relation(b)), #a " " #relation " " #b, ##__VA_ARGS__)
#define SLIM_COMPARE_TEXT(act, a, relation, b, ...)                                                                    \
	SLIM_CHECK(act, (strcmp((a), (b)) relation 0), #a " " #relation " " #b " as text", ##__VA_ARGS__)

#define cr_assert(condition, ...) SLIM_CHECK(slim_fail, (condition), #condition, ##__VA_ARGS__)
#define cr_assert_not(condition, ...) SLIM_CHECK(slim_fail, !(condition), "not " #condition, ##__VA_ARGS__)
#define cr_assert_fail(...) SLIM_CHECK(slim_fail, false, "must not come here", ##__VA_ARGS__)
#define cr_assert_null(pointer, ...) SLIM_COMPARE(slim_fail, pointer, ==, NULL, ##__VA_ARGS__)
#define cr_assert_not_null(pointer, ...) SLIM_COMPARE(slim_fail, pointer, !=, NULL, ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...) SLIM_COMPARE(slim_fail, a, ==, b, ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...) SLIM_COMPARE(slim_fail, a, !=, b, ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...) SLIM_COMPARE(slim_fail, a, <, b, ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...) SLIM_COMPARE(slim_fail, a, <=, b, ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...) SLIM_COMPARE(slim_fail, a, >, b, ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...) SLIM_COMPARE(slim_fail, a, >=, b, ##__VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) SLIM_COMPARE_TEXT(slim_fail, a, ==, b, ##__VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) SLIM_COMPARE_TEXT(slim_fail, a, !=, b, ##__VA_ARGS__)
#define cr_assert_str_empty(text, ...) SLIM_COMPARE_TEXT(slim_fail, text, ==, "", ##__VA_ARGS__)
#define cr_assert_str_not_empty(text, ...) SLIM_COMPARE_TEXT(slim_fail, text, !=, "", ##__VA_ARGS__)
#define cr_assert_arr_eq(a, b, bytes, ...)                                                                             \
	SLIM_CHECK(slim_fail, memcmp((a), (b), (bytes)) == 0, #a " == " #b, ##__VA_ARGS__)
#define cr_expect(condition, ...) SLIM_CHECK(slim_note, (condition), #condition, ##__VA_ARGS__)
#define cr_expect_not(condition, ...) SLIM_CHECK(slim_note, !(condition), "not " #condition, ##__VA_ARGS__)
#define cr_expect_neq(a, b, ...) SLIM_COMPARE(slim_note, a, !=, b, ##__VA_ARGS__)
#define cr_expect_eq(a, b, ...) SLIM_COMPARE(slim_note, a, ==, b, ##__VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) SLIM_COMPARE_TEXT(slim_note, a, ==, b, ##__VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) SLIM_COMPARE_TEXT(slim_note, a, !=, b, ##__VA_ARGS__)

#endif
