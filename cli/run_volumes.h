/* -v, --mount and --tmpfs → volumes of a specification. */
#ifndef WARREN_CLI_RUN_VOLUMES_H
#define WARREN_CLI_RUN_VOLUMES_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/spec.h"

/* "SOURCE:TARGET[:OPTIONS]". Options of docker and podman that change nothing here are passed over; "z" and "Z", which
 * relabel, with a warning where SELinux would have needed it. A source "./…" is below the working directory. */
MUST_CHECK int volume_word_parse(struct arena *arena, const char *text, struct volume *out, struct error *err);
/* "type=bind,src=/srv/a,dst=/a,ro" */
MUST_CHECK int mount_parse(struct arena *arena, const char *text, struct volume *out, struct error *err);
/* "PATH[:size=64M][,mode=0755]" */
MUST_CHECK int tmpfs_parse(struct arena *arena, const char *text, struct volume *out, struct error *err);

#endif
