/* Hooks: programs of the operator that run at fixed moments of a container's life. */
#ifndef WARREN_RUNTIME_HOOKS_H
#define WARREN_RUNTIME_HOOKS_H

#include "base/error.h"
#include "runtime/spec.h"

/* What launch_start() needs to run the two kinds that belong inside the container. */
struct launch_hooks {
	int state; /* a memfd with the container's state as JSON; filled by prepare(), which knows the pid */
};

/* Runs all hooks of one kind in their order, each with the state on its stdin. The first that fails ends it: "hook
 * NAME: exit status 3: its last words". */
MUST_CHECK int hooks_run(
	const struct spec_hooks *hooks, enum hook_kind kind, const char *state, size_t length, struct error *err);

/* Child side: the same with the state from a memfd. */
MUST_CHECK int hooks_run_inside(
	const struct spec_hooks *hooks, enum hook_kind kind, const struct launch_hooks *inside, struct error *err);

extern const char *const hook_names[HOOK_KINDS];

#endif
