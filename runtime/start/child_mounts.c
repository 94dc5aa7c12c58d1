/* The child's share in its mounts: it makes new file systems while its parent makes the root, and attaches all of them
 * inside the root, by descriptor.
 *
 * A destination is resolved by openat2 inside the root; what proc and sysfs are mounted on must be a plain directory,
 * so that an image cannot lead writes to /proc elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/socket.h"
#include "base/text.h"
#include "runtime/mounts/mounts.h"
#include "runtime/start/child.h"

/* The three that later steps work in. */
static void mount_note(struct mounts *mounts, const struct mount_item *item)
{
	if (text_equal(item->type, "proc") && text_equal(item->spec->destination, "/proc"))
		mounts->proc = item->mount;
	if (text_equal(item->type, "sysfs") && text_equal(item->spec->destination, "/sys"))
		mounts->sys = item->mount;
	if (text_equal(item->type, "tmpfs") && text_equal(item->spec->destination, "/dev"))
		mounts->dev = item->mount;
}

/* proc for our pid namespace. Where something is mounted over a part of the host's /proc the kernel refuses it to a new
 * user namespace (it might reveal what was covered); the parent may make it for us, from 6.17 on. It is asked when it
 * has nothing else to say any more. */
static int proc_by_parent(struct child *child, struct error *err)
{
	struct channel_proc message = {.kind = CHANNEL_PROC};
	int mount = -1;
	size_t count = 1;

	if (socket_send(child->channel, &message, 1, NULL, 0) < 0 ||
		socket_receive(child->channel, &message, sizeof(message), &mount, &count) != sizeof(message))
		return fail_errno(err, "ask for a proc file system");
	if (count == 1)
		return mount;
	*err = message.error;
	return -1;
}

int child_ask_for_proc(struct child *child, struct error *err)
{
	for (size_t i = 0; i < child->mounts.count; i++) {
		struct mount_item *item = &child->mounts.items[i];

		if (item->how != MOUNT_BY_PARENT)
			continue;
		item->mount = proc_by_parent(child, err);
		if (item->mount < 0)
			return blame(err, "proc on %s", item->spec->destination);
		mount_note(&child->mounts, item);
	}
	return 0;
}

static int new_make(struct child *child, struct mount_item *item, struct error *err)
{
	const char *source = item->spec->source ? item->spec->source : item->type;
	/* The kernel's own file systems have no source; of others it is the device. */
	bool virtual = mount_type_is_virtual(item->type);

	item->mount = filesystem_mount_before_exec(
		item->type, virtual ? NULL : source, item->options, item->option_count, item->attr, err);
	if (item->mount < 0 && err->errnum == EPERM && text_equal(item->type, "proc")) {
		item->how = MOUNT_BY_PARENT;
		return 0;
	}
	if (item->mount < 0)
		return blame(err, "%s on %s", source, item->spec->destination);
	mount_note(&child->mounts, item);
	return 0;
}

static int cgroup_v1_make(struct mount_item *item, struct error *err)
{
	static const struct mount_option options[] = {
		{.name = "mode", .value = "755", .fd = -1}, {.name = "size", .value = "64k", .fd = -1}};

	item->mount = filesystem_mount_before_exec("tmpfs", NULL, options, ARRAY_SIZE(options), item->attr, err);
	if (item->mount < 0)
		return blame(err, "cgroup on %s", item->spec->destination);
	return 0;
}

int child_make_mounts(struct child *child, struct error *err)
{
	for (size_t i = 0; i < child->mounts.count; i++) {
		struct mount_item *item = &child->mounts.items[i];

		if (item->how == MOUNT_NEW && new_make(child, item, err) < 0)
			return -1;
		if (item->how == MOUNT_CGROUP_V1 && cgroup_v1_make(item, err) < 0)
			return -1;
	}
	return 0;
}

/* --- attaching ---------------------------------------------------------------------------------------------------- */

static int open_plain_directory(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};

	return path_openat2(root, path, &how);
}

