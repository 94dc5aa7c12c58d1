/* The instance's directory, made and unmade. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_CREATE_H
#define WARREN_FLEET_INSTANCE_CREATE_H

#include "fleet/state/instance.h"

/* instance_create() with the root that another had (images.h: root_inherit()); NULL: with that of its image. */
MUST_CHECK int instance_create_from(
	struct host *host, const struct instance_spec *spec, const struct image_config *snapshot, struct error *err);
/* Of a stopped one that we hold; its files, slot, address, logs. */
MUST_CHECK int instance_discard(struct instance *instance, struct error *err);
/* Staged directories ".<name>.<random>": makes one, locked. */
MUST_CHECK int instance_stage(
	struct host *host, const char *name, struct instance *out, char path[96], struct error *err);

#endif
