/* Making files as the root of an instance. Private to this folder. */
#ifndef WARREN_IMAGES_CREDENTIALS_H
#define WARREN_IMAGES_CREDENTIALS_H

#include <sys/types.h>

#include "base/error.h"

/* From here on this thread's files are made by that id of the host's, with all capabilities as before; 0: nothing to
 * do. Undone by filesystem_ids_restore() with the same id. errno stays there. */
MUST_CHECK int filesystem_ids_take(uid_t uid, struct error *err);
void filesystem_ids_restore(uid_t uid);

#endif
