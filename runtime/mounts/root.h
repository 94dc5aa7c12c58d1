/* The new root: attached, entered, finished. */
#ifndef WARREN_RUNTIME_ROOT_H
#define WARREN_RUNTIME_ROOT_H

#include "base/error.h"
#include "runtime/spec.h"

/* Parent side, bundle form: a clone of spec->root with all that is mounted below it, cut off from the host's. */
MUST_CHECK int root_clone(const struct spec *spec, struct error *err);

/* Child side, in this order. cut_off: what is mounted in its namespace shows nowhere else. */
MUST_CHECK int root_attach(int root, bool cut_off, struct error *err);
MUST_CHECK int root_enter(struct error *err);					  /* pivot_root; the old root is gone */
MUST_CHECK int root_finish(const struct spec *spec, int root, struct error *err); /* read-only, propagation */

#endif
