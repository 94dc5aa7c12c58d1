/* Files of a directory by openat2(2), files of an archive by their place in it: the same to who reads them. */
#include "images/pull/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"

#define PIECE (128 << 10)

int files_open(const char *path, struct files *out, struct error *err)
{
	struct stat status;

	*out = NO_FILES;
	out->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (out->fd < 0 || fstat(out->fd, &status) < 0) {
		fail_errno(err, "open %s", path);
		if (err->errnum == ENOENT)
			err->kind = ERROR_MISSING;
		return -1;
	}
	if (S_ISDIR(status.st_mode))
		return 0;
	if (!S_ISREG(status.st_mode))
		return fail(err, ERROR_USAGE, "%s: neither a directory nor a file", path);
	out->archive = true;
	return archive_index_read(out->fd, &out->arena, &out->index, err) < 0 ? blame(err, "%s", path) : 0;
}

void files_drop(struct files *files)
{
	fd_drop(&files->fd);
	archive_index_drop(&files->index);
	arena_drop(&files->arena);
}

/* One file: a descriptor of its own, or the archive's, and where its bytes begin. */
struct opened {
	int fd, owned;
	uint64_t offset, size;
};

static void opened_drop(struct opened *opened)
{
	fd_drop(&opened->owned);
}

static int in_directory_open(const struct files *files, const char *name, struct opened *out, struct error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	struct stat status;

	out->fd = out->owned = path_openat2(files->fd, name, &how);
	if (out->fd < 0 || fstat(out->fd, &status) < 0) {
		fail_errno(err, "open %s", name);
		if (err->errnum == ENOENT)
			err->kind = ERROR_MISSING;
		return -1;
	}
	if (!S_ISREG(status.st_mode))
		return fail(err, ERROR_USAGE, "%s: not a file", name);
	out->size = (uint64_t)status.st_size;
	return 0;
}

static int file_open(const struct files *files, const char *name, struct opened *out, struct error *err)
{
	const struct archive_file *file;

	*out = (struct opened){.fd = -1, .owned = -1};
	if (!files->archive)
		return in_directory_open(files, name, out, err);
	file = archive_index_find(&files->index, name, err);
	if (!file)
		return -1;
	*out = (struct opened){.fd = files->fd, .owned = -1, .offset = file->offset, .size = file->size};
	return 0;
}

bool files_have(const struct files *files, const char *name)
{
	AUTO(opened_drop) struct opened opened;
	struct error none;

	return file_open(files, name, &opened, &none) == 0;
}

static int bytes_read(const struct opened *opened, void *bytes, size_t length, struct error *err)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(opened->fd, (char *)bytes + done, length - done, (off_t)(opened->offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? fail_errno(err, "read") : fail(err, ERROR_USAGE, "cut off");
		done += (size_t)got;
	}
	return 0;
}

int files_read(const struct files *files, struct arena *arena, const char *name, size_t max, const char **bytes,
	size_t *length, struct error *err)
{
	AUTO(opened_drop) struct opened opened;
	char *text;

	if (file_open(files, name, &opened, err) < 0)
		return -1;
	if (opened.size > max)
		return fail(
			err, ERROR_USAGE, "%s: %llu bytes, at most %zu", name, (unsigned long long)opened.size, max);
	text = arena_alloc(arena, opened.size + 1);
	if (bytes_read(&opened, text, opened.size, err) < 0)
		return blame(err, "%s", name);
	*bytes = text;
	*length = opened.size;
	return 0;
}

int files_peek(
	const struct files *files, const char *name, uint64_t *size, uint8_t *first, size_t *count, struct error *err)
{
	AUTO(opened_drop) struct opened opened;

	if (file_open(files, name, &opened, err) < 0)
		return -1;
	*size = opened.size;
	*count = opened.size < *count ? opened.size : *count;
	return bytes_read(&opened, first, *count, err);
}

int fd_send(int fd, int64_t offset, uint64_t size, struct sink *sink, struct error *err)
{
	uint8_t piece[PIECE];

	while (size) {
		size_t wanted = size < PIECE ? size : PIECE;
		ssize_t got = offset < 0 ? read(fd, piece, wanted) : pread(fd, piece, wanted, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(err, "read");
		if (!got)
			return offset < 0 ? 0 : fail(err, ERROR_USAGE, "cut off");
		if (sink->write(sink, piece, (size_t)got, err) < 0)
			return -1;
		offset += offset < 0 ? 0 : got;
		size -= (uint64_t)got;
	}
	return 0;
}

int files_send(const struct files *files, const char *name, struct sink *sink, struct error *err)
{
	AUTO(opened_drop) struct opened opened;

	if (file_open(files, name, &opened, err) < 0)
		return -1;
	return fd_send(opened.fd, (int64_t)opened.offset, opened.size, sink, err) < 0 ? blame(err, "%s", name) : 0;
}
