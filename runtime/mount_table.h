/* Mount tables as /proc/PID/mountinfo shows them. */
#ifndef WARREN_RUNTIME_MOUNT_TABLE_H
#define WARREN_RUNTIME_MOUNT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct table_mount {
	uint64_t id;
	const char *device; /* "254:1" */
	const char *root;   /* what of the file system is mounted: "/", "/srv/data" */
	const char *point;
	const char *type;
};
struct mount_table {
	struct table_mount *items;
	size_t count;
};

/* proc: /proc/PID. Everything lies in the arena. Lines that are not understood are left out. */
MUST_CHECK int mount_table_read(struct arena *arena, int proc, struct mount_table *out, struct error *err);

#endif
