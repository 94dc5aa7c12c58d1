/* A container's first process, made anew from images instead of being started. */
#ifndef WARREN_RUNTIME_RESTORE_H
#define WARREN_RUNTIME_RESTORE_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/runtime.h"

struct restore {
	struct arena *arena;
	const struct spec *spec;
	const struct container_criu_options *options;
	const struct cgroup_entrance *entrance; /* NULL: our own cgroup */
	/* The first process exists in its namespaces, and nothing in it runs yet. */
	int (*on_process)(void *context, pid_t pid, struct error *err);
	void *context;
};

/* As launch_start(): the process is our child. */
MUST_CHECK int restore_start(const struct restore *restore, struct launched *out, struct error *err);

#endif
