/* Counting a layer again. See content.h for what the sum covers. */
#include "images/pull/verify.h"

#include <string.h>

#include "base/cleanup.h"
#include "images/pull/content.h"
#include "images/pull/installation.h"
#include "images/store/manifest.h"

static const char *difference(
	struct arena *arena, const char *recorded, const struct layer_content *found, const char *text)
{
	struct strings parts = strings_split(arena, recorded, ' ');
	uint64_t files, directories, bytes;
	struct error none;

	if (parts.count != 5 || strcmp(parts.items[0], "crc1") ||
		number_parse_u64(parts.items[1], UINT64_MAX, &files, &none) < 0 ||
		number_parse_u64(parts.items[2], UINT64_MAX, &directories, &none) < 0 ||
		number_parse_u64(parts.items[3], UINT64_MAX, &bytes, &none) < 0)
		return arena_format(arena, "its record is of an unknown form: %.80s", recorded);
	if (files != found->files || directories != found->directories)
		return arena_format(arena, "%llu files and %llu directories, it had %llu and %llu",
			(unsigned long long)found->files, (unsigned long long)found->directories,
			(unsigned long long)files, (unsigned long long)directories);
	if (bytes != found->bytes)
		return arena_format(arena, "%llu bytes in its files, it had %llu", (unsigned long long)found->bytes,
			(unsigned long long)bytes);
	return strcmp(recorded, text) ? "names, owners, modes or contents of its files have changed" : NULL;
}

int layer_verify(const struct store *store, const char *key, struct arena *arena, struct layer_content *found,
	const char **damage, struct error *err)
{
	auto_fd directory = layer_open(store, key, err);
	char text[CONTENT_TEXT_SIZE];
	struct layer_meta meta;

	*found = (struct layer_content){0};
	*damage = NULL;
	if (directory < 0 || layer_meta_read(store, key, arena, &meta, err) < 0) {
		*damage = arena_string(arena, err->text);
		return err->kind == ERROR_MISSING ? 0 : -1;
	}
	if (!meta.tree_hash)
		return 1;
	if (content_measure(directory, found, err) < 0) {
		*damage = arena_string(arena, err->text); /* a directory that cannot be read is damage, too */
		return 0;
	}
	content_format(found, text);
	*damage = difference(arena, meta.tree_hash, found, text);
	return !*damage;
}

/* blob_read() compares the digests. */
static const char *documents_look(const struct store *store, const struct image_record *image, struct arena *arena)
{
	const char *const digests[] = {image->manifest_digest, image->config_digest};
	struct image_details details;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		const char *bytes;
		size_t length;

		if (blob_read(store, digests[i], arena, &bytes, &length, &err) < 0)
			return arena_string(arena, err.text);
		if (i == 1 && image_details_decode(arena, "config", bytes, length, &details, &err) < 0)
			return arena_string(arena, err.text);
	}
	return NULL;
}

int image_verify(const struct store *store, const struct image_record *image, struct arena *arena,
	struct verify_result *out, struct error *err)
{
	*out = (struct verify_result){
		.layers = arena_new_array(arena, image->layers.count, struct verify_layer),
		.documents_damage = documents_look(store, image, arena),
	};
	for (size_t i = 0; i < image->layers.count; i++) {
		struct verify_layer *layer = &out->layers[out->count++];
		int whole;

		layer->key = image->layers.items[i];
		whole = layer_verify(store, layer->key, arena, &layer->found, &layer->damage, err);
		if (whole < 0)
			return blame(err, "layer %s", layer->key);
		out->damaged += !whole;
	}
	return 0;
}