static bool wants_plain_directory(const struct mount_item *item)
{
	static const char *const destinations[] = {"/proc", "/sys", "/dev"};

	if (text_equal(item->type, "proc") || text_equal(item->type, "sysfs"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++)
		if (text_equal(item->spec->destination, destinations[i]))
			return true;
	return false;
}

/* Where to mount, O_PATH, made when missing. */
static int open_destination(int root, const struct mount_item *item, struct error *err)
{
	const char *path = item->spec->destination;
	int fd;

	if (item->is_file)
		return path_make_file(root, path, 0644, err);
	if (!wants_plain_directory(item))
		return path_make_dirs(root, path, 0755, err);
	fd = open_plain_directory(root, path);
	if (fd < 0 && errno == ENOENT)
		return path_make_dirs(root, path, 0755, err);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return fail(err, ERROR_USAGE, "the image's %s is no plain directory", path);
	if (fd < 0)
		return fail_errno(err, "open %s", path);
	return fd;
}

/* The name in /dev when the destination lies directly in the /dev that we made, where nobody can have put a link. */
static const char *name_in_dev(const struct mounts *mounts, const struct mount_item *item)
{
	const char *path = item->spec->destination;

	if (mounts->dev < 0 || item->mount == mounts->dev || item->is_file || !text_starts_with(path, "/dev/") ||
		strchr(path + 5, '/') || !path[5] || !strcmp(path + 5, ".") || !strcmp(path + 5, ".."))
		return NULL;
	return path + 5;
}

static int attach_in_dev(
	const struct mounts *mounts, const struct mount_item *item, const char *name, struct error *err)
{
	if (mkdirat(mounts->dev, name, 0755) < 0 && errno != EEXIST)
		return fail_errno(err, "make directory /dev/%s", name);
	return mount_attach(item->mount, mounts->dev, name, err);
}

static int propagation_set(const struct mount_item *item, struct error *err)
{
	struct mount_attr attr = {.propagation = item->spec->propagation};
	unsigned flags = AT_EMPTY_PATH | (item->spec->propagation_recursive ? AT_RECURSIVE : 0);

	if (item->how == MOUNT_CLONE || !attr.propagation)
		return 0;
	if (mount_setattr(item->mount, "", flags, &attr, sizeof(attr)) < 0)
		return fail_errno(err, "set the propagation");
	return 0;
}

static int copy_up(int destination, const struct mount_item *item, struct error *err)
{
	auto_fd from = -1;

	if (!item->spec->copy_up || item->how != MOUNT_NEW)
		return 0;
	from = openat(destination, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return fail_errno(err, "copy up: open the directory");
	return mounts_copy_up(from, item->mount, err);
}

static int item_attach(struct child *child, const struct mount_item *item, struct error *err)
{
	const char *name = name_in_dev(&child->mounts, item);
	int destination;

	if (name)
		return attach_in_dev(&child->mounts, item, name, err);
	destination = open_destination(child->root, item, err);
	if (destination < 0 || copy_up(destination, item, err) < 0 ||
		mount_attach(item->mount, destination, "", err) < 0)
		return -1;
	return item->how == MOUNT_CGROUP_V1 ? mounts_attach_hierarchies(&child->mounts, item, child->root, err) : 0;
}

static int parts_attach_above(struct child *child, const char *destination, struct error *err);

static int part_attach(struct child *child, size_t index, struct error *err)
{
	const struct launch_part *part = &child->parts[index];
	auto_fd destination = -1;

	child->part_attached[index] = true;
	if (parts_attach_above(child, part->target, err) < 0)
		return -1;
	destination = part->is_file ? path_make_file(child->root, part->target, 0644, err)
				    : path_make_dirs(child->root, part->target, 0755, err);
	if (destination < 0 || mount_attach(part->mount, destination, "", err) < 0)
		return blame(err, "a part on %s", part->target);
	return 0;
}

/* Parts that hold this destination come before it, e.g. a volume on /srv before a tmpfs on /srv/cache. The recursion
 * ends because each part is attached once. */
static int parts_attach_above(struct child *child, const char *destination, struct error *err)
{
	for (size_t i = 1; i < child->part_count; i++)
		if (!child->part_attached[i] && strcmp(destination, child->parts[i].target) != 0 &&
			path_is_under(destination, child->parts[i].target) && part_attach(child, i, err) < 0)
			return -1;
	return 0;
}

int child_attach_mounts(struct child *child, struct error *err)
{
	for (size_t i = 0; i < child->mounts.count; i++) {
		const struct mount_item *item = &child->mounts.items[i];
		const struct spec_mount *spec = item->spec;

		if (parts_attach_above(child, spec->destination, err) < 0)
			return -1;
		if (item_attach(child, item, err) < 0 || propagation_set(item, err) < 0)
			return blame(err, "%s on %s", spec->source ? spec->source : item->type, spec->destination);
	}
	for (size_t i = 1; i < child->part_count; i++)
		if (!child->part_attached[i] && part_attach(child, i, err) < 0)
			return -1;
	return 0;
}
