/* Keeping a mount table. */
#include "runtime/mounts/mount_table.h"

#include <string.h>

#define MOUNTS_MAX 100000

struct keeping {
	struct arena *arena;
	struct mount_table *table;
	size_t room;
	bool too_many;
};

static bool mount_keep(void *context, const struct mountinfo *mount)
{
	struct keeping *keeping = context;
	struct mount_table *table = keeping->table;
	struct arena *arena = keeping->arena;

	keeping->too_many = table->count == MOUNTS_MAX;
	if (keeping->too_many)
		return false;
	table->items = arena_grow(arena, table->items, table->count, &keeping->room, sizeof(*table->items));
	table->items[table->count++] = (struct mountinfo){.id = mount->id,
		.device = arena_string(arena, mount->device),
		.root = arena_string(arena, mount->root),
		.point = arena_string(arena, mount->point),
		.flags = arena_string(arena, mount->flags),
		.type = arena_string(arena, mount->type),
		.options = arena_string(arena, mount->options)};
	return true;
}

int mount_table_read(struct arena *arena, int proc, struct mount_table *out, struct error *err)
{
	struct keeping keeping = {.arena = arena, .table = out};

	*out = (struct mount_table){0};
	if (mountinfo_each(proc, mount_keep, &keeping, err) < 0)
		return -1;
	if (keeping.too_many)
		return fail(err, ERROR_SYSTEM, "mountinfo: more than %d mounts", MOUNTS_MAX);
	return 0;
}
