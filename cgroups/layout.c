/* Which cgroup hierarchies this host has, and where our part of them begins.
 *
 * Everything comes from /proc/self/mountinfo and /proc/self/cgroup. Where our part begins (the base that paths are
 * relative to), for each hierarchy:
 *   1. the root of its mount, when we may make directories there: a host's root user, or a container whose mount shows
 *      its own subtree (cgroup namespace or bind mount);
 *   2. else our own cgroup, when we may make directories there: a delegated subtree (systemd's Delegate=, a user's
 *      session). On v2 the kernel then demands that no process stays in it before it hands controllers to children:
 *      whoever started us moves them to a child first; enabling says so when it fails;
 *   3. else the root again, so that reading works and making fails with the kernel's own reason.
 *
 * cgroup2 beside v1 controllers is "hybrid" and treated as v1, but a v1 mount that carries none of cpu, memory and pids
 * (VPN programs mount net_cls, systemd its named one) does not make a v2 host hybrid.
 *
 * A mount may be hidden by a later one at the same place. Nothing is limited silently then: the kernel's files are
 * opened without O_CREAT, so the first limit or `tasks` is missing and says so. */
#include "cgroups/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "cgroups/knobs.h"
#include "cgroups/tree.h"

#define SELF_MAX ((size_t)1 << 16)

static const struct {
	const char *v2, *v1;
} names[CGROUP_CONTROLLERS] = {
	[CGROUP_CPU] = {"cpu", "cpu"},
	[CGROUP_CPUACCT] = {"cpuacct", "cpuacct"},
	[CGROUP_CPUSET] = {"cpuset", "cpuset"},
	[CGROUP_MEMORY] = {"memory", "memory"},
	[CGROUP_PIDS] = {"pids", "pids"},
	[CGROUP_IO] = {"io", "blkio"},
	[CGROUP_DEVICES] = {"devices", "devices"},
	[CGROUP_FREEZER] = {"freezer", "freezer"},
	[CGROUP_HUGETLB] = {"hugetlb", "hugetlb"},
	[CGROUP_RDMA] = {"rdma", "rdma"},
	[CGROUP_NET_CLS] = {"net_cls", "net_cls"},
	[CGROUP_NET_PRIO] = {"net_prio", "net_prio"},
};

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	return names[controller].v2;
}

const char *controller_v1_name(enum cgroup_controller controller)
{
	return names[controller].v1;
}

static int controller_find(const char *name, size_t length, bool v1)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *known = v1 ? names[c].v1 : names[c].v2;

		if (strncmp(known, name, length) == 0 && !known[length])
			return c;
	}
	return -1;
}

unsigned controllers_parse(const char *list, bool v1)
{
	unsigned found = 0;

	while (*list) {
		size_t length = strcspn(list, " ,\n");
		int controller = length ? controller_find(list, length, v1) : -1;

		if (controller >= 0)
			found |= 1U << controller;
		list += length;
		list += strspn(list, " ,\n");
	}
	return found;
}

unsigned controllers_read(int dir, const char *file)
{
	char text[512];

	return knob_read(dir, file, text, sizeof(text)) > 0 ? controllers_parse(text, false) : 0;
}

bool hierarchy_is_first(const struct cgroup_host *host, enum cgroup_controller controller)
{
	if (host->hierarchy[controller] < 0)
		return false;
	for (int c = 0; c < (int)controller; c++)
		if (host->hierarchy[c] >= 0 && host->number[c] == host->number[controller])
			return false;
	return true;
}

/* What it points to stays the mountinfo's. */
static bool cgroup_mount_of(const struct mountinfo *mount, struct cgroup_mount *out)
{
	bool v2 = text_equal(mount->type, "cgroup2");

	*out = (struct cgroup_mount){mount->root, mount->point, mount->options, v2};
	return v2 || text_equal(mount->type, "cgroup");
}

bool cgroup_mount_parse(char *line, struct cgroup_mount *out)
{
	struct mountinfo mount;

	return mountinfo_parse(line, &mount) && cgroup_mount_of(&mount, out);
}

/* One hierarchy as it was found: the mount to use and where we are in it. */
struct found {
	const struct cgroup_mount *mount;
	const char *self;
	unsigned number;
};

struct layout {
	struct arena *arena;
	struct found v2;
	struct found v1[CGROUP_CONTROLLERS];
	unsigned v1_controllers;
	bool goes_on;
};

/* Which one limits are set on is told by these. */
static const unsigned main_controllers = 1U << CGROUP_CPU | 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS;

static bool mount_is_better(const struct cgroup_mount *mount, const struct cgroup_mount *than)
{
	return !than || (strcmp(mount->root, "/") == 0 && strcmp(than->root, "/") != 0);
}

