/* The documents of an image, and the order of things. */
#include "images/pull/install.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "images/pull/digest.h"
#include "images/pull/installation.h"

static int blob_check(const char *what, const struct source_blob *blob, const char *bytes, size_t length,
	char digest[REFERENCE_DIGEST_SIZE], struct error *err)
{
	if (digest_of(bytes, length, digest, err) < 0)
		return -1;
	if (blob->size >= 0 && (uint64_t)blob->size != length)
		return fail(err, ERROR_USAGE, "the %s has %zu bytes, %lld were promised", what, length,
			(long long)blob->size);
	if (blob->digest && strcmp(blob->digest, digest))
		return fail(err, ERROR_USAGE, "the %s has the digest %s, not %s", what, digest, blob->digest);
	return 0;
}

/* ---- an image with documents ---- */

struct documents {
	struct source_blob blob; /* of the manifest */
	char manifest_digest[REFERENCE_DIGEST_SIZE];
	struct manifest manifest;
	struct image_details details;
	const char *manifest_bytes, *config_bytes;
	size_t manifest_length, config_length;
};

static int manifest_get(struct source *source, struct arena *arena, struct documents *out, struct error *err)
{
	struct manifest_document document;

	out->blob = (struct source_blob){.size = -1};
	if (source->kind->manifest(source, arena, &out->blob, &out->manifest_bytes, &out->manifest_length, err) < 0 ||
		blob_check("manifest", &out->blob, out->manifest_bytes, out->manifest_length, out->manifest_digest,
			err) < 0 ||
		manifest_decode(arena, "manifest", out->manifest_bytes, out->manifest_length, out->blob.media_type,
			&document, err) < 0)
		return -1;
	if (document.kind != MEDIA_MANIFEST)
		return fail(err, ERROR_USAGE, "manifest: an index in the place of an image");
	out->manifest = document.manifest;
	return 0;
}

static int config_get(struct source *source, struct arena *arena, struct documents *out, struct error *err)
{
	const struct descriptor *config = &out->manifest.config;
	struct source_blob blob = {.media_type = config->media_type, .digest = config->digest, .size = config->size};
	char digest[REFERENCE_DIGEST_SIZE];

	if (manifest_config_check("manifest", &out->manifest, err) < 0 ||
		source->kind->document(source, arena, &blob, &out->config_bytes, &out->config_length, err) < 0 ||
		blob_check("config", &blob, out->config_bytes, out->config_length, digest, err) < 0)
		return -1;
	return image_details_decode(arena, "config", out->config_bytes, out->config_length, &out->details, err);
}

static int layers_list(
	struct installation *installation, struct arena *arena, const struct documents *documents, struct error *err)
{
	struct image_layers joined;
	const char *chain = NULL;

	if (image_layers_join(arena, "manifest", &documents->manifest, &documents->details, &joined, err) < 0)
		return -1;
	if (!joined.count || joined.count > MANIFEST_LAYERS_MAX)
		return fail(err, ERROR_USAGE, "an image of %zu layers; it can have 1 to %d", joined.count,
			MANIFEST_LAYERS_MAX);
	installation->layers = arena_new_array(arena, joined.count, struct installed_layer);
	installation->count = joined.count;
	for (size_t i = 0; i < joined.count; i++) {
		const struct descriptor *blob = joined.items[i].blob;

		chain = chain_id_next(arena, chain, joined.items[i].diff_id);
		installation->layers[i] = (struct installed_layer){
			.blob = {.media_type = blob->media_type,
				.digest = blob->digest,
				.size = blob->size,
				.index = i},
			.diff_id = joined.items[i].diff_id,
			.chain_id = chain,
			.partial = NO_PARTIAL,
		};
	}
	return 0;
}

/* ---- the name ---- */

/* An overlay refuses the same directory twice; of two the upper one makes the same tree as both. */
static struct strings keys_list(const struct installation *installation, struct arena *arena)
{
	struct strings keys = {0};

	for (size_t i = 0; i < installation->count; i++) {
		bool again = false;

		for (size_t k = i + 1; k < installation->count && !again; k++)
			again = !strcmp(installation->layers[i].key, installation->layers[k].key);
		if (!again)
			strings_add(arena, &keys, arena_string(arena, installation->layers[i].key));
	}
	return keys;
}

static bool name_changes(const struct installation *installation, struct arena *arena, const char *digest)
{
	struct image_record before;
	struct error none;

	return image_find(installation->store, installation->request->name, arena, &before, &none) < 0 ||
	       strcmp(before.manifest_digest, digest);
}

/* Documents first: a name never leads to what is not there. */
static int image_name(struct installation *installation, struct arena *arena, const struct documents *documents,
	struct install_result *out, struct error *err)
{
	struct image_record record = {
		.name = reference_full(arena, installation->request->name),
		.manifest_digest = documents->manifest_digest,
		.config_digest = documents->manifest.config.digest,
		.index_digest = documents->blob.index_digest,
		.platform = platform_format(arena, &documents->details.platform),
		.layers = keys_list(installation, arena),
		.pulled_ms = clock_real_ms(),
		.source = installation->source->kind->name,
	};

