/* A set of paths: open addressing, doubled when half full. */
#include <stdint.h>
#include <string.h>

#include "images/files/path_set.h"

#define FIRST_SIZE 1024

struct path_set {
	const char **slots;
	size_t size, used; /* size is a power of two */
};

/* FNV-1a, 32 bits. */
static size_t path_hash(const char *path)
{
	uint32_t hash = 2166136261u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619u;
	return hash;
}

static size_t slot_find(const struct path_set *set, const char *path)
{
	size_t slot = path_hash(path) & (set->size - 1);

	while (set->slots[slot] && strcmp(set->slots[slot], path) != 0)
		slot = (slot + 1) & (set->size - 1);
	return slot;
}

static struct path_set *path_set_make(struct arena *arena, size_t size)
{
	struct path_set *set = arena_new(arena, struct path_set);

	set->slots = arena_new_array(arena, size, const char *);
	set->size = size;
	return set;
}

static struct path_set *path_set_grow(struct arena *arena, const struct path_set *old)
{
	struct path_set *set = path_set_make(arena, old->size * 2);

	for (size_t i = 0; i < old->size; i++)
		if (old->slots[i])
			path_set_add(arena, &set, old->slots[i]);
	return set;
}

void path_set_add(struct arena *arena, struct path_set **set, const char *path)
{
	size_t slot;

	if (!*set)
		*set = path_set_make(arena, FIRST_SIZE);
	if ((*set)->used * 2 >= (*set)->size)
		*set = path_set_grow(arena, *set);
	slot = slot_find(*set, path);
	if (!(*set)->slots[slot])
		(*set)->used++;
	(*set)->slots[slot] = path;
}

bool path_set_has(const struct path_set *set, const char *path)
{
	return set && set->slots[slot_find(set, path)];
}
