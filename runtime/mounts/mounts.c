/* The mount list, before the child exists: what shall be made, and clones of what only the parent sees.
 *
 * Read-only file systems that others are mounted in (a /dev with its nodes) become read-only at the end. Descriptors
 * stay open until execve closes them: one call less for each. */
#include "runtime/mounts/mounts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/socket.h"
#include "runtime/mounts/idmap.h"

/* File systems that show a namespace. Whoever has a user namespace of its own may not make one for the host's: it gets
 * the host's own mount. */
static const struct {
	const char *type;
	enum spec_namespace of;
	const char *host_path;
} shows_namespace[] = {
	{"proc", NS_PID, "/proc"},
	{"sysfs", NS_NET, "/sys"},
	{"mqueue", NS_IPC, "/dev/mqueue"},
};

static const char *host_instance(const char *type, const struct namespaces *namespaces)
{
	if (!namespaces->own_ids)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(shows_namespace); i++)
		if (text_equal(type, shows_namespace[i].type) &&
			namespaces_share_host(namespaces, shows_namespace[i].of))
			return shows_namespace[i].host_path;
	return NULL;
}

static bool host_is_v2(void)
{
	struct statfs status;

	return statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

/* A new mount made in the host's cgroup namespace would set anew what the hierarchy was mounted with (nsdelegate), for
 * all: the host's own is cloned. */
static const char *host_cgroup(const char *type, const struct namespaces *namespaces)
{
	if (!text_equal(type, "cgroup") && !text_equal(type, "cgroup2"))
		return NULL;
	return namespaces_share_host(namespaces, NS_CGROUP) && host_is_v2() ? "/sys/fs/cgroup" : NULL;
}

static const char *source_path(struct arena *arena, const struct spec *spec, const char *source)
{
	if (*source == '/' || !spec->bundle)
		return source;
	return arena_format(arena, "%s/%s", spec->bundle, source);
}

/* Flags and propagation of a clone. Unless it was asked to be shared or a slave, nothing that is mounted in it on one
 * side shows on the other. */
static int clone_change(int mount, const struct spec_mount *spec, struct error *err)
{
	bool share = spec->propagation && !spec->propagation_recursive;
	struct mount_attr all = {
		.attr_set = spec->attr_set_recursive,
		.attr_clr = spec->attr_clear_recursive,
		.propagation = share || !spec->propagation ? MS_PRIVATE : spec->propagation,
	};
	struct mount_attr top = {
		.attr_set = spec->attr_set & ~(spec->late_read_only ? (uint64_t)MOUNT_ATTR_RDONLY : 0),
		.attr_clr = spec->attr_clear,
		.propagation = share ? spec->propagation : 0,
	};

	if (share && (spec->propagation == MS_SHARED || spec->propagation == MS_SLAVE))
		all.propagation = 0; /* private first would cut the tie that is wanted */
	if (mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0)
		return fail_errno(err, "set flags and propagation");
	if (!top.attr_set && !top.attr_clr && !top.propagation)
		return 0;
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &top, sizeof(top)) < 0)
		return fail_errno(err, "set flags and propagation");
	return 0;
}

/* The image may declare a volume at /proc, and everybody inside would then believe what is written there
 * (CVE-2019-16884); the host's own /proc is another matter. */
static int proc_check(int mount, const char *destination, struct error *err)
{
	const char *name = destination + strspn(destination, "/");
	struct statfs status;

	if (!text_starts_with(name, "proc") || name[4 + strspn(name + 4, "/")])
		return 0;
	if (fstatfs(mount, &status) < 0)
		return fail_errno(err, "ask for its type");
	if (status.f_type != PROC_SUPER_MAGIC)
		return fail(err, ERROR_USAGE, "only a proc file system can be there");
	return 0;
}

static int clone_prepare(struct mount_item *item, const char *path, bool recursive, struct error *err)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	struct stat status;

	item->how = MOUNT_CLONE;
	item->late_read_only = item->spec->late_read_only;
	item->mount = open_tree(AT_FDCWD, path, flags);
	if (item->mount < 0 || fstat(item->mount, &status) < 0)
		return fail_errno(err, "mount: %s on %s", path, item->spec->destination);
	item->is_file = !S_ISDIR(status.st_mode);
	if (proc_check(item->mount, item->spec->destination, err) < 0 || clone_change(item->mount, item->spec, err) < 0)
		return blame(err, "mount: %s on %s", path, item->spec->destination);
	return 0;
}

