/* The operator's hooks around a container's life, which get its state on their standard input. */
#ifndef WARREN_RUNTIME_CONTAINER_HOOKS_H
#define WARREN_RUNTIME_CONTAINER_HOOKS_H

#include <sys/types.h>

#include "base/error.h"
#include "runtime/hooks.h"
#include "runtime/runtime.h"

/* All of a kind, one after the other; the first failure ends it. pid: of the first process. */
MUST_CHECK int container_hooks_run(const struct spec_hooks *hooks, const struct container_facts *facts,
	enum hook_kind kind, pid_t pid, struct error *err);
/* Those after the end. What fails is warned of and keeps nothing from going on. */
void container_poststop_run(const struct spec_hooks *hooks, const struct container_facts *facts);

#endif
