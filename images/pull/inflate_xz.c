/* xz, which root tarballs come in; layers of images do not. Its memory is bounded (xz -9 needs 65 MiB). Without liblzma
 * at build time it is refused by name. */
#include <stdlib.h>

#include "images/pull/inflate.h"

#define MAGIC                                                                                                          \
	"\xfd"                                                                                                         \
	"7zXZ\0"
#define MAGIC_LENGTH 6

#ifdef WARREN_LZMA
#include <lzma.h>

#define MEMORY_MAX (192 << 20)

static void *xz_begin(void)
{
	lzma_stream *stream = malloc(sizeof(*stream));

	if (!stream)
		return NULL;
	*stream = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(stream, MEMORY_MAX, 0) != LZMA_OK) {
		free(stream);
		return NULL;
	}
	return stream;
}

static const char *reason_of(lzma_ret result)
{
	return result == LZMA_MEMLIMIT_ERROR ? "wants more than 192 MiB of memory" : "damaged";
}

static int xz_step(void *state, struct inflate_io *io, struct error *err)
{
	lzma_stream *stream = state;
	lzma_ret result;

	stream->next_in = io->in;
	stream->avail_in = io->in_length;
	stream->next_out = io->out;
	stream->avail_out = io->out_length;
	result = lzma_code(stream, LZMA_RUN);
	io->in = stream->next_in;
	io->in_length = stream->avail_in;
	io->out = stream->next_out;
	io->out_length = stream->avail_out;
	if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR)
		return fail(err, ERROR_USAGE, "%s (%d)", reason_of(result), result);
	return result == LZMA_STREAM_END;
}

static void xz_drop(void *state)
{
	if (state)
		lzma_end(state);
	free(state);
}
#else
static void *xz_begin(void)
{
	return malloc(1); /* a state, for a step that says why */
}

static int xz_step(void *state, struct inflate_io *io, struct error *err)
{
	(void)state, (void)io;
	return fail(err, ERROR_SYSTEM, "this program was built without liblzma, which it needs for that");
}

static void xz_drop(void *state)
{
	free(state);
}
#endif

const struct inflate_kind inflate_xz = {"xz", MAGIC, MAGIC_LENGTH, xz_begin, NULL, xz_step, xz_drop};
