/* A tree, or several upon one another (stack.h), as a tar stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/files/first_names.h"
#include "images/pull/content.h"
#include "images/pull/described.h"
#include "images/pull/extract.h"
#include "images/pull/files.h"
#include "images/pull/stack.h"
#include "images/pull/tar_write.h"
#include "images/store/store.h"

#define VALUE_MAX (64 << 10)
#define LIST_MAX (64 << 10)

struct writer {
	const struct tar_write *how;
	struct first_names links; /* hard links */
	unsigned depth;
};

/* ---- files ---- */

static bool attribute_travels(const char *name)
{
	return !strcmp(name, "security.capability") ||
	       (text_starts_with(name, "user.") && !text_starts_with(name, "user.overlay."));
}

/* Large buffers stay out of the frames of functions that call themselves. */
#define NOT_INLINED __attribute__((noinline))

NOT_INLINED static int attribute_add(int fd, const char *name, struct text *pax, struct error *err)
{
	auto_free char *key = text_format("SCHILY.xattr.%s", name);
	char value[VALUE_MAX];
	ssize_t length = fgetxattr(fd, name, value, VALUE_MAX);

	if (length < 0)
		return errno == ENODATA ? 0 : fail_errno(err, "read attribute %s", name);
	described_add(pax, key, value, (size_t)length);
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

NOT_INLINED static int attributes_add(int fd, struct text *pax, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	char list[LIST_MAX];
	ssize_t length = flistxattr(fd, list, LIST_MAX);
	struct strings names = {0};

	if (length < 0)
		return errno == EOPNOTSUPP ? 0 : fail_errno(err, "list attributes");
	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1)
		if (attribute_travels(list + at))
			strings_add(&arena, &names, list + at);
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), compare_texts);
	for (size_t i = 0; i < names.count; i++)
		if (attribute_add(fd, names.items[i], pax, err) < 0)
			return -1;
	return 0;
}

static int regular_write(struct writer *writer, int dir, const char *name, struct described *entry, struct error *err)
{
	struct sink *sink = writer->how->sink;
	auto_fd fd = -1;

	entry->type = '0';
	if (entry->status.st_nlink > 1)
		entry->link = first_name_see(&writer->links, entry->status.st_dev, entry->status.st_ino, entry->path);
	if (entry->link) {
		entry->type = '1';
		return described_write(sink, entry, err);
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &entry->status) < 0)
		return fail_errno(err, "open %s", entry->path);
	if (!S_ISREG(entry->status.st_mode))
		return fail(err, ERROR_BUSY, "%s was replaced while it was being read", entry->path);
	if (attributes_add(fd, &entry->pax, err) < 0 || described_write(sink, entry, err) < 0)
		return -1;
	if (fd_send(fd, 0, (uint64_t)entry->status.st_size, sink, err) < 0)
		return blame(err, "%s", entry->path); /* cut off: it became shorter meanwhile */
	return tar_write_padding(sink, (uint64_t)entry->status.st_size, err);
}

NOT_INLINED static int symlink_write(
	struct writer *writer, int dir, const char *name, struct described *entry, struct error *err)
{
	char target[EXTRACT_PATH_MAX + 1];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail_errno(err, "read link %s", entry->path);
	target[length] = '\0';
	entry->type = '2';
	entry->link = target;
	return described_write(writer->how->sink, entry, err);
}

/* ".wh.NAME" beside where NAME would be. */
static int whiteout_write(struct writer *writer, const char *name, struct described *entry, struct error *err)
{
	int up = (int)(strlen(entry->path) - strlen(name));
	auto_free char *path = text_format("%.*s.wh.%s", up, entry->path, name);

	if (!writer->how->layer)
		return 0;
	entry->path = path;
	entry->type = '0';
	entry->status = (struct stat){.st_mode = S_IFREG};
	return described_write(writer->how->sink, entry, err);
}

