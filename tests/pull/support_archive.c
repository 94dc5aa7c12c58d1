#include "tests/pull/support_archive.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define BLOCK 512

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8], user[32],
		group[32], major[8], minor[8], prefix[155], rest[12];
};

/* Octal, or base-256 when it does not fit. */
static void number_put(char *field, size_t size, int64_t value)
{
	char digits[32];

	if (value >= 0 && value < INT64_C(1) << (3 * (size - 1))) {
		snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (long long)value);
		memcpy(field, digits, size);
		return;
	}
	memset(field, value < 0 ? 0xff : 0, size);
	for (size_t i = 0; i < 8 && i < size; i++)
		field[size - 1 - i] = (char)(value >> (8 * i));
	field[0] = (char)(value < 0 ? 0xff : 0x80 | field[0]);
}

static void sum_put(struct header *header)
{
	unsigned sum = 0;

	memset(header->sum, ' ', sizeof(header->sum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += ((unsigned char *)header)[i];
	snprintf(header->sum, sizeof(header->sum), "%06o", sum);
}

static void content_put(struct text *archive, const char *content, size_t length)
{
	static const char zeros[BLOCK];

	text_append_bytes(archive, content, length);
	if (length % BLOCK)
		text_append_bytes(archive, zeros, BLOCK - length % BLOCK);
}

static void special_put(struct text *archive, char type, const char *content, size_t length)
{
	struct header header = {.name = "special",
		.mode = "0000644",
		.uid = "0000000",
		.gid = "0000000",
		.magic = "ustar  ",
		.type = type};

	number_put(header.size, sizeof(header.size), (int64_t)length);
	number_put(header.mtime, sizeof(header.mtime), 0);
	sum_put(&header);
	text_append_bytes(archive, (const char *)&header, sizeof(header));
	content_put(archive, content, length);
}

/* "27 path=x\n": the length counts itself. */
static void pax_put(struct text *archive, const char *records)
{
	struct text text AUTO(text_drop) = {0};

	while (*records) {
		size_t length = strcspn(records, "\n") + 1, whole = length + 3;
		char digits[24];

		while ((size_t)snprintf(digits, sizeof(digits), "%zu ", whole) + length != whole)
			whole++;
		text_append(&text, digits);
		text_append_bytes(&text, records, length);
		records += length;
	}
	special_put(archive, 'x', text.data, text.length);
}

void archive_add(struct text *archive, const struct made *entry)
{
	size_t length = entry->content ? (entry->length ? entry->length : strlen(entry->content)) : 0;
	char type = entry->type ? entry->type : '0';
	struct header header = {.magic = "ustar  ", .type = type};

	if (entry->pax)
		pax_put(archive, entry->pax);
	if (strlen(entry->name) > sizeof(header.name))
		special_put(archive, 'L', entry->name, strlen(entry->name) + 1);
	if (entry->link && strlen(entry->link) > sizeof(header.link))
		special_put(archive, 'K', entry->link, strlen(entry->link) + 1);
	memcpy(header.name, entry->name, strnlen(entry->name, sizeof(header.name)));
	if (entry->link)
		memcpy(header.link, entry->link, strnlen(entry->link, sizeof(header.link)));
	number_put(header.mode, sizeof(header.mode), entry->mode ? entry->mode : type == '5' ? 0755 : 0644);
	number_put(header.uid, sizeof(header.uid), entry->uid);
	number_put(header.gid, sizeof(header.gid), entry->gid);
	number_put(header.size, sizeof(header.size), (int64_t)length);
	if (entry->size_text)
		memcpy(header.size, entry->size_text, strnlen(entry->size_text, sizeof(header.size)));
	number_put(header.mtime, sizeof(header.mtime), entry->mtime ? entry->mtime : 1700000000);
	number_put(header.major, sizeof(header.major), 0);
	number_put(header.minor, sizeof(header.minor), 0);
	sum_put(&header);
	text_append_bytes(archive, (const char *)&header, sizeof(header));
	content_put(archive, entry->content, length);
}

void archive_end(struct text *archive)
{
	static const char zeros[2 * BLOCK];

	text_append_bytes(archive, zeros, sizeof(zeros));
}

void archive_gzip(const struct text *archive, struct text *packed)
{
	z_stream stream = {0};
	size_t room = archive->length + archive->length / 100 + 1024;
	char *out = malloc(room);

	deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	stream.next_in = (unsigned char *)archive->data;
	stream.avail_in = (unsigned)archive->length;
	stream.next_out = (unsigned char *)out;
	stream.avail_out = (unsigned)room;
	deflate(&stream, Z_FINISH);
	text_append_bytes(packed, out, room - stream.avail_out);
	deflateEnd(&stream);
	free(out);
}

void archive_zstd(const struct text *archive, struct text *packed)
{
	size_t room = ZSTD_compressBound(archive->length);
	char *out = malloc(room);

	text_append_bytes(packed, out, ZSTD_compress(out, room, archive->data, archive->length, 3));
	free(out);
}
