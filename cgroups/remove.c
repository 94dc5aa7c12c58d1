/* Removing cgroups and what instances have made below them; finding what is left over.
 *
 * A cgroup goes when it has neither processes nor children. The first attempt is a plain rmdir of each hierarchy, which
 * is all that a clean end needs. What is below is removed from the leaves up with a single directory descriptor that
 * walks (openat of a child, openat of ".."), so depth, which a hostile instance with a delegated subtree chooses, costs
 * neither descriptors nor stack. Nothing is ever followed: cgroupfs has no links, and directories are opened
 * O_NOFOLLOW.
 *
 * Waiting for dying processes: v2's cgroup.events wakes us; v1 has nothing but trying again. A zombie does not keep its
 * cgroup (the kernel takes it out when it exits). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/tree.h"

#define SWEEP_MAX 1000000 /* directories removed by one sweep */
#define DEPTH_MAX 65536
#define NAMES_MAX (65536 * CGROUP_CONTROLLERS)

static DIR *stream_open(int dir)
{
	int fd = cgroup_dir_open(dir, ".");
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (!stream)
		fd_drop(&fd);
	return stream;
}

static bool entry_is_cgroup(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static const char *first_child(int dir, struct arena *arena)
{
	DIR *stream = stream_open(dir);
	const char *name = NULL;

	if (!stream)
		return NULL;
	for (struct dirent *entry = readdir(stream); entry && !name; entry = readdir(stream))
		if (entry_is_cgroup(entry))
			name = arena_string(arena, entry->d_name);
	closedir(stream);
	return name;
}

/* Removes what is below top: 0, or -1 with errno (EBUSY: processes in it). */
static int sweep(int top)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	auto_fd at = cgroup_dir_open(top, ".");

	for (long steps = 0; at >= 0 && steps < SWEEP_MAX; steps++) {
		const char *child = names.count < DEPTH_MAX ? first_child(at, &arena) : NULL;
		int next = cgroup_dir_open(at, child ? child : "..");

		if (next < 0 && errno != ENOENT)
			return -1;
		if (child && next >= 0) {
			strings_add(&arena, &names, child);
			fd_drop(&at);
			at = next;
			continue;
		}
		if (child)
			continue;
		if (names.count == 0) {
			fd_drop(&next);
			return 0;
		}
		fd_drop(&at);
		at = next;
		if (unlinkat(at, names.items[--names.count], AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -1;
	}
	errno = EBUSY;
	return -1;
}

static void wait_v2(int dir, struct patience *patience)
{
	auto_fd events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[256];
	int64_t populated;

	while (events >= 0) {
		ssize_t got = pread(events, text, sizeof(text) - 1, 0);

		text[got > 0 ? got : 0] = '\0';
		if (!keyed_number(text, "populated", &populated) || !populated || !patience_poll(patience, events))
			break;
	}
}

static int busy(const struct cgroup_host *host, const char *path, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_drop) struct cgroup cgroup = {.unified = -1};
	struct cgroup_pids pids = {0};
	struct error unused;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		cgroup.hierarchy[c] = -1;
	if (cgroup_open(host, path, &cgroup, &unused) < 0 || cgroup_processes(&cgroup, &arena, &pids, &unused) < 0 ||
		!pids.count)
		return fail(err, ERROR_BUSY, "remove cgroup %s: it is still in use", path);
	return fail(err, ERROR_BUSY, "remove cgroup %s: it still has %zu process%s (the first is %d)", path, pids.count,
		pids.count == 1 ? "" : "es", pids.items[0]);
}

/* Whether rmdir's failure means "not yet": EBUSY, and ENOTEMPTY should a kernel say that of children. */
static bool is_not_yet(int error)
{
	return error == EBUSY || error == ENOTEMPTY;
}

/* One hierarchy: 0, 1 when the time is out, -1 with errno. */
static int remove_in(int root, const char *path, bool v2, struct patience *patience)
{
	for (;;) {
		auto_fd dir = -1;
		bool more;

		if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (!is_not_yet(errno))
			return -1;
		dir = cgroup_dir_open(root, path);
		if (dir >= 0 && sweep(dir) < 0 && !is_not_yet(errno))
			return -1;
		if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (v2 && dir >= 0)
			wait_v2(dir, patience);
		more = patience_wait(patience);
		if (!more)
			return 1;
	}
}

/* v1 keeps a dead cgroup's struct for as long as pages are charged to it; force_empty gives them back, 14 ms under
 * load. Refused while processes are in it: then only the memory stays a while. */
static void memory_give_back(const struct cgroup_host *host, const char *path)
{
	auto_fd dir = host->hierarchy[CGROUP_MEMORY] >= 0 ? cgroup_dir_open(host->hierarchy[CGROUP_MEMORY], path) : -1;

	if (dir >= 0)
		(void)knob_write(dir, "memory.force_empty", "0");
}

static int remove_from(const struct cgroup_host *host, int root, const char *path, const char *hierarchy,
	struct patience *patience, struct error *err)
{
	int result = remove_in(root, path, host_is_v2(host), patience);

	if (result == 0)
		return 0;
	return result > 0 ? busy(host, path, err) : fail_errno(err, "remove cgroup %s (%s)", path, hierarchy);
}

void cgroup_remove_empty(const struct cgroup_host *host, const char *path)
{
	struct error ignored;

	if (cgroup_path_check(path, &ignored) < 0)
		return;
	if (host_is_v2(host))
		unlinkat(host->unified, path, AT_REMOVEDIR);
	for (int c = 0; !host_is_v2(host) && c < CGROUP_CONTROLLERS; c++)
		if (hierarchy_is_first(host, (enum cgroup_controller)c))
			unlinkat(host->hierarchy[c], path, AT_REMOVEDIR);
}

int cgroup_remove(
	const struct cgroup_host *host, const char *path, int64_t timeout_ms, bool thorough, struct error *err)
{
	struct patience patience = patience_start(timeout_ms);

	if (cgroup_path_check(path, err) < 0)
		return -1;
	if (host_is_v2(host))
		return remove_from(host, host->unified, path, "v2", &patience, err);
	if (thorough)
		memory_give_back(host, path);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (hierarchy_is_first(host, (enum cgroup_controller)c) &&
			remove_from(host, host->hierarchy[c], path, controller_v1_name((enum cgroup_controller)c),
				&patience, err) < 0)
			return -1;
	return 0;
}

static int names_add(int root, const char *path, struct arena *arena, struct strings *names, struct error *err)
{
	auto_fd dir = cgroup_dir_open(root, path);
	DIR *stream = dir >= 0 ? stream_open(dir) : NULL;
	int result = 0;

	if (!stream)
		return errno == ENOENT ? 0 : fail_errno(err, "list cgroup %s", path);
	for (struct dirent *entry = readdir(stream); entry && result == 0; entry = readdir(stream)) {
		if (!entry_is_cgroup(entry))
			continue;
		if (names->count >= NAMES_MAX)
			result = fail(err, ERROR_SYSTEM, "list cgroup %s: more than %d children", path, NAMES_MAX);
		else
			strings_add(arena, names, arena_string(arena, entry->d_name));
	}
	closedir(stream);
	return result;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct strings *names)
{
	size_t kept = 0;

	if (!names->count)
		return;
	qsort(names->items, names->count, sizeof(*names->items), name_compare);
	for (size_t i = 1; i < names->count; i++)
		if (strcmp(names->items[kept], names->items[i]) != 0)
			names->items[++kept] = names->items[i];
	names->count = kept + 1;
}

int cgroup_children(
	const struct cgroup_host *host, const char *path, struct arena *arena, struct strings *names, struct error *err)
{
	*names = (struct strings){0};
	if (cgroup_path_check(path, err) < 0)
		return -1;
	if (host_is_v2(host) && names_add(host->unified, path, arena, names, err) < 0)
		return -1;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (hierarchy_is_first(host, (enum cgroup_controller)c) &&
			names_add(host->hierarchy[c], path, arena, names, err) < 0)
			return -1;
	names_sort(names);
	return 0;
}
