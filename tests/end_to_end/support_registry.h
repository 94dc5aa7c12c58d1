/* A registry of the test's own (Debian's docker-registry, in the network of the playground) and images to put into it,
 * made on the spot of a busybox and a few files. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_REGISTRY_H
#define WARREN_TESTS_END_TO_END_SUPPORT_REGISTRY_H

#include <sys/types.h>

#include "tests/end_to_end/support_run.h"

#define REGISTRY "127.0.0.1:5000"

struct registry {
	pid_t pid;
	const char *directory; /* images and data; not ours */
};

/* Runs the script with sh -eu in the directory; asserts that it succeeds. */
void script_run(const char *directory, const char *script);

/* Makes an OCI layout named `images` in the directory:
 *   four    four layers, the third with a whiteout, the fourth with an opaque directory; a config that says what to run
 *   single  one layer
 *   two     an index: this machine's platform is `single`, another one is not
 * Skips the test where skopeo, umoci, jq or docker-registry is missing. */
void images_make(const char *directory);

/* Starts it and returns when it listens. settings: more lines of its configuration file, or NULL. */
struct registry registry_start(const char *directory, const char *settings);
void registry_stop(struct registry *registry);
#define auto_registry AUTO(registry_stop) struct registry

#endif
