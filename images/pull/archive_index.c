/* Reading tar headers, 512 bytes each. */
#include "images/pull/archive_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define BLOCK 512
#define LINKS_MAX 8
#define PATH_SIZE 512

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8], user[32],
		group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* Octal, or base-256 when the first bit is set. -1: neither, or more than a file can have. */
static int64_t number_read(const char *field, size_t size)
{
	const unsigned char *byte = (const unsigned char *)field;
	int64_t value = 0;

	if (*byte & 0x80) {
		value = *byte & 0x3f;
		for (size_t i = 1; i < size; i++) {
			if (value >> 52)
				return -1;
			value = value << 8 | byte[i];
		}
		return *byte & 0x40 ? -1 : value;
	}
	for (size_t i = 0; i < size && byte[i] && byte[i] != ' '; i++) {
		if (byte[i] < '0' || byte[i] > '7')
			return -1;
		value = value << 3 | (byte[i] - '0');
	}
	return value;
}

static bool sum_is_right(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t begin = offsetof(struct header, sum), end = begin + sizeof(header->sum);
	int64_t sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= begin && i < end ? ' ' : bytes[i];
	return number_read(header->sum, sizeof(header->sum) - 2) == sum;
}

static bool is_end(const struct header *header)
{
	static const struct header zeros;

	return !memcmp(header, &zeros, sizeof(zeros));
}

static const char *field_text(struct arena *arena, const char *field, size_t size)
{
	return arena_bytes(arena, field, strnlen(field, size));
}

static const char *name_of(struct arena *arena, const struct header *header)
{
	const char *name = field_text(arena, header->name, sizeof(header->name));

	if (!memcmp(header->magic, "ustar\0", 6) && *header->prefix)
		name = arena_format(arena, "%s/%s", field_text(arena, header->prefix, sizeof(header->prefix)), name);
	while (text_starts_with(name, "./"))
		name += 2;
	return name;
}

static void file_add(struct archive_index *index, const struct archive_file *file)
{
	if (index->count == index->room) {
		size_t room = index->room ? index->room * 2 : 64;
		void *grown = reallocarray(index->files, room, sizeof(*index->files));

		if (!grown)
			memory_exhausted();
		index->files = grown;
		index->room = room;
	}
	index->files[index->count++] = *file;
}

static int header_take(struct archive_index *index, struct arena *arena, const struct header *header, uint64_t offset,
	uint64_t *next, uint64_t end, struct error *err)
{
	int64_t size = number_read(header->size, sizeof(header->size));
	struct archive_file file = {.offset = offset + BLOCK, .size = (uint64_t)size};

	if (!sum_is_right(header) || size < 0 || (uint64_t)size > end - offset - BLOCK)
		return fail(err, ERROR_USAGE, "damaged tar header at byte %llu", (unsigned long long)offset);
	*next = offset + BLOCK + ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;
	if (header->type != '0' && header->type != '\0' && header->type != '2' && header->type != '7')
		return 0;
	if (index->count == ARCHIVE_ENTRIES_MAX)
		return fail(err, ERROR_USAGE, "more than %d files in an archive of images", ARCHIVE_ENTRIES_MAX);
	file.name = name_of(arena, header);
	file.link = header->type == '2' ? field_text(arena, header->link, sizeof(header->link)) : NULL;
	file_add(index, &file);
	return 0;
}

int archive_index_read(int fd, struct arena *arena, struct archive_index *out, struct error *err)
{
	uint64_t offset = 0, end;
	struct header header;
	struct stat status;

	*out = (struct archive_index){0};
	if (fstat(fd, &status) < 0)
		return fail_errno(err, "look at the archive");
	for (end = (uint64_t)status.st_size; offset + BLOCK <= end;) {
		ssize_t got = pread(fd, &header, sizeof(header), (off_t)offset);

		if (got != BLOCK)
			return got < 0 ? fail_errno(err, "read the archive")
				       : fail(err, ERROR_USAGE, "the archive is cut off at byte %llu",
						 (unsigned long long)offset);
		if (is_end(&header))
			return 0;
		if (header_take(out, arena, &header, offset, &offset, end, err) < 0)
			return -1;
	}
	return 0;
}

void archive_index_drop(struct archive_index *index)
{
	free(index->files);
	*index = (struct archive_index){0};
}

static const struct archive_file *file_named(const struct archive_index *index, const char *name)
{
	for (size_t i = index->count; i > 0; i--)
		if (!strcmp(index->files[i - 1].name, name))
			return &index->files[i - 1];
	return NULL;
}

/* "a/b" and "../c/d" make "c/d"; out of the archive: "". */
static void link_resolve(const char *from, const char *link, char out[PATH_SIZE])
{
	const char *slash = strrchr(from, '/');
	size_t length;

	snprintf(out, PATH_SIZE, "%.*s", slash ? (int)(slash - from) : 0, from);
	while (text_starts_with(link, "../")) {
		char *cut = strrchr(out, '/');

		*(cut ? cut : out) = '\0';
		link += 3;
	}
	length = strlen(out);
	snprintf(out + length, PATH_SIZE - length, "%s%s", length ? "/" : "", link);
}

const struct archive_file *archive_index_find(const struct archive_index *index, const char *name, struct error *err)
{
	char path[PATH_SIZE];
	const char *wanted = name;

	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		const struct archive_file *file = file_named(index, wanted);
		char next[PATH_SIZE];

		if (!file)
			break;
		if (!file->link)
			return file;
		link_resolve(file->name, file->link, next);
		memcpy(path, next, sizeof(path));
		wanted = path;
	}
	fail(err, ERROR_MISSING, "no file \"%.200s\" in the archive", name);
	return NULL;
}
