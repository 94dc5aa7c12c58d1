/* A container that counts in a file, for what stops it and makes it go on: checkpoint and restore. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_COUNTER_H
#define WARREN_TESTS_END_TO_END_SUPPORT_COUNTER_H

#include "tests/end_to_end/support_bundle.h"

#define COUNTER_WAIT_MS SLOWLY(20000)

/* Counts in a file of a bind mount, which is a fifth of a second per step. */
#define COUNTER "i=0; while :; do i=$((i+1)); echo $i > /data/new; cat /data/new > /data/count; sleep 0.2; done"
#define DATA "{\"destination\": \"/data\", \"type\": \"bind\", \"source\": \"data\", \"options\": [\"bind\", \"rw\"]}"

bool criu_is_there(void);
/* CRIU looks whether the kernel has all it needs: a quarter of a second. */
bool criu_works(void);
#define NEEDS_CRIU()                                                                                                   \
	NEEDS_ROOT();                                                                                                  \
	SKIP_UNLESS(criu_is_there() && criu_works(), "needs CRIU and a kernel that it works on")

/* Its config.json, with further members of process or NULL. */
void counter_write(struct bundle *bundle, const char *process);
int count_now(const struct bundle *bundle);
/* Until it has counted beyond that, or the time is out. */
int count_await(const struct bundle *bundle, int beyond);
/* run --detach, and until it counts. */
void counter_run(struct bundle *bundle);

/* A path beside the bundle, where nothing is yet. */
const char *images_of(struct bundle *bundle, const char *name, char path[192]);

void assert_state(struct bundle *bundle, const char *expected);
/* Neither a container nor a cgroup. */
void assert_gone(struct bundle *bundle);
/* Goes on from where it was: neither from the beginning nor as if it had run all the time. */
void assert_goes_on(struct bundle *bundle, int before);

#endif
