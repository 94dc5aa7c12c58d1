/* Shared by what adds mounts to an instance's root. Private to this folder. */
#ifndef WARREN_IMAGES_ROOT_H
#define WARREN_IMAGES_ROOT_H

#include "images/images.h"

/* Takes the mount into the list; closes it when there is no room. */
MUST_CHECK int root_parts_adopt(
	struct root_parts *parts, const char *target, int mount, bool is_file, struct error *err);

/* Leaves the closing of a clone that has served to root_parts_drop(), where that is possible. */
struct layer_base;
void root_parts_retire(struct root_parts *parts, struct layer_base *base);

/* Makes the super block of a tmpfs read-only, whatever may be done to mounts of it later. In configs.c. */
MUST_CHECK int superblock_lock(int tmpfs, struct error *err);

/* The built-in image, not a pulled one and no plain directory. */
bool root_is_host(const struct root_request *request);

/* The tree below the instance's own upper layer, without an id map: to look into. */
MUST_CHECK int root_lower_open(
	const struct image_session *session, const struct root_request *request, struct error *err);

/* A plain root directory of the host, checked as a volume's source is: O_PATH. */
MUST_CHECK int rootfs_open(const struct image_session *session, const char *path, struct error *err);

#endif