	for (size_t i = 0; i < installation->count; i++)
		if (installation->layers[i].blob.size > 0)
			record.compressed_bytes += (uint64_t)installation->layers[i].blob.size;
	if (blob_put(&installation->staging, record.manifest_digest, documents->manifest_bytes,
		    documents->manifest_length, err) < 0 ||
		blob_put(&installation->staging, record.config_digest, documents->config_bytes,
			documents->config_length, err) < 0)
		return -1;
	*out = (struct install_result){
		.digest = arena_string(arena, record.manifest_digest),
		.layers = installation->count,
		.layers_fetched = installation->fetched,
		.bytes_fetched = installation->bytes_fetched,
		.changed = name_changes(installation, arena, record.manifest_digest),
	};
	return image_set(&installation->staging, installation->request->name, &record, err);
}

/* ---- the two ways ---- */

/* An image that says of itself that it is for another machine may still be what the user wants, with emulation. */
static void platform_compare(
	const struct install_request *request, struct arena *arena, const struct platform *platform)
{
	struct platform wanted = request->platform ? *request->platform : platform_of_host();

	if (!text_equal(wanted.os, platform->os) || !text_equal(wanted.architecture, platform->architecture))
		log_warn("the image is for %s, not for %s", platform_format(arena, platform),
			platform_format(arena, &wanted));
}

static int image_fetch(
	struct installation *installation, struct arena *arena, struct install_result *out, struct error *err)
{
	struct source *source = installation->source;
	struct documents documents = {0};

	if (manifest_get(source, arena, &documents, err) < 0 || config_get(source, arena, &documents, err) < 0)
		return -1;
	platform_compare(installation->request, arena, &documents.details.platform);
	if (layers_list(installation, arena, &documents, err) < 0 || layers_install(installation, err) < 0)
		return -1;
	return image_name(installation, arena, &documents, out, err);
}

/* A tarball or a directory: its digests are known when it has been read. */
static int root_name(struct installation *installation, struct arena *arena, const char *name,
	struct install_result *out, struct error *err)
{
	struct installed_layer *layer = installation->layers;
	struct documents documents = {0};
	struct made_documents made;

	layer->blob.digest = layer->result.digest;
	layer->blob.size = (int64_t)layer->result.packed_bytes;
	layer->diff_id = layer->chain_id = layer->result.diff_id;
	if (layers_commit(installation, err) < 0)
		return -1;
	documents_make(arena, name, &layer->result, &made);
	documents.manifest_bytes = made.manifest;
	documents.manifest_length = made.manifest_length;
	documents.config_bytes = made.config;
	documents.config_length = made.config_length;
	documents.manifest.config.digest = made.config_digest;
	documents.details.platform = platform_of_host();
	memcpy(documents.manifest_digest, made.manifest_digest, sizeof(made.manifest_digest));
	return image_name(installation, arena, &documents, out, err);
}

/* 1: what was unpacked is an archive of images, and *inside reads it. */
static int inside_look(struct installation *installation, struct source **inside, struct error *err)
{
	struct source *source = installation->source;
	auto_fd directory = -1;

	if (!source->kind->inside)
		return 0;
	directory = openat(installation->staging.dir, installation->layers->entry,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return fail_errno(err, "open what was unpacked");
	return source->kind->inside(source, directory, inside, err);
}

static int root_fetch(
	struct installation *installation, struct arena *arena, struct install_result *out, struct error *err)
{
	const char *name = installation->source->root_name;
	struct installed_layer *layer = arena_new(arena, struct installed_layer);
	struct source *inside AUTO(source_drop) = NULL;
	int archive, result;

	*layer = (struct installed_layer){.blob.size = -1, .partial = NO_PARTIAL};
	installation->layers = layer;
	installation->count = 1;
	if (layer_fetch(installation, layer, true, err) < 0)
		return blame(err, "%s", name);
	archive = inside_look(installation, &inside, err);
	if (archive < 0)
		return blame(err, "%s", name);
	if (!archive)
		return root_name(installation, arena, name, out, err);
	layers_drop(installation);
	installation->layers = NULL;
	installation->count = 0;
	if (renameat(installation->staging.dir, layer->entry, installation->staging.dir, "archive") < 0)
		return fail_errno(err, "set the unpacked archive aside");
	installation->source = inside;
	result = image_fetch(installation, arena, out, err);
	installation->source = installation->request->source;
	return result < 0 ? blame(err, "%s", name) : 0;
}

int image_install(const struct store *store, const struct unpackers *unpackers, const struct install_request *request,
	struct arena *arena, struct install_result *out, struct error *err)
{
	struct installation installation = {.store = store,
		.unpackers = unpackers,
		.request = request,
		.source = request->source,
		.lock = PTHREAD_MUTEX_INITIALIZER};
	int result;

	if (staging_make(store, &installation.staging, err) < 0)
		return -1;
	result = request->source->root_name ? root_fetch(&installation, arena, out, err)
					    : image_fetch(&installation, arena, out, err);
	layers_drop(&installation);
	staging_drop(&installation.staging);
	return result;
}
