/* The inside of a new network namespace, when nobody else sets it up. */
#ifndef WARREN_RUNTIME_NETWORK_H
#define WARREN_RUNTIME_NETWORK_H

#include "base/error.h"

MUST_CHECK int loopback_up(struct error *err);

#endif
