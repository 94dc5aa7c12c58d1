/* Files with several names: under which one each was seen first. Private to this folder. */
#ifndef WARREN_IMAGES_FIRST_NAMES_H
#define WARREN_IMAGES_FIRST_NAMES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"

/* All zero: none yet. */
struct first_names {
	struct arena arena;
	struct first_name *slots;
	size_t count, room;
};

/* The path that was given with this file before, valid until first_names_drop(); NULL: none, and now it is this one. */
const char *first_name_see(struct first_names *names, dev_t device, ino_t inode, const char *path);
void first_names_drop(struct first_names *names);

#endif
