/* Parts of the compilation that others of this folder, and tests, need alone. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_START_COMPILE_H
#define WARREN_FLEET_START_COMPILE_H

#include "fleet/spec.h"

/* One limit, where hard limits up to `reachable` can be had: a default one is cut to it, one of spec->ulimits that is
 * above it is refused. */
MUST_CHECK int ulimit_fit(const struct instance_spec *spec, const struct ulimit_spec *wanted, rlim_t reachable,
	struct spec_rlimit *out, struct error *err);
/* All limits of the instance, nofile's default included, against what this process may set. */
MUST_CHECK int ulimits_compile(
	struct arena *arena, const struct instance_spec *spec, struct spec_process *out, struct error *err);

#endif
