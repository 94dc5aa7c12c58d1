/* Device nodes and links in the container's /dev. */
#ifndef WARREN_RUNTIME_DEVICES_H
#define WARREN_RUNTIME_DEVICES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/namespaces/namespaces.h"
#include "runtime/spec.h"

struct device_item {
	struct spec_device device;
	int node; /* a clone of the host's node, where mknod is not allowed; -1 */
};

struct devices {
	struct device_item *items;
	size_t count;
	bool populate; /* /dev is ours to fill (no bind of a whole /dev) */
	bool terminal;
	int null; /* a clone of the host's /dev/null, verified: the mask of files */
};

/* Parent side. */
MUST_CHECK int devices_prepare(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct devices *out, struct error *err);
void devices_drop(struct devices *devices);

/* Child side, all mounts attached. dev: our own /dev mount or -1 (then the image's). */
MUST_CHECK int devices_make(const struct devices *devices, int root, int dev, struct error *err);

/* The image's or our /dev as a descriptor; refuses a link. */
MUST_CHECK int devices_open_directory(int root, struct error *err);

#endif
