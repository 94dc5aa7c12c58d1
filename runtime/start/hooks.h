/* Hooks: programs of the operator that run at fixed moments of a container's life. */
#ifndef WARREN_RUNTIME_HOOKS_H
#define WARREN_RUNTIME_HOOKS_H

#include "base/error.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

/* Runs all hooks of one kind in their order, each with the state on its stdin and exactly the environment that its
 * config.json gives it: without `env` the caller's, but startContainer's, inside, an empty one. The first that fails
 * ends it: "hook NAME: exit status 3: its last words". */
MUST_CHECK int hooks_run(
	const struct spec_hooks *hooks, enum hook_kind kind, const char *state, size_t length, struct error *err);

/* The same for the kind whose failures change nothing: each gets its turn, and each failure a warning. */
void hooks_run_each(const struct spec_hooks *hooks, enum hook_kind kind, const char *state, size_t length);

/* Child side: the same as hooks_run() with the state as it is seen from inside, where the pid is another. */
MUST_CHECK int hooks_run_inside(
	const struct spec_hooks *hooks, enum hook_kind kind, const struct launch_hooks *inside, struct error *err);

/* Of each kind its name, and the status of the container that the specification has for it. */
extern const char *const hook_names[HOOK_KINDS];
extern const char *const hook_statuses[HOOK_KINDS];

#endif
