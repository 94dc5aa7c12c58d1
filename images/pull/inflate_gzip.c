/* gzip (RFC 1952): by isa-l where it was built with it (less than half of zlib's time), else by zlib. Both check the
 * trailer's checksum and length. */
#include <stdlib.h>

#include "images/pull/inflate.h"

#ifdef WARREN_ISAL
#include <isa-l/igzip_lib.h>

/* Output goes through the window inside the state, which is some 100 KiB. */
static void *gzip_begin(void)
{
	struct inflate_state *state = malloc(sizeof(*state));

	if (!state)
		return NULL;
	isal_inflate_init(state);
	state->crc_flag = ISAL_GZIP;
	return state;
}

static void gzip_again(void *state)
{
	isal_inflate_reset(state);
}

static int gzip_step(void *opaque, struct inflate_io *io, struct error *err)
{
	struct inflate_state *state = opaque;
	int result;

	state->next_in = (uint8_t *)io->in;
	state->avail_in = (uint32_t)io->in_length;
	state->next_out = io->out;
	state->avail_out = (uint32_t)io->out_length;
	result = isal_inflate(state);
	io->in = state->next_in;
	io->in_length = state->avail_in;
	io->out = state->next_out;
	io->out_length = state->avail_out;
	if (result == ISAL_INCORRECT_CHECKSUM)
		return fail(err, ERROR_USAGE, "damaged: the checksum is another");
	if (result < 0 || result == ISAL_NEED_DICT)
		return fail(err, ERROR_USAGE, "damaged (%d)", result);
	return state->block_state == ISAL_BLOCK_FINISH;
}

static void gzip_drop(void *state)
{
	free(state);
}
#else
#include <zlib.h>

static void *gzip_begin(void)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	if (stream && inflateInit2(stream, 15 + 16) != Z_OK) { /* 16: gzip only */
		free(stream);
		stream = NULL;
	}
	return stream;
}

static void gzip_again(void *state)
{
	inflateReset(state);
}

static int gzip_step(void *state, struct inflate_io *io, struct error *err)
{
	z_stream *stream = state;
	int result;

	stream->next_in = (uint8_t *)io->in;
	stream->avail_in = (unsigned)io->in_length;
	stream->next_out = io->out;
	stream->avail_out = (unsigned)io->out_length;
	result = inflate(stream, Z_NO_FLUSH);
	io->in = stream->next_in;
	io->in_length = stream->avail_in;
	io->out = stream->next_out;
	io->out_length = stream->avail_out;
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		return fail(err, ERROR_USAGE, "damaged: %s", stream->msg ? stream->msg : "no reason given");
	return result == Z_STREAM_END;
}

static void gzip_drop(void *state)
{
	if (state)
		inflateEnd(state);
	free(state);
}
#endif

const struct inflate_kind inflate_gzip = {"gzip", "\x1f\x8b", 2, gzip_begin, gzip_again, gzip_step, gzip_drop};
