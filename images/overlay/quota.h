/* The project numbers by which file systems count what an instance has written. Private to this folder. */
#ifndef WARREN_IMAGES_QUOTA_H
#define WARREN_IMAGES_QUOTA_H

#include <stdint.h>

/* A number that nobody has. On a file system that knows none it means nothing. */
uint32_t project_make(int dir);
/* A directory's own; 0: none. */
uint32_t project_of(int dir);
/* Whatever is made in the directory from now on counts for that project (ioctl_fs(2) FS_IOC_FSSETXATTR). Where the file
 * system has no projects nothing happens: a limit that is asked for says so. 0: nothing is changed. */
void project_give(int dir, uint32_t project);
/* The limit, should there be one, is forgotten. */
void project_forget(int dir, uint32_t project);

#endif
