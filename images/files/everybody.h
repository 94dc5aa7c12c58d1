/* Reading the host's files with no more rights than everybody has. Private to this folder.
 *
 * What goes into the host image can be read by every instance, so the kernel itself judges whether everybody may read
 * it: files are opened as nobody, without groups or capabilities, all directories on the way included. */
#ifndef WARREN_IMAGES_EVERYBODY_H
#define WARREN_IMAGES_EVERYBODY_H

#include <sys/stat.h>

#include "images/images.h"

/* Between these two the process has no supplementary groups; open and read only then. */
#define EVERYBODY_GROUPS_MAX 1024
struct everybody {
	gid_t groups[EVERYBODY_GROUPS_MAX];
	int count; /* -1: nothing to restore */
};
MUST_CHECK int everybody_enter(struct everybody *saved, struct error *err);
void everybody_leave(struct everybody *saved);

/* Opens path below the host's root as everybody. flags as open(2); -1 and errno. */
int everybody_open(int host, const char *path, int flags);

/* A regular file that everybody may read, whole. 1 and the content, or 0: there is none such (absent, protected, not a
 * file, a link, larger than max, holding a private key). */
int everybody_read(struct arena *arena, int host, const char *path, size_t max, const char **content, size_t *length,
	mode_t *mode);

#endif
