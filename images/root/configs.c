/* Configs and secrets: one small tmpfs for all of them, each file attached on its own target.
 *
 * They are in memory only, and gone with the instance. Their ids are written as host ids (base + id inside) rather than
 * through an id map, which tmpfs has only since Linux 6.3. When all are written the super block itself becomes
 * read-only: an instance that may clear a mount's flag cannot write even so. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/path.h"
#include "images/images.h"
#include "images/overlay/overlay.h"
#include "images/root/root.h"

#define ID_INSIDE_MAX 65535
#define MODE_DEFAULT 0400
#define PAGE_BYTES 4096
#define FILE_NAME_SIZE 24

static const uint64_t configs_attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

static int config_check(const struct config_file *file, bool mapped, struct error *err)
{
	if (path_check_absolute("config target", file->target, err) < 0)
		return -1;
	if (text_equal(file->target, "/"))
		return fail(err, ERROR_USAGE, "config target: \"/\" is the instance's root itself");
	if (mapped && (file->uid > ID_INSIDE_MAX || file->gid > ID_INSIDE_MAX))
		return fail(err, ERROR_USAGE, "config %s: owner %u:%u is outside of 0 to %d", file->target, file->uid,
			file->gid, ID_INSIDE_MAX);
	return 0;
}

static int config_write(int tmpfs, const char *name, const struct config_file *file, uid_t base, struct error *err)
{
	auto_fd fd = openat(tmpfs, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, file->content, file->length) < 0)
		return fail_errno(err, "config %s: write", file->target);
	if (fchown(fd, base + file->uid, base + file->gid) < 0 ||
		fchmod(fd, (file->mode ? file->mode : MODE_DEFAULT) & 0777) < 0)
		return fail_errno(err, "config %s: set owner and mode", file->target);
	return 0;
}

/* fspick(2): the super block of a mount, to be changed as a whole. */
int superblock_lock(int tmpfs, struct error *err)
{
	auto_fd context = fspick(tmpfs, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

	if (context < 0 || fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
		fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return fail_errno(err, "make a tmpfs read-only");
	return 0;
}

/* Room for all, in whole pages, and not a byte more. */
static int configs_tmpfs(const struct config_file *files, size_t count, struct error *err)
{
	char size[24], inodes[24];
	size_t pages = 1;
	const struct mount_option options[] = {
		{.name = "size", .value = size, .fd = -1},
		{.name = "nr_inodes", .value = inodes, .fd = -1},
		{.name = "mode", .value = "0700", .fd = -1},
	};

	for (size_t i = 0; i < count; i++)
		pages += files[i].length / PAGE_BYTES + 1;
	snprintf(size, sizeof(size), "%zu", pages * PAGE_BYTES);
	snprintf(inodes, sizeof(inodes), "%zu", count + 8);
	return filesystem_mount("tmpfs", "configs", options, ARRAY_SIZE(options), configs_attr, err);
}

static int config_attach(
	int tmpfs, const char *name, const struct config_file *file, struct root_parts *parts, struct error *err)
{
	auto_fd mount = mount_clone(tmpfs, name, false, err);

	if (mount < 0 || mount_change(mount, false, configs_attr | MOUNT_ATTR_RDONLY, 0, -1, err) < 0)
		return blame(err, "config %s", file->target);
	return root_parts_adopt(parts, file->target, take_fd(&mount), true, err);
}

int configs_mount(const struct image_session *session, const struct config_file *files, size_t count, int userns,
	uid_t id_base, struct root_parts *parts, struct error *err)
{
	AUTO(layer_base_drop) struct layer_base tmpfs = NO_LAYER_BASE;
	uid_t base = userns < 0 ? 0 : id_base;
	char name[FILE_NAME_SIZE];

	for (size_t i = 0; i < count; i++)
		if (config_check(&files[i], userns >= 0, err) < 0)
			return -1;
	if (count == 0)
		return 0;
	tmpfs.mount = configs_tmpfs(files, count, err);
	if (tmpfs.mount < 0 || layer_base_attach(session, &tmpfs, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (config_write(tmpfs.mount, name, &files[i], base, err) < 0 ||
			config_attach(tmpfs.mount, name, &files[i], parts, err) < 0)
			return -1;
	}
	if (superblock_lock(tmpfs.mount, err) < 0)
		return -1;
	root_parts_retire(parts, &tmpfs);
	return 0;
}
