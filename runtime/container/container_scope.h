/* A container's cgroup as a transient scope of systemd (cgroups/systemd.h); for the files container_*.c. */
#ifndef WARREN_RUNTIME_CONTAINER_SCOPE_H
#define WARREN_RUNTIME_CONTAINER_SCOPE_H

#include "cgroups/systemd.h"
#include "runtime/container/container.h"

/* One that is being made. All zero but .helper = SYSTEMD_HELPER_NONE: none is, and every function passes over it. */
struct scope {
	bool planned;
	bool narrow; /* one process is all it may have, so the helper must go before the limit comes */
	struct systemd_request request;
	struct systemd_name name;
	struct systemd_helper helper;
};

/* Name and properties from the specification; refuses what is wrong before anything is made. Strings lie in the arena.
 */
MUST_CHECK int scope_plan(
	struct scope *scope, struct arena *arena, const char *id, const struct spec *spec, struct error *err);
/* Has systemd start it, with the helper as its only member; sets cgroup_path, scope and scope_of_user. */
MUST_CHECK int scope_start(struct scope *scope, struct arena *arena, struct container_facts *facts, struct error *err);
/* Writes the limits to the cgroup as well, whole, and opens it. */
MUST_CHECK int scope_limit(struct scope *scope, const struct container_facts *facts, const struct cgroup_limits *limits,
	struct container_cgroup *cgroup, struct error *err);
/* Once the container's first process is in it: ends the helper. */
MUST_CHECK int scope_settle(struct scope *scope, struct container_cgroup *cgroup, struct error *err);
void scope_drop(struct scope *scope);

/* When all its processes have been killed: has systemd stop the unit, and sees that the cgroup is gone. */
MUST_CHECK int scope_remove(
	const struct container_facts *facts, struct container_cgroup *cgroup, int64_t timeout_ms, struct error *err);

#endif
