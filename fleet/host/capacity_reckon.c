/* How many more fit. Two questions, and both answers are shown: how many by what instances really use, and how many
 * before the promises (limits) of all together are more than the host has. */
#include "fleet/host/capacity.h"

#include <string.h>

#define MIB (1024 * 1024)
#define OWN_MEMORY_BYTES (768 * 1024) /* of the kernel and the monitor, an instance */
#define SUGGESTED_LEAST (4 * MIB)

static int64_t fits(int64_t have, int64_t taken, int64_t each)
{
	if (each <= 0)
		return -1;
	return have > taken ? (have - taken) / each : 0;
}

void capacity_bound_add(struct arena *arena, struct capacity *capacity, const struct capacity_bound *bound)
{
	struct capacity_bound *items = arena_new_array(arena, capacity->bounds.count + 1, struct capacity_bound);

	if (capacity->bounds.count)
		memcpy(items, capacity->bounds.items, capacity->bounds.count * sizeof(*items));
	items[capacity->bounds.count++] = *bound;
	capacity->bounds.items = items;
}

static int64_t optional_or_zero(struct optional value)
{
	return value.set && value.value > 0 ? value.value : 0;
}

void capacity_reckon(
	struct arena *arena, const struct capacity_facts *facts, const struct capacity_need *need, struct capacity *out)
{
	int64_t memory_limit = optional_or_zero(need->memory_limit_bytes);
	const struct capacity_bound rows[] = {
		{"memory in use", facts->memory_bytes, facts->memory_bytes - facts->memory_free_bytes,
			need->memory_bytes + OWN_MEMORY_BYTES, "bytes", 0, CAPACITY_USED},
		{"processors in use", facts->processors_milli, facts->cpu_used_milli, need->cpu_milli, "milli", 0,
			false},
		{"disk in use", facts->disk_bytes, facts->disk_bytes - facts->disk_free_bytes, need->disk_bytes,
			"bytes", 0, CAPACITY_USED},
		{"processes", facts->pid_max, facts->pids_now, need->pids, "", 0, CAPACITY_USED},
		{"slots", SLOT_MAX, facts->slots_taken, 1, "", 0, CAPACITY_USED},
		{"open files", facts->files_max, facts->files_open, 256, "", 0, CAPACITY_USED},
		{"memory limits", facts->memory_bytes, facts->memory_promised_bytes,
			memory_limit ? memory_limit + OWN_MEMORY_BYTES : 0, "bytes", 0, CAPACITY_PROMISED},
		{"processor limits", facts->processors_milli, facts->cpu_promised_milli,
			optional_or_zero(need->cpu_limit_milli), "milli", 0, CAPACITY_PROMISED},
		{"disk limits", facts->disk_bytes, facts->disk_bytes - facts->disk_free_bytes,
			optional_or_zero(need->disk_limit_bytes), "bytes", 0, CAPACITY_PROMISED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct capacity_bound bound = rows[i];

		bound.fits = bound.have > 0 ? fits(bound.have, bound.taken, bound.each) : -1;
		capacity_bound_add(arena, out, &bound);
	}
}

void capacity_conclude(struct capacity *capacity)
{
	for (int basis = 0; basis <= CAPACITY_SETTING; basis++)
		capacity->fits[basis] = -1;
	for (size_t i = 0; i < capacity->bounds.count; i++) {
		const struct capacity_bound *bound = &capacity->bounds.items[i];
		int64_t *least = &capacity->fits[bound->basis];

		if (bound->fits < 0 || (*least >= 0 && bound->fits >= *least))
			continue;
		*least = bound->fits;
		capacity->first[bound->basis] = bound->resource;
	}
}

/* A peak counts page cache too, which fills whatever limit there is; one far below the limit is a safe sign. Without a
 * peak only a use that is much lower says something. */
int64_t capacity_suggest(int64_t limit_bytes, int64_t used_bytes, int64_t peak_bytes)
{
	int64_t most = peak_bytes > used_bytes ? peak_bytes : used_bytes;
	int64_t part = peak_bytes ? 2 : 4;
	int64_t suggested = (most + most / 4 + MIB - 1) / MIB * MIB;

	if (limit_bytes <= 0 || most > limit_bytes / part)
		return 0;
	if (!peak_bytes)
		suggested *= 2;
	if (suggested < SUGGESTED_LEAST)
		suggested = SUGGESTED_LEAST;
	return suggested * 4 <= limit_bytes * 3 ? suggested : 0;
}
