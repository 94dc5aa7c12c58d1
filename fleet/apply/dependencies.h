/* What has to be well before others begin. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_APPLY_DEPENDENCIES_H
#define WARREN_FLEET_APPLY_DEPENDENCIES_H

#include "fleet/apply/apply.h"

/* Waits until all that the steps of this batch want healthy before they start are so. Steps for which that fails are
 * reported as failed. */
void dependencies_await(struct steps *steps, const struct batch *batch);

#endif
