/* Headers of tar, written. */
#include "images/pull/tar_write.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "images/pull/described.h"

#define BLOCK 512

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
		user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

void described_drop(struct described *entry)
{
	text_drop(&entry->pax);
}

/* ---- headers ---- */

static const char zeros[2 * BLOCK];

/* 27 in "27 path=x\n" counts itself too. */
void described_add(struct text *pax, const char *key, const void *value, size_t length)
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
			described_add(pax, key, digits, strlen(digits));
		value = 0;
	}
	snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, digits, size);
}

static void text_put(char *field, size_t size, const char *value, const char *key, struct text *pax)
{
	size_t length = strlen(value);

	if (length > size && pax)
		described_add(pax, key, value, length);
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
	described_add(&entry->pax, "mtime", text, strlen(text));
}

int described_write(struct sink *sink, struct described *entry, struct error *err)
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

/* ---- single files ---- */

int tar_write_header(struct sink *sink, const char *name, uint64_t length, struct error *err)
{
	AUTO(described_drop) struct described entry = {.path = name, .type = '0'};

	entry.status.st_mode = 0644;
	entry.status.st_size = (off_t)length;
	return described_write(sink, &entry, err);
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
