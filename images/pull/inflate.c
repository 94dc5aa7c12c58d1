/* Which format a stream has, and the rules that all formats share: members follow one another, zeros may fill up the
 * end, nothing else may. */
#include "images/pull/inflate.h"

#include <string.h>

#include "base/cleanup.h"

static const struct inflate_kind *const kinds[] = {&inflate_gzip, &inflate_zstd, &inflate_xz};

static const struct refused {
	const char *name, *magic;
	size_t length;
} refused[] = {
	{"bzip2", "BZh", 3},
	{"lzip", "LZIP", 4},
	{"lz4", "\x04\x22\x4d\x18", 4},
	{"compress", "\x1f\x9d", 2},
};

/* A frame that carries no data (zstd's and lz4's "skippable" one); zstd:chunked may begin with it. */
static bool is_skippable(const uint8_t *magic, size_t length)
{
	return length >= 4 && (magic[0] & 0xf0) == 0x50 && !memcmp(magic + 1, "\x2a\x4d\x18", 3);
}

static const struct inflate_kind *kind_of(const uint8_t *magic, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (length >= kinds[i]->magic_length && !memcmp(magic, kinds[i]->magic, kinds[i]->magic_length))
			return kinds[i];
	return is_skippable(magic, length) ? &inflate_zstd : NULL;
}

static int member_begin(struct inflate *inflate, struct error *err)
{
	if (inflate->state && inflate->kind->again) {
		inflate->kind->again(inflate->state);
	} else {
		inflate->kind->drop(inflate->state);
		inflate->state = inflate->kind->begin();
	}
	if (!inflate->state)
		return fail(err, ERROR_SYSTEM, "%s: no memory to unpack it", inflate->kind->name);
	inflate->inside = true;
	return 0;
}

int inflate_begin(struct inflate *inflate, const uint8_t *magic, size_t length, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (length >= refused[i].length && !memcmp(magic, refused[i].magic, refused[i].length))
			return fail(err, ERROR_USAGE, "packed by %s, which is not supported: gzip, zstd, xz or none",
				refused[i].name);
	*inflate = (struct inflate){.kind = kind_of(magic, length)};
	return inflate->kind ? member_begin(inflate, err) : 0;
}

static void copy_plain(struct inflate_io *io)
{
	size_t length = io->in_length < io->out_length ? io->in_length : io->out_length;

	memcpy(io->out, io->in, length);
	io->in += length;
	io->in_length -= length;
	io->out += length;
	io->out_length -= length;
}

/* Between members: another one, or zeros to the end (tape blocks). */
static int next_member(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	while (io->in_length && !*io->in) {
		io->in++;
		io->in_length--;
		inflate->padding = true;
	}
	if (!io->in_length)
		return 0;
	if (inflate->padding || *io->in != (uint8_t)inflate->kind->magic[0])
		if (inflate->padding || !is_skippable(io->in, io->in_length))
			return fail(
				err, ERROR_USAGE, "%s: other bytes follow the end of the stream", inflate->kind->name);
	return member_begin(inflate, err);
}

int inflate_step(struct inflate *inflate, struct inflate_io *io, struct error *err)
{
	int ended;

	if (!inflate->kind) {
		copy_plain(io);
		return 0;
	}
	if (!inflate->inside && next_member(inflate, io, err) < 0)
		return -1;
	if (!inflate->inside)
		return 0;
	ended = inflate->kind->step(inflate->state, io, err);
	if (ended < 0)
		return blame(err, "%s", inflate->kind->name);
	if (ended)
		inflate->inside = false;
	return 0;
}

int inflate_end(const struct inflate *inflate, struct error *err)
{
	if (inflate->inside)
		return fail(err, ERROR_USAGE, "%s: the stream is cut off", inflate->kind->name);
	return 0;
}

const char *inflate_name(const struct inflate *inflate)
{
	return inflate->kind ? inflate->kind->name : "none";
}

void inflate_drop(struct inflate *inflate)
{
	if (inflate->kind && inflate->state)
		inflate->kind->drop(inflate->state);
	*inflate = (struct inflate){0};
}
