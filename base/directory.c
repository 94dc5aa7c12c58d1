/* Directories of ours: open, create, list, remove with all that is in them. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int fail_dir(struct error *err, const char *what, const char *path)
{
	int errnum = errno;

	fail_errno(err, "%s directory %s", what, path);
	if (errnum == ENOENT)
		err->kind = ERROR_MISSING;
	return -1;
}

int dir_open(int dir, const char *path, struct error *err)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail_dir(err, "open", path) : fd;
}

int dir_create(int dir, const char *path, mode_t mode, struct error *err)
{
	auto_fd fd = openat(dir, path, DIR_FLAGS); /* most often it is there */
	struct stat status;
	bool made = false;

	if (fd < 0 && errno == ENOENT) {
		made = mkdirat(dir, path, mode) == 0;
		if (!made && errno != EEXIST)
			return fail_dir(err, "make", path);
		fd = openat(dir, path, DIR_FLAGS);
	}
	if (fd < 0)
		return fail_dir(err, "open", path);
	if (made && fchmod(fd, mode) < 0) /* whatever the umask is */
		return fail_dir(err, "set the mode of", path);
	if (fstat(fd, &status) < 0)
		return fail_dir(err, "look at", path);
	if (status.st_uid != geteuid())
		return fail(err, ERROR_SYSTEM, "directory %s belongs to user %u, not to us", path, status.st_uid);
	return take_fd(&fd);
}

int dir_create_all(const char *path, mode_t mode, struct error *err)
{
	auto_free char *copy = text_format("%s", path);
	auto_fd dir = -1;

	if (*path != '/')
		return fail(err, ERROR_USAGE, "directory %s: not an absolute path", path);
	dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_dir(err, "open", "/");
	for (char *save, *part = strtok_r(copy, "/", &save), *next; part; part = next) {
		int child;

		next = strtok_r(NULL, "/", &save);
		if (next && mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
			return fail_dir(err, "make", path);
		/* On the way there links are fine: /var/run is one on many systems. */
		child = next ? dir_open(dir, part, err) : dir_create(dir, part, mode, err);
		if (child < 0)
			return blame(err, "%s", path);
		fd_drop(&dir);
		dir = child;
	}
	return take_fd(&dir);
}

static void stream_drop(DIR **stream)
{
	int saved = errno;

	if (*stream)
		closedir(*stream);
	errno = saved;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The next entry but "." and "..", or NULL with errno 0 at the end. */
static struct dirent *entry_next(DIR *stream)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry && is_dot(entry->d_name));
	return entry;
}

/* A stream of its own position, whatever dir was used for before. */
static DIR *stream_open(int dir)
{
	int fd = openat(dir, ".", DIR_FLAGS);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !stream)
		fd_drop(&fd);
	return stream;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int dir_list(struct arena *arena, int dir, size_t max, struct strings *names, struct error *err)
{
	AUTO(stream_drop) DIR *stream = stream_open(dir);
	struct dirent *entry;

	*names = (struct strings){0};
	if (!stream)
		return fail_errno(err, "list a directory");
	while ((entry = entry_next(stream))) {
		if (names->count == max)
			return fail(err, ERROR_USAGE, "list a directory: more than %zu entries", max);
		strings_add(arena, names, arena_string(arena, entry->d_name));
	}
	if (errno)
		return fail_errno(err, "list a directory");
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	return 0;
}

/* ---- removing a tree ----
 *
 * A workload may have made its tree as deep as it liked. Descriptors are held for DEPTH_MAX levels only; a directory
 * deeper than that is moved up into the top directory, where it is met again, so that no depth defeats the removal. */
#define DEPTH_MAX 64

struct removal {
	int top;
	unsigned moved; /* directories moved up so far; also numbers them */
};

/* Refuses links and whatever is mounted there, bind mounts of the same file system included (openat2(2), 5.6). */
static int subdir_open(int dir, const char *name)
{
	struct open_how how = {
		.flags = DIR_FLAGS,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
	};

	return path_openat2(dir, name, &how);
}

static int move_up(struct removal *removal, int dir, const char *name)
{
	char deeper[32];

	for (;;) {
		snprintf(deeper, sizeof(deeper), ".deeper.%u~", removal->moved++);
		if (renameat2(dir, name, removal->top, deeper, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
}

static int contents_remove(struct removal *removal, int dir, unsigned depth);

static int subdir_remove(struct removal *removal, int dir, const char *name, unsigned depth)
{
	auto_fd sub = -1;

	if (depth >= DEPTH_MAX)
		return move_up(removal, dir, name);
	sub = subdir_open(dir, name);
	if (sub < 0 || contents_remove(removal, sub, depth + 1) < 0)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR);
}

static int entry_remove(struct removal *removal, int dir, const struct dirent *entry, unsigned depth)
{
	if (entry->d_type != DT_DIR) {
		if (unlinkat(dir, entry->d_name, 0) == 0 || errno == ENOENT)
			return 0;
		if (entry->d_type != DT_UNKNOWN || (errno != EISDIR && errno != EPERM))
			return -1;
	}
	return subdir_remove(removal, dir, entry->d_name, depth) == 0 || errno == ENOENT ? 0 : -1;
}

static int contents_remove(struct removal *removal, int dir, unsigned depth)
{
	AUTO(stream_drop) DIR *stream = stream_open(dir);
	struct dirent *entry;

	if (!stream)
		return -1;
	while ((entry = entry_next(stream)))
		if (entry_remove(removal, dir, entry, depth) < 0)
			return -1;
	return errno ? -1 : 0;
}

static int top_remove(int dir, const char *name)
{
	auto_fd top = subdir_open(dir, name);
	struct removal removal = {.top = top};
	unsigned moved;

	if (top < 0)
		return -1;
	do {
		moved = removal.moved;
		if (contents_remove(&removal, top, 1) < 0)
			return -1;
	} while (removal.moved != moved); /* what was moved up may have been missed by the running listing */
	return unlinkat(dir, name, AT_REMOVEDIR);
}

/* The directory that name lies in: dir itself, or what the path before the last slash leads to. */
static int parent_open(int dir, const char *name)
{
	const char *slash = strrchr(name, '/');
	auto_free char *parent = slash ? text_format("%.*s/", (int)(slash - name), name) : text_format(".");

	return openat(dir, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int entry_or_tree_remove(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	return errno == EISDIR || errno == EPERM ? top_remove(dir, name) : -1;
}

int tree_remove(int dir, const char *name, struct error *err)
{
	auto_fd parent = parent_open(dir, name);

	if (parent >= 0 && entry_or_tree_remove(parent, path_base(name)) == 0)
		return 0;
	if (errno == ENOENT)
		return 0;
	if (errno == EXDEV)
		return fail(err, ERROR_BUSY, "remove %s: something is mounted in it", name);
	return fail_errno(err, "remove %s", name);
}
