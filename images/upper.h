/* Writing into the upper layer of an instance that does not run. Private to this folder. */
#ifndef WARREN_IMAGES_UPPER_H
#define WARREN_IMAGES_UPPER_H

#include "images/images.h"

#define UPPER "u"
#define WORK "w"

/* The upper layer's directory. */
MUST_CHECK int upper_open(int instance, struct error *err);
/* The directory that holds path's last component, made with its parents when missing: the result is opened for reading,
 * *name points to the last component. path is absolute; a link on the way is refused (errnum ENOTDIR). */
MUST_CHECK int upper_parent_open(int upper, const char *path, const char **name, struct error *err);

#endif
