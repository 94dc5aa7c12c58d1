/* Cgroups for somebody who may not make them where root does; the rest of what rootless means: rootless.h. */
#ifndef WARREN_RUNTIME_ROOTLESS_CGROUP_H
#define WARREN_RUNTIME_ROOTLESS_CGROUP_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/container/container.h"

/* The container's cgroup could not be made where it should be: makes it in the one that was delegated to us, noted in
 * the record. 1: made; 0: nothing is delegated, and the container has none; -1: there is something, and it failed, or
 * limits are asked for. */
int rootless_cgroup_make(struct arena *arena, int dir, struct container_facts *facts,
	const struct cgroup_limits *limits, struct container_cgroup *out, struct error *err);

#endif
