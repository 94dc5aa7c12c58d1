/* A whole host for one test: directories in a temporary place, a network namespace that plays the host's, a cgroup of
 * its own, and a small root directory with busybox for instances. */
#ifndef WARREN_TESTS_SUPPORT_HOST_H
#define WARREN_TESTS_SUPPORT_HOST_H

#include "fleet/fleet.h"
#include "tests/test.h"

#define BUSYBOX "/bin/busybox"
#define TEST_TIMEOUT_MS 20000

struct test_host {
	struct host host;
	struct arena arena;
	char directory[64], parent[64];
	const char *rootfs;
};
/* Skips the test without root or busybox. */
void test_host_open(struct test_host *test);
/* Removes all instances by force, and asserts that nothing is left: no file and no cgroup. */
void test_host_close(struct test_host *test);
/* A second view of the same host, as another command has it. */
void test_host_again(const struct test_host *test, struct host *out);

/* An instance of the busybox root without a network that runs `sh -c script`. */
struct instance_spec test_spec(struct test_host *test, const char *name, const char *script);
/* Made and started. */
void test_run(struct test_host *test, const struct instance_spec *spec);
struct instance_status test_status(struct test_host *test, const char *name);
/* Waits until it is in that state; fails the test after TEST_TIMEOUT_MS. */
void test_await_state(struct test_host *test, const char *name, enum instance_state state);
/* The instance's whole log, as `logs` prints it (both streams). */
const char *test_logs(struct test_host *test, const char *name);
/* Until the log contains the text. */
void test_await_log(struct test_host *test, const char *name, const char *text);
void test_kill_monitor(struct test_host *test, const char *name);

#endif
