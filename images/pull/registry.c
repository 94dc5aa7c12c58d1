/* Documents from a registry, and the source as a whole; see registry.h. Layers: registry_layer.c. */
#include "images/pull/registry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/pull/digest.h"
#include "images/pull/registry_layer.h"
#include "images/pull/session.h"

#define INDEX_DEPTH_MAX 4 /* an index may name indexes; more than two levels nobody has seen */

struct registry {
	struct source source;
	struct session session;
	struct platform platform;
	int64_t keep_bytes;
};

/* --- documents ---------------------------------------------------------------------------------------------------- */

/* What a document must be. */
struct wanted {
	const char *path, *accept;
	const char *digest; /* NULL: whatever it is */
	int64_t size;	    /* -1: not known */
};

struct document {
	const char *bytes, *media_type;
	size_t length;
	char digest[REFERENCE_DIGEST_SIZE];
};

/* A connection that breaks within a few kilobytes: from the beginning. */
static int body_fetch(struct session *session, const struct session_request *request, struct memory_sink *body,
	struct arena *arena, struct http_reply *reply, struct error *err)
{
	struct retry retry = {.policy = &session->policy};
	int result, again;

	do {
		text_clear(&body->text);
		result = session_fetch(session, request, arena, reply, err);
		if (result == 0)
			return 0;
		again = reply->received ? retry_wait(&retry, result, reply, NULL, err) : 0;
	} while (again > 0);
	return -1;
}

static int document_check(
	const struct wanted *wanted, const struct http_reply *reply, const struct document *document, struct error *err)
{
	const char *promised = reply->digest && text_starts_with(reply->digest, "sha256:") ? reply->digest : NULL;

	if (wanted->digest && strcmp(document->digest, wanted->digest) != 0)
		return fail(err, ERROR_SYSTEM, "%s: its content is %s: damaged or forged", wanted->digest,
			document->digest);
	if (promised && strcmp(document->digest, promised) != 0)
		return fail(err, ERROR_SYSTEM, "%s: the registry says it is %.100s, its content is %s", wanted->path,
			promised, document->digest);
	if (wanted->size >= 0 && (uint64_t)wanted->size != document->length)
		return fail(err, ERROR_SYSTEM, "%s: %zu bytes came, %" PRId64 " are said to be in it", wanted->path,
			document->length, wanted->size);
	return 0;
}

static int document_fetch(struct registry *registry, const struct wanted *wanted, struct arena *arena,
	struct document *out, struct error *err)
{
	AUTO(memory_sink_drop) struct memory_sink body = memory_sink_new();
	struct session_request request = {
		.path = wanted->path, .accept = wanted->accept, .max = SOURCE_DOCUMENT_MAX, .sink = &body.sink};
	struct http_reply reply;

	if (wanted->size > SOURCE_DOCUMENT_MAX)
		return fail(err, ERROR_USAGE, "%s: %" PRId64 " bytes are more than the %d that there may be",
			wanted->path, wanted->size, SOURCE_DOCUMENT_MAX);
	if (wanted->size >= 0)
		request.max = wanted->size;
	if (body_fetch(&registry->session, &request, &body, arena, &reply, err) < 0)
		return -1;
	*out = (struct document){.bytes = arena_bytes(arena, text_string(&body.text), body.text.length),
		.length = body.text.length,
		.media_type = reply.content_type};
	if (digest_of(out->bytes, out->length, out->digest, err) < 0)
		return -1;
	return document_check(wanted, &reply, out, err);
}

static int fail_here(const struct registry *registry, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	return blame(err, "%s", reference_full(&arena, &registry->session.reference));
}

/* --- the manifest ------------------------------------------------------------------------------------------------- */

static struct wanted wanted_by_name(const struct registry *registry, struct arena *arena)
{
	const struct reference *reference = &registry->session.reference;
	const char *name = reference->digest ? reference->digest : reference->tag;

	return (struct wanted){.path = arena_format(arena, "manifests/%s", name),
		.accept = media_accept,
		.digest = reference->digest,
		.size = -1};
}

static struct wanted wanted_by_descriptor(struct arena *arena, const struct descriptor *descriptor)
{
	return (struct wanted){.path = arena_format(arena, "manifests/%s", descriptor->digest),
		.accept = media_accept,
		.digest = descriptor->digest,
		.size = descriptor->size};
}

static int manifest_follow(struct registry *registry, struct arena *arena, struct source_blob *blob,
	struct document *document, struct error *err)
{
	struct wanted wanted = wanted_by_name(registry, arena);
	struct manifest_document decoded;

	for (unsigned depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
		const struct descriptor *entry;

		if (document_fetch(registry, &wanted, arena, document, err) < 0 ||
			manifest_decode(arena, wanted.path, document->bytes, document->length, document->media_type,
				&decoded, err) < 0)
			return -1;
		if (decoded.kind == MEDIA_MANIFEST) {
			blob->digest = wanted.digest;
			blob->size = wanted.size;
			blob->media_type = document->media_type;
			return 0;
		}
		entry = index_choose(arena, &decoded.index, &registry->platform, err);
		if (!entry)
			return -1;
		if (!blob->index_digest)
			blob->index_digest = arena_string(arena, document->digest);
		wanted = wanted_by_descriptor(arena, entry);
	}
	return fail(err, ERROR_USAGE, "indexes are nested deeper than %d levels", INDEX_DEPTH_MAX);
}

static int registry_manifest(struct source *source, struct arena *arena, struct source_blob *blob, const char **bytes,
	size_t *length, struct error *err)
{
	struct registry *registry = (struct registry *)source;
	struct document document;

	*blob = (struct source_blob){.size = -1};
	if (manifest_follow(registry, arena, blob, &document, err) < 0)
		return fail_here(registry, err);
	*bytes = document.bytes;
	*length = document.length;
	return 0;
}

/* --- the rest of the source --------------------------------------------------------------------------------------- */

static int registry_document(struct source *source, struct arena *arena, const struct source_blob *blob,
	const char **bytes, size_t *length, struct error *err)
{
	struct registry *registry = (struct registry *)source;
	struct wanted wanted = {
		.path = arena_format(arena, "blobs/%s", blob->digest), .digest = blob->digest, .size = blob->size};
	struct document document;

	if (document_fetch(registry, &wanted, arena, &document, err) < 0)
		return fail_here(registry, err);
	*bytes = document.bytes;
	*length = document.length;
	return 0;
}

static int registry_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	struct registry *registry = (struct registry *)source;

	if (registry_layer_fetch(&registry->session, registry->keep_bytes, blob, sink, err) < 0)
		return blame(err, "%s", registry->session.reference.registry);
	return 0;
}

static void registry_drop(struct source *source)
{
	struct registry *registry = (struct registry *)source;

	session_close(&registry->session);
	free(registry);
}

static const struct source_kind registry_kind = {
	.name = "registry",
	.manifest = registry_manifest,
	.document = registry_document,
	.layer = registry_layer,
	.drop = registry_drop,
};

struct source *source_open_registry(
	struct http *http, const struct reference *reference, const struct registry_options *options)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	if (!registry)
		memory_exhausted();
	*registry = (struct registry){
		.source = {.kind = &registry_kind}, .platform = options->platform, .keep_bytes = options->keep_bytes};
	session_open(&registry->session, http, reference, &options->credentials);
	registry->session.policy = options->policy;
	registry->session.may_be_plain = options->may_be_plain;
	return &registry->source;
}
