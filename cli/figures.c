/* Figures as text; see figures.h. */
#include "cli/figures.h"

#include <string.h>
#include <unistd.h>

struct cell cell_bytes(struct arena *arena, struct optional bytes)
{
	char buffer[24];

	if (!bytes.set)
		return (struct cell){0};
	return (struct cell){arena_string(arena, size_format(bytes.value, buffer)),
		arena_format(arena, "%lld", (long long)bytes.value)};
}

struct cell cell_bytes_of(struct arena *arena, struct optional bytes, struct optional limit)
{
	struct cell cell = cell_bytes(arena, bytes);
	char buffer[24];

	if (bytes.set && limit.set)
		cell.text = arena_format(arena, "%s/%s", cell.text, size_format(limit.value, buffer));
	return cell;
}

struct cell cell_count(struct arena *arena, struct optional count)
{
	return (struct cell){.text = count.set ? arena_format(arena, "%lld", (long long)count.value) : NULL};
}

struct cell cell_decimal(struct arena *arena, struct optional value, int digits)
{
	int64_t unit = 1;

	if (!value.set)
		return (struct cell){0};
	for (int i = 0; i < digits; i++)
		unit *= 10;
	return (struct cell){.text = arena_format(arena, "%lld.%0*lld", (long long)(value.value / unit), digits,
				     (long long)(value.value % unit))};
}

struct optional figures_share(struct optional part, struct optional whole)
{
	if (!part.set || !whole.set || whole.value <= 0)
		return (struct optional){0};
	return (struct optional){true, (int64_t)((__int128)part.value * 1000 / whole.value)};
}

struct optional figures_host_milli(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return (struct optional){processors > 0, (int64_t)processors * 1000};
}

static long long percent(struct optional hundredths)
{
	return (long long)(hundredths.value + 50) / 100;
}

const char *figures_pressure(struct arena *arena, const struct cgroup_stats *cgroup)
{
	if (!cgroup->cpu_pressure_10s.set)
		return NULL;
	return arena_format(arena, "%lld/%lld/%lld", percent(cgroup->cpu_pressure_10s),
		percent(cgroup->memory_pressure_10s), percent(cgroup->io_pressure_10s));
}

const char *figures_health_colour(const char *health)
{
	if (!strcmp(health, "healthy"))
		return "\033[32m";
	return !strcmp(health, "unhealthy") ? "\033[31m" : NULL;
}
