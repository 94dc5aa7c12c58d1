/* Instances that live in the network of another. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_NETWORK_SHARING_H
#define WARREN_FLEET_NETWORK_SHARING_H

#include "fleet/state/instance.h"

#define SHARERS "sharers" /* live/<owner>/sharers/<name> */

/* Notes in the instance's directory whose network it shares, if any: for those that need not read all of its
 * specification. */
MUST_CHECK int sharing_note(int dir, const struct instance_spec *spec, struct error *err);
/* True when it can start only behind another. One system call. */
bool sharing_is_noted(const struct host *host, const char *name);

/* By the one that joins: so that the owner's next start finds it. */
MUST_CHECK int sharing_register(const struct instance *owner, const char *sharer, struct error *err);
/* At the owner's end: its link stays as long as somebody lives in the namespace, and would be in the way of its next
 * start, so it is deleted. One system call when nobody shares. */
MUST_CHECK int sharing_cut(const struct instance *owner, unsigned slot, struct error *err);

#endif
