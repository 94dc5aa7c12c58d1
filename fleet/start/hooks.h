/* Hooks of an instance. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_START_HOOKS_H
#define WARREN_FLEET_START_HOOKS_H

#include "fleet/state/instance.h"
#include "runtime/runtime.h"

/* What its hooks are told of it. */
void instance_hook_facts(struct arena *arena, const struct instance *instance, const struct instance_spec *spec,
	struct container_facts *out);
/* True when some of them run in the instance's own namespaces. */
bool hooks_are_inside(const struct spec_hooks *hooks);
/* Those after the end of a run; failures are warned of. */
void instance_poststop_run(struct instance *instance);

#endif
