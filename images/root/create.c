/* The instance's own part of its root, before it ever runs: the upper layer with what must be there at the first start.
 *
 * Mount points are made here, in the upper layer, because nothing can make them in a read-only root later, and because
 * a plain root directory need not have any. A directory of the upper layer hides the attributes of the same one below,
 * so it takes them over. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/host/host_image.h"
#include "images/host/skeleton.h"
#include "images/overlay/overlay.h"
#include "images/overlay/quota.h"
#include "images/overlay/upper.h"
#include "images/root/root.h"

static const struct {
	const char *path;
	mode_t mode;
} mount_points[] = {
	{"/dev", 0755},
	{"/proc", 0555},
	{"/sys", 0555},
	{"/run", 0755},
	{"/tmp", 01777},
	{IMAGE_HOSTS_DIRECTORY, 0755},
};

/* The directory that an upper layer's one hides, if there is one. */
static int attributes_take(int lower, const char *path, int dir, struct error *err)
{
	struct stat about;
	auto_fd below = path_try_open(lower, path, O_PATH | O_NOFOLLOW, 0);

	if (below < 0 || fstat(below, &about) < 0 || !S_ISDIR(about.st_mode))
		return 0;
	if (fchown(dir, about.st_uid, about.st_gid) < 0 || fchmod(dir, about.st_mode & 07777) < 0)
		return fail_errno(err, "set owner and mode of %s", path);
	return 0;
}

static int directory_make(int lower, int upper, const char *path, mode_t mode, struct error *err)
{
	const char *name;
	auto_fd parent = upper_parent_open(upper, path, &name, err);
	auto_fd dir = -1;

	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : fail_errno(err, "make %s", path);
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fchmod(dir, mode) < 0)
		return fail_errno(err, "make %s", path);
	return attributes_take(lower, path, dir, err);
}

static int file_make(int upper, const char *path, struct error *err)
{
	const char *name;
	auto_fd parent = upper_parent_open(upper, path, &name, err);
	auto_fd fd = -1;

	if (parent < 0)
		return -1;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	return fd < 0 ? fail_errno(err, "make %s", path) : 0;
}

/* 1: a directory or nothing is there, so the way goes on in the upper layer; 0: something else (a link to /run, say),
 * which an upper directory must not hide. */
static int way_goes_on(int lower, const char *path)
{
	struct stat about;
	auto_fd below = path_try_open(lower, path, O_PATH | O_NOFOLLOW, 0);

	return below < 0 || (fstat(below, &about) == 0 && S_ISDIR(about.st_mode));
}

/* Every parent, then the mount point itself. */
static int mount_point_make(int lower, int upper, const char *path, mode_t mode, bool is_file, struct error *err)
{
	char prefix[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - path), path);
		if (!way_goes_on(lower, prefix))
			return 0;
		if (directory_make(lower, upper, prefix, 0755, err) < 0)
			return -1;
	}
	if (is_file)
		return file_make(upper, path, err);
	return directory_make(lower, upper, path, mode, err);
}

static bool exists_in(int root, const char *path)
{
	auto_fd fd = path_try_open(root, path, O_PATH, 0);

	return fd >= 0;
}

static int standard_points_make(int lower, int upper, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++)
		if (!exists_in(lower, mount_points[i].path) &&
			mount_point_make(lower, upper, mount_points[i].path, mount_points[i].mode, false, err) < 0)
			return -1;
	return 0;
}

/* The image `host` has it already. */
static int resolver_write(int instance, bool is_host, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text text = {0};
	auto_fd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (host < 0)
		return fail_errno(err, "open /");
	resolver_text(&arena, host, &text);
	if (!is_host &&
		root_file_write(instance, "/etc/resolv.conf", 0644, 0, 0, text_string(&text), text.length, err) < 0)
		return -1;
	return resolver_note(instance, text_string(&text), text.length, err);
}

/* The names of the network come from a directory mounted over the one made here; without a network this file is left.
 */
static int foreign_prepare(const struct root_request *request, int lower, int upper, struct error *err)
{
	static const char hosts[] = IMAGE_HOSTS_TEXT;

	if (attributes_take(lower, "/", upper, err) < 0)
		return -1;
	if (mount_point_make(lower, upper, "/etc", 0755, false, err) < 0 || standard_points_make(lower, upper, err) < 0)
		return -1;
	if (root_file_write(request->instance, IMAGE_HOSTS_DIRECTORY "/hosts", 0644, 0, 0, hosts, strlen(hosts), err) <
		0)
		return -1;
	if (root_link_write(request->instance, "/etc/hosts", IMAGE_HOSTS_LINK, err) < 0)
		return -1;
	return resolver_write(request->instance, false, err);
}

struct opened {
	int items[OVERLAY_LAYERS_MAX];
	size_t count;
};

