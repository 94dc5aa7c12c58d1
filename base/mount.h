/* The new mount API (fsopen(2) family, kernel 5.2; mount_setattr(2), 5.12) with whole error messages.
 *
 * A mount made here is detached: a descriptor, in nobody's mount table until it is attached. All descriptors are
 * close-on-exec. On failure of the fs… calls the kernel's own message (read from the fs descriptor) is in the text. */
#ifndef WARREN_BASE_MOUNT_H
#define WARREN_BASE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>

#include "base/error.h"

/* One option of a new file system: flag (value NULL, fd -1), string, or descriptor (FSCONFIG_SET_FD). */
struct mount_option {
	const char *name;
	const char *value;
	int fd; /* -1: none; used when value is NULL and fd ≥ 0 */
};

/* fsopen, options, create, fsmount(attr: MOUNT_ATTR_…). source may be NULL. Gives the detached mount. */
MUST_CHECK int filesystem_mount(const char *type, const char *source, const struct mount_option *options, size_t count,
	uint64_t attr, struct error *err);

/* The same by a process that soon executes or ends: the descriptor of the file system's context, which is
 * close-on-exec, stays open until then, which saves a call for each mount. */
MUST_CHECK int filesystem_mount_before_exec(const char *type, const char *source, const struct mount_option *options,
	size_t count, uint64_t attr, struct error *err);

/* open_tree(2) OPEN_TREE_CLONE of what dir/path names; path "" clones dir itself. recursive: AT_RECURSIVE. */
MUST_CHECK int mount_clone(int dir, const char *path, bool recursive, struct error *err);

/* The same with other attributes from the beginning: one call where there is open_tree_attr(2) (6.15), else two. flags:
 * of open_tree(2), such as AT_RECURSIVE (the attributes are then those of all mounts below, too) and AT_EMPTY_PATH. -1
 * with errno. */
MUST_CHECK int mount_clone_changed(int dir, const char *path, unsigned flags, const struct mount_attr *attr);

/* mount_setattr(2) on the mount itself; userns ≥ 0 adds MOUNT_ATTR_IDMAP with it. */
MUST_CHECK int mount_change(int mount, bool recursive, uint64_t set, uint64_t clear, int userns, struct error *err);

/* move_mount(2): attaches a detached mount on dir/path ("" = dir itself, an O_PATH descriptor). Links are not followed.
 */
MUST_CHECK int mount_attach(int mount, int dir, const char *path, struct error *err);

#endif
