/* Figures as cells of a table: for people "12.5M", for scripts 13107200. */
#ifndef WARREN_CLI_FIGURES_H
#define WARREN_CLI_FIGURES_H

#include "cli/table.h"
#include "fleet/fleet.h"

/* Unset figures give an empty cell, shown as "-". */
struct cell cell_bytes(struct arena *arena, struct optional bytes);
/* "12M/64M" for people; the value is the first. */
struct cell cell_bytes_of(struct arena *arena, struct optional bytes, struct optional limit);
struct cell cell_count(struct arena *arena, struct optional count);
/* value / 10^digits. */
struct cell cell_decimal(struct arena *arena, struct optional value, int digits);

/* part of whole in tenths of a percent; unset unless both are there and whole is not 0. */
struct optional figures_share(struct optional part, struct optional whole);
/* Thousandths of all processors that are online. */
struct optional figures_host_milli(void);
/* "0/12/3": processor, memory, disk, in percent; NULL where the kernel does not say. */
const char *figures_pressure(struct arena *arena, const struct cgroup_stats *cgroup);
const char *figures_health_colour(const char *health);

#endif
