/* Manifest and config for a root that came without them. The same root makes the same documents: no time, no host. */
#include "base/cleanup.h"
#include "base/encode.h"
#include "images/pull/installation.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"

/* xz has no media type of its own in the specification; the bytes say it. */
static const char *layer_type(struct arena *arena, const char *compression)
{
	bool packed = text_equal(compression, "gzip") || text_equal(compression, "zstd");

	return packed ? arena_format(arena, LAYER_TYPE "+%s", compression) : LAYER_TYPE;
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

static void config_encode(struct encoder *encoder, const char *root_name, const struct layer_result *layer)
{
	struct platform platform = platform_of_host();

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "architecture", platform.architecture);
	encode_string(encoder, "variant", platform.variant);
	encode_string(encoder, "os", platform.os);
	encode_object_begin(encoder, "config");
	encode_object_end(encoder);
	encode_object_begin(encoder, "rootfs");
	encode_string(encoder, "type", "layers");
	encode_array_begin(encoder, "diff_ids");
	encode_string(encoder, NULL, layer->diff_id);
	encode_array_end(encoder);
	encode_object_end(encoder);
	encode_array_begin(encoder, "history");
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "created_by", root_name);
	encode_object_end(encoder);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static void manifest_encode(struct encoder *encoder, struct arena *arena, const struct made_documents *made,
	const struct layer_result *layer)
{
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "schemaVersion", 2);
	encode_string(encoder, "mediaType", MANIFEST_TYPE);
	descriptor_encode(encoder, "config", CONFIG_TYPE, made->config_digest, made->config_length);
	encode_array_begin(encoder, "layers");
	descriptor_encode(encoder, NULL, layer_type(arena, layer->compression), layer->digest, layer->packed_bytes);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static const char *text_keep(struct arena *arena, struct encoder *encoder, size_t *length)
{
	auto_free char *text = encoder_take(encoder, length);

	return arena_bytes(arena, text, *length);
}

void documents_make(
	struct arena *arena, const char *root_name, const struct layer_result *layer, struct made_documents *out)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);

	config_encode(encoder, root_name, layer);
	out->config = text_keep(arena, encoder, &out->config_length);
	bytes_digest(out->config, out->config_length, out->config_digest);
	manifest_encode(encoder, arena, out, layer);
	out->manifest = text_keep(arena, encoder, &out->manifest_length);
	bytes_digest(out->manifest, out->manifest_length, out->manifest_digest);
}
