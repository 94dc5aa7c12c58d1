/* Resolution inside a root: by the kernel, in one call that knows no way out (openat2(2), kernel 5.6).
 *
 * What does not exist yet is made one level at a time in a directory that is held open. A link whose target is missing
 * is followed by rewriting the path and starting again from the root: the rewritten text decides only what is asked
 * for, never where the kernel may go. */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define RACE_RETRIES 100
#define LINKS_MAX 40 /* as the kernel, path_resolution(7) */

int path_openat2(int dir, const char *path, const struct open_how *how)
{
	long fd;
	int tries = 0;

	do
		fd = syscall(SYS_openat2, dir, path, how, sizeof(*how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < RACE_RETRIES);
	return (int)fd;
}

int path_try_open(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return path_openat2(root, path, &how);
}

int path_open(int root, const char *path, int flags, mode_t mode, struct error *err)
{
	int fd = path_try_open(root, path, flags, mode);

	if (fd >= 0)
		return fd;
	fail_errno(err, "open %s", path);
	if (err->errnum == ENOENT)
		err->kind = ERROR_MISSING;
	return -1;
}

/* The entry itself, in a directory that is held open: no link, nothing behind it. */
static int entry_open(int dir, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_PATH | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return path_openat2(dir, name, &how);
}

/* The link's text, malloc()ed, or NULL with errno: EINVAL when it is no link. */
static char *link_read(int dir, const char *name)
{
	auto_fd link = entry_open(dir, name, 0);
	char target[PATH_MAX];
	ssize_t length;

	if (link < 0)
		return NULL;
	length = readlinkat(link, "", target, sizeof(target));
	if (length < 0 && errno == ENOENT) /* readlinkat(2) on a descriptor of something else */
		errno = EINVAL;
	if (length < 0)
		return NULL;
	if ((size_t)length == sizeof(target)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return text_format("%.*s", (int)length, target);
}

/* A walk to something that may have to be made. */
struct walk {
	int root;
	mode_t mode;
	unsigned links;
	char *path;  /* all of it; changes when a dangling link is replaced by its target */
	size_t done; /* bytes of path that exist: a prefix that ends where a component ends */
	int dir;     /* O_PATH of that prefix */
};

static void walk_drop(struct walk *walk)
{
	int saved = errno;

	free(walk->path);
	fd_drop(&walk->dir);
	errno = saved;
}

static int walk_restart(struct walk *walk)
{
	fd_drop(&walk->dir);
	walk->dir = path_try_open(walk->root, "/", O_PATH | O_DIRECTORY, 0);
	walk->done = 0;
	return walk->dir < 0 ? -1 : 0;
}

/* The next component's place in path. False at the end. */
static bool walk_next(const struct walk *walk, size_t *start, size_t *end)
{
	*start = walk->done + strspn(walk->path + walk->done, "/");
	*end = *start + strcspn(walk->path + *start, "/");
	return *end > *start;
}

/* Replaces the component by the text of the link that it is. */
static int walk_expand(struct walk *walk, const char *name, size_t start, size_t end)
{
	auto_free char *target = link_read(walk->dir, name);
	char *path;

	if (!target)
		return -1;
	if (++walk->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	path = text_format("%.*s%s%s", *target == '/' ? 0 : (int)start, walk->path, target, walk->path + end);
	free(walk->path);
	walk->path = path;
	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return walk_restart(walk);
}

/* Opens the prefix that ends at `end`, links resolved inside the root. */
static int walk_try_prefix(struct walk *walk, size_t end, int flags)
{
	char kept = walk->path[end];
	int fd;

	walk->path[end] = '\0';
	fd = path_try_open(walk->root, walk->path, O_PATH | flags, 0);
	walk->path[end] = kept;
	return fd;
}

static void walk_advance(struct walk *walk, int dir, size_t end)
{
	fd_drop(&walk->dir);
	walk->dir = dir;
	walk->done = end;
}

#define DIRECTORY_MODE 0755 /* of those on the way to a file, whose own mode would let nobody through */

/* Makes what is missing in walk->dir and opens that very entry. Gives -1 with EEXIST when a link is in its place. */
static int make_entry(const struct walk *walk, const char *name, bool file, bool directory)
{
	int made = directory ? mkdirat(walk->dir, name, file ? DIRECTORY_MODE : walk->mode)
			     : mknodat(walk->dir, name, S_IFREG | walk->mode, 0);
	struct stat status;
	auto_fd fd = -1;

	if (made < 0 && errno != EEXIST)
		return -1;
	fd = entry_open(walk->dir, name, 0);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	if (S_ISLNK(status.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if (directory && !S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return take_fd(&fd);
}

/* One component further; with `file`, the last one becomes a regular file when it is missing. 1 more to do, 0 at the
 * end. */
static int walk_step(struct walk *walk, bool file)
{
	auto_free char *name = NULL;
	size_t start, end;
	bool directory;
	int fd;

	if (!walk_next(walk, &start, &end))
		return 0;
	directory = !file || walk->path[end + strspn(walk->path + end, "/")];
	fd = walk_try_prefix(walk, end, directory ? O_DIRECTORY : 0);
	if (fd < 0 && errno != ENOENT)
		return -1;
	if (fd < 0) {
		name = text_format("%.*s", (int)(end - start), walk->path + start);
		fd = make_entry(walk, name, file, directory);
		if (fd < 0)
			return errno == EEXIST && walk_expand(walk, name, start, end) == 0 ? 1 : -1;
	}
	walk_advance(walk, fd, end);
	return 1;
}

static int walk_all(int root, const char *path, mode_t mode, bool file)
{
	AUTO(walk_drop) struct walk walk = {.root = root, .mode = mode, .path = text_format("%s", path), .dir = -1};
	int more;

	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (walk_restart(&walk) < 0)
		return -1;
	do
		more = walk_step(&walk, file);
	while (more > 0);
	return more < 0 ? -1 : take_fd(&walk.dir);
}

int path_make_dirs(int root, const char *path, mode_t mode, struct error *err)
{
	int fd = path_try_open(root, path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT)
		fd = walk_all(root, path, mode, false);
	return fd < 0 ? fail_errno(err, "make directory %s", path) : fd;
}

int path_make_file(int root, const char *path, mode_t mode, struct error *err)
{
	int fd = path_try_open(root, path, O_PATH, 0);

	if (fd < 0 && errno == ENOENT)
		fd = walk_all(root, path, mode, true);
	return fd < 0 ? fail_errno(err, "make file %s", path) : fd;
}

static bool is_clean_component(const char *part, size_t length)
{
	return length && !(length == 1 && part[0] == '.') && !(length == 2 && part[0] == '.' && part[1] == '.');
}

int path_check_absolute(const char *what, const char *path, struct error *err)
{
	if (*path != '/')
		return fail(err, ERROR_USAGE, "%s \"%s\": must be an absolute path", what, path);
	if (strlen(path) >= PATH_MAX)
		return fail(err, ERROR_USAGE, "%s \"%s\": longer than %d bytes", what, path, PATH_MAX - 1);
	if (line_check(what, path, err) < 0)
		return -1;
	if (!path[1])
		return 0;
	for (const char *part = path + 1, *end;; part = end + 1) {
		end = strchrnul(part, '/');
		if (!is_clean_component(part, (size_t)(end - part)))
			return fail(err, ERROR_USAGE,
				"%s \"%s\": must not contain \".\", \"..\", \"//\" or a slash at the end", what, path);
		if (!*end)
			return 0;
	}
}

bool path_is_under(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	if (length == 1) /* "/" */
		return true;
	return !strncmp(path, dir, length) && (!path[length] || path[length] == '/');
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
