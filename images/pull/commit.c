/* An instance's own layers as layers of an image.
 *
 * Each is read twice: for its digest, which the documents need, and when it is installed. So a commit goes the way of
 * everything that comes into the store, with the same checks; that both readings were the same is one of them. */
#include "images/pull/commit.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "images/pull/instance.h"
#include "images/pull/measure.h"
#include "images/pull/tar_write.h"
#include "images/store/manifest.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"
#define DOCKER "application/vnd.docker."
#define DOCKER_MANIFEST_TYPE DOCKER "distribution.manifest.v2+json"
#define DOCKER_LAYER_TYPE DOCKER "image.rootfs.diff.tar"
#define TIME_SIZE 32

struct document {
	const char *bytes;
	size_t length;
	char digest[REFERENCE_DIGEST_SIZE];
};

struct commit {
	struct source source; /* first */
	const struct commit_request *request;
	struct arena arena;
	struct instance_layers layers;
	struct measured *deltas; /* the topmost first, as in layers */
	struct json_doc old_manifest, old_config;
	struct document manifest, config;
};

/* ---- documents ---- */

static int old_read(const struct store *store, struct commit *commit, const char *name, const char *digest,
	struct json_doc *out, struct error *err)
{
	const char *bytes;
	size_t length;

	if (blob_read(store, digest, &commit->arena, &bytes, &length, err) < 0 ||
		json_parse(&commit->arena, name, bytes, length, JSON_PLAIN, out, err) < 0)
		return blame(err, "the instance's image");
	return out->root->kind == JSON_OBJECT ? 0 : json_fail(out, out->root, err, "must be an object");
}

static void document_take(struct commit *commit, struct encoder *encoder, struct document *out)
{
	auto_free char *text = encoder_take(encoder, &out->length);

	out->bytes = arena_bytes(&commit->arena, text, out->length);
	bytes_digest(out->bytes, out->length, out->digest);
}

static const char *time_format(int64_t ms, char buffer[TIME_SIZE])
{
	time_t seconds = ms / 1000;
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) || !strftime(buffer, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts))
		return NULL;
	return buffer;
}

static void rootfs_encode(const struct commit *commit, struct encoder *encoder)
{
	const struct json *old = json_get(json_get(commit->old_config.root, "rootfs"), "diff_ids");

	encode_object_begin(encoder, "rootfs");
	encode_string(encoder, "type", "layers");
	encode_array_begin(encoder, "diff_ids");
	for (const struct json *node = old ? old->first : NULL; node; node = node->next)
		encode_json(encoder, NULL, node);
	for (size_t i = commit->layers.own; i > 0; i--)
		encode_string(encoder, NULL, commit->deltas[i - 1].digest);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static void history_entry(const struct commit *commit, struct encoder *encoder, bool last)
{
	const struct commit_request *request = commit->request;
	char created[TIME_SIZE];
	auto_free char *by = text_format("warren commit %s%s", request->instance, last ? "" : " (a snapshot)");

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "created", time_format(request->created_ms, created));
	encode_string(encoder, "created_by", by);
	encode_string(encoder, "author", last ? request->author : NULL);
	encode_string(encoder, "comment", last ? request->message : NULL);
	encode_object_end(encoder);
}

/* Readers count the entries that are not "empty_layer": as many as there are layers. An image that says less of its
 * past than it has layers gets entries that say nothing. */
static void history_encode(const struct commit *commit, struct encoder *encoder)
{
	const struct json *old = json_get(commit->old_config.root, "history");
	const struct json *diff_ids = json_get(json_get(commit->old_config.root, "rootfs"), "diff_ids");
	size_t missing = diff_ids ? diff_ids->count : 0;

	encode_array_begin(encoder, "history");
	for (const struct json *node = old && old->kind == JSON_ARRAY ? old->first : NULL; node; node = node->next) {
		const struct json *empty = json_get(node, "empty_layer");

		encode_json(encoder, NULL, node);
		if (missing && !(empty && empty->kind == JSON_BOOL && empty->boolean))
			missing--;
	}
	for (; missing; missing--) {
		encode_object_begin(encoder, NULL);
		encode_object_end(encoder);
	}
	for (size_t i = commit->layers.own; i > 0; i--)
		history_entry(commit, encoder, i == 1);
	encode_array_end(encoder);
}

static void config_make(struct commit *commit)
{
	static const char *const ours[] = {"config", "rootfs", "history", "created", "author"};
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	const struct json *root = commit->old_config.root, *author = json_get(root, "author");
	char created[TIME_SIZE];

	encode_object_begin(encoder, NULL);
	for (const struct json *node = root->first; node; node = node->next) {
		bool is_ours = false;

		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			is_ours |= !strcmp(node->key, ours[i]);
		if (!is_ours)
			encode_json(encoder, node->key, node);
	}
	encode_string(encoder, "created", time_format(commit->request->created_ms, created));
	if (commit->request->author)
		encode_string(encoder, "author", commit->request->author);
	else if (author)
		encode_json(encoder, "author", author);
	config_changes_encode(encoder, json_get(root, "config"), &commit->request->changes);
	rootfs_encode(commit, encoder);
	history_encode(commit, encoder);
	encode_object_end(encoder);
	document_take(commit, encoder, &commit->config);
}

