/* Writing tar. */
#include "images/pull/tar_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "images/pull/content.h"
#include "images/pull/extract.h"
#include "images/pull/files.h"

#define BLOCK 512
#define NAMES_MAX 1000000
#define VALUE_MAX (64 << 10)
#define LIST_MAX (64 << 10)

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
		user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct hard_link {
	ino_t inode;
	const char *path;
};

struct writer {
	const struct tar_write *how;
	struct arena arena; /* of names of hard links */
	struct hard_link *links;
	size_t link_count, link_room;
	dev_t device;
	unsigned depth;
};

/* What goes into the headers of one entry. */
struct described {
	const char *path, *link;
	struct stat status;
	char type;
	struct text pax; /* "length key=value\n" records */
};

static void described_drop(struct described *entry)
{
	text_drop(&entry->pax);
}

/* ---- headers ---- */

static const char zeros[2 * BLOCK];

/* 27 in "27 path=x\n" counts itself too. */
static void pax_add(struct text *pax, const char *key, const void *value, size_t length)
{
	size_t rest = strlen(key) + length + 3, whole = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", whole) + rest != whole)
		whole++;
	text_appendf(pax, "%zu %s=", whole, key);
	text_append_bytes(pax, value, length);
	text_append(pax, "\n");
}

/* Octal digits; what needs more goes into the pax header. */
static void number_put(char *field, size_t size, uint64_t value, const char *key, struct text *pax)
{
	char digits[32];

	if (value >> (3 * (size - 1))) {
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
		if (pax)
			pax_add(pax, key, digits, strlen(digits));
		value = 0;
	}
	snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, digits, size);
}

static void text_put(char *field, size_t size, const char *value, const char *key, struct text *pax)
{
	size_t length = strlen(value);

	if (length > size && pax)
		pax_add(pax, key, value, length);
	memcpy(field, value, length < size ? length : size);
}

static void header_seal(struct header *header)
{
	unsigned sum = 0;

	memcpy(header->magic, "ustar", 6);
	memcpy(header->version, "00", 2);
	memset(header->sum, ' ', sizeof(header->sum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const unsigned char *)header)[i];
	snprintf(header->sum, sizeof(header->sum), "%06o", sum);
}

int tar_write_padding(struct sink *sink, uint64_t length, struct error *err)
{
	size_t over = length % BLOCK;

	return over ? sink->write(sink, zeros, BLOCK - over, err) : 0;
}

static int pax_write(struct sink *sink, const struct text *pax, struct error *err)
{
	struct header header = {.name = "./PaxHeaders", .type = 'x'};

	number_put(header.mode, sizeof(header.mode), 0644, NULL, NULL);
	number_put(header.uid, sizeof(header.uid), 0, NULL, NULL);
	number_put(header.gid, sizeof(header.gid), 0, NULL, NULL);
	number_put(header.size, sizeof(header.size), pax->length, NULL, NULL);
	number_put(header.mtime, sizeof(header.mtime), 0, NULL, NULL);
	header_seal(&header);
	if (sink->write(sink, &header, sizeof(header), err) < 0 || sink->write(sink, pax->data, pax->length, err) < 0)
		return -1;
	return tar_write_padding(sink, pax->length, err);
}

