/* Directories that an overlay file system would show as one, walked without mounting anything: the topmost that has a
 * name decides, a whiteout hides it, directories of one name are one directory down to the first that is opaque.
 * Private to this folder. */
#ifndef WARREN_IMAGES_PULL_STACK_H
#define WARREN_IMAGES_PULL_STACK_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

struct stack {
	int *dirs; /* the topmost first */
	size_t count;
};
void stack_drop(struct stack *stack);

/* Ends it with the first that is opaque. */
void stack_cut(struct stack *stack);
/* The directory `name` in it, looked for from number `first` on: ends before something else of that name. Empty when it
 * is none. */
MUST_CHECK int stack_open(
	const struct stack *above, size_t first, const char *name, struct stack *out, struct error *err);
/* The first that has the name: its number, or -1. Whiteouts count. */
ssize_t stack_find(const struct stack *stack, const char *name, struct stat *status);
/* All names in it, each once, sorted. `path` is for errors. */
MUST_CHECK int stack_names(
	struct arena *arena, const struct stack *stack, const char *path, struct strings *out, struct error *err);

#endif
