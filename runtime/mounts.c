/* Mounts: new file systems and clones, attached inside the root by descriptor.
 *
 * A destination is resolved by openat2 inside the root; what proc and sysfs are mounted on must be a plain directory,
 * so that an image cannot lead writes to /proc elsewhere. Read-only file systems that others are mounted in (a /dev
 * with its nodes) become read-only at the end. Descriptors stay open until execve closes them: one call less for each.
 */
#include "runtime/mounts.h"

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
#include "runtime/child.h"
#include "runtime/idmap.h"

/* --- parent side -------------------------------------------------------------------------------------------------- */

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
static bool is_virtual(const char *type)
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
		if (mounts->items[i].how == MOUNT_NEW && !is_virtual(mounts->items[i].type))
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

/* --- child side: new file systems --------------------------------------------------------------------------------- */

/* "4:memory:/warren/web-1" → "memory", when the path ends in our cgroup's. */
static bool hierarchy_parse(char *line, const char *cgroup_path, struct hierarchy *out)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
	size_t wanted = strlen(cgroup_path), length;

	if (!path || path == controllers + 1) /* "0::/…" is the v2 hierarchy */
		return false;
	*path++ = '\0';
	length = strlen(path);
	if (length < wanted || strcmp(path + length - wanted, cgroup_path) != 0)
		return false;
	return (size_t)snprintf(out->controllers, sizeof(out->controllers), "%s", controllers + 1) <
	       sizeof(out->controllers);
}

int mounts_note_hierarchies(struct mounts *mounts, const char *cgroup_path, struct error *err)
{
	auto_fd fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char content[4096], *rest = content, *line;
	ssize_t length;

	if (fd < 0)
		return fail_errno(err, "open /proc/self/cgroup");
	length = read_retried(fd, content, sizeof(content) - 1);
	if (length < 0)
		return fail_errno(err, "read /proc/self/cgroup");
	content[length] = '\0';
	while ((line = strsep(&rest, "\n")) && mounts->hierarchy_count < HIERARCHIES_MAX)
		if (hierarchy_parse(line, cgroup_path, &mounts->hierarchies[mounts->hierarchy_count]))
			mounts->hierarchy_count++;
	return 0;
}

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

int mounts_ask_for_proc(struct child *child, struct error *err)
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
	bool virtual = is_virtual(item->type);

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

int mounts_make(struct child *child, struct error *err)
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

/* --- child side: attaching ---------------------------------------------------------------------------------------- */

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

/* By mount(2), which does at once what takes five calls by descriptor. The name is as safe: the directory that we are
 * in is new and empty. Read-only they become with it, at the end: MS_RDONLY would be asked of the hierarchy itself. */
static int hierarchy_attach(const struct hierarchy *hierarchy, uint64_t attr, struct error *err)
{
	static_assert(MOUNT_ATTR_NOSUID == MS_NOSUID && MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC,
		"both interfaces have the same flags");
	const char *name = hierarchy->controllers;
	bool is_named = text_starts_with(name, "name="); /* a hierarchy without controllers */
	char options[sizeof(hierarchy->controllers) + sizeof("none,")];

	snprintf(options, sizeof(options), "%s%s", is_named ? "none," : "", name);
	name += is_named ? strlen("name=") : 0;
	if (mkdir(name, 0755) < 0)
		return fail_errno(err, "make directory %s", name);
	if (mount("cgroup", name, "cgroup", attr & (MS_NOSUID | MS_NODEV | MS_NOEXEC), options) < 0)
		return fail_errno(err, "mount cgroup: option %s", options);
	return 0;
}

static int hierarchies_attach(const struct child *child, const struct mount_item *item, struct error *err)
{
	const struct mounts *mounts = &child->mounts;

	if (!mounts->hierarchy_count)
		return 0;
	if (fchdir(item->mount) < 0)
		return fail_errno(err, "enter it");
	for (size_t i = 0; i < mounts->hierarchy_count; i++)
		if (hierarchy_attach(&mounts->hierarchies[i], item->attr, err) < 0)
			return blame(err, "cgroup hierarchy %s", mounts->hierarchies[i].controllers);
	return fchdir(child->root) < 0 ? fail_errno(err, "return to the root") : 0;
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
	return item->how == MOUNT_CGROUP_V1 ? hierarchies_attach(child, item, err) : 0;
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

int mounts_attach_all(struct child *child, struct error *err)
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
