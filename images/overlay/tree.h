/* The tree of an image while it is being made: in a staging directory that nobody else uses. Private to this folder.
 *
 * Paths are absolute and mean places below the staging directory; links made there are never followed. What exists
 * already stays (the first wins); what cannot exist, because a parent is a file or a link, is left out. */
#ifndef WARREN_IMAGES_TREE_H
#define WARREN_IMAGES_TREE_H

#include "images/images.h"

/* With its parents (0755, root). An existing directory gets mode and owner. */
MUST_CHECK int tree_directory(int root, const char *path, mode_t mode, uid_t uid, gid_t gid, struct error *err);
MUST_CHECK int tree_file(
	int root, const char *path, mode_t mode, const char *content, size_t length, struct error *err);
MUST_CHECK int tree_link(int root, const char *path, const char *target, struct error *err);

#endif
