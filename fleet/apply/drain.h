/* Giving what is connected the time to end. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_APPLY_DRAIN_H
#define WARREN_FLEET_APPLY_DRAIN_H

#include "fleet/apply/wave.h"

/* Those from which the ports have just been taken away: waits until nobody is connected to them any more, at most for
 * the `drain` of the longest. */
void drain_await(struct wave *wave, enum whose whose);

#endif