static int special_write(struct writer *writer, const char *name, struct described *entry, struct error *err)
{
	static const struct row {
		mode_t kind;
		char type;
	} rows[] = {{S_IFCHR, '3'}, {S_IFBLK, '4'}, {S_IFIFO, '6'}};

	if (extract_is_whiteout(&entry->status))
		return whiteout_write(writer, name, entry, err);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].kind != (entry->status.st_mode & S_IFMT))
			continue;
		entry->type = rows[i].type;
		return described_write(writer->how->sink, entry, err);
	}
	return 0; /* a socket is of a process, not of a tree */
}

/* ---- directories ---- */

static int names_write(struct writer *writer, const struct stack *stack, const char *path, struct error *err);

/* path ends in a slash. */
static int directory_write(
	struct writer *writer, const struct stack *stack, struct described *entry, const char *inner, struct error *err)
{
	int result;

	if (!stack->count)
		return fail(err, ERROR_BUSY, "%s was replaced while it was being read", entry->path);
	if (writer->depth == CONTENT_DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d directories inside one another", CONTENT_DEPTH_MAX);
	entry->type = '5';
	if ((*inner || !writer->how->without_top) && (attributes_add(stack->dirs[0], &entry->pax, err) < 0 ||
							     described_write(writer->how->sink, entry, err) < 0))
		return -1;
	if (writer->how->layer && layer_directory_is_opaque(stack->dirs[0])) {
		auto_free char *mark = text_format("%s.wh..wh..opq", inner);

		if (tar_write_file(writer->how->sink, mark, "", 0, err) < 0)
			return -1;
	}
	writer->depth++;
	result = names_write(writer, stack, inner, err);
	writer->depth--;
	return result;
}

static int subdirectory_write(struct writer *writer, const struct stack *above, size_t first, const char *name,
	struct described *entry, struct error *err)
{
	auto_free char *path = text_format("%s/", entry->path);
	AUTO(stack_drop) struct stack stack = {0};

	entry->path = path;
	if (stack_open(above, first, name, &stack, err) < 0)
		return -1;
	return directory_write(writer, &stack, entry, path, err);
}

/* ---- the tree ---- */

/* What is mounted in a tree is not of it. */
static bool is_mounted(int dir, const struct stat *status)
{
	struct stat here;

	return fstat(dir, &here) == 0 && here.st_dev != status->st_dev;
}

static bool is_left_out(const struct tar_write *how, const char *path)
{
	for (const char *const *each = how->left_out; each && *each; each++)
		if (!strcmp(*each, path))
			return true;
	return false;
}

static int name_write(
	struct writer *writer, const struct stack *stack, const char *up, const char *name, struct error *err)
{
	auto_free char *path = text_format("%s%s", up, name);
	AUTO(described_drop) struct described entry = {.path = path};
	ssize_t found = stack_find(stack, name, &entry.status);
	int dir;

	if (is_left_out(writer->how, path))
		return 0;
	if (found < 0)
		return fail_errno(err, "look at %s", path);
	dir = stack->dirs[found];
	if (is_mounted(dir, &entry.status))
		return 0;
	switch (entry.status.st_mode & S_IFMT) {
	case S_IFDIR:
		return subdirectory_write(writer, stack, (size_t)found, name, &entry, err);
	case S_IFREG:
		return regular_write(writer, dir, name, &entry, err);
	case S_IFLNK:
		return symlink_write(writer, dir, name, &entry, err);
	default:
		return special_write(writer, name, &entry, err);
	}
}

static int names_write(struct writer *writer, const struct stack *stack, const char *path, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (stack_names(&arena, stack, path, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (name_write(writer, stack, path, names.items[i], err) < 0)
			return -1;
	return 0;
}

int tar_write_tree(const struct tar_write *how, const int *directories, size_t count, struct error *err)
{
	struct writer writer = {.how = how};
	AUTO(described_drop) struct described top = {.path = "./"};
	struct stack stack = {.dirs = (int *)directories, .count = count};
	int result;

	if (fstat(directories[0], &top.status) < 0)
		return fail_errno(err, "look at a tree");
	stack_cut(&stack);
	result = directory_write(&writer, &stack, &top, "", err);
	first_names_drop(&writer.links);
	return result < 0 ? -1 : tar_write_end(how->sink, err);
}
