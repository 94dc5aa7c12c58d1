/* Whole small files: read, one write to a knob, replace. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* First buffer for files that do not say their size, as the kernel's. */
#define READ_START 4096

ssize_t read_retried(int fd, void *bytes, size_t length)
{
	ssize_t got;

	do
		got = read(fd, bytes, length);
	while (got < 0 && errno == EINTR);
	return got;
}

ssize_t write_retried(int fd, const void *bytes, size_t length)
{
	ssize_t written;

	do
		written = write(fd, bytes, length);
	while (written < 0 && errno == EINTR);
	return written;
}

/* Reads up to `max` bytes and one more to notice when there are more: a file of a known size ends where it said. Gives
 * the length, -1: errno, -2: more than max. */
static ssize_t read_bounded(struct arena *arena, int fd, size_t size_hint, size_t max, char **content)
{
	size_t capacity = size_hint ? size_hint + 1 : READ_START, used = 0;
	char *buffer, *larger;
	ssize_t got;

	if (capacity > max)
		capacity = max + 1;
	buffer = arena_alloc(arena, capacity + 1);
	while ((got = read_retried(fd, buffer + used, capacity - used)) > 0) {
		used += (size_t)got;
		if (used > max)
			return -2;
		if (used == size_hint)
			break;
		if (used < capacity)
			continue;
		capacity = capacity > max / 2 ? max + 1 : capacity * 2;
		larger = arena_alloc(arena, capacity + 1);
		memcpy(larger, buffer, used);
		buffer = larger;
	}
	if (got < 0)
		return -1;
	buffer[used] = '\0';
	*content = buffer;
	return (ssize_t)used;
}

/* What stat(2) says of the size is a guess: the kernel's own files have none. */
static int sized_read(struct arena *arena, int fd, const struct stat *status, size_t max, const char **content,
	size_t *length, struct error *err)
{
	size_t hint = 0;
	char *buffer;
	ssize_t used;

	if (S_ISREG(status->st_mode) && status->st_size > 0)
		hint = (uint64_t)status->st_size > max ? max : (size_t)status->st_size;
	used = read_bounded(arena, fd, hint, max, &buffer);
	if (used == -2)
		return fail(err, ERROR_USAGE, "larger than %zu bytes", max);
	if (used < 0)
		return fail_errno(err, "read");
	if (length)
		*length = (size_t)used;
	else if (strlen(buffer) != (size_t)used)
		return fail(err, ERROR_USAGE, "holds a NUL byte");
	*content = buffer;
	return 0;
}

int fd_read_all(struct arena *arena, int fd, size_t max, const char **content, size_t *length, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		status.st_mode = 0;
	return sized_read(arena, fd, &status, max, content, length, err);
}

static int fail_open(struct error *err, const char *path)
{
	int errnum = errno;

	fail_errno(err, "open %s", path);
	if (errnum == ENOENT)
		err->kind = ERROR_MISSING;
	return -1;
}

int file_read(struct arena *arena, int dir, const char *path, size_t max, const char **content, size_t *length,
	struct error *err)
{
	auto_fd fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return fail_open(err, path);
	if (fstat(fd, &status) < 0)
		return fail_errno(err, "look at %s", path);
	if (!S_ISREG(status.st_mode)) /* the kernel's own files say that they are regular, too */
		return fail(err, ERROR_USAGE, "%s: not a regular file", path);
	if (sized_read(arena, fd, &status, max, content, length, err) < 0)
		return blame(err, "%s", path);
	return 0;
}

int write_all(int fd, const void *bytes, size_t length)
{
	const char *rest = bytes;

	while (length) {
		ssize_t written = write_retried(fd, rest, length);

		if (written < 0)
			return -1;
		rest += written;
		length -= (size_t)written;
	}
	return 0;
}

int file_write(int dir, const char *path, const char *content, struct error *err)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(content);
	ssize_t written;

	if (fd < 0)
		return fail_open(err, path);
	written = write_retried(fd, content, length);
	if (written < 0)
		return fail_errno(err, "write \"%.64s\" to %s", content, path);
	if ((size_t)written != length)
		return fail(err, ERROR_SYSTEM, "write \"%.64s\" to %s: only %zd of %zu bytes were taken", content, path,
			written, length);
	return 0;
}

