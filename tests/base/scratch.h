/* A directory for one test, removed with all in it when the scope ends. */
#ifndef WARREN_TESTS_BASE_SCRATCH_H
#define WARREN_TESTS_BASE_SCRATCH_H

#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"

struct scratch {
	char path[32];
	int fd;
};

static inline struct scratch scratch_make(void)
{
	struct scratch scratch = {.path = "/tmp/warren-base-XXXXXX"};

	if (!mkdtemp(scratch.path))
		abort();
	scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch;
}

static inline void scratch_drop(struct scratch *scratch)
{
	struct error err;

	fd_drop(&scratch->fd);
	if (tree_remove(AT_FDCWD, scratch->path, &err) < 0)
		abort();
}

#define SCRATCH(name) AUTO(scratch_drop) struct scratch name = scratch_make()

#endif
