/* Numbers in a file; see bitmap.h. */
#include "netns/netlink/bitmap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define HEADER_SIZE 8
#define PIECE_SIZE 4096
#define BITMAP_SIZE_MAX (HEADER_SIZE + (1 << 21)) /* a /8 */

static int header_read(struct bitmap *bitmap, struct error *err)
{
	uint32_t header[2] = {0, 0};

	if (pread(bitmap->fd, header, sizeof(header), 0) < 0)
		return fail_errno(err, "read the numbers that are taken");
	bitmap->tag = header[0];
	bitmap->hint = header[1];
	return 0;
}

static int header_write(const struct bitmap *bitmap, struct error *err)
{
	uint32_t header[2] = {bitmap->tag, bitmap->hint};

	if (pwrite(bitmap->fd, header, sizeof(header), 0) != sizeof(header))
		return fail_errno(err, "write the numbers that are taken");
	return 0;
}

/* The file as it is named now: one that was removed while we waited for its lock has no name any more. */
static int locked_open(int dir, const char *name, struct error *err)
{
	for (;;) {
		auto_fd fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat status;

		if (fd < 0)
			return fail_errno(err, "open %s", name);
		if (lock_exclusive(fd, -1, err) < 0)
			return blame(err, "lock %s", name);
		if (fstat(fd, &status) < 0)
			return fail_errno(err, "examine %s", name);
		if (status.st_nlink > 0)
			return take_fd(&fd);
	}
}

int bitmap_open(int dir, const char *name, struct bitmap *bitmap, struct error *err)
{
	auto_fd fd = locked_open(dir, name, err);

	if (fd < 0)
		return -1;
	*bitmap = (struct bitmap){.fd = fd};
	if (header_read(bitmap, err) < 0) {
		bitmap->fd = -1;
		return blame(err, "%s", name);
	}
	(void)take_fd(&fd);
	return 0;
}

int bitmap_borrow(int fd, struct bitmap *bitmap, struct error *err)
{
	*bitmap = (struct bitmap){.fd = fd};
	return header_read(bitmap, err);
}

void bitmap_drop(struct bitmap *bitmap)
{
	fd_drop(&bitmap->fd);
}

int bitmap_set_tag(struct bitmap *bitmap, uint32_t tag, struct error *err)
{
	bitmap->tag = tag;
	return header_write(bitmap, err);
}

/* Bytes that were never written read as zero. */
static int bytes_read(const struct bitmap *bitmap, uint32_t byte, void *into, size_t size, struct error *err)
{
	memset(into, 0, size);
	if (pread(bitmap->fd, into, size, HEADER_SIZE + (off_t)byte) < 0)
		return fail_errno(err, "read the numbers that are taken");
	return 0;
}

int bitmap_test(const struct bitmap *bitmap, uint32_t number, struct error *err)
{
	uint8_t byte;

	if (bytes_read(bitmap, number / 8, &byte, 1, err) < 0)
		return -1;
	return byte >> number % 8 & 1;
}

/* byte: the one that has the number's bit, as it is in the file. */
static int bit_write(const struct bitmap *bitmap, uint32_t number, uint8_t byte, bool taken, struct error *err)
{
	uint8_t bit = (uint8_t)(1u << number % 8);

	byte = taken ? byte | bit : byte & (uint8_t)~bit;
	if (pwrite(bitmap->fd, &byte, 1, HEADER_SIZE + (off_t)(number / 8)) != 1)
		return fail_errno(err, "write the numbers that are taken");
	return 0;
}

int bitmap_put(struct bitmap *bitmap, uint32_t number, bool taken, struct error *err)
{
	uint8_t byte;

	return bytes_read(bitmap, number / 8, &byte, 1, err) < 0 ? -1 : bit_write(bitmap, number, byte, taken, err);
}

/* Takes the first free usable number in from … to: 1, 0 or -1. */
static int bitmap_take_between(
	struct bitmap *bitmap, uint32_t from, uint32_t to, bitmap_usable *usable, uint32_t *number, struct error *err)
{
	uint8_t piece[PIECE_SIZE];
	uint32_t loaded = UINT32_MAX;

