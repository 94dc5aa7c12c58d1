/* libarchive as a reader, and nothing else of it: it gets the uncompressed bytes, knows of no other format than tar and
 * writes nothing. */
#include "images/pull/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "base/cleanup.h"

#define ATTRIBUTES_MAX 128

#define BLOCK 512

/* ---- what libarchive asks for ---- */

struct reader {
	struct tar_input *input;
	uint64_t total; /* bytes that came */
	bool padded;	/* its end was filled up to a whole block */
};

/* Some tools end an archive with the last byte of the last file (umoci), and everybody reads that; libarchive wants
 * whole blocks. That no byte of a file is made up in this way is for content_check() to see. */
static la_ssize_t end_pad(struct reader *reader, const void **bytes)
{
	static const char zeros[BLOCK];
	size_t over = reader->total % BLOCK;

	if (reader->padded || !over)
		return 0;
	reader->padded = true;
	*bytes = zeros;
	return (la_ssize_t)(BLOCK - over);
}

static la_ssize_t input_read(struct archive *archive, void *opaque, const void **bytes)
{
	struct reader *reader = opaque;
	ssize_t got = reader->input->next(reader->input, bytes, &reader->input->err);

	if (got < 0)
		archive_set_error(archive, EIO, "%s", reader->input->err.text);
	if (!got)
		return end_pad(reader, bytes);
	reader->total += got > 0 ? (uint64_t)got : 0;
	return got;
}

static void archive_drop(struct archive **archive)
{
	int saved = errno;

	if (*archive)
		archive_read_free(*archive);
	*archive = NULL;
	errno = saved;
}

static int fail_archive(struct error *err, struct archive *archive, const struct tar_input *input)
{
	const char *reason = archive_error_string(archive);

	if (input->err.kind) {
		*err = input->err;
		return -1;
	}
	return fail(err, ERROR_USAGE, "read the tar archive: %s", reason ? reason : "damaged");
}

static struct archive *archive_begin(struct reader *reader, struct error *err)
{
	struct archive *archive = archive_read_new();

	if (!archive) {
		fail(err, ERROR_SYSTEM, "no memory to read an archive");
		return NULL;
	}
	archive_read_support_format_tar(archive);
	if (archive_read_open(archive, reader, NULL, input_read, NULL) != ARCHIVE_OK) {
		fail_archive(err, archive, reader->input);
		archive_drop(&archive);
	}
	return archive;
}

/* ---- the content of a file ---- */

struct tar_data {
	struct extract_data data; /* first: it is what the extractor holds */
	struct archive *archive;
	const struct reader *reader;
	int64_t size;
};

/* The last block of the file may be a filled up one, but all of the file must have come. */
static int content_check(const struct tar_data *tar, struct error *err)
{
	uint64_t end = (uint64_t)archive_filter_bytes(tar->archive, -1), over = (uint64_t)tar->size % BLOCK;

	if (tar->reader->padded && tar->reader->total + (over ? BLOCK - over : 0) < end)
		return fail(err, ERROR_USAGE, "the archive is cut off in its content");
	return 0;
}

static int data_next(struct extract_data *data, const void **bytes, size_t *length, int64_t *offset, struct error *err)
{
	struct tar_data *tar = (struct tar_data *)data;
	la_int64_t at = 0;
	int result = archive_read_data_block(tar->archive, bytes, length, &at);

	*offset = at;
	if (result == ARCHIVE_EOF)
		return content_check(tar, err);
	return result == ARCHIVE_OK ? 1 : fail_archive(err, tar->archive, tar->reader->input);
}

/* ---- one entry ---- */

static size_t attributes_of(struct archive_entry *from, struct extract_attribute *out, struct error *err)
{
	size_t count = 0;
	int left = archive_entry_xattr_reset(from);

	if (left > ATTRIBUTES_MAX) {
		fail(err, ERROR_USAGE, "%d extended attributes, at most %d", left, ATTRIBUTES_MAX);
		return SIZE_MAX;
	}
	while (left-- > 0 &&
		archive_entry_xattr_next(from, &out[count].name, &out[count].value, &out[count].length) == ARCHIVE_OK)
		count++;
	return count;
}

static int entry_read(
	struct extract_entry *out, struct archive_entry *from, struct extract_attribute *attributes, struct error *err)
{
	*out = (struct extract_entry){
		.path = archive_entry_pathname(from),
		.hard_link = archive_entry_hardlink(from),
		.symlink = archive_entry_symlink(from),
		.mode = archive_entry_mode(from),
		.uid = archive_entry_uid(from),
		.gid = archive_entry_gid(from),
		.size = archive_entry_size(from),
		.mtime = {.tv_sec = archive_entry_mtime(from), .tv_nsec = archive_entry_mtime_nsec(from)},
		.attributes = attributes,
	};
	if (!out->path)
		return fail(err, ERROR_USAGE, "an entry without a name that can be read");
	out->attribute_count = attributes_of(from, attributes, err);
	return out->attribute_count == SIZE_MAX ? blame(err, "%.200s", out->path) : 0;
}

static int entry_extract(struct archive *archive, const struct reader *reader, struct archive_entry *from,
	struct extract *extract, struct error *err)
{
	struct extract_attribute attributes[ATTRIBUTES_MAX];
	struct tar_data data = {.data.next = data_next, .archive = archive, .reader = reader};
	struct extract_entry entry;

	if (entry_read(&entry, from, attributes, err) < 0)
		return -1;
	data.size = entry.size;
	entry.data = &data.data;
	return extract_entry(extract, &entry, err);
}

/* What follows the end of the archive is nobody's, but the sender wants to send it. */
static int input_drain(struct tar_input *input, struct error *err)
{
	const void *bytes;
	ssize_t got;

	while ((got = input->next(input, &bytes, err)) > 0)
		;
	return (int)got;
}

int tar_extract(struct tar_input *input, struct extract *extract, struct error *err)
{
	struct reader reader = {.input = input};
	struct archive *archive AUTO(archive_drop) = archive_begin(&reader, err);
	struct archive_entry *entry;
	int result;

	if (!archive)
		return -1;
	/* A warning is about a name that the locale cannot hold: entry_read() sees whether there is one. */
	while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN)
		if (entry_extract(archive, &reader, entry, extract, err) < 0)
			return -1;
	if (result != ARCHIVE_EOF)
		return fail_archive(err, archive, input);
	return input_drain(input, err);
}

int tar_setup(struct error *err)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return fail(err, ERROR_SYSTEM, "the C library has no locale C.UTF-8, which names in archives need");
	return 0;
}
