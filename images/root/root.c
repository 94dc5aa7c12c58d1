/* The root of an instance: an overlay of its own upper layer over an image or a plain directory, and for the host image
 * /usr beside it.
 *
 * Both layers are reached through idmapped clones, so that ids on disk are the ids inside, and any layer fits any id
 * range. The clones must stay open until the overlay exists (closing one earlier makes the creation fail with EINVAL);
 * the overlay keeps what it needs.
 *
 * /usr is the host's, so nothing inside may change it, not even an instance that keeps CAP_SYS_ADMIN and clears the
 * read-only flag of a mount: it is an overlay without an upper layer, whose super block is read-only. It has no id map:
 * with one, the instance's root would own the host's files and could read those that only the host's root may. The
 * layer above it holds opaque directories that empty /usr/local and what else is not the instance's business. */
#include "images/root/root.h"
#include "images/host/host_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/path.h"
#include "images/host/source.h"
#include "images/overlay/overlay.h"
#include "images/overlay/upper.h"

#define USR "/usr"

static const uint64_t usr_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/* --- parts -------------------------------------------------------------------------------------------------------- */

void root_parts_drop(struct root_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		fd_drop(&parts->items[i].mount);
	for (size_t i = 0; i < parts->spent_count; i++)
		fd_drop(&parts->spent[i]);
	parts->count = parts->spent_count = 0;
}

/* An attached one must leave the scratch at once. */
void root_parts_retire(struct root_parts *parts, struct layer_base *base)
{
	if (base->mount < 0 || base->attached || parts->spent_count == ROOT_SPENT_MAX)
		return;
	parts->spent[parts->spent_count++] = take_fd(&base->mount);
}

int root_parts_adopt(struct root_parts *parts, const char *target, int mount, bool is_file, struct error *err)
{
	auto_fd owned = mount;

	if (owned < 0)
		return -1;
	if (parts->count == ROOT_PARTS_MAX)
		return fail(err, ERROR_USAGE, "more than %d mounts for one instance", ROOT_PARTS_MAX);
	parts->items[parts->count++] =
		(struct root_part){.target = target, .mount = take_fd(&owned), .is_file = is_file};
	return 0;
}

bool root_is_host(const struct root_request *request)
{
	return request->image && text_equal(request->image, IMAGE_HOST);
}

/* --- layers of one root ------------------------------------------------------------------------------------------- */

struct layers {
	struct layer_base lower_base, rootfs_base, instance_base;
	/* The uppermost first, from slots[1] on: the first slot is free, for a read-only root's own directory. */
	int slots[OVERLAY_LAYERS_MAX + 1];
	size_t lower_count;
	int upper, work;
	int passing; /* of an ephemeral one: the upper layer of this run; its own is a lower one */
};

/* Not by an initializer, which would clear all slots. */
static void layers_init(struct layers *layers)
{
	layers->lower_base = layers->rootfs_base = layers->instance_base = NO_LAYER_BASE;
	layers->lower_count = 0;
	layers->upper = layers->work = layers->passing = -1;
}

static void layers_drop(struct layers *layers)
{
	fd_drop(&layers->passing);
	fd_drop(&layers->work);
	fd_drop(&layers->upper);
	fds_drop(layers->slots + 1, layers->lower_count);
	layer_base_drop(&layers->instance_base);
	layer_base_drop(&layers->rootfs_base);
	layer_base_drop(&layers->lower_base);
}

static int layer_open_path(int dir, const char *path, struct error *err)
{
	int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "open the layer %s", path);
	return fd;
}

static int lower_add(struct layers *layers, int fd)
{
	if (fd < 0)
		return -1;
	layers->slots[++layers->lower_count] = fd;
	return 0;
}

/* One clone of layers/ as a whole: an id map per layer would cost as much again for each. */
static int store_base_open(
	const struct image_session *session, const struct root_request *request, struct layers *out, struct error *err)
{
	if (layer_base_open(session, session->store, LAYERS, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, request->userns,
		    &out->lower_base, err) < 0)
		return blame(err, "clone the store's layers");
	return 0;
}

int rootfs_open(const struct image_session *session, const char *path, struct error *err)
{
	bool is_file;
	auto_fd fd = -1;

	if (path_check_absolute("rootfs", path, err) < 0)
		return -1;
	fd = source_open(session->store, "rootfs", path, &is_file, err);
	if (fd < 0)
		return -1;
	if (is_file)
		return fail(err, ERROR_USAGE, "rootfs: \"%s\" is not a directory", path);
	return take_fd(&fd);
}

static int rootfs_base_open(
	const struct image_session *session, const struct root_request *request, struct layers *out, struct error *err)
{
	auto_fd source = rootfs_open(session, request->rootfs, err);
	auto_free char *what = text_format("rootfs \"%s\"", request->rootfs);

	if (source < 0)
		return -1;
	if (layer_base_open(session, source, "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, request->userns,
		    &out->rootfs_base, err) < 0)
		return source_map_failed(source, what, "; put it on ext4, xfs or btrfs", err);
	return 0;
}

/* What lies below the layers of the store: the host image's tree, or a plain directory; an image's are all there are.
 */
static int bottom_open(const struct image_session *session, const struct root_request *request, const char *layer,
	struct layers *out, struct error *err)
{
	char path[LAYER_NAME_SIZE + sizeof(HOST_ROOT)];

	snprintf(path, sizeof(path), "%s/%s", layer, HOST_ROOT);
	if (root_is_host(request))
		return lower_add(out, layer_open_path(out->lower_base.mount, path, err));
	if (!request->rootfs)
		return 0;
	if (rootfs_base_open(session, request, out, err) < 0)
		return -1;
	return lower_add(out, layer_open_path(out->rootfs_base.mount, ".", err));
}

