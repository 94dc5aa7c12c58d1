/* Device nodes.
 *
 * Everything here happens in a /dev that is held open, and that directory is never reached through a link: an image
 * whose /dev points to a directory of the host would otherwise have nodes and links made there. Without a user
 * namespace nodes are made; with one, mknod is refused by the kernel even on a tmpfs of its own, so the host's nodes
 * are cloned by the parent, their numbers verified, and attached on empty files. The host's node is the one at the same
 * path, or else the one that its kernel has made for these numbers. */
#include "runtime/mounts/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/path.h"
#include "base/text.h"

#define UEVENT_MAX 4096

static const struct spec_device standard[] = {
	{.path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666},
	{.path = "/dev/zero", .type = 'c', .major = 1, .minor = 5, .mode = 0666},
	{.path = "/dev/full", .type = 'c', .major = 1, .minor = 7, .mode = 0666},
	{.path = "/dev/random", .type = 'c', .major = 1, .minor = 8, .mode = 0666},
	{.path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9, .mode = 0666},
	{.path = "/dev/tty", .type = 'c', .major = 5, .minor = 0, .mode = 0666},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};

static mode_t device_kind(const struct spec_device *device)
{
	return device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool device_is(const struct spec_device *device, const struct stat *status)
{
	if ((status->st_mode & S_IFMT) != device_kind(device))
		return false;
	return device->type == 'p' || status->st_rdev == makedev(device->major, device->minor);
}

/* A clone of what the host has there, when it is that node; else -1 with errno, ENODEV: it is something else. */
static int node_try(const struct spec_device *device, const char *path)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, .propagation = MS_PRIVATE};
	auto_fd node = mount_clone_changed(AT_FDCWD, path, 0, &attr);
	struct stat status;

	if (node < 0 || fstat(node, &status) < 0)
		return -1;
	if (device_is(device, &status))
		return take_fd(&node);
	errno = ENODEV;
	return -1;
}

/* Where the kernel itself has put the node with these numbers, whatever the container is to call it; NULL: nowhere. */
static const char *host_path(struct arena *arena, const struct spec_device *device)
{
	const char *text, *name;
	struct error ignored;

	if (file_read(arena, AT_FDCWD,
		    arena_format(arena, "/sys/dev/%s/%u:%u/uevent", device->type == 'b' ? "block" : "char",
			    device->major, device->minor),
		    UEVENT_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	name = strstr(text, "DEVNAME=");
	if (!name)
		return NULL;
	name += strlen("DEVNAME=");
	return arena_format(arena, "/dev/%.*s", (int)strcspn(name, "\n"), name);
}

static int node_clone(struct arena *arena, const struct spec_device *device, struct error *err)
{
	int node = node_try(device, device->path), errnum = errno;
	const char *path;

	if (node >= 0)
		return node;
	path = host_path(arena, device);
	if (path)
		node = node_try(device, path);
	if (node >= 0)
		return node;
	errno = errnum;
	if (errnum != ENODEV && errnum != ENOENT)
		return fail_errno(err, "device %s", device->path);
	return fail(err, ERROR_SYSTEM,
		"device %s: the host has no node %c %u:%u, neither there nor where its kernel would have it, and in a "
		"user "
		"namespace none can be made",
		device->path, device->type, device->major, device->minor);
}

static bool is_listed(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->devices.count; i++)
		if (text_equal(spec->devices.items[i].path, path))
			return true;
	return false;
}

static void items_collect(struct arena *arena, const struct spec *spec, struct devices *out)
{
	out->items = arena_new_array(arena, ARRAY_SIZE(standard) + spec->devices.count, struct device_item);
	for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
		if (!is_listed(spec, standard[i].path))
			out->items[out->count++] = (struct device_item){.device = standard[i], .node = -1};
	for (size_t i = 0; i < spec->devices.count; i++)
		out->items[out->count++] = (struct device_item){.device = spec->devices.items[i], .node = -1};
}

static bool dev_is_bound(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (spec->mounts.items[i].bind && text_equal(spec->mounts.items[i].destination, "/dev"))
			return true;
	return false;
}

/* Pipes everybody may make. */
static int nodes_clone(struct arena *arena, struct devices *devices, struct error *err)
{
	for (size_t i = 0; i < devices->count; i++) {
		struct device_item *item = &devices->items[i];

		if (item->device.type == 'p')
			continue;
		item->node = node_clone(arena, &item->device, err);
		if (item->node < 0)
			return -1;
	}
	return 0;
}

int devices_prepare(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct devices *out, struct error *err)
{
	*out = (struct devices){.null = -1, .populate = !dev_is_bound(spec), .terminal = spec->process.terminal};
	if (out->populate) {
		items_collect(arena, spec, out);
		if (namespaces->own_ids && nodes_clone(arena, out, err) < 0) {
			devices_drop(out);
			return -1;
		}
	}
	if (!spec->masked_paths.count)
		return 0;
	out->null = node_clone(arena, &standard[0], err);
	if (out->null >= 0)
		return 0;
	devices_drop(out);
	return -1;
}

void devices_drop(struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		fd_drop(&devices->items[i].node);
	devices->count = 0;
	fd_drop(&devices->null);
}

int devices_open_directory(int root, struct error *err)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	int fd = path_openat2(root, "/dev", &how);

	if (fd < 0 && errno == ENOENT)
		return path_make_dirs(root, "/dev", 0755, err);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return fail(err, ERROR_USAGE, "the image's /dev is no plain directory");
	if (fd < 0)
		return fail_errno(err, "open /dev");
	return fd;
}

