/* A hash table with open addressing: a tree may have a million files with several names, and each name is asked for.
 *
 * The slot follows from the number of the file by Fibonacci hashing (the golden ratio of 2^64), which spreads
 * consecutive inodes; whoever chose their numbers could only slow down the copy of his own files. */
#include "images/files/first_names.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define ROOM_FIRST 256
#define GOLDEN_RATIO 0x9e3779b97f4a7c15U

struct first_name {
	dev_t device;
	ino_t inode;
	const char *path; /* NULL: a free slot */
};

static struct first_name *slot_find(struct first_name *slots, size_t room, dev_t device, ino_t inode)
{
	size_t at = (size_t)(((uint64_t)inode ^ (uint64_t)device << 32) * GOLDEN_RATIO >> 32) & (room - 1);

	while (slots[at].path && (slots[at].inode != inode || slots[at].device != device))
		at = (at + 1) & (room - 1);
	return &slots[at];
}

/* Never more than half full, so that a free slot is near. */
static void room_make(struct first_names *names)
{
	size_t room = names->room ? names->room * 2 : ROOM_FIRST;
	struct first_name *slots;

	if (names->count * 2 < names->room)
		return;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		memory_exhausted();
	for (size_t i = 0; i < names->room; i++) {
		const struct first_name *old = &names->slots[i];

		if (old->path)
			*slot_find(slots, room, old->device, old->inode) = *old;
	}
	free(names->slots);
	names->slots = slots;
	names->room = room;
}

const char *first_name_see(struct first_names *names, dev_t device, ino_t inode, const char *path)
{
	struct first_name *slot;

	room_make(names);
	slot = slot_find(names->slots, names->room, device, inode);
	if (slot->path)
		return slot->path;
	*slot = (struct first_name){.device = device, .inode = inode, .path = arena_string(&names->arena, path)};
	names->count++;
	return NULL;
}

void first_names_drop(struct first_names *names)
{
	arena_drop(&names->arena);
	free(names->slots);
	*names = (struct first_names){0};
}
