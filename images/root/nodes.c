/* Device nodes for an instance: one small tmpfs for all of them, each node attached on its own target.
 *
 * In a user namespace no node can be made, and a clone of the host's own has the host's owner, so that root inside
 * could open only what everybody may. So the nodes are made here, by the host, with the owner that they shall have
 * inside. A super block of the host's user namespace is also what lets them be opened at all (Linux refuses devices on
 * those of other namespaces, SB_I_NODEV). When all are made the super block becomes read-only: what a device holds can
 * be written through it all the same. */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "base/path.h"
#include "images/images.h"
#include "images/overlay/overlay.h"
#include "images/root/root.h"

#define NODE_NAME_SIZE 24

static const uint64_t nodes_attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

static int nodes_tmpfs(size_t count, struct error *err)
{
	char inodes[24];
	const struct mount_option options[] = {
		{.name = "size", .value = "4096", .fd = -1},
		{.name = "nr_inodes", .value = inodes, .fd = -1},
		{.name = "mode", .value = "0700", .fd = -1},
	};

	snprintf(inodes, sizeof(inodes), "%zu", count + 8);
	return filesystem_mount("tmpfs", "devices", options, ARRAY_SIZE(options), nodes_attr, err);
}

static int node_make(int tmpfs, const char *name, const struct device_node *node, uid_t owner, struct error *err)
{
	if (mknodat(tmpfs, name, (node->block ? S_IFBLK : S_IFCHR) | 0600, makedev(node->major, node->minor)) < 0)
		return fail_errno(err, "device %s: make it", node->target);
	if (fchownat(tmpfs, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(tmpfs, name, node->mode & 0777, 0) < 0)
		return fail_errno(err, "device %s: owner and mode", node->target);
	return 0;
}

static int node_attach(
	int tmpfs, const char *name, const struct device_node *node, struct root_parts *parts, struct error *err)
{
	auto_fd mount = mount_clone(tmpfs, name, false, err);

	if (mount < 0)
		return blame(err, "device %s", node->target);
	return root_parts_adopt(parts, node->target, take_fd(&mount), true, err);
}

int device_nodes_mount(const struct image_session *session, const struct device_node *nodes, size_t count, int userns,
	uid_t id_base, struct root_parts *parts, struct error *err)
{
	AUTO(layer_base_drop) struct layer_base tmpfs = NO_LAYER_BASE;
	uid_t owner = userns < 0 ? 0 : id_base;
	char name[NODE_NAME_SIZE];

	if (count == 0)
		return 0;
	tmpfs.mount = nodes_tmpfs(count, err);
	if (tmpfs.mount < 0 || layer_base_attach(session, &tmpfs, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (path_check_absolute("device target", nodes[i].target, err) < 0 ||
			node_make(tmpfs.mount, name, &nodes[i], owner, err) < 0 ||
			node_attach(tmpfs.mount, name, &nodes[i], parts, err) < 0)
			return -1;
	}
	if (superblock_lock(tmpfs.mount, err) < 0)
		return -1;
	root_parts_retire(parts, &tmpfs);
	return 0;
}
