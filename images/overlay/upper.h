/* Writing into the upper layer of an instance that does not run. Private to this folder. */
#ifndef WARREN_IMAGES_UPPER_H
#define WARREN_IMAGES_UPPER_H

#include "images/images.h"

#define UPPER "u"
#define WORK "w"
#define PASSING "e" /* upper and work directory of an ephemeral instance, for one run */

/* The upper layer's directory. */
MUST_CHECK int upper_open(int instance, struct error *err);
/* A new instance's two directories count for one project of their own; another upper layer of it counts for the same.
 */
void upper_project_make(int upper, int work);
void upper_project_copy(int instance, int other);
uint32_t upper_project(int instance); /* 0: none */
/* The directory that holds path's last component, made with its parents when missing: the result is opened for reading,
 * *name points to the last component. path is absolute; a link on the way is refused (errnum ENOTDIR). */
MUST_CHECK int upper_parent_open(int upper, const char *path, const char **name, struct error *err);

#endif
