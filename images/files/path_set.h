/* A set of paths. */
#ifndef WARREN_IMAGES_PATH_SET_H
#define WARREN_IMAGES_PATH_SET_H

#include <stdbool.h>

#include "base/arena.h"

struct path_set;

/* A set that is NULL is empty; the first path makes it, in the arena. The strings stay the caller's. */
void path_set_add(struct arena *arena, struct path_set **set, const char *path);
bool path_set_has(const struct path_set *set, const char *path);

#endif
