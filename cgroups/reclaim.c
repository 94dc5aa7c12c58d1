/* Memory that a cgroup does not need just now, given back to the host. What it cannot have back stays: nobody depends
 * on it, so there are no errors. */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"
#include "cgroups/tree.h"

bool cgroup_reclaim(const struct cgroup *cgroup, int64_t bytes)
{
	char text[24];

	if (cgroup->unified < 0) {
		/* Until little is left or nothing more comes; knob_write() fails where there is no such controller. */
		(void)knob_write(cgroup->hierarchy[CGROUP_MEMORY], "memory.force_empty", "0");
		return false;
	}
	snprintf(text, sizeof(text), "%" PRId64, bytes);
	return knob_write(cgroup->unified, "memory.reclaim", text) == 0; /* EAGAIN: less than that could be had */
}
