/* What was applied, exactly: every layer merged, every placeholder replaced, every include read; what a fleet is rolled
 * back to. Only fleet/ includes this header.
 *
 * Text of one JSON document a line: first the fleet with its networks and volumes, then its instances in start order,
 * each as spec.json has it. The same fleet always gives the same text. Files that instances read when they start
 * (configs, secrets, environment files) are in it by their path, not by their content. */
#ifndef WARREN_FLEET_APPLY_APPLIED_H
#define WARREN_FLEET_APPLY_APPLIED_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/spec.h"

/* malloc()ed, the caller's. */
char *applied_encode(const struct fleet_file *file, size_t *length) __attribute__((returns_nonnull));
/* name: for errors. path of the result is NULL. */
MUST_CHECK int applied_decode(struct arena *arena, const char *name, const char *text, size_t length,
	struct fleet_file *out, struct error *err);

#endif
