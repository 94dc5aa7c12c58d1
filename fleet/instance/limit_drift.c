/* See limit_drift.h. */
#include "fleet/instance/limit_drift.h"

#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CPU_PERIOD_US 100000

enum limit_flags {
	PAGES = 1,	 /* the kernel keeps whole pages */
	ONLY_WANTED = 2, /* what there is without being asked for differs from kernel to kernel */
	ONLY_READ = 4,	 /* a file that is not there says nothing */
	PROCESSORS = 8,
};

static const struct limit_row {
	const char *key;
	size_t offset;
	int64_t unset; /* what counts when nobody said anything; -1: no limit */
	unsigned flags;
} limit_rows[] = {
	{"resources.memory", offsetof(struct cgroup_limits, memory_max), -1, PAGES},
	{"resources.memory_high", offsetof(struct cgroup_limits, memory_high), -1, PAGES | ONLY_READ},
	{"resources.memory_low", offsetof(struct cgroup_limits, memory_low), 0, PAGES | ONLY_WANTED},
	{"resources.swap", offsetof(struct cgroup_limits, swap_max), -1, PAGES | ONLY_WANTED | ONLY_READ},
	{"resources.pids", offsetof(struct cgroup_limits, pids_max), -1, 0},
	{"resources.cpus", offsetof(struct cgroup_limits, cpu_quota_us), -1, PROCESSORS},
	{"resources.cpu_weight", offsetof(struct cgroup_limits, cpu_weight), 100, 0},
};

static struct optional limit_get(const struct limit_row *row, const struct cgroup_limits *limits)
{
	return *(const struct optional *)((const char *)limits + row->offset);
}

/* As the kernel rounds it. */
static int64_t limit_value(const struct limit_row *row, const struct cgroup_limits *limits)
{
	struct optional limit = limit_get(row, limits);
	int64_t page = sysconf(_SC_PAGESIZE);

	if (!limit.set)
		return row->unset;
	if ((row->flags & PAGES) && limit.value > 0)
		return limit.value / page * page;
	if ((row->flags & PROCESSORS) && limits->cpu_period_us.set && limits->cpu_period_us.value > 0)
		return limit.value * CPU_PERIOD_US / limits->cpu_period_us.value;
	return limit.value;
}

static const char *limit_text(struct arena *arena, const struct limit_row *row, int64_t value)
{
	if (value < 0)
		return NULL;
	if (row->flags & PROCESSORS)
		return arena_format(arena, "%" PRId64 ".%03" PRId64, value / CPU_PERIOD_US,
			value % CPU_PERIOD_US * 1000 / CPU_PERIOD_US);
	return arena_format(arena, "%" PRId64, value);
}

bool limit_drifts(const struct cgroup_limits *in_kernel, const struct cgroup_limits *said, size_t row,
	struct arena *arena, struct limit_drift *out)
{
	const struct limit_row *limit = &limit_rows[row];
	int64_t is = limit_value(limit, in_kernel), shall = limit_value(limit, said);

	if (is == shall || ((limit->flags & ONLY_READ) && !limit_get(limit, in_kernel).set) ||
		((limit->flags & ONLY_WANTED) && !limit_get(limit, said).set))
		return false;
	*out = (struct limit_drift){limit->key, limit_text(arena, limit, is), limit_text(arena, limit, shall)};
	return true;
}

const size_t limit_drift_rows = ARRAY_SIZE(limit_rows);

const char *limit_drift_key(size_t row)
{
	return limit_rows[row].key;
}
