/* What an instance takes from its image. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_STATE_IMAGE_H
#define WARREN_FLEET_STATE_IMAGE_H

#include "fleet/state/instance.h"

/* Of an instance that exists: dir is its directory. Empty for a plain root directory. */
MUST_CHECK int instance_image_read(int store, int dir, const struct instance_spec *spec, struct arena *arena,
	struct image_config *out, struct error *err);
/* Adds the image's volumes to those of the specification, but for targets that this has. */
void instance_image_volumes(struct arena *arena, const struct image_config *image, struct instance_spec *spec);
/* The image's health check, where the specification has none of its own and does not refuse it. */
void instance_image_health(const struct image_config *image, struct instance_spec *spec);
/* The signal that ends it: its own, else its image's, else SIGTERM. */
int instance_stop_signal(const struct instance_spec *spec, int dir);

#endif
