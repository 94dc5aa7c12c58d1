/* Giving what is connected the time to end. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_DRAIN_H
#define WARREN_FLEET_INSTANCE_DRAIN_H

#include "fleet/apply/wave.h"

/* How often connections are counted, and what was on its way when the ports were led elsewhere: the time between the
 * choice of an address and the first answer. */
#define DRAIN_LOOK_MS 50
#define DRAIN_SETTLE_MS 100

/* Those from which the ports have just been taken away: waits until nobody is connected to them any more, at most for
 * the `drain` of the longest. */
void drain_await(struct wave *wave, enum whose whose);

#endif
