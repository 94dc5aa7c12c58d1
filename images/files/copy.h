/* Copies of directory trees, true in all that a layer or a volume keeps. Private to this folder. */
#ifndef WARREN_IMAGES_COPY_H
#define WARREN_IMAGES_COPY_H

#include "images/images.h"

/* What is in the directory `from`, with its own attributes, into the empty directory `into`, in which nobody else
 * works. Kept: owners, modes, times, hard links, holes, ACLs, file capabilities, user's attributes, and what overlayfs
 * says by whiteouts and opaque directories. Contents are shared where the file system can (FICLONE). Left out: sockets
 * and devices. What is mounted below `from` is not part of it. Nothing is followed and nothing is synced. */
MUST_CHECK int tree_copy(int from, int into, struct error *err);
/* The first `size` bytes of a file into an empty one; shared (FICLONE) where the file system can, else holes stay
 * holes. A file that becomes shorter meanwhile is no error. */
MUST_CHECK int content_copy(int from, int to, off_t size, struct error *err);

#endif
