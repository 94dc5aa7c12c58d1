/* The directory in which an entry is made.
 *
 * Archives name one file of a directory after the other, so the last directory is kept open: one openat2(2) for five
 * entries on average. A name may lead through a symbolic link of the same archive ("lib/x" where lib is a link to
 * usr/lib): such a link is followed inside the root, and a directory that it leads to is made when it is missing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/pull/content.h"
#include "images/pull/extract.h"

#define LINKS_MAX 16

/* Appends one component; false when it is too long. */
static bool component_append(char out[EXTRACT_PATH_MAX + 1], size_t *length, const char *part, size_t part_length)
{
	if (*length + part_length + 1 > EXTRACT_PATH_MAX)
		return false;
	if (*length)
		out[(*length)++] = '/';
	memcpy(out + *length, part, part_length);
	*length += part_length;
	out[*length] = '\0';
	return true;
}

int extract_path_clean(const char *what, const char *path, char out[EXTRACT_PATH_MAX + 1], struct error *err)
{
	size_t length = 0, depth = 0;

	out[0] = '\0';
	for (const char *part = path; *part;) {
		size_t part_length = strcspn(part, "/");

		if (part_length == 2 && !memcmp(part, "..", 2))
			return fail(err, ERROR_USAGE, "%s \"%.200s\": leads out of the image by \"..\"", what, path);
		if (part_length && !(part_length == 1 && *part == '.')) {
			if (part_length > NAME_MAX || !component_append(out, &length, part, part_length))
				return fail(err, ERROR_USAGE,
					"%s \"%.60s…\": too long: a name has at most %d bytes, a path %d", what, path,
					NAME_MAX, EXTRACT_PATH_MAX);
			if (++depth > CONTENT_DEPTH_MAX)
				return fail(err, ERROR_USAGE,
					"%s \"%.60s…\": more than %d directories inside one another", what, path,
					CONTENT_DEPTH_MAX);
		}
		part += part_length + strspn(part + part_length, "/");
	}
	return 0;
}

void extract_parent_forget(struct extract *extract)
{
	fd_drop(&extract->parent);
}

static int plain_open(const struct extract *extract, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return path_openat2(extract->root, *path ? path : ".", &how);
}

static int resolved_open(const struct extract *extract, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return path_openat2(extract->root, *path ? path : ".", &how);
}

/* Where a link in the directory `up` leads, as a path from the root: ".." goes up but never out. */
static int link_follow(int dir, const char *up, const char *name, char out[EXTRACT_PATH_MAX + 1], struct error *err)
{
	char target[EXTRACT_PATH_MAX + 1];
	ssize_t got = readlinkat(dir, name, target, sizeof(target) - 1);
	size_t length = 0;

	if (got < 0)
		return fail_errno(err, "read link %s", name);
	target[got] = '\0';
	out[0] = '\0';
	if (*target != '/' && *up && !component_append(out, &length, up, strlen(up)))
		return fail(err, ERROR_USAGE, "link %s/%s: leads too far", up, name);
	for (const char *part = target; *part;) {
		size_t part_length = strcspn(part, "/");

		if (part_length == 2 && !memcmp(part, "..", 2)) {
			char *cut = strrchr(out, '/');

			length = cut ? (size_t)(cut - out) : 0;
			out[length] = '\0';
		} else if (part_length && !(part_length == 1 && *part == '.') &&
			   !component_append(out, &length, part, part_length)) {
			return fail(err, ERROR_USAGE, "link %s/%s: leads too far", up, name);
		}
		part += part_length + strspn(part + part_length, "/");
	}
	return 0;
}

/* A directory was made that no entry has named so far. */
static int implied_note(struct extract *extract, const char *path, struct error *err)
{
	if (extract_count(extract, path, err) < 0)
		return -1;
	content_add_directory(&extract->content);
	strings_add(&extract->arena, &extract->implied, arena_string(&extract->arena, path));
	return 0;
}

static int made_open(int dir, const char *name, const char *path, struct error *err)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? fail_errno(err, "open directory %s", path) : fd;
}

static int directories_make(struct extract *extract, const char *path, unsigned links, struct error *err);

