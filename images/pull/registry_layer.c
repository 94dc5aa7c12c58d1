/* Fetching a layer; see registry_layer.h.
 *
 * A broken connection costs what was on its way and no more: the next request asks for the bytes from there on. The
 * sink never sees a byte twice. Of a process that was killed the partial file is left; the next one replays it into the
 * sink and goes on from its end. The name of that file is the digest of the whole, so what is in it can belong to
 * nothing else, and should it be damaged, the digest over all bytes says so in the end. */
#include "images/pull/registry_layer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/store/store.h"

#define REPLAY_BYTES (256 << 10)
#define PROGRESS_BYTES (1 << 20) /* an attempt that gave so much begins the counting anew */
#define REQUESTS_MAX 1000

/* Stands before the sink and keeps a copy. */
struct keeper {
	struct sink sink;
	struct sink *inner;
	int file; /* -1: nothing is kept (any more) */
};

static int keeper_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct keeper *keeper = (struct keeper *)sink;

	if (keeper->inner->write(keeper->inner, bytes, length, err) < 0)
		return -1;
	if (keeper->file >= 0 && length && write_all(keeper->file, bytes, length) < 0) {
		log_warn("what is fetched of a layer cannot be kept to go on from later: %s", strerror(errno));
		/* The room may be what the unpacking lacks. */
		if (ftruncate(keeper->file, 0) < 0)
			log_debug("what was kept of a layer stays: %s", strerror(errno));
		keeper->file = -1;
	}
	return 0;
}

/* Gives what is in the file to the sink. The file may be longer than the layer only by a fault; it then begins anew. */
static int replay(struct keeper *keeper, int64_t size, int64_t *offset, struct error *err)
{
	auto_free char *piece = NULL;
	struct stat status;
	ssize_t got;

	*offset = 0;
	if (fstat(keeper->file, &status) < 0 || lseek(keeper->file, 0, SEEK_SET) < 0)
		return fail_errno(err, "what is kept of the layer");
	if (status.st_size > size && ftruncate(keeper->file, 0) < 0)
		return fail_errno(err, "what is kept of the layer");
	piece = malloc(REPLAY_BYTES);
	if (!piece)
		memory_exhausted();
	while ((got = read_retried(keeper->file, piece, REPLAY_BYTES)) > 0) {
		if (keeper->inner->write(keeper->inner, piece, (size_t)got, err) < 0)
			return -1;
		*offset += got;
	}
	if (got < 0)
		return fail_errno(err, "what is kept of the layer");
	if (*offset)
		log_debug("%" PRId64 " of %" PRId64 " bytes were here already", *offset, size);
	return 0;
}

/* What came before the connection broke was asked for in vain only if it was nothing. */
static void attempt_count(struct retry *retry, const struct http_reply *reply)
{
	if (reply->received >= PROGRESS_BYTES)
		retry->made = 0;
}

/* One request's worth of bytes. 1: go on, 0: all is here. */
static int fetch_some(
	struct session *session, struct session_request *request, int64_t size, struct retry *retry, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct http_reply reply;
	int result, again;

	request->max = size - request->from;
	result = session_fetch(session, request, &arena, &reply, err);
	request->from += reply.received;
	if (result == 0 && request->from == size)
		return 0;
	if (result < 0 && !reply.received)
		return -1; /* tried often enough by the session */
	if (result == 0) {
		reply.failure = HTTP_FAILED_ON_THE_WAY;
		result = fail(err, ERROR_SYSTEM, "the registry ended after %" PRId64 " of %" PRId64 " bytes",
			request->from, size);
	}
	attempt_count(retry, &reply);
	again = retry_wait(retry, result, &reply, request->sink, err);
	return again > 0 ? 1 : -1;
}

static int fetch_all(struct session *session, struct session_request *request, int64_t size, struct error *err)
{
	struct retry retry = {.policy = &session->policy};
	int more = request->from < size;

	for (unsigned requests = 0; more > 0; requests++) {
		if (requests == REQUESTS_MAX)
			return fail(err, ERROR_SYSTEM, "the connection broke %d times", REQUESTS_MAX);
		more = fetch_some(session, request, size, &retry, err);
	}
	return more;
}

int registry_layer_fetch(struct session *session, int64_t keep_bytes, const struct source_blob *blob, struct sink *sink,
	struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	bool keep = blob->partial && blob->size >= keep_bytes;
	struct keeper keeper = {.sink = {keeper_write}, .inner = sink, .file = keep ? blob->partial->fd : -1};
	struct session_request request = {
		.path = arena_format(&arena, "blobs/%s", blob->digest), .sink = keep ? &keeper.sink : sink};

	if (blob->size < 0)
		return fail(err, ERROR_SYSTEM, "%s: how long the layer is, is not known", blob->digest);
	if (keep && replay(&keeper, blob->size, &request.from, err) < 0)
		return blame(err, "%s", blob->digest);
	if (fetch_all(session, &request, blob->size, err) < 0)
		return blame(err, "%s", blob->digest);
	return 0;
}
