/* A set of numbers in a file, shared by processes: which slots, which host numbers of a network are taken.
 *
 * The file lies on a tmpfs and is sparse: 8 bytes of header, then one bit a number. Opening it takes its flock, which
 * the kernel drops when the holder dies; each change is one write of at most 9 bytes, so a kill leaves no half state.
 */
#ifndef WARREN_NETNS_BITMAP_H
#define WARREN_NETNS_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct bitmap {
	int fd;
	uint32_t tag;  /* free for the owner, kept in the header; 0 in a new file */
	uint32_t hint; /* where the next search begins: numbers just given back are not reused at once */
};

/* Opens (creating) and locks. */
MUST_CHECK int bitmap_open(int dir, const char *name, struct bitmap *bitmap, struct error *err);
void bitmap_drop(struct bitmap *bitmap);
/* One that is open and locked already, by its descriptor, which stays its owner's: not for bitmap_drop(). */
MUST_CHECK int bitmap_borrow(int fd, struct bitmap *bitmap, struct error *err);
MUST_CHECK int bitmap_set_tag(struct bitmap *bitmap, uint32_t tag, struct error *err);

/* 1, 0 or -1. */
MUST_CHECK int bitmap_test(const struct bitmap *bitmap, uint32_t number, struct error *err);
MUST_CHECK int bitmap_put(struct bitmap *bitmap, uint32_t number, bool taken, struct error *err);
/* Takes the next free number in first … last that is usable (NULL: all are); the hint moves behind it. 1: taken, 0:
 * none is free. */
typedef bool bitmap_usable(uint32_t number);
MUST_CHECK int bitmap_take(struct bitmap *bitmap, uint32_t first, uint32_t last, bitmap_usable *usable,
	uint32_t *number, struct error *err);
/* Gives back every number that is not among `kept`, which has `count` of them in ascending order. */
MUST_CHECK int bitmap_keep(const struct bitmap *bitmap, const uint32_t *kept, size_t count, struct error *err);
/* How many are taken. */
MUST_CHECK int bitmap_count(const struct bitmap *bitmap, size_t *count, struct error *err);
/* 1 when no number is taken, 0 or -1. */
MUST_CHECK int bitmap_is_empty(const struct bitmap *bitmap, struct error *err);

#endif
