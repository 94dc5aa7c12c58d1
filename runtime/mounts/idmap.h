/* A user namespace that nobody lives in: id maps for mount_setattr(2), which takes them in this form only. */
#ifndef WARREN_RUNTIME_IDMAP_H
#define WARREN_RUNTIME_IDMAP_H

#include <stddef.h>

#include "base/error.h"
#include "runtime/spec.h"

/* Gives its descriptor. Costs a process for a moment. */
MUST_CHECK int idmap_namespace_open(const struct spec_mount *mount, struct error *err);

#endif
