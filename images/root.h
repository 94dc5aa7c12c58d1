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

/* /etc/hosts is a link to IMAGE_HOSTS_LINK; this is what it leads to while nothing is mounted there. */
#define IMAGE_HOSTS_LINK "hosts.d/hosts"
#define IMAGE_HOSTS_TEXT "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

/* --- the built-in image, built by sparse.c ------------------------------------------------------------------------ */

#define LAYERS "layers"
#define LAYER_NAME_SIZE 64
/* In a layer of the host image: the root's directory, the one laid over /usr, and the file whose links count users. */
#define HOST_ROOT "root"
#define HOST_USR "usr"
#define HOST_HELD "held"

/* The layer that is the host image now, held for the instance by a hard link in its directory: for as long as that link
 * exists the layer is not removed. */
MUST_CHECK int host_layer_hold(int store, int instance, char layer[LAYER_NAME_SIZE], struct error *err);
/* Lets go of every layer but `keep` (NULL: of all). */
MUST_CHECK int host_layers_release(int instance, const char *keep, struct error *err);

/* Removes what killed makers of it left in tmp/, unless somebody is making it now, who does the same. */
MUST_CHECK int host_leftovers_remove(int store, struct error *err);
/* Copies etc_from_host into the upper layer. */
MUST_CHECK int etc_copy(int upper, const struct strings *paths, struct error *err);

#endif
