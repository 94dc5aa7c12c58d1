/* What an instance has made of the root that it was given. */
#ifndef WARREN_IMAGES_PULL_CHANGES_H
#define WARREN_IMAGES_PULL_CHANGES_H

#include "base/arena.h"
#include "base/error.h"
#include "images/pull/instance.h"

struct root_change {
	char kind; /* 'A' added, 'C' changed, 'D' deleted */
	const char *path;
};
struct root_changes {
	struct root_change *items; /* by path */
	size_t count, room;
};

/* By the layers of its own against those below. A directory counts as changed when something in it has, or its owner or
 * mode. Generated files are left out. copied: its own files are partly copies of what is below (the image `host`): of
 * the same content they are no change. Paths lie in the arena. */
MUST_CHECK int changes_find(struct arena *arena, const struct instance_layers *layers, bool copied,
	struct root_changes *out, struct error *err);

#endif
