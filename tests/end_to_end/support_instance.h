/* A whole host for one test of `warren`: a network namespace that plays the host's, a state directory and a control
 * group of its own. What a failed test leaves is cleared away by playground_rescue(), which is every such test's .fini.
 */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_INSTANCE_H
#define WARREN_TESTS_END_TO_END_SUPPORT_INSTANCE_H

#include "base/arena.h"
#include "base/json.h"
#include "tests/end_to_end/support_run.h"

struct playground {
	struct arena arena; /* for what a test reads */
	struct run_directory directory;
	char root[96], parent[48];
};

/* Skips the test without root. */
struct playground playground_new(void);
/* Removes all instances by force and asserts that no file of an instance and no control group is left. */
void playground_drop(struct playground *playground);
#define auto_playground AUTO(playground_drop) struct playground
void playground_rescue(void);

/* warren --root … --cgroup-parent … words… */
struct run_result playground_warren(
	const struct playground *playground, const char *const words[], const struct run_options *options);
#define WARREN(playground, ...)                                                                                        \
	playground_warren(playground, (const char *const[]){__VA_ARGS__, NULL}, &(struct run_options){0})
/* The same with its status asserted to be 0; the output is thrown away. */
#define WARREN_OK(playground, ...)                                                                                     \
	do {                                                                                                           \
		auto_run done = WARREN(playground, __VA_ARGS__);                                                       \
		cr_assert(done.status == 0, "status %d: %s%s", done.status, done.out, done.err);                       \
	} while (0)

/* Programs that this test program can be inside an instance: see support_probe.h. `-v` words for `run`, and the path.
 */
const char *playground_probe_volume(struct playground *playground);
#define PROBE "/probe/test-end_to_end", "--probe"

/* The instance's object of `inspect`; strings of it (also numbers as written), "" when absent. */
const struct json *instance_inspect(struct playground *playground, const char *name);
const char *instance_fact(struct playground *playground, const char *name, const char *key);
/* Until `list` gives that state for it; fails the test after 20 s. */
void instance_await_state(struct playground *playground, const char *name, const char *state);
/* Until its log contains the text. */
void instance_await_log(struct playground *playground, const char *name, const char *text);
/* A file of the instance's control group in a version 1 hierarchy or in the unified one; "" when absent. */
const char *instance_cgroup_file(struct playground *playground, const char *name, const char *controller,
	const char *file_v1, const char *file_v2);

/* Runs ip(8) in the playing host: "link set lo up". */
void host_ip(const char *words);

/* What users run: a sanitizer adds thousands of calls of its own to those that are stepped through. ./test.sh says
 * where that build is (WARREN_BUILD); else it is our own. */
const char *sweep_program(void);

#endif
