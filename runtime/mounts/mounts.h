/* The mount list of a specification → mounts inside the new root.
 *
 * Three moments. The parent, before the child exists, opens what only it may see: the sources of bind mounts. The
 * child, while its parent makes the root, makes new file systems, detached. With the root there, it attaches all of
 * them in the order of the list. Nothing ever enters the host's mount table. */
#ifndef WARREN_RUNTIME_MOUNTS_H
#define WARREN_RUNTIME_MOUNTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/mount.h"
#include "runtime/namespaces/namespaces.h"
#include "runtime/spec.h"

enum mount_how {
	MOUNT_NEW,	 /* the child makes a file system */
	MOUNT_BY_PARENT, /* a proc that the child may not make */
	MOUNT_CLONE,	 /* the parent cloned an existing mount */
	MOUNT_CGROUP_V1, /* a small tmpfs with one mount per hierarchy */
};

struct mount_item {
	const struct spec_mount *spec;
	enum mount_how how;
	const char *type;
	struct mount_option *options;
	size_t option_count;
	uint64_t attr;
	bool late_read_only; /* becomes read-only when all mount points in it are made */
	bool is_file;
	int mount;
};

/* A v1 hierarchy as /proc/PID/cgroup names it. */
#define HIERARCHIES_MAX 24
struct hierarchy {
	char controllers[56]; /* "cpu,cpuacct", "name=systemd" */
};

struct mounts {
	struct mount_item *items;
	size_t count;
	bool wants_cgroup;  /* a cgroup mount is in the list */
	int proc, sys, dev; /* mounts that the child made at /proc, /sys, /dev; -1 */
	struct hierarchy hierarchies[HIERARCHIES_MAX];
	size_t hierarchy_count;
};

/* Parent side. */
MUST_CHECK int mounts_prepare(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct mounts *out, struct error *err);
void mounts_drop(struct mounts *mounts);
/* Whether one is made of a path of the host when it is mounted: a disk, an overlay's layers. */
bool mounts_need_host(const struct mounts *mounts);
/* After the id maps are written: id-mapped binds. */
MUST_CHECK int mounts_map_ids(const struct mounts *mounts, int userns, struct error *err);

/* A file system of the kernel's own, which has no source. */
bool mount_type_is_virtual(const char *type);

/* Child side; the rest is start/child_mounts.c. */
/* In its cgroup, before a new cgroup namespace hides where that is: notes the v1 hierarchies to show. */
MUST_CHECK int mounts_note_hierarchies(struct mounts *mounts, const char *cgroup_path, struct error *err);
/* Mounts them in the tmpfs that the item is; then the working directory is `root` again. */
MUST_CHECK int mounts_attach_hierarchies(
	const struct mounts *mounts, const struct mount_item *item, int root, struct error *err);
MUST_CHECK int mounts_make_read_only(const struct mounts *mounts, struct error *err);

/* Copies what the root has at the destination into a new tmpfs (the option tmpcopyup). */
MUST_CHECK int mounts_copy_up(int from, int to, struct error *err);

#endif
