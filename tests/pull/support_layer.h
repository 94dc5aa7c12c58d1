/* A scratch directory with a layer's directory in it, and unpacking into that as `warren-pull` does. */
#ifndef WARREN_TESTS_PULL_SUPPORT_LAYER_H
#define WARREN_TESTS_PULL_SUPPORT_LAYER_H

#include <sys/stat.h>

#include "images/pull/layer.h"
#include "tests/pull/support_archive.h"

struct world {
	char path[64]; /* of the scratch directory */
	int scratch;   /* it holds "layer", and "outside/secret", a file that nobody may touch */
	int layer;
	struct unpackers unpackers;
	struct arena arena;
	struct layer_result result;
};

void world_make(struct world *world);
void world_drop(struct world *world); /* asserts that nothing but "layer" and "outside" is there, unchanged */
/* An empty "layer" again. */
void world_empty(struct world *world);

/* Unpacks all of it. request NULL: nothing is promised. */
int world_unpack(struct world *world, const struct text *bytes, const struct layer_request *request, struct error *err);

/* What is in the layer: lstat by a path from its top, as seen with that as the root; asserts that it is there. */
struct stat world_stat(const struct world *world, const char *path);
bool world_has(const struct world *world, const char *path);
/* The first 255 bytes of a file. */
const char *world_text(const struct world *world, const char *path);

#endif
