/* What `docker save` and `podman save` write: manifest.json, which says the config's file and those of the layers.
 * There is no manifest in the sense of registries; one is made, in the same way for the same archive.
 *
 * The layers are mostly uncompressed, and then their digest is their diff id, which the config says; a compressed one
 * is read once more for its digest. Older archives name one layer by several directories, with links among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/encode.h"
#include "images/pull/digest.h"
#include "images/pull/inflate.h"
#include "images/pull/local.h"

#define MANIFEST_TYPE "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG_TYPE "application/vnd.docker.container.image.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

struct saved_image {
	const char *config;
	struct strings tags, layers;
};

struct saved {
	LIST_OF(struct saved_image) images;
};

static const struct field image_fields[] = {
	STRING("Config", struct saved_image, config, REQUIRED),
	STRINGS("RepoTags", struct saved_image, tags, 0),
	STRINGS("Layers", struct saved_image, layers, REQUIRED),
	END_OF_FIELDS,
};

struct docker_archive {
	struct source source; /* first */
	struct files files;
	struct arena arena;
	const char *reference;
	struct saved_image image;
};

/* "nginx" is "nginx:latest", and docker leaves "docker.io/library/" out. */
static bool is_called(const struct saved_image *image, const char *reference)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reference wanted, tag;
	struct error none;

	if (reference_parse(&arena, reference, NULL, &wanted, &none) < 0)
		return false;
	for (size_t i = 0; i < image->tags.count; i++)
		if (reference_parse(&arena, image->tags.items[i], NULL, &tag, &none) == 0 &&
			!strcmp(reference_full(&arena, &wanted), reference_full(&arena, &tag)))
			return true;
	return false;
}

static int image_choose(struct docker_archive *archive, const struct saved *saved, struct error *err)
{
	if (!saved->images.count)
		return fail(err, ERROR_MISSING, "no image in it");
	if (!archive->reference && saved->images.count > 1)
		return fail(err, ERROR_USAGE, "%zu images in it: say which, by its name", saved->images.count);
	for (size_t i = 0; i < saved->images.count; i++) {
		if (archive->reference && !is_called(&saved->images.items[i], archive->reference))
			continue;
		archive->image = saved->images.items[i];
		return 0;
	}
	return fail(err, ERROR_MISSING, "no image \"%s\" in it", archive->reference);
}

/* manifest.json is an array; the decoder wants a struct. */
static int saved_decode(struct docker_archive *archive, struct saved *out, struct error *err)
{
	struct arena *arena = &archive->arena;
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	const char *bytes;
	size_t length, i = 0;

	if (files_read(&archive->files, arena, "manifest.json", SOURCE_DOCUMENT_MAX, &bytes, &length, err) < 0 ||
		json_parse(arena, "manifest.json", bytes, length, JSON_PLAIN, &doc, err) < 0)
		return -1;
	if (doc.root->kind != JSON_ARRAY)
		return json_fail(&doc, doc.root, err, "must be an array of images");
	out->images.items = arena_new_array(arena, doc.root->count, struct saved_image);
	for (const struct json *node = doc.root->first; node; node = node->next)
		if (decode_object(&decoder, node, image_fields, &out->images.items[i++], err) < 0)
			return -1;
	out->images.count = i;
	return 0;
}

/* ---- a manifest for it ---- */

struct digest_sink {
	struct sink sink; /* first */
	struct digest digest;
};

static int digest_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	(void)err;
	digest_add(&((struct digest_sink *)sink)->digest, bytes, length);
	return 0;
}

static int layer_digest(
	const struct files *files, const char *name, char digest[REFERENCE_DIGEST_SIZE], struct error *err)
{
	struct digest_sink sink = {.sink.write = digest_write};
	int result;

	if (digest_begin(&sink.digest, err) < 0)
		return -1;
	result = files_send(files, name, &sink.sink, err);
	digest_end(&sink.digest, digest);
	digest_drop(&sink.digest);
	return result;
}

