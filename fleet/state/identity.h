/* What an instance that boots an init has for itself, as a machine has. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_STATE_IDENTITY_H
#define WARREN_FLEET_STATE_IDENTITY_H

#include "base/error.h"
#include "fleet/spec.h"

/* At its creation, into its upper layer (dir: the instance's directory): /etc/machine-id and /etc/hostname. */
MUST_CHECK int identity_write(int dir, const struct instance_spec *spec, struct error *err);
/* At each start: one more file for configs_mount(), the id of this boot. */
MUST_CHECK int identity_boot_add(struct arena *arena, struct config_file_list *files, struct error *err);

/* Of the one that serves while an instance is replaced: NAME-next, cut to what a name may have. */
const char *stand_in_name(struct arena *arena, const char *name);

#endif