/* Something stands where a directory is wanted and could not be opened as one. */
static int in_the_way(
	struct extract *extract, int dir, const char *name, const char *path, unsigned links, struct error *err)
{
	char target[EXTRACT_PATH_MAX + 1], up[EXTRACT_PATH_MAX + 1];
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "look at %s", path);
	if (extract_is_whiteout(&status)) {
		if (extract_reopen(extract, dir, name, path, err) < 0 || implied_note(extract, path, err) < 0)
			return -1;
		return made_open(dir, name, path, err);
	}
	if (!S_ISLNK(status.st_mode))
		return fail(err, ERROR_USAGE, "%.200s: an earlier entry made this a file, so nothing can be below it",
			path);
	if (!links)
		return fail(err, ERROR_USAGE, "%.200s: too many symbolic links", path);
	memcpy(up, path, strlen(path) + 1);
	up[name > path ? (size_t)(name - path - 1) : 0] = '\0';
	if (link_follow(dir, up, name, target, err) < 0)
		return -1;
	return directories_make(extract, target, links - 1, err);
}

/* One level, missing or not a directory so far. */
static int level_make(
	struct extract *extract, int dir, const char *name, const char *path, unsigned links, struct error *err)
{
	if (mkdirat(dir, name, 0755) == 0) {
		if (implied_note(extract, path, err) < 0)
			return -1;
		return made_open(dir, name, path, err);
	}
	if (errno != EEXIST)
		return fail_errno(err, "make directory %.200s", path);
	return in_the_way(extract, dir, name, path, links, err);
}

/* Opens path as a directory, making what is missing from the top down, also where dangling links lead. It calls itself
 * for links only: a path may have more levels than a stack has room for. */
static int directories_make(struct extract *extract, const char *path, unsigned links, struct error *err)
{
	char prefix[EXTRACT_PATH_MAX + 1] = "";
	auto_fd dir = resolved_open(extract, "");

	if (dir < 0)
		return fail_errno(err, "open the layer");
	for (const char *part = path; *part;) {
		size_t length = strcspn(part, "/"), before = (size_t)(part - path);
		int next;

		memcpy(prefix, path, before + length);
		prefix[before + length] = '\0';
		next = resolved_open(extract, prefix);
		if (next < 0 && errno != ENOENT && errno != ENOTDIR)
			return fail_errno(err, "open directory %.200s", prefix);
		if (next < 0)
			next = level_make(extract, dir, prefix + before, prefix, links, err);
		if (next < 0)
			return -1;
		fd_drop(&dir);
		dir = next;
		part += length + (part[length] == '/');
	}
	return take_fd(&dir);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Links can make a place deeper than its name shows. */
static int depth_check(const struct extract *extract, int dir, const char *path, struct error *err)
{
	struct stat root, here;
	auto_fd level = -1;

	if (fstat(extract->root, &root) < 0 || fstat(dir, &here) < 0)
		return fail_errno(err, "look at %s", path);
	for (unsigned depth = 0; !same_file(&root, &here); depth++) {
		int up = openat(level < 0 ? dir : level, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (up < 0 || fstat(up, &here) < 0) {
			fd_drop(&up);
			return fail_errno(err, "look above %s", path);
		}
		fd_drop(&level);
		level = up;
		if (depth == CONTENT_DEPTH_MAX)
			return fail(err, ERROR_USAGE, "path \"%.60s…\": more than %d directories inside one another",
				path, CONTENT_DEPTH_MAX);
	}
	return 0;
}

int extract_parent(struct extract *extract, const char *path, const char **name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	char up[EXTRACT_PATH_MAX + 1];
	auto_fd dir = -1;

	*name = slash ? slash + 1 : path;
	memcpy(up, path, length);
	up[length] = '\0';
	if (extract->parent >= 0 && !strcmp(up, extract->parent_path))
		return extract->parent;
	dir = plain_open(extract, up);
	if (dir < 0) {
		dir = directories_make(extract, up, LINKS_MAX, err);
		if (dir < 0 || depth_check(extract, dir, up, err) < 0)
			return -1;
	}
	fd_drop(&extract->parent);
	memcpy(extract->parent_path, up, length + 1);
	extract->parent = take_fd(&dir);
	return extract->parent;
}

int extract_parent_existing(struct extract *extract, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char up[EXTRACT_PATH_MAX + 1];

	*name = slash ? slash + 1 : path;
	snprintf(up, sizeof(up), "%.*s", slash ? (int)(slash - path) : 0, path);
	return resolved_open(extract, up);
}