static int layer_describe(const struct docker_archive *archive, struct encoder *encoder, const char *name,
	const char *diff_id, struct error *err)
{
	struct inflate inflate = {0};
	uint8_t magic[INFLATE_MAGIC_MAX];
	size_t count = sizeof(magic);
	char digest[REFERENCE_DIGEST_SIZE];
	uint64_t size;

	if (files_peek(&archive->files, name, &size, magic, &count, err) < 0 ||
		inflate_begin(&inflate, magic, count, err) < 0)
		return -1;
	snprintf(digest, sizeof(digest), "%s", diff_id);
	if (inflate.kind && layer_digest(&archive->files, name, digest, err) < 0) {
		inflate_drop(&inflate);
		return -1;
	}
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "mediaType", inflate.kind == &inflate_gzip ? LAYER_TYPE "+gzip" : LAYER_TYPE);
	encode_string(encoder, "digest", digest);
	encode_uint64(encoder, "size", size);
	encode_object_end(encoder);
	inflate_drop(&inflate);
	return 0;
}

static int manifest_encode(const struct docker_archive *archive, struct encoder *encoder,
	const struct image_details *details, const char *config_digest, size_t config_length, struct error *err)
{
	const struct saved_image *image = &archive->image;

	if (image->layers.count != details->diff_ids.count)
		return fail(err, ERROR_USAGE, "manifest.json names %zu layers, the config %zu", image->layers.count,
			details->diff_ids.count);
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "schemaVersion", 2);
	encode_string(encoder, "mediaType", MANIFEST_TYPE);
	encode_object_begin(encoder, "config");
	encode_string(encoder, "mediaType", CONFIG_TYPE);
	encode_string(encoder, "digest", config_digest);
	encode_uint64(encoder, "size", config_length);
	encode_object_end(encoder);
	encode_array_begin(encoder, "layers");
	for (size_t i = 0; i < image->layers.count; i++)
		if (layer_describe(archive, encoder, image->layers.items[i], details->diff_ids.items[i], err) < 0)
			return -1;
	encode_array_end(encoder);
	encode_object_end(encoder);
	return 0;
}

static int archive_manifest(struct source *source, struct arena *arena, struct source_blob *blob, const char **bytes,
	size_t *length, struct error *err)
{
	struct docker_archive *archive = (struct docker_archive *)source;
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	char digest[REFERENCE_DIGEST_SIZE];
	struct image_details details;
	auto_free char *text = NULL;
	const char *config;
	size_t config_length;

	if (files_read(&archive->files, arena, archive->image.config, SOURCE_DOCUMENT_MAX, &config, &config_length,
		    err) < 0 ||
		digest_of(config, config_length, digest, err) < 0 ||
		image_details_decode(arena, archive->image.config, config, config_length, &details, err) < 0 ||
		manifest_encode(archive, encoder, &details, digest, config_length, err) < 0)
		return -1;
	text = encoder_take(encoder, length);
	*bytes = arena_bytes(arena, text, *length);
	blob->media_type = MANIFEST_TYPE;
	return 0;
}

static int archive_document(struct source *source, struct arena *arena, const struct source_blob *blob,
	const char **bytes, size_t *length, struct error *err)
{
	struct docker_archive *archive = (struct docker_archive *)source;

	(void)blob; /* the only document is the config */
	return files_read(&archive->files, arena, archive->image.config, SOURCE_DOCUMENT_MAX, bytes, length, err);
}

static int archive_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	struct docker_archive *archive = (struct docker_archive *)source;

	return files_send(&archive->files, archive->image.layers.items[blob->index], sink, err);
}

static void archive_drop(struct source *source)
{
	struct docker_archive *archive = (struct docker_archive *)source;

	files_drop(&archive->files);
	arena_drop(&archive->arena);
	free(archive);
}

static const struct source_kind kind = {
	.name = "docker-archive",
	.manifest = archive_manifest,
	.document = archive_document,
	.layer = archive_layer,
	.drop = archive_drop,
};

struct source *docker_archive_open_adopt(struct files *files, const char *reference, struct error *err)
{
	struct docker_archive *archive = calloc(1, sizeof(*archive));
	struct source *source = &archive->source;
	struct saved saved = {0};

	if (!archive) {
		files_drop(files);
		fail_errno(err, "take memory");
		return NULL;
	}
	archive->source.kind = &kind;
	archive->files = *files;
	archive->reference = reference ? arena_string(&archive->arena, reference) : NULL;
	if (saved_decode(archive, &saved, err) < 0 || image_choose(archive, &saved, err) < 0)
		source_drop(&source);
	return source;
}
