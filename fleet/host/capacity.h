/* The arithmetic of capacity, pure; only fleet/ includes this header. */
#ifndef WARREN_FLEET_HOST_CAPACITY_H
#define WARREN_FLEET_HOST_CAPACITY_H

#include "fleet/fleet.h"

/* What one instance takes: really, and at most. Unset: not known, no limit. */
struct capacity_need {
	int64_t memory_bytes, cpu_milli, pids, disk_bytes;
	struct optional memory_limit_bytes, cpu_limit_milli, disk_limit_bytes;
};

/* What the host has and what is taken of it. */
struct capacity_facts {
	int64_t memory_bytes, memory_free_bytes, processors_milli, cpu_used_milli;
	int64_t memory_promised_bytes, cpu_promised_milli; /* sums of the limits of those that run */
	int64_t disk_bytes, disk_free_bytes;
	int64_t slots_taken;
	int64_t files_max, files_open, pid_max, pids_now;
	size_t running;
};

/* Appends the bounds that follow, and fills in the least of them. */
void capacity_reckon(struct arena *arena, const struct capacity_facts *facts, const struct capacity_need *need,
	struct capacity *out);
void capacity_bound_add(struct arena *arena, struct capacity *capacity, const struct capacity_bound *bound);
void capacity_conclude(struct capacity *capacity);
/* What a limit could be: a quarter above the peak, in whole MiB, at least 4. 0: the limit is fine as it is. */
int64_t capacity_suggest(int64_t limit_bytes, int64_t used_bytes, int64_t peak_bytes);

#endif