static void opened_drop(struct opened *opened)
{
	fds_drop(opened->items, opened->count);
}

/* What lies below the layers of the store; -2: nothing, an image's layers are all there are. */
static int bottom_open(const struct image_session *session, const struct root_request *request, struct error *err)
{
	char layer[LAYER_NAME_SIZE], path[sizeof(LAYERS) + LAYER_NAME_SIZE + sizeof(HOST_ROOT)];
	int fd;

	if (request->rootfs)
		return rootfs_open(session, request->rootfs, err);
	if (!root_is_host(request))
		return -2;
	if (host_layer_hold(session->store, request->instance, layer, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s/%s", LAYERS, layer, HOST_ROOT);
	fd = openat(session->store, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "open the layer %s", layer) : fd;
}

static int layers_open(
	const struct image_session *session, const struct root_request *request, struct opened *out, struct error *err)
{
	size_t count = request->layers ? request->layers->count : 0;
	int bottom;

	if (count >= OVERLAY_LAYERS_MAX)
		return fail(err, ERROR_USAGE, "a root of %zu layers; %d can be mounted", count, OVERLAY_LAYERS_MAX - 1);
	for (; out->count < count; out->count++) {
		const char *key = request->layers->items[out->count];
		auto_free char *path = text_format(LAYERS "/%s", key);

		out->items[out->count] = openat(session->store, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (out->items[out->count] < 0)
			return fail_errno(err, "open the layer %s", key);
	}
	bottom = bottom_open(session, request, err);
	if (bottom >= 0)
		out->items[out->count++] = bottom;
	return bottom == -1 ? -1 : 0;
}

/* As one tree, read-only and without an id map: ids are those on disk. One layer is that tree itself. */
int root_lower_open(const struct image_session *session, const struct root_request *request, struct error *err)
{
	AUTO(opened_drop) struct opened layers;
	struct overlay overlay = {
		.upper = -1, .work = -1, .attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	layers.count = 0;
	if (layers_open(session, request, &layers, err) < 0)
		return -1;
	if (!layers.count)
		return fail(err, ERROR_MISSING, "the image has no layers");
	overlay.lowers = layers.items;
	overlay.lower_count = layers.count;
	return layers.count == 1 ? take_fd(&layers.items[0]) : overlay_mount(session, &overlay, err);
}

static int request_check(const struct root_request *request, struct error *err)
{
	if (!request->image == !request->rootfs)
		return fail(err, ERROR_USAGE, "one of image and rootfs is needed");
	if (!root_is_host(request) && request->etc_from_host && request->etc_from_host->count)
		return fail(err, ERROR_USAGE, "etc_from_host: only with the image \"%s\"", IMAGE_HOST);
	return 0;
}

int root_create(const struct image_session *session, const struct root_request *request, struct error *err)
{
	auto_fd upper = -1;
	auto_fd work = -1;
	auto_fd lower = -1;

	if (request_check(request, err) < 0)
		return -1;
	lower = root_lower_open(session, request, err); /* `host`: held, so that no start has to */
	if (lower < 0)
		return -1;
	work = dir_create(request->instance, WORK, 0700, err);
	upper = work < 0 ? -1 : dir_create(request->instance, UPPER, 0755, err);
	if (upper < 0)
		return -1;
	upper_project_make(upper, work);
	if (!root_is_host(request))
		return foreign_prepare(request, lower, upper, err);
	if (request->etc_from_host && etc_copy(upper, request->etc_from_host, err) < 0)
		return -1;
	return resolver_write(request->instance, true, err);
}

int root_mount_point_make(const struct image_session *session, const struct root_request *request, const char *target,
	bool is_file, struct error *err)
{
	auto_fd upper = -1;
	auto_fd lower = -1;

	if (path_check_absolute("mount point", target, err) < 0)
		return -1;
	if (root_is_host(request) && path_is_under(target, "/usr"))
		return 0;
	upper = upper_open(request->instance, err);
	lower = upper < 0 ? -1 : root_lower_open(session, request, err);
	if (lower < 0)
		return -1;
	if (exists_in(upper, target) || exists_in(lower, target))
		return 0;
	if (mount_point_make(lower, upper, target, 0755, is_file, err) < 0)
		return blame(err, "make the mount point %s", target);
	return 0;
}

int root_reset(int instance, struct error *err)
{
	return tree_remove(instance, PASSING, err);
}

int root_remove(int instance, struct error *err)
{
	uint32_t project = upper_project(instance);

	if (root_reset(instance, err) < 0 || tree_remove(instance, UPPER, err) < 0 ||
		tree_remove(instance, WORK, err) < 0)
		return -1;
	project_forget(instance, project);
	if (resolver_forget(instance, err) < 0)
		return -1;
	return host_layers_release(instance, NULL, err);
}
