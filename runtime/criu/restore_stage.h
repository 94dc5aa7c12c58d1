/* What CRIU finds below its /tmp: the container's root and all mounts of the host, each by a name of ours. */
#ifndef WARREN_RUNTIME_RESTORE_STAGE_H
#define WARREN_RUNTIME_RESTORE_STAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/mounts/mounts.h"
#include "runtime/namespaces/namespaces.h"
#include "runtime/spec.h"

#define STAGE_ROOT "/tmp/root"

struct restore_stage {
	struct arena *arena;
	const struct spec *spec;
	int root;
	struct mounts mounts;
	int report[2]; /* a pipe: what is mounted below the binds, from the process that attaches to us */
};
#define RESTORE_STAGE_NONE ((struct restore_stage){.root = -1, .report = {-1, -1}})

/* Opens root and sources, as a start does. */
MUST_CHECK int restore_stage_open(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct restore_stage *out, struct error *err);
void restore_stage_drop(struct restore_stage *stage);

/* In CRIU's mount namespace; tmp: its /tmp. For struct criu_start. */
int restore_stage_attach(void *stage, int tmp, struct error *err);

/* When that process has been started: adds "mnt[/data]:/tmp/3" for all that may have been declared. */
MUST_CHECK int restore_stage_name(struct restore_stage *stage, struct strings *external, struct error *err);

#endif
