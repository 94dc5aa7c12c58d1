/* Memory released all at once.
 *
 * What is decoded or built for one operation lives in one arena. An arena takes its memory from the kernel in large
 * pieces (mmap) and gives all of it back in arena_drop(): a monitor that outlives the command which started it keeps
 * nothing of that command's memory.
 *
 * Allocation does not fail: when the kernel has no memory, one line goes to stderr and the process ends with status 1.
 * (docs/decisions: every caller would do just that, through a thousand untested branches.) */
#ifndef WARREN_BASE_ARENA_H
#define WARREN_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct arena_piece;
struct arena {
	struct arena_piece *pieces;
}; /* all zero: an empty arena */

/* Zeroed memory, aligned for any type, valid until arena_drop(). Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));

/* The same for count items; the product is checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull, malloc));

#define arena_new(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define arena_new_array(arena, count, type) ((type *)arena_array(arena, count, sizeof(type)))

/* For a list that grows: the items, moved when count has reached *room, with room for one more at least. Memory that
 * was too small stays in the arena, at most as much again as the list. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size)
	__attribute__((returns_nonnull));

const char *arena_string(struct arena *arena, const char *text) __attribute__((returns_nonnull));
const char *arena_bytes(struct arena *arena, const char *bytes, size_t length) __attribute__((returns_nonnull));
const char *arena_format(struct arena *arena, const char *format, ...) PRINTF(2, 3) __attribute__((returns_nonnull));

/* Takes memory for `pieces` ordinary pieces at once, for arenas to come: what runs out of memory does so here, before
 * anything is made that would have to be undone. For programs that do one thing and end: it is kept, and dropped arenas
 * give their pieces back to it instead of to the kernel, which is two system calls less for each. */
void arena_reserve(unsigned pieces);

/* True when the pointer lies in memory of this arena. */
bool arena_holds(const struct arena *arena, const void *pointer);

/* Ends the process as described above; for the few places that take memory from elsewhere. */
_Noreturn void memory_exhausted(void);

/* Gives everything back; the arena is empty and usable afterwards. */
void arena_drop(struct arena *arena);

#endif