static void descriptor_encode(
	struct encoder *encoder, const char *key, const char *type, const char *digest, uint64_t size)
{
	encode_object_begin(encoder, key);
	encode_string(encoder, "mediaType", type);
	encode_string(encoder, "digest", digest);
	encode_uint64(encoder, "size", size);
	encode_object_end(encoder);
}

/* Of the family that the image is of. Annotations were about that one. */
static void manifest_make(struct commit *commit, const char *config_type)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	bool is_docker = text_starts_with(config_type, DOCKER);
	const struct json *layers = json_get(commit->old_manifest.root, "layers");

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "schemaVersion", 2);
	encode_string(encoder, "mediaType", is_docker ? DOCKER_MANIFEST_TYPE : MANIFEST_TYPE);
	descriptor_encode(encoder, "config", config_type, commit->config.digest, commit->config.length);
	encode_array_begin(encoder, "layers");
	for (const struct json *node = layers ? layers->first : NULL; node; node = node->next)
		encode_json(encoder, NULL, node);
	for (size_t i = commit->layers.own; i > 0; i--)
		descriptor_encode(encoder, NULL, is_docker ? DOCKER_LAYER_TYPE : LAYER_TYPE,
			commit->deltas[i - 1].digest, commit->deltas[i - 1].size);
	encode_array_end(encoder);
	encode_object_end(encoder);
	document_take(commit, encoder, &commit->manifest);
}

static int documents_make(const struct store *store, struct commit *commit, struct error *err)
{
	const struct image_config *image = &commit->layers.image;
	struct manifest_document old;

	if (old_read(store, commit, "manifest", image->manifest_digest, &commit->old_manifest, err) < 0 ||
		old_read(store, commit, "config", image->config_digest, &commit->old_config, err) < 0 ||
		manifest_decode(&commit->arena, "manifest", commit->old_manifest.text, commit->old_manifest.length,
			NULL, &old, err) < 0)
		return -1;
	if (old.kind != MEDIA_MANIFEST)
		return fail(err, ERROR_USAGE, "the instance's image: an index in the place of a manifest");
	config_make(commit);
	manifest_make(commit, old.manifest.config.media_type);
	return 0;
}

/* ---- the source ---- */

static int commit_manifest(struct source *source, struct arena *arena, struct source_blob *blob, const char **bytes,
	size_t *length, struct error *err)
{
	const struct commit *commit = (struct commit *)source;

	(void)arena, (void)err;
	blob->digest = commit->manifest.digest;
	blob->size = (int64_t)commit->manifest.length;
	*bytes = commit->manifest.bytes;
	*length = commit->manifest.length;
	return 0;
}

static int commit_document(struct source *source, struct arena *arena, const struct source_blob *blob,
	const char **bytes, size_t *length, struct error *err)
{
	const struct commit *commit = (struct commit *)source;

	(void)arena, (void)blob, (void)err;
	*bytes = commit->config.bytes;
	*length = commit->config.length;
	return 0;
}

static int commit_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	const struct commit *commit = (struct commit *)source;
	struct tar_write how = {.sink = sink, .layer = true, .left_out = instance_generated_files};

	for (size_t i = 0; i < commit->layers.own; i++)
		if (!strcmp(commit->deltas[i].digest, blob->digest))
			return tar_write_tree(&how, &commit->layers.items[i], 1, err);
	return fail(err, ERROR_MISSING, "a layer of the instance's image is not in the store: %s", blob->digest);
}

static void commit_drop(struct source *source)
{
	struct commit *commit = (struct commit *)source;

	instance_layers_drop(&commit->layers);
	arena_drop(&commit->arena);
	free(commit);
}

static const struct source_kind commit_kind = {
	.name = "commit",
	.manifest = commit_manifest,
	.document = commit_document,
	.layer = commit_layer,
	.drop = commit_drop,
};

static int commit_fill(const struct store *store, struct commit *commit, struct error *err)
{
	const char *name = commit->request->instance;
	struct instance_layers *layers = &commit->layers;

	if (instance_layers_open(store, name, &commit->arena, layers, err) < 0)
		return -1;
	if (!layers->image.manifest_digest || !layers->image.config_digest)
		return fail(err, ERROR_USAGE,
			"%s has no image of the store below it, only the host's /usr or a directory; export what it "
			"wrote: warren export --delta %s",
			name, name);
	commit->deltas = arena_new_array(&commit->arena, layers->own, struct measured);
	for (size_t i = 0; i < layers->own; i++)
		if (layer_measure(layers->items[i], instance_generated_files, &commit->deltas[i], err) < 0)
			return blame(err, "what %s wrote", name);
	return documents_make(store, commit, err);
}

struct source *commit_open(const struct store *store, const struct commit_request *request, struct error *err)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	struct source *source AUTO(source_drop) = NULL;

	if (!commit)
		memory_exhausted();
	source = &commit->source;
	source->kind = &commit_kind;
	commit->request = request;
	return commit_fill(store, commit, err) < 0 ? NULL : take_ptr(&source);
}
