/* What of the host may be given to an instance, whole or as a volume.
 *
 * A writable bind of /etc is the administrator's own decision; a bind of / or /proc, or of the directory that holds
 * every other instance, never is one. The rules are kept by identity (device and inode of the opened descriptor), so
 * that links, bind mounts and names such as /proc/1/root lead to the same answer. */
#include "images/host/source.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/overlay/overlay.h"

#define PARENTS_MAX 256

/* Refused themselves; what may lie below them is judged by place_check(). */
static const char *const refused_paths[] = {"/", "/proc", "/sys", "/dev", "/run", "/run/warren", "/var/run"};

/* File systems that are the kernel's interface, wherever they are mounted. */
static const struct {
	long magic;
	const char *name;
} refused_systems[] = {
	{PROC_SUPER_MAGIC, "proc"},
	{SYSFS_MAGIC, "sysfs"},
	{CGROUP_SUPER_MAGIC, "cgroup"},
	{CGROUP2_SUPER_MAGIC, "cgroup2"},
	{DEVPTS_SUPER_MAGIC, "devpts"},
	{DEBUGFS_MAGIC, "debugfs"},
	{TRACEFS_MAGIC, "tracefs"},
	{SECURITYFS_MAGIC, "securityfs"},
	{BPF_FS_MAGIC, "bpf"},
	{EFIVARFS_MAGIC, "efivarfs"},
	{NSFS_MAGIC, "nsfs"},
	{0x62656570 /* no header has it */, "configfs"},
	{0x65735543, "fusectl"},
	{0x6165676C, "pstore"},
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int refused_path_check(const char *what, const char *path, const struct stat *about, struct error *err)
{
	struct stat refused;

	for (size_t i = 0; i < ARRAY_SIZE(refused_paths); i++)
		if (stat(refused_paths[i], &refused) == 0 && same_file(about, &refused))
			return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it is the host's %s", what, path,
				refused_paths[i]);
	return 0;
}

static int refused_system_check(const char *what, const char *path, int source, struct error *err)
{
	struct statfs system;

	if (fstatfs(source, &system) < 0)
		return fail_errno(err, "%s: statfs \"%s\"", what, path);
	for (size_t i = 0; i < ARRAY_SIZE(refused_systems); i++)
		if (system.f_type == refused_systems[i].magic)
			return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it is part of the kernel's %s", what,
				path, refused_systems[i].name);
	return 0;
}

/* Goes up from dir to the root of the file system tree; true when it meets wanted (dir itself counts). */
static bool meets_going_up(int dir, const struct stat *wanted)
{
	auto_fd here = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat about, above;

	for (int i = 0; i < PARENTS_MAX && here >= 0; i++) {
		int next;

		if (fstat(here, &about) < 0)
			return false;
		if (same_file(&about, wanted))
			return true;
		next = openat(here, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_drop(&here);
		here = next;
		if (here >= 0 && fstat(here, &above) == 0 && same_file(&about, &above))
			return false;
	}
	return false;
}

/* The directory of the opened thing: itself, or for a file the one that the kernel says it lies in. */
static int source_directory(int source, bool is_file)
{
	char link[40], path[PATH_MAX];
	ssize_t length;

	if (!is_file)
		return openat(source, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", source);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return -1;
	path[length] = '\0';
	strrchr(path, '/')[1] = '\0';
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Whatever is mounted below these belongs to them (cgroup hierarchies, /dev/shm). */
static int refused_tree_check(const char *what, const char *path, int directory, struct error *err)
{
	static const char *const trees[] = {"/proc", "/sys", "/dev"};
	struct stat tree;

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (stat(trees[i], &tree) == 0 && meets_going_up(directory, &tree))
			return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it is part of the host's %s", what, path,
				trees[i]);
	return 0;
}

static int state_check(
	const char *what, const char *path, int store, int source, int directory, bool is_file, struct error *err)
{
	struct stat store_about, about;

	if (store < 0)
		return 0;
	if (fstat(store, &store_about) < 0 || fstat(source, &about) < 0)
		return fail_errno(err, "stat the store");
	if (!is_file && meets_going_up(store, &about))
		return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it holds the state of warren itself", what, path);
	if (meets_going_up(directory, &store_about))
		return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it is part of the state of warren itself", what,
			path);
	return 0;
}

static int place_check(const char *what, const char *path, int store, int source, bool is_file, struct error *err)
{
	auto_fd directory = source_directory(source, is_file);

	if (directory < 0)
		return fail_errno(err, "%s: find the directory of \"%s\"", what, path);
	if (refused_tree_check(what, path, directory, err) < 0)
		return -1;
	return state_check(what, path, store, source, directory, is_file, err);
}

int source_open(int store, const char *what, const char *path, bool *is_file, struct error *err)
{
	struct stat about;
	auto_fd source = open(path, O_PATH | O_CLOEXEC);

	if (source < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail(err, ERROR_MISSING, "%s: \"%s\" does not exist on the host", what, path);
	if (source < 0 || fstat(source, &about) < 0)
		return fail_errno(err, "%s: open \"%s\"", what, path);
	*is_file = !S_ISDIR(about.st_mode);
	if (refused_path_check(what, path, &about, err) < 0 || refused_system_check(what, path, source, err) < 0 ||
		place_check(what, path, store, source, *is_file, err) < 0)
		return -1;
	if (S_ISBLK(about.st_mode) || S_ISCHR(about.st_mode))
		return fail(err, ERROR_USAGE, "%s: \"%s\" is refused: it is a device", what, path);
	return take_fd(&source);
}

int source_map_failed(int source, const char *what, const char *way_out, struct error *err)
{
	char name[64];

	if (err->errnum != EINVAL)
		return blame(err, "%s", what);
	return fail(err, ERROR_SYSTEM, "%s: the file system %s cannot map ids%s", what, filesystem_name(source, name),
		way_out);
}