	for (uint32_t n = from; n <= to; n++) {
		uint32_t base = n / 8 / PIECE_SIZE * PIECE_SIZE;

		if (base != loaded && bytes_read(bitmap, base, piece, sizeof(piece), err) < 0)
			return -1;
		loaded = base;
		if (piece[n / 8 - base] >> n % 8 & 1 || (usable && !usable(n)))
			continue;
		*number = n;
		return bit_write(bitmap, n, piece[n / 8 - base], true, err) < 0 ? -1 : 1;
	}
	return 0;
}

int bitmap_take(struct bitmap *bitmap, uint32_t first, uint32_t last, bitmap_usable *usable, uint32_t *number,
	struct error *err)
{
	uint32_t start = bitmap->hint >= first && bitmap->hint <= last ? bitmap->hint : first;
	int found = bitmap_take_between(bitmap, start, last, usable, number, err);

	if (found == 0 && start > first)
		found = bitmap_take_between(bitmap, first, start - 1, usable, number, err);
	if (found <= 0)
		return found;
	bitmap->hint = *number + 1;
	return header_write(bitmap, err) < 0 ? -1 : 1;
}

/* The bits of `kept` that are in the byte; *at is the first of them that was not looked at yet. */
static uint8_t kept_bits(const uint32_t *kept, size_t count, size_t *at, uint32_t byte)
{
	uint8_t bits = 0;

	for (; *at < count && kept[*at] / 8 <= byte; (*at)++)
		if (kept[*at] / 8 == byte)
			bits |= (uint8_t)(1u << kept[*at] % 8);
	return bits;
}

int bitmap_keep(const struct bitmap *bitmap, const uint32_t *kept, size_t count, struct error *err)
{
	uint8_t piece[PIECE_SIZE];
	ssize_t length = 1;
	size_t at = 0;

	for (uint32_t base = 0; length > 0 && base < BITMAP_SIZE_MAX - HEADER_SIZE; base += PIECE_SIZE) {
		length = pread(bitmap->fd, piece, sizeof(piece), HEADER_SIZE + (off_t)base);
		if (length < 0)
			return fail_errno(err, "read the numbers that are taken");
		for (ssize_t i = 0; i < length; i++) {
			uint8_t bits = piece[i] ? piece[i] & kept_bits(kept, count, &at, base + (uint32_t)i) : 0;

			if (bits != piece[i] && pwrite(bitmap->fd, &bits, 1, HEADER_SIZE + (off_t)base + i) != 1)
				return fail_errno(err, "write the numbers that are taken");
		}
	}
	return 0;
}

int bitmap_is_empty(const struct bitmap *bitmap, struct error *err)
{
	static const uint8_t nothing[PIECE_SIZE];
	uint8_t piece[PIECE_SIZE];

	for (off_t at = HEADER_SIZE; at < BITMAP_SIZE_MAX; at += PIECE_SIZE) {
		ssize_t length = pread(bitmap->fd, piece, sizeof(piece), at);

		if (length < 0)
			return fail_errno(err, "read the numbers that are taken");
		if (memcmp(piece, nothing, (size_t)length) != 0)
			return 0;
		if (length == 0)
			break;
	}
	return 1;
}

int bitmap_count(const struct bitmap *bitmap, size_t *count, struct error *err)
{
	uint8_t piece[PIECE_SIZE];

	*count = 0;
	for (off_t at = HEADER_SIZE; at < BITMAP_SIZE_MAX; at += PIECE_SIZE) {
		ssize_t length = pread(bitmap->fd, piece, sizeof(piece), at);

		if (length < 0)
			return fail_errno(err, "read the numbers that are taken");
		for (ssize_t i = 0; i < length; i++)
			*count += (size_t)__builtin_popcount(piece[i]);
		if (length == 0)
			break;
	}
	return 0;
}
