/* A mount table as a whole, for those who look things up in it more than once. */
#ifndef WARREN_RUNTIME_MOUNT_TABLE_H
#define WARREN_RUNTIME_MOUNT_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/mountinfo.h"

struct mount_table {
	struct mountinfo *items;
	size_t count;
};

/* proc: /proc/PID. Everything lies in the arena. Lines that are not understood are left out. */
MUST_CHECK int mount_table_read(struct arena *arena, int proc, struct mount_table *out, struct error *err);

#endif
