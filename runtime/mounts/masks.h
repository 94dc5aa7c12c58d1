/* Paths that the container shall not see, and paths that it shall not write. */
#ifndef WARREN_RUNTIME_MASKS_H
#define WARREN_RUNTIME_MASKS_H

#include "base/error.h"
#include "runtime/mounts/mounts.h"
#include "runtime/spec.h"

/* Child side, inside the new root. null: a clone of the host's /dev/null. */
MUST_CHECK int masks_apply(const struct spec *spec, const struct mounts *mounts, int root, int null, struct error *err);
MUST_CHECK int masks_protect(const struct spec *spec, const struct mounts *mounts, int root, struct error *err);

#endif