static void layout_add_mount(struct layout *layout, const struct cgroup_mount *mount)
{
	unsigned controllers = mount->v2 ? 0 : controllers_parse(mount->options, true);

	if (mount->v2 && mount_is_better(mount, layout->v2.mount))
		layout->v2.mount = mount;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers & 1U << c && mount_is_better(mount, layout->v1[c].mount))
			layout->v1[c].mount = mount;
	layout->v1_controllers |= controllers;
}

static bool has_its_root(const struct found *found)
{
	return found->mount && strcmp(found->mount->root, "/") == 0;
}

/* Whether no further mount can change the answer: each hierarchy that /proc/self/cgroup names was found from its root
 * on. The one of v2 is of no use where v1 has the main controllers. */
static bool layout_is_complete(const struct layout *layout)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (layout->v1[c].self && !has_its_root(&layout->v1[c]))
			return false;
	return layout->v1_controllers & main_controllers || has_its_root(&layout->v2);
}

static bool layout_note_mount(void *context, const struct mountinfo *seen)
{
	struct layout *layout = context;
	struct cgroup_mount mount, *kept;

	if (!cgroup_mount_of(seen, &mount))
		return true;
	kept = arena_new(layout->arena, struct cgroup_mount);
	*kept = (struct cgroup_mount){arena_string(layout->arena, mount.root), arena_string(layout->arena, mount.point),
		arena_string(layout->arena, mount.options), mount.v2};
	layout_add_mount(layout, kept);
	return !layout_is_complete(layout);
}

/* "4:memory:/path", "0::/path": number, controllers, our cgroup. */
static void layout_add_self(struct layout *layout, const char *text)
{
	char *line = (char *)arena_string(layout->arena, text);
	char *list = strchr(line, ':');
	char *path = list ? strchr(list + 1, ':') : NULL;
	int64_t number;
	unsigned controllers;

	if (!path || !knob_parse(line, &number))
		return;
	*path++ = '\0';
	if (number == 0)
		layout->v2.self = path;
	controllers = controllers_parse(list + 1, true);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (!(controllers & 1U << c))
			continue;
		layout->v1[c].self = path;
		layout->v1[c].number = (unsigned)number;
	}
}

