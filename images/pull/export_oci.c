/* An image as an OCI archive. The order is the reader's: oci-layout, the blobs, and index.json last, which leads to all
 * of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "images/pull/export.h"
#include "images/pull/export_sink.h"
#include "images/pull/measure.h"
#include "images/pull/tar_write.h"
#include "images/store/manifest.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

struct exported {
	const struct store *store;
	const struct image_record *image;
	struct arena *arena;
	struct sink *sink;
	struct measured *layers, config, manifest;
};

/* ---- layers ---- */

static int layer_send(const struct exported *exported, size_t index, struct sink *sink, struct error *err)
{
	struct tar_write how = {.sink = sink, .layer = true};
	auto_fd directory = layer_open(exported->store, exported->image->layers.items[index], err);

	return directory < 0 ? -1 : tar_write_tree(&how, &directory, 1, err);
}

static int exported_measure(const struct exported *exported, size_t index, struct error *err)
{
	auto_fd directory = layer_open(exported->store, exported->image->layers.items[index], err);

	return directory < 0 ? -1 : layer_measure(directory, NULL, &exported->layers[index], err);
}

static int blob_header(const struct exported *exported, const struct measured *blob, struct error *err)
{
	char name[32 + REFERENCE_DIGEST_SIZE];

	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(blob->digest));
	return tar_write_header(exported->sink, name, blob->size, err);
}

/* The second reading must give what the first gave: a layer does not change. */
struct checked_sink {
	struct measure measured; /* first */
	struct sink *to;
};

static int pass_on(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct checked_sink *checked = (struct checked_sink *)sink;

	if (measure_write(sink, bytes, length, err) < 0)
		return -1;
	return checked->to->write(checked->to, bytes, length, err);
}

static int layer_write(const struct exported *exported, size_t index, struct error *err)
{
	const struct measured *blob = &exported->layers[index];
	struct checked_sink sink = {.to = exported->sink};
	char digest[REFERENCE_DIGEST_SIZE];
	int result;

	for (size_t i = 0; i < index; i++)
		if (!strcmp(exported->layers[i].digest, blob->digest))
			return 0; /* two layers of the same content are one blob */
	if (blob_header(exported, blob, err) < 0 || measure_begin(&sink.measured, err) < 0)
		return -1;
	sink.measured.sink.write = pass_on;
	result = layer_send(exported, index, &sink.measured.sink, err);
	measure_end(&sink.measured, digest);
	if (result < 0)
		return -1;
	if (strcmp(digest, blob->digest))
		return fail(err, ERROR_BUSY, "layer %s changed while it was being read",
			exported->image->layers.items[index]);
	return tar_write_padding(exported->sink, blob->size, err);
}

/* ---- documents ---- */

static int document_write(
	const struct exported *exported, struct encoder *encoder, struct measured *blob, struct error *err)
{
	size_t length;
	auto_free char *text = encoder_take(encoder, &length);

	bytes_digest(text, length, blob->digest);
	blob->size = length;
	if (blob_header(exported, blob, err) < 0 || exported->sink->write(exported->sink, text, length, err) < 0)
		return -1;
	return tar_write_padding(exported->sink, length, err);
}

static void root_encode(const struct exported *exported, struct encoder *encoder)
{
	encode_object_begin(encoder, "rootfs");
	encode_string(encoder, "type", "layers");
	encode_array_begin(encoder, "diff_ids");
	for (size_t i = 0; i < exported->image->layers.count; i++)
		encode_string(encoder, NULL, exported->layers[i].digest);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

/* The image's own config with other diff ids, and without a history that no longer counts the layers right. */
static int config_write(struct exported *exported, struct error *err)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	const char *bytes;
	struct json_doc doc;
	size_t length;

	if (blob_read(exported->store, exported->image->config_digest, exported->arena, &bytes, &length, err) < 0 ||
		json_parse(exported->arena, "config", bytes, length, JSON_PLAIN, &doc, err) < 0)
		return -1;
	if (doc.root->kind != JSON_OBJECT)
		return json_fail(&doc, doc.root, err, "must be an object");
	encode_object_begin(encoder, NULL);
	for (const struct json *node = doc.root->first; node; node = node->next)
		if (strcmp(node->key, "rootfs") && strcmp(node->key, "history"))
			encode_json(encoder, node->key, node);
	root_encode(exported, encoder);
	encode_object_end(encoder);
	return document_write(exported, encoder, &exported->config, err);
}

static void descriptor_begin(struct encoder *encoder, const char *key, const char *type, const struct measured *blob)
{
	encode_object_begin(encoder, key);
	encode_string(encoder, "mediaType", type);
	encode_string(encoder, "digest", blob->digest);
	encode_uint64(encoder, "size", blob->size);
}

static int manifest_write(struct exported *exported, struct error *err)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "schemaVersion", 2);
	encode_string(encoder, "mediaType", MANIFEST_TYPE);
	descriptor_begin(encoder, "config", CONFIG_TYPE, &exported->config);
	encode_object_end(encoder);
	encode_array_begin(encoder, "layers");
	for (size_t i = 0; i < exported->image->layers.count; i++) {
		descriptor_begin(encoder, NULL, LAYER_TYPE, &exported->layers[i]);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
	encode_object_end(encoder);
	return document_write(exported, encoder, &exported->manifest, err);
}

static int index_write(const struct exported *exported, const char *tag, struct error *err)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	auto_free char *text = NULL;
	size_t length;

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "schemaVersion", 2);
	encode_string(encoder, "mediaType", INDEX_TYPE);
	encode_array_begin(encoder, "manifests");
	descriptor_begin(encoder, NULL, MANIFEST_TYPE, &exported->manifest);
	if (tag) {
		encode_object_begin(encoder, "annotations");
		encode_string(encoder, "org.opencontainers.image.ref.name", tag);
		encode_object_end(encoder);
	}
	encode_object_end(encoder);
	encode_array_end(encoder);
	encode_object_end(encoder);
	text = encoder_take(encoder, &length);
	return tar_write_file(exported->sink, "index.json", text, length, err);
}

static int archive_write(struct exported *exported, const char *tag, struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	size_t count = exported->image->layers.count;

	for (size_t i = 0; i < count; i++)
		if (exported_measure(exported, i, err) < 0)
			return -1;
	if (tar_write_file(exported->sink, "oci-layout", layout, sizeof(layout) - 1, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (layer_write(exported, i, err) < 0)
			return -1;
	if (config_write(exported, err) < 0 || manifest_write(exported, err) < 0 || index_write(exported, tag, err) < 0)
		return -1;
	return tar_write_end(exported->sink, err);
}

int export_oci_archive(
	const struct store *store, const struct image_record *image, const char *tag, int out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exported exported = {
		.store = store,
		.image = image,
		.arena = &arena,
		.sink = export_sink_open(out),
		.layers = arena_new_array(&arena, image->layers.count, struct measured),
	};

	return export_sink_close(exported.sink, archive_write(&exported, tag, err), err);
}
