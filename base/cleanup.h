/* Release at the end of the scope, and taking a thing out of that care.
 *
 *   auto_fd fd = openat(…);        closed at the end of the scope, unless it is -1
 *   auto_free char *line = NULL;   freed
 *   AUTO(arena_drop) struct arena arena = {0};
 *   return take_fd(&fd);           the caller has it now
 *
 * Release functions accept -1, NULL and half-made things, and leave errno as it was. */
#ifndef WARREN_BASE_CLEANUP_H
#define WARREN_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* unused: a lock or a guard is held by being there; clang would ask what it is for. */
#define AUTO(drop) __attribute__((cleanup(drop), unused))

static inline void fd_drop(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void memory_drop(void *pointer)
{
	int saved = errno;

	free(*(void **)pointer);
	*(void **)pointer = NULL;
	errno = saved;
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_ptr(void *pointer)
{
	void *taken = *(void **)pointer;

	*(void **)pointer = NULL;
	return taken;
}

#define auto_fd AUTO(fd_drop) int
#define auto_free AUTO(memory_drop)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
