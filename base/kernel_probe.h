/* The questions behind base/kernel.c, one per feature; each leaves nothing behind. */
#ifndef WARREN_BASE_KERNEL_PROBE_H
#define WARREN_BASE_KERNEL_PROBE_H

#include "base/kernel.h"

/* Tries the feature, never KERNEL_UNASKED. Keeps errno. */
enum kernel_answer kernel_probe(enum kernel_feature feature);

#endif
