/* Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_SHARING_FOLLOW_H
#define WARREN_FLEET_INSTANCE_SHARING_FOLLOW_H

#include "fleet/state/instance.h"

/* After the owner was started anew: those that still live in its old network are restarted into the new one. Failures
 * are logged. One system call when there are none. */
void sharing_follow(struct host *host, const char *owner);

#endif
