/* zstd (RFC 8878). A frame says how large a window its decoder must keep: more than 128 MiB is refused, as the zstd
 * program does, so that no layer can ask for gigabytes of memory. */
#include <zstd.h>
#include <zstd_errors.h>

#include "images/pull/inflate.h"

#define WINDOW_LOG_MAX 27

static void *zstd_begin(void)
{
	ZSTD_DStream *stream = ZSTD_createDStream();

	if (stream)
		ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return stream;
}

static void zstd_again(void *state)
{
	ZSTD_DCtx_reset(state, ZSTD_reset_session_only);
}

static int zstd_step(void *state, struct inflate_io *io, struct error *err)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_length};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_length};
	size_t result = ZSTD_decompressStream(state, &out, &in);

	if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
		return fail(err, ERROR_USAGE, "wants a window of more than %d MiB", 1 << (WINDOW_LOG_MAX - 20));
	if (ZSTD_isError(result))
		return fail(err, ERROR_USAGE, "damaged: %s", ZSTD_getErrorName(result));
	io->in += in.pos;
	io->in_length -= in.pos;
	io->out += out.pos;
	io->out_length -= out.pos;
	return result == 0;
}

static void zstd_drop(void *state)
{
	ZSTD_freeDStream(state);
}

const struct inflate_kind inflate_zstd = {"zstd", "\x28\xb5\x2f\xfd", 4, zstd_begin, zstd_again, zstd_step, zstd_drop};
