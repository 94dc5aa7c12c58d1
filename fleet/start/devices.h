/* Devices of the host for an instance: what its start needs of the key `devices`. Private to this folder. */
#ifndef WARREN_FLEET_START_DEVICES_H
#define WARREN_FLEET_START_DEVICES_H

#include "fleet/spec.h"
#include "images/images.h"

struct device_node_list {
	struct device_node *items; /* in the order of spec->devices */
	size_t count;
};

/* What stands behind the paths now. ERROR_SYSTEM: nothing; ERROR_USAGE: something that is no device. */
MUST_CHECK int devices_look_up(
	struct arena *arena, const struct instance_spec *spec, struct device_node_list *out, struct error *err);

/* The rules that let its processes use these, and besides only what every instance has. None: no rules either. */
void devices_allow(struct arena *arena, const struct instance_spec *spec, const struct device_node_list *nodes,
	struct cgroup_limits *limits);

#endif