static void time_put(struct header *header, struct described *entry)
{
	const struct timespec *time = &entry->status.st_mtim;
	char text[48];

	number_put(header->mtime, sizeof(header->mtime), time->tv_sec < 0 ? 0 : (uint64_t)time->tv_sec, "mtime", NULL);
	if (time->tv_sec >= 0 && !time->tv_nsec && !((uint64_t)time->tv_sec >> 33))
		return;
	snprintf(text, sizeof(text), "%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
	if (time->tv_sec < 0 && time->tv_nsec) /* -1.5 s is -2 s and half a second on */
		snprintf(text, sizeof(text), "%s%lld.%09ld", time->tv_sec == -1 ? "-" : "", (long long)time->tv_sec + 1,
			1000000000 - time->tv_nsec);
	pax_add(&entry->pax, "mtime", text, strlen(text));
}

static int entry_write(struct sink *sink, struct described *entry, struct error *err)
{
	const struct stat *status = &entry->status;
	bool device = entry->type == '3' || entry->type == '4';
	struct header header = {.type = entry->type};

	text_put(header.name, sizeof(header.name), entry->path, "path", &entry->pax);
	if (entry->link)
		text_put(header.link, sizeof(header.link), entry->link, "linkpath", &entry->pax);
	number_put(header.mode, sizeof(header.mode), status->st_mode & 07777, NULL, NULL);
	number_put(header.uid, sizeof(header.uid), status->st_uid, "uid", &entry->pax);
	number_put(header.gid, sizeof(header.gid), status->st_gid, "gid", &entry->pax);
	number_put(header.size, sizeof(header.size), entry->type == '0' ? (uint64_t)status->st_size : 0, "size",
		&entry->pax);
	number_put(header.major, sizeof(header.major), device ? major(status->st_rdev) : 0, NULL, NULL);
	number_put(header.minor, sizeof(header.minor), device ? minor(status->st_rdev) : 0, NULL, NULL);
	time_put(&header, entry);
	header_seal(&header);
	if (entry->pax.length && pax_write(sink, &entry->pax, err) < 0)
		return -1;
	return sink->write(sink, &header, sizeof(header), err);
}

/* ---- entries ---- */

static bool attribute_travels(const char *name)
{
	return !strcmp(name, "security.capability") ||
	       (text_starts_with(name, "user.") && !text_starts_with(name, "user.overlay."));
}

static int attribute_add(int fd, const char *name, struct text *pax, struct error *err)
{
	auto_free char *value = malloc(VALUE_MAX), *key = text_format("SCHILY.xattr.%s", name);
	ssize_t length = value ? fgetxattr(fd, name, value, VALUE_MAX) : -1;

	if (length < 0)
		return errno == ENODATA ? 0 : fail_errno(err, "read attribute %s", name);
	pax_add(pax, key, value, (size_t)length);
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int attributes_add(int fd, struct text *pax, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *list = malloc(LIST_MAX);
	ssize_t length = list ? flistxattr(fd, list, LIST_MAX) : -1;
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

/* The path under which this inode was written before, or NULL; then this is the first. */
static const char *link_find(struct writer *writer, ino_t inode, const char *path)
{
	for (size_t i = 0; i < writer->link_count; i++)
		if (writer->links[i].inode == inode)
			return writer->links[i].path;
	if (writer->link_count == writer->link_room) {
		size_t room = writer->link_room ? writer->link_room * 2 : 64;
		void *grown = reallocarray(writer->links, room, sizeof(*writer->links));

		if (!grown)
			memory_exhausted();
		writer->links = grown;
		writer->link_room = room;
	}
	writer->links[writer->link_count++] =
		(struct hard_link){.inode = inode, .path = arena_string(&writer->arena, path)};
	return NULL;
}

static int regular_write(struct writer *writer, int dir, const char *name, struct described *entry, struct error *err)
{
	struct sink *sink = writer->how->sink;
	auto_fd fd = -1;

	entry->type = '0';
	if (entry->status.st_nlink > 1)
		entry->link = link_find(writer, entry->status.st_ino, entry->path);
	if (entry->link) {
		entry->type = '1';
		return entry_write(sink, entry, err);
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "open %s", entry->path);
	if (fstat(fd, &entry->status) < 0 || !S_ISREG(entry->status.st_mode))
		return fail(err, ERROR_BUSY, "%s was replaced while it was being read", entry->path);
	if (attributes_add(fd, &entry->pax, err) < 0 || entry_write(sink, entry, err) < 0)
		return -1;
	if (fd_send(fd, 0, (uint64_t)entry->status.st_size, sink, err) < 0)
		return blame(err, "%s", entry->path); /* cut off: it became shorter meanwhile */
	return tar_write_padding(sink, (uint64_t)entry->status.st_size, err);
}

static int symlink_write(struct writer *writer, int dir, const char *name, struct described *entry, struct error *err)
{
	char target[EXTRACT_PATH_MAX + 1];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail_errno(err, "read link %s", entry->path);
	target[length] = '\0';
	entry->type = '2';
	entry->link = target;
	return entry_write(writer->how->sink, entry, err);
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
	entry->status.st_mode = S_IFREG;
	entry->status.st_size = 0;
	return entry_write(writer->how->sink, entry, err);
}

static int opaque_write(struct writer *writer, int directory, const char *path, struct error *err)
{
	char value = '\0';
	auto_free char *mark = NULL;

	if (!writer->how->layer || fgetxattr(directory, "trusted.overlay.opaque", &value, 1) != 1 || value != 'y')
		return 0;
	mark = text_format("%s/.wh..wh..opq", path);
	return tar_write_file(writer->how->sink, mark, "", 0, err);
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
		return entry_write(writer->how->sink, entry, err);
	}
	return 0; /* a socket is of a process, not of a tree */
}

/* ---- the tree ---- */

static int names_write(struct writer *writer, int directory, const char *path, struct error *err);

static int directory_write(struct writer *writer, int dir, const char *name, struct described *entry, struct error *err)
{
	auto_free char *path = text_format("%s/", entry->path);
	auto_fd directory = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *plain = entry->path;
	int result;

	if (directory < 0)
		return fail_errno(err, "open directory %s", plain);
	if (writer->depth == CONTENT_DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d directories inside one another", CONTENT_DEPTH_MAX);
	entry->type = '5';
	entry->path = path;
	if (attributes_add(directory, &entry->pax, err) < 0 || entry_write(writer->how->sink, entry, err) < 0 ||
		(*plain != '.' && opaque_write(writer, directory, plain, err) < 0))
		return -1;
	writer->depth++;
	result = names_write(writer, directory, *plain == '.' && !plain[1] ? "" : path, err);
	writer->depth--;
	return result;
}

static int name_write(struct writer *writer, int dir, const char *up, const char *name, struct error *err)
{
	auto_free char *path = text_format("%s%s", up, name);
	AUTO(described_drop) struct described entry = {.path = path};

	if (fstatat(dir, name, &entry.status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "look at %s", path);
	if (entry.status.st_dev != writer->device)
		return 0;
	switch (entry.status.st_mode & S_IFMT) {
	case S_IFDIR:
		return directory_write(writer, dir, name, &entry, err);
	case S_IFREG:
		return regular_write(writer, dir, name, &entry, err);
	case S_IFLNK:
		return symlink_write(writer, dir, name, &entry, err);
	default:
		return special_write(writer, name, &entry, err);
	}
}

static int names_write(struct writer *writer, int directory, const char *path, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;

	if (dir_list(&arena, directory, NAMES_MAX, &names, err) < 0)
		return blame(err, "%s", path);
	for (size_t i = 0; i < names.count; i++)
		if (name_write(writer, directory, path, names.items[i], err) < 0)
			return -1;
	return 0;
}

int tar_write_tree(const struct tar_write *how, int directory, struct error *err)
{
	struct writer writer = {.how = how};
	AUTO(described_drop) struct described top = {.path = "."};
	int result;

	if (fstat(directory, &top.status) < 0)
		return fail_errno(err, "look at a tree");
	writer.device = top.status.st_dev;
	result = directory_write(&writer, directory, ".", &top, err);
	arena_drop(&writer.arena);
	free(writer.links);
	return result < 0 ? -1 : tar_write_end(how->sink, err);
}

/* ---- single files ---- */

int tar_write_header(struct sink *sink, const char *name, uint64_t length, struct error *err)
{
	AUTO(described_drop) struct described entry = {.path = name, .type = '0'};

	entry.status.st_mode = 0644;
	entry.status.st_size = (off_t)length;
	return entry_write(sink, &entry, err);
}

int tar_write_file(struct sink *sink, const char *name, const void *bytes, size_t length, struct error *err)
{
	if (tar_write_header(sink, name, length, err) < 0 || sink->write(sink, bytes, length, err) < 0)
		return -1;
	return tar_write_padding(sink, length, err);
}

int tar_write_end(struct sink *sink, struct error *err)
{
	return sink->write(sink, zeros, sizeof(zeros), err);
}
