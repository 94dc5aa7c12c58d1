/* Between the process of a test and the runner: a page that both see, so that no way of ending loses what went before.
 */
#ifndef WARREN_TESTS_SLIM_VERDICT_H
#define WARREN_TESTS_SLIM_VERDICT_H

#include <stdatomic.h>

#include "tests/slim/slim.h"

enum slim_state {
	SLIM_BEGUN, /* what ends in this state ended in the middle */
	SLIM_SKIPPED,
	SLIM_ENDED, /* came to its end, well or with failures */
};

struct slim_verdict {
	_Atomic enum slim_state state;
	/* Assertions that did not hold, also those of processes that the test has forked. */
	atomic_int failures;
	char why_skipped[512];
};

/* In the process of a test: runs it and exits. */
_Noreturn void slim_run(const struct slim_test *test, struct slim_verdict *verdict);

#endif
