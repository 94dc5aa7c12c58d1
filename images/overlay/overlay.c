/* Overlay mounts over descriptors.
 *
 * Newer kernels take each layer as a descriptor, also one below a detached idmapped clone (found out by the session).
 * Older ones take only paths and only mounts of the caller's own namespace: there a clone is attached in the session's
 * scratch for the moment of the mount, and the paths are the numbers of descriptors, with /proc/self/fd as the working
 * directory: they have no colon trouble, tell the instance nothing (the option strings are visible in its mountinfo),
 * and are short. fsconfig(2) takes strings of 255 bytes, some 60 layers; what has more goes through mount(2), which
 * takes a page.
 *
 * The four features that distributions switch on by default are always given: an upper layer must stay a plain
 * directory that can be used as a lower one, under another id range and on another host. */
#include "images/overlay/overlay.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/mountinfo.h"
#include "base/path.h"
#include "images/files/credentials.h"

#define OPTIONS_BESIDE_LOWERS 8
#define FSCONFIG_STRING_MAX 255
#define DESCRIPTOR_PATH_SIZE 32
#define NUMBER_SIZE 12

/* The scratch has one directory per clone that may be attached at the same time. */
static const char *const scratch_places[] = {"a", "b", "d"};
#define OVERLAY_PLACE "c"