static void options_prepare(struct arena *arena, struct mount_item *item)
{
	const struct pairs *data = &item->spec->data;

	item->options = arena_new_array(arena, data->count, struct mount_option);
	for (size_t i = 0; i < data->count; i++) {
		const char *value = data->items[i].value;

		item->options[i] = (struct mount_option){
			.name = data->items[i].name, .value = text_is_empty(value) ? NULL : value, .fd = -1};
	}
	item->option_count = data->count;
}

static void cgroup_prepare(struct mounts *mounts, struct mount_item *item)
{
	mounts->wants_cgroup = true;
	item->option_count = 0;
	if (host_is_v2()) {
		item->type = "cgroup2";
		return;
	}
	item->how = MOUNT_CGROUP_V1;
	item->type = "tmpfs";
	item->late_read_only = item->attr & MOUNT_ATTR_RDONLY;
}

static int item_prepare(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct mounts *mounts, struct mount_item *item, struct error *err)
{
	const char *type = item->spec->type, *host;

	if (item->spec->bind) {
		const char *source = item->spec->source ? item->spec->source : "";

		return clone_prepare(item, source_path(arena, spec, source), item->spec->recursive, err);
	}
	host = host_instance(type, namespaces);
	if (!host)
		host = host_cgroup(type, namespaces);
	if (host)
		return clone_prepare(item, host, true, err);
	item->type = type;
	item->attr = item->spec->attr_set & ~item->spec->attr_clear;
	options_prepare(arena, item);
	if (text_equal(type, "cgroup") || text_equal(type, "cgroup2"))
		cgroup_prepare(mounts, item);
	if (text_equal(type, "tmpfs") || item->spec->late_read_only)
		item->late_read_only = item->attr & MOUNT_ATTR_RDONLY;
	if (item->late_read_only)
		item->attr &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	return 0;
}

int mounts_prepare(struct arena *arena, const struct spec *spec, const struct namespaces *namespaces,
	struct mounts *out, struct error *err)
{
	*out = (struct mounts){.proc = -1, .sys = -1, .dev = -1};
	out->items = arena_new_array(arena, spec->mounts.count, struct mount_item);
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_item *item = &out->items[out->count++];

		item->spec = &spec->mounts.items[i];
		item->mount = -1;
		if (item_prepare(arena, spec, namespaces, out, item, err) < 0) {
			mounts_drop(out);
			return -1;
		}
	}
	return 0;
}

void mounts_drop(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		fd_drop(&mounts->items[i].mount);
	mounts->count = 0;
}

/* The kernel's own, whose source is only a name. */
bool mount_type_is_virtual(const char *type)
{
	static const char *const types[] = {"proc", "tmpfs", "sysfs", "devpts", "mqueue", "cgroup2"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (text_equal(type, types[i]))
			return true;
	return false;
}

bool mounts_need_host(const struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].how == MOUNT_NEW && !mount_type_is_virtual(mounts->items[i].type))
			return true;
	return false;
}

static int item_map_ids(const struct mount_item *item, int userns, struct error *err)
{
	auto_fd own = -1;

	if (item->spec->uid_maps.count) {
		own = idmap_namespace_open(item->spec, err);
		if (own < 0)
			return -1;
	} else if (userns < 0) {
		/* Made by an ordinary user: the user namespace is the caller's own, whose maps the kernel gives to no
		 * mount of the host. */
		return fail(err, ERROR_USAGE,
			"idmap: the container has no user namespace whose maps a mount of the host can have; name them "
			"by uidMappings and gidMappings");
	}
	return mount_change(item->mount, item->spec->idmap_recursive, 0, 0, own >= 0 ? own : userns, err);
}

int mounts_map_ids(const struct mounts *mounts, int userns, struct error *err)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount_item *item = &mounts->items[i];

		if (item->how != MOUNT_CLONE || !item->spec->idmap)
			continue;
		if (item_map_ids(item, userns, err) < 0)
			return blame(err, "mount: %s on %s", item->spec->source, item->spec->destination);
	}
	return 0;
}

int mounts_make_read_only(const struct mounts *mounts, struct error *err)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount_item *item = &mounts->items[i];

		if (item->late_read_only &&
			mount_change(item->mount, item->how == MOUNT_CGROUP_V1, MOUNT_ATTR_RDONLY, 0, -1, err) < 0)
			return blame(err, "%s", item->spec->destination);
	}
	return 0;
}
