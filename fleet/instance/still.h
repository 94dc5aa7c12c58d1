/* An instance whose files stay as they are for a while. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_STILL_H
#define WARREN_FLEET_INSTANCE_STILL_H

#include "fleet/state/instance.h"

/* With the instance's lock held, between begin and end nothing inside writes: one that runs is frozen, one that is
 * paused stays so. A kill of this command in between leaves it paused, as `warren list` shows, until `warren resume`.
 */
struct stillness {
	bool running, thaw;
	enum desired_state desired; /* before */
	struct cgroup cgroup;	    /* when it is running */
};
MUST_CHECK int instance_still_begin(struct instance *instance, struct stillness *out, struct error *err);
void instance_still_end(struct instance *instance, struct stillness *still);

#endif