static void descriptor_path(char path[DESCRIPTOR_PATH_SIZE], int fd)
{
	snprintf(path, DESCRIPTOR_PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* A place nothing is attached on: st_dev of a free one is the scratch's own. */
static int scratch_place_find(int scratch)
{
	struct stat own, place;

	if (fstat(scratch, &own) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(scratch_places); i++)
		if (fstatat(scratch, scratch_places[i], &place, AT_NO_AUTOMOUNT) == 0 && place.st_dev == own.st_dev)
			return (int)i;
	errno = EBUSY;
	return -1;
}

int layer_base_attach(const struct image_session *session, struct layer_base *base, struct error *err)
{
	int place;

	if (session->detached_layers)
		return 0;
	place = scratch_place_find(session->scratch);
	if (place < 0)
		return fail_errno(err, "find a place in the scratch directory");
	if (mount_attach(base->mount, session->scratch, scratch_places[place], err) < 0)
		return -1;
	base->attached = true;
	return 0;
}

int layer_base_open(const struct image_session *session, int dir, const char *path, uint64_t attr, int userns,
	struct layer_base *out, struct error *err)
{
	AUTO(layer_base_drop) struct layer_base base = {.mount = mount_clone(dir, path, false, err)};

	if (base.mount < 0)
		return -1;
	if (mount_change(base.mount, false, attr, 0, userns, err) < 0)
		return -1;
	if (layer_base_attach(session, &base, err) < 0)
		return -1;
	*out = base;
	base = NO_LAYER_BASE;
	return 0;
}

void layer_base_drop(struct layer_base *base)
{
	char path[DESCRIPTOR_PATH_SIZE];
	int saved = errno;

	if (base->attached) {
		descriptor_path(path, base->mount);
		umount2(path, MNT_DETACH);
	}
	errno = saved;
	fd_drop(&base->mount);
	base->attached = false;
}

/* --- the mount ---------------------------------------------------------------------------------------------------- */

struct option_list {
	struct mount_option items[OVERLAY_LAYERS_MAX + OPTIONS_BESIDE_LOWERS];
	size_t count;
	struct text lower; /* older kernels: all lower layers in one string */
	char upper[NUMBER_SIZE], work[NUMBER_SIZE];
};

static void option_list_drop(struct option_list *list)
{
	text_drop(&list->lower);
}

static void option_add(struct option_list *list, const char *name, const char *value, int fd)
{
	list->items[list->count++] = (struct mount_option){.name = name, .value = value, .fd = fd};
}

static void options_of_descriptors(const struct overlay *overlay, struct option_list *list)
{
	for (size_t i = 0; i < overlay->lower_count; i++)
		option_add(list, "lowerdir+", NULL, overlay->lowers[i]);
	if (overlay->upper < 0)
		return;
	option_add(list, "upperdir", NULL, overlay->upper);
	option_add(list, "workdir", NULL, overlay->work);
}

static void options_of_paths(const struct overlay *overlay, struct option_list *list)
{
	for (size_t i = 0; i < overlay->lower_count; i++)
		text_appendf(&list->lower, "%s%d", i ? ":" : "", overlay->lowers[i]);
	option_add(list, "lowerdir", list->lower.data, -1);
	if (overlay->upper < 0)
		return;
	snprintf(list->upper, sizeof(list->upper), "%d", overlay->upper);
	snprintf(list->work, sizeof(list->work), "%d", overlay->work);
	option_add(list, "upperdir", list->upper, -1);
	option_add(list, "workdir", list->work, -1);
}

/* Without an upper layer none of these has an effect that could matter: nothing is created, and both kinds of lower
 * layers that we combine are owned by the host's root. */
static void options_of_features(const struct overlay *overlay, struct option_list *list)
{
	if (overlay->upper < 0)
		return;
	option_add(list, "index", "off", -1);
	option_add(list, "xino", "off", -1);
	option_add(list, "metacopy", "off", -1);
	option_add(list, "redirect_dir", "nofollow", -1);
	if (overlay->is_volatile)
		option_add(list, "volatile", NULL, -1);
}

/* mount(2) can only attach: on a place of the scratch, from where a clone is taken. */
static int classic_attach_and_clone(const struct image_session *session, const char *data, struct error *err)
{
	char path[DESCRIPTOR_PATH_SIZE + sizeof("/" OVERLAY_PLACE)], scratch[DESCRIPTOR_PATH_SIZE];
	int clone;

	descriptor_path(scratch, session->scratch);
	snprintf(path, sizeof(path), "%s/" OVERLAY_PLACE, scratch);
	if (mount("overlay", path, "overlay", 0, data) < 0)
		return fail_errno(err, "mount an overlay of that many layers");
	clone = mount_clone(session->scratch, OVERLAY_PLACE, false, err);
	if (umount2(path, MNT_DETACH) < 0 && clone >= 0) {
		fd_drop(&clone);
		return fail_errno(err, "unmount the overlay from the scratch");
	}
	return clone;
}

static int classic_mount(
	const struct image_session *session, const struct option_list *list, uint64_t attr, struct error *err)
{
	AUTO(text_drop) struct text data = {0};
	auto_fd mount = -1;

	for (size_t i = 0; i < list->count; i++)
		text_appendf(&data, "%s%s%s%s", i ? "," : "", list->items[i].name, list->items[i].value ? "=" : "",
			list->items[i].value ? list->items[i].value : "");
	if (data.length >= (size_t)getpagesize())
		return fail(err, ERROR_USAGE, "an overlay of so many layers needs Linux 6.13");
	mount = classic_attach_and_clone(session, data.data, err);
	if (mount < 0 || mount_change(mount, false, attr, 0, -1, err) < 0)
		return -1;
	return take_fd(&mount);
}

/* In the directory of our own descriptors, and back. */
static int mount_by_numbers(const struct image_session *session, const struct overlay *overlay,
	const struct option_list *list, struct error *err)
{
	auto_fd here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int mount;

	if (chdir("/proc/self/fd") < 0)
		return fail_errno(err, "enter /proc/self/fd");
	mount = list->lower.length > FSCONFIG_STRING_MAX
			? classic_mount(session, list, overlay->attr, err)
			: filesystem_mount("overlay", NULL, list->items, list->count, overlay->attr, err);
	if (here < 0 || fchdir(here) < 0)
		(void)!chdir("/");
	return mount;
}

int overlay_mount(const struct image_session *session, const struct overlay *overlay, struct error *err)
{
	AUTO(option_list_drop) struct option_list list;
	uid_t uid = overlay->upper < 0 ? 0 : overlay->as_uid;
	int mount = -1;

	list.count = 0; /* the rest is large, and written before it is read */
	list.lower = (struct text){0};
	if (overlay->lower_count > OVERLAY_LAYERS_MAX)
		return fail(
			err, ERROR_USAGE, "%zu layers; an overlay takes %d", overlay->lower_count, OVERLAY_LAYERS_MAX);
	if (session->detached_layers)
		options_of_descriptors(overlay, &list);
	else
		options_of_paths(overlay, &list);
	options_of_features(overlay, &list);
	/* Overlayfs keeps its mounter's credentials and creates files with them. Id 0 of the host has no place in an
	 * idmapped upper layer, and the mount would silently be read-only. */
	if (filesystem_ids_take(uid, err) == 0)
		mount = session->detached_layers
				? filesystem_mount("overlay", NULL, list.items, list.count, overlay->attr, err)
				: mount_by_numbers(session, overlay, &list, err);
	filesystem_ids_restore(uid);
	return mount;
}

int empty_directory_open(int store, struct error *err)
{
	int fd = openat(store, "empty", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return fail_errno(err, "open the store's directory empty");
	return dir_create(store, "empty", 0755, err);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* By mount id, since btrfs shows another device number than stat(2); by device number where the mount is not in our
 * table: a detached clone has the file system of an attached mount. statx(2): STATX_MNT_ID since 5.8. */
struct name_search {
	uint64_t id;
	char device[24];
	char *name;
	size_t size;
};

static bool name_look(void *context, const struct mountinfo *mount)
{
	struct name_search *search = context;
	bool is_it = mount->id == search->id;

	if (is_it || !strcmp(mount->device, search->device))
		snprintf(search->name, search->size, "%s", mount->type);
	return !is_it;
}

const char *filesystem_name(int fd, char buffer[64])
{
	struct name_search search = {.name = buffer, .size = 64};
	struct statx about;
	struct error ignored;

	strcpy(buffer, "?");
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &about) < 0)
		return buffer;
	search.id = about.stx_mnt_id;
	snprintf(search.device, sizeof(search.device), "%u:%u", about.stx_dev_major, about.stx_dev_minor);
	if (mountinfo_each(AT_FDCWD, name_look, &search, &ignored) < 0)
		return buffer;
	return buffer;
}
