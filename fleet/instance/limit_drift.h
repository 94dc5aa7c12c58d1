/* Limits in the kernel against those of a specification. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_LIMIT_DRIFT_H
#define WARREN_FLEET_INSTANCE_LIMIT_DRIFT_H

#include "base/arena.h"
#include "cgroups/cgroups.h"

/* One limit of a row: what the kernel has against what was said, if they differ. */
struct limit_drift {
	const char *key, *from, *to; /* NULL: no limit */
};
extern const size_t limit_drift_rows;
bool limit_drifts(const struct cgroup_limits *in_kernel, const struct cgroup_limits *said, size_t row,
	struct arena *arena, struct limit_drift *out);
/* The row's key of the fleet file. */
const char *limit_drift_key(size_t row);

#endif
