/* A bundle with a state root of its own, for the tests of the OCI life cycle. The container has a user namespace, so
 * that no test program has to protect itself (test_guard.c is about that). */
#ifndef WARREN_TESTS_SUPPORT_BUNDLE_H
#define WARREN_TESTS_SUPPORT_BUNDLE_H

#include "tests/runtime/support_runtime.h"

struct bundle {
	struct sandbox box;
	char cgroup[80];
	int state; /* the state root */
	struct container_create_options options;
	const char *hooks; /* a JSON object, or NULL */
	bool terminal;
};

void bundle_make(struct bundle *bundle);
/* Also removes the cgroups of the test. */
void bundle_drop(struct bundle *bundle);
/* Writes config.json: /bin/sh -c script. */
void bundle_script(struct bundle *bundle, const char *script);
/* Names in the state root that are containers' (or half-made ones). */
int bundle_records(const struct bundle *bundle);
/* Directories of the test's cgroup in any hierarchy. */
int bundle_cgroups(const struct bundle *bundle);
enum container_status bundle_status(const struct bundle *bundle, const char *id);
pid_t bundle_pid(const struct bundle *bundle, const char *id);
/* Reaps all children of ours that have ended or end within a second. */
void reap_all(void);

#endif