static int lowers_open(const struct image_session *session, const struct root_request *request, const char *layer,
	struct layers *out, struct error *err)
{
	size_t count = request->layers ? request->layers->count : 0;

	if (count >= OVERLAY_LAYERS_MAX)
		return fail(err, ERROR_USAGE, "a root of %zu layers; %d can be mounted", count, OVERLAY_LAYERS_MAX - 1);
	if ((count || root_is_host(request)) && store_base_open(session, request, out, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (lower_add(out, layer_open_path(out->lower_base.mount, request->layers->items[i], err)) < 0)
			return -1;
	return bottom_open(session, request, layer, out, err);
}

/* The root directory's owner and mode are those of the uppermost layer. */
static int passing_fill(int instance, int passing, struct error *err)
{
	struct stat about;
	auto_fd work = dir_create(passing, WORK, 0700, err);
	auto_fd upper = work < 0 ? -1 : dir_create(passing, UPPER, 0755, err);

	if (upper < 0)
		return -1;
	if (fstatat(instance, UPPER, &about, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchown(upper, about.st_uid, about.st_gid) < 0 || fchmod(upper, about.st_mode & 07777) < 0)
		return fail_errno(err, "set owner and mode of the upper layer");
	upper_project_copy(instance, work);
	upper_project_copy(instance, upper);
	return 0;
}

/* What a run left that nobody saw the end of goes first: a volatile upper layer is never mounted again. */
static int passing_open(const struct root_request *request, struct layers *out, struct error *err)
{
	auto_fd passing = -1;

	if (root_reset(request->instance, err) < 0)
		return -1;
	passing = dir_create(request->instance, PASSING, 0700, err);
	if (passing < 0 || passing_fill(request->instance, passing, err) < 0)
		return -1;
	out->passing = layer_open_path(out->instance_base.mount, PASSING "/" UPPER, err);
	out->work = layer_open_path(out->instance_base.mount, PASSING "/" WORK, err);
	return out->passing < 0 || out->work < 0 ? -1 : 0;
}

static int instance_layers_open(
	const struct image_session *session, const struct root_request *request, struct layers *out, struct error *err)
{
	if (layer_base_open(
		    session, request->instance, "", MOUNT_ATTR_NODEV, request->userns, &out->instance_base, err) < 0)
		return source_map_failed(request->instance, "the instance's directory",
			"; put the state directory on ext4, xfs or btrfs", err);
	out->upper = layer_open_path(out->instance_base.mount, UPPER, err);
	if (out->upper < 0 || request->read_only)
		return out->upper < 0 ? -1 : 0;
	if (request->ephemeral)
		return passing_open(request, out, err);
	out->work = layer_open_path(out->instance_base.mount, WORK, err);
	return out->work < 0 ? -1 : 0;
}

/* Read-only and ephemeral: the instance's own directory becomes the uppermost lower layer, so that generated files
 * still show. */
static int root_overlay_mount(const struct image_session *session, const struct root_request *request,
	struct layers *layers, struct error *err)
{
	struct overlay overlay = {.lowers = layers->slots + 1,
		.lower_count = layers->lower_count,
		.upper = layers->upper,
		.work = layers->work,
		.attr = MOUNT_ATTR_NODEV,
		.as_uid = request->userns < 0 ? 0 : request->id_base,
		.is_volatile = request->ephemeral};

	if (request->read_only || request->ephemeral) {
		layers->slots[0] = layers->upper;
		overlay.lowers = layers->slots;
		overlay.lower_count++;
		overlay.upper = layers->passing;
	}
	if (request->read_only)
		overlay.attr |= MOUNT_ATTR_RDONLY;
	return overlay_mount(session, &overlay, err);
}

/* --- /usr --------------------------------------------------------------------------------------------------------- */

static int usr_mount(const struct image_session *session, const char *layer, struct error *err)
{
	char path[sizeof(LAYERS) + LAYER_NAME_SIZE + sizeof(HOST_USR)];
	auto_fd usr = open(USR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd cover = -1;
	int lowers[2];
	struct overlay overlay = {.lowers = lowers, .lower_count = 2, .upper = -1, .work = -1, .attr = usr_attr};

	if (usr < 0)
		return fail_errno(err, "open %s", USR);
	snprintf(path, sizeof(path), "%s/%s/%s", LAYERS, layer, HOST_USR);
	cover = layer_open_path(session->store, path, err);
	if (cover < 0)
		return -1;
	lowers[0] = cover;
	lowers[1] = usr;
	return overlay_mount(session, &overlay, err);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

int root_mount(const struct image_session *session, const struct root_request *request, struct root_parts *parts,
	struct error *err)
{
	AUTO(layers_drop) struct layers layers;
	char layer[LAYER_NAME_SIZE] = "";

	layers_init(&layers);
	if (root_is_host(request) && host_layer_hold(session->store, request->instance, layer, err) < 0)
		return -1;
	if (lowers_open(session, request, layer, &layers, err) < 0 ||
		instance_layers_open(session, request, &layers, err) < 0)
		return -1;
	if (root_parts_adopt(parts, "/", root_overlay_mount(session, request, &layers, err), false, err) < 0)
		return blame(err, "mount the root");
	root_parts_retire(parts, &layers.lower_base);
	root_parts_retire(parts, &layers.rootfs_base);
	root_parts_retire(parts, &layers.instance_base);
	if (root_is_host(request) && root_parts_adopt(parts, USR, usr_mount(session, layer, err), false, err) < 0)
		return blame(err, "mount %s", USR);
	return 0;
}