int file_writef(int dir, const char *path, struct error *err, const char *format, ...)
{
	struct text content AUTO(text_drop) = {0};
	va_list args;

	va_start(args, format);
	text_appendv(&content, format, args);
	va_end(args);
	return file_write(dir, path, text_string(&content), err);
}

#define TEMPORARY_FORMAT ".%s.%08x~"
#define TEMPORARY_SUFFIX_LENGTH 10 /* ".01234567~" */
#define ENTRIES_MAX 65536

/* A file being written beside the one that it will replace. */
struct replacement {
	int dir;     /* open on the directory of both */
	int own_dir; /* the same where it had to be opened; else -1 */
	const char *name;
	char temporary[NAME_MAX + 1]; /* "": nothing to remove */
	int fd;
};

static void replacement_drop(struct replacement *new)
{
	int saved = errno;

	fd_drop(&new->fd);
	if (*new->temporary)
		unlinkat(new->dir, new->temporary, 0);
	fd_drop(&new->own_dir);
	errno = saved;
}

/* The caller's own directory is used as it is, but where it is written through: it may be open as a path only. */
static int replacement_dir_open(struct replacement *new, int dir, const char *path, enum file_durability durability)
{
	size_t parent = (size_t)(new->name - path);
	auto_free char *prefix = parent || durability == FILE_DURABLE ? text_format("%.*s.", (int)parent, path) : NULL;

	if (prefix)
		new->own_dir = openat(dir, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	new->dir = prefix ? new->own_dir : dir;
	return prefix && new->own_dir < 0 ? -1 : 0;
}

static int temporary_name(struct replacement *new)
{
	uint32_t random;
	int length;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -1;
	length = snprintf(new->temporary, sizeof(new->temporary), TEMPORARY_FORMAT, new->name, random);
	if (length < (int)sizeof(new->temporary))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int replacement_open(
	struct replacement *new, int dir, const char *path, mode_t mode, enum file_durability durability)
{
	const char *slash = strrchr(path, '/');

	new->name = slash ? slash + 1 : path;
	if (replacement_dir_open(new, dir, path, durability) < 0)
		return -1;
	do {
		if (temporary_name(new) < 0)
			break;
		new->fd = openat(new->dir, new->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	} while (new->fd < 0 && errno == EEXIST);
	if (new->fd < 0)
		*new->temporary = '\0';
	return new->fd < 0 ? -1 : 0;
}

/* Without blocks of its own a file that is given a name may be found empty after a power cut (ext4: delayed
 * allocation). Beginning to write gives it blocks; that it could not be begun is no failure. */
static int content_secure(int fd, enum file_durability durability)
{
	if (durability == FILE_ORDERED)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return durability == FILE_DURABLE ? fsync(fd) : 0;
}

/* The mode is set again because the umask may have taken bits from it. */
static int replacement_write(
	struct replacement *new, mode_t mode, enum file_durability durability, const char *content, size_t length)
{
	if (fchmod(new->fd, mode) < 0 || write_all(new->fd, content, length) < 0 ||
		content_secure(new->fd, durability) < 0)
		return -1;
	if (renameat(new->dir, new->temporary, new->dir, new->name) < 0)
		return -1;
	*new->temporary = '\0';
	return durability == FILE_DURABLE ? fsync(new->dir) : 0;
}

int file_replace(int dir, const char *path, mode_t mode, enum file_durability durability, const char *content,
	size_t length, struct error *err)
{
	AUTO(replacement_drop) struct replacement new = {.own_dir = -1, .fd = -1};

	if (replacement_open(&new, dir, path, mode, durability) < 0 ||
		replacement_write(&new, mode, durability, content, length) < 0)
		return fail_errno(err, "write %s", path);
	return 0;
}

static bool is_temporary(const char *name)
{
	size_t length = strlen(name);

	if (*name != '.' || length <= 1 + TEMPORARY_SUFFIX_LENGTH)
		return false;
	const char *suffix = name + length - TEMPORARY_SUFFIX_LENGTH;
	return *suffix == '.' && strspn(suffix + 1, "0123456789abcdef") == 8 && suffix[9] == '~';
}

int file_leftovers_remove(int dir, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (dir_list(&arena, dir, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (is_temporary(names.items[i]) && unlinkat(dir, names.items[i], 0) < 0 && errno != ENOENT)
			return fail_errno(err, "remove %s", names.items[i]);
	return 0;
}