static int layout_read_self(struct layout *layout, struct error *err)
{
	const char *text;
	struct strings lines;

	if (file_read(layout->arena, AT_FDCWD, "/proc/self/cgroup", SELF_MAX, &text, NULL, err) < 0)
		return -1;
	lines = strings_split(layout->arena, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		layout_add_self(layout, lines.items[i]);
	return 0;
}

static bool is_writable(int dir)
{
	return faccessat(dir, ".", W_OK, AT_EACCESS) == 0;
}

/* A path that leaves the mount ("/../x": we were moved out of our cgroup namespace) names nothing below it. */
const char *unified_place_below(const struct unified_place *place)
{
	size_t length;
	const char *below;

	if (!place->point || !place->root || !place->self)
		return NULL;
	length = strcmp(place->root, "/") == 0 ? 0 : strlen(place->root);
	if (strncmp(place->self, place->root, length) != 0)
		return NULL;
	below = place->self + length;
	if (!below[0])
		return "/";
	return below[0] != '/' || strstr(below, "/..") ? NULL : below;
}

/* Our own cgroup below the mount's root, or -1. */
static int self_open(int root, const struct found *found)
{
	struct unified_place place = {found->mount->point, found->mount->root, found->self};
	const char *below = unified_place_below(&place);

	return below && below[1] ? cgroup_dir_open(root, below + 1) : -1;
}

/* Whether what failed with errno is out of our sight, and not only out of reach this time (EMFILE, ENOMEM, EIO …). */
static bool is_out_of_sight(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP;
}

/* The base directory of a hierarchy; -1: its mount cannot be reached, errno says why. *roots_are_ours: what was found
 * for the hierarchies before; one that answers yes is believed for all, as a failing mkdir says the rest. */
static int base_open(const struct found *found, bool *roots_are_ours)
{
	auto_fd root = open(found->mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -1;
	if (!*roots_are_ours && !(*roots_are_ours = is_writable(root))) {
		auto_fd self = self_open(root, found);

		if (self >= 0 && is_writable(self))
			return take_fd(&self);
	}
	return take_fd(&root);
}

static int host_open_v1(struct cgroup_host *host, const struct layout *layout, struct error *err)
{
	bool roots_are_ours = false;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (!layout->v1[c].mount)
			continue;
		host->hierarchy[c] = base_open(&layout->v1[c], &roots_are_ours);
		if (host->hierarchy[c] < 0 && !is_out_of_sight())
			return fail_errno(err, "open %s", layout->v1[c].mount->point);
		host->number[c] = layout->v1[c].number;
		host->available[c] = host->hierarchy[c] >= 0;
	}
	host->swap = host->available[CGROUP_MEMORY] &&
		     faccessat(host->hierarchy[CGROUP_MEMORY], "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
	return 0;
}

/* Devices need bpf(2) and freezing nothing but the kernel: no controllers on v2, but there. A kernel with swap accounts
 * it on v2 (6.1 takes no notice of swapaccount=0). */
static void host_open_v2(struct cgroup_host *host, int base)
{
	unsigned controllers = controllers_read(base, "cgroup.controllers");

	host->unified = base;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		host->available[c] = controllers & 1U << c;
	host->available[CGROUP_DEVICES] = true;
	host->available[CGROUP_FREEZER] = true;
	host->swap = host->available[CGROUP_MEMORY] && access("/proc/swaps", F_OK) == 0;
}

static enum cgroup_mode mode_choose(const struct layout *layout)
{
	if (layout->v2.mount && !(layout->v1_controllers & main_controllers))
		return CGROUP_V2;
	if (!layout->v1_controllers)
		return CGROUP_NONE;
	return layout->v2.self ? CGROUP_HYBRID : CGROUP_V1;
}

static int layout_read(struct layout *layout, struct arena *arena, struct error *err)
{
	*layout = (struct layout){.arena = arena};
	if (layout_read_self(layout, err) < 0 ||
		mountinfo_each_own(layout_note_mount, layout, &layout->goes_on, err) < 0)
		return blame(err, "find the cgroup hierarchies");
	return 0;
}

int unified_place_read(struct arena *arena, struct unified_place *out, struct error *err)
{
	struct layout layout;

	*out = (struct unified_place){0};
	if (layout_read(&layout, arena, err) < 0)
		return -1;
	if (mode_choose(&layout) == CGROUP_V2)
		*out = (struct unified_place){layout.v2.mount->point, layout.v2.mount->root, layout.v2.self};
	return 0;
}

/* The directory that a host's base is to be; -1 with errno. path "/": the mount's root. */
static int base_open_at(const struct found *found, const char *path)
{
	auto_fd root = open(found->mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return root < 0 || !path[1] ? take_fd(&root) : cgroup_dir_open(root, path + 1);
}

static void host_start(struct cgroup_host *host)
{
	*host = (struct cgroup_host){.mode = CGROUP_NONE, .unified = -1};
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		host->hierarchy[c] = -1;
}

int cgroup_host_open(struct cgroup_host *host, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct layout layout;
	bool root_is_ours = false;

	host_start(host);
	if (layout_read(&layout, &arena, err) < 0)
		return -1;
	host->mode = mode_choose(&layout);
	host->many_mounts = layout.goes_on;
	if (host->mode == CGROUP_V2) {
		int base = base_open(&layout.v2, &root_is_ours);

		if (base < 0 && !is_out_of_sight())
			return fail_errno(err, "open %s", layout.v2.mount->point);
		if (base < 0)
			host->mode = CGROUP_NONE;
		else
			host_open_v2(host, base);
	} else if (host->mode != CGROUP_NONE && host_open_v1(host, &layout, err) < 0) {
		cgroup_host_drop(host);
		return -1;
	}
	return 0;
}

int cgroup_host_open_at(struct cgroup_host *host, const char *base, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct layout layout;
	int dir;

	host_start(host);
	if (base[0] != '/' || (base[1] && cgroup_path_check(base + 1, err) < 0))
		return base[0] == '/' ? -1 : fail(err, ERROR_USAGE, "cgroup \"%.200s\": not an absolute path", base);
	if (layout_read(&layout, &arena, err) < 0)
		return -1;
	if (mode_choose(&layout) != CGROUP_V2)
		return fail(err, ERROR_SYSTEM,
			"cgroup %s: only a host with cgroup v2 can begin anywhere but at the root", base);
	dir = base_open_at(&layout.v2, base);
	if (dir < 0 && errno == ENOENT)
		return fail(err, ERROR_MISSING, "there is no cgroup %s", base);
	if (dir < 0)
		return fail_errno(err, "open cgroup %s", base);
	host->mode = CGROUP_V2;
	host->many_mounts = layout.goes_on;
	host_open_v2(host, dir);
	return 0;
}

void cgroup_host_drop(struct cgroup_host *host)
{
	fd_drop(&host->unified);
	fds_drop(host->hierarchy, CGROUP_CONTROLLERS);
}