static int existing_check(int dir, const char *name, const struct spec_device *device, struct error *err)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "device %s", device->path);
	if (device_is(device, &status))
		return 0;
	return fail(err, ERROR_USAGE, "device %s: something else is there", device->path);
}

static int node_make(int dir, const char *name, const struct spec_device *device, struct error *err)
{
	if (mknodat(dir, name, device_kind(device) | device->mode, makedev(device->major, device->minor)) < 0) {
		if (errno == EEXIST)
			return existing_check(dir, name, device, err);
		return fail_errno(err, "device %s", device->path);
	}
	if ((device->uid || device->gid) && fchownat(dir, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "device %s: owner", device->path);
	return 0;
}

static int node_attach(int dir, const char *name, const struct device_item *item, struct error *err)
{
	if (mknodat(dir, name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
		return fail_errno(err, "device %s", item->device.path);
	if (mount_attach(item->node, dir, name, err) < 0)
		return blame(err, "device %s", item->device.path);
	return 0;
}

/* The directory of a device that does not lie directly in /dev, made inside the root. */
static int parent_open(int root, const char *path, struct error *err)
{
	char parent[4096];
	size_t length = (size_t)(path_base(path) - path);

	if (length >= sizeof(parent))
		return fail(err, ERROR_USAGE, "device %s: the path is too long", path);
	memcpy(parent, path, length);
	parent[length] = '\0';
	return path_make_dirs(root, parent, 0755, err);
}

static int item_make(const struct device_item *item, int root, int dev, struct error *err)
{
	const char *path = item->device.path, *name = path_base(path);
	auto_fd parent = -1;
	int dir = dev;

	if (!text_starts_with(path, "/dev/") || name != path + 5) {
		parent = parent_open(root, path, err);
		if (parent < 0)
			return -1;
		dir = parent;
	}
	return item->node >= 0 ? node_attach(dir, name, item, err) : node_make(dir, name, &item->device, err);
}

static int links_make(int dev, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return fail_errno(err, "link /dev/%s", links[i].name);
	return 0;
}

/* The mount point of the terminal: a plain file. */
static int console_file_make(int dev, struct error *err)
{
	if (mknodat(dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return fail_errno(err, "make /dev/console");
	return 0;
}

int devices_make(const struct devices *devices, int root, int dev, struct error *err)
{
	auto_fd opened = -1;

	if (!devices->populate)
		return 0;
	if (dev < 0) {
		opened = devices_open_directory(root, err);
		if (opened < 0)
			return -1;
		dev = opened;
	}
	for (size_t i = 0; i < devices->count; i++)
		if (item_make(&devices->items[i], root, dev, err) < 0)
			return -1;
	if (links_make(dev, err) < 0)
		return -1;
	return devices->terminal ? console_file_make(dev, err) : 0;
}
