/* Overlay mounts over descriptors, on every supported kernel. Private to this folder. */
#ifndef WARREN_IMAGES_OVERLAY_H
#define WARREN_IMAGES_OVERLAY_H

#include "images/images.h"

/* A clone of a directory's mount, idmapped if asked: the base on which layers are opened. It stays open until the
 * overlay exists, and is attached in the session's scratch where the kernel demands that. */
struct layer_base {
	int mount; /* -1: none */
	bool attached;
};
#define NO_LAYER_BASE ((struct layer_base){.mount = -1})

/* Clones dir/path ("" = dir), sets attr and, with userns ≥ 0, the id map. */
MUST_CHECK int layer_base_open(const struct image_session *session, int dir, const char *path, uint64_t attr,
	int userns, struct layer_base *out, struct error *err);
/* Attaches base->mount in the scratch where the kernel clones only from attached mounts; nothing on newer ones. */
MUST_CHECK int layer_base_attach(const struct image_session *session, struct layer_base *base, struct error *err);
void layer_base_drop(struct layer_base *base);

#define OVERLAY_LAYERS_MAX 500 /* the kernel's own limit: OVL_MAX_STACK */

struct overlay {
	const int *lowers; /* uppermost first; directories opened O_PATH */
	size_t lower_count;
	int upper, work;  /* -1: none, and so a read-only super block, which needs two lowers */
	uint64_t attr;	  /* MOUNT_ATTR_… of the mount */
	uid_t as_uid;	  /* host id that the upper layer's id 0 has: overlayfs creates files as its mounter */
	bool is_volatile; /* nothing is synced, and the upper layer can be mounted only this once (Linux 5.10) */
};
MUST_CHECK int overlay_mount(const struct image_session *session, const struct overlay *overlay, struct error *err);

/* An empty directory of the store, as a second lower layer: O_PATH. */
MUST_CHECK int empty_directory_open(int store, struct error *err);

/* The name of the file system behind a descriptor, as the mount table calls it ("ext4"; "?" when unknown). Slow: only
 * for errors. */
const char *filesystem_name(int fd, char buffer[64]);

#endif
