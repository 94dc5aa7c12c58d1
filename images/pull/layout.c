/* An OCI image layout (image-spec, image-layout.md): index.json, and blobs by their digest; in a directory or an
 * archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/pull/digest.h"
#include "images/pull/local.h"

#define INDEX_DEPTH_MAX 4
#define REF_NAME "org.opencontainers.image.ref.name"
#define IMAGE_NAME "io.containerd.image.name"

struct layout {
	struct source source; /* first */
	struct files files;
	struct arena arena;
	struct platform platform;
	const char *reference;
};

static const char *blob_path(struct arena *arena, const char *digest)
{
	return arena_format(arena, "blobs/sha256/%s", digest_hex(digest));
}

static int blob_read_verified(const struct layout *layout, struct arena *arena, const char *digest, int64_t size,
	const char **bytes, size_t *length, struct error *err)
{
	char found[REFERENCE_DIGEST_SIZE];

	if (files_read(&layout->files, arena, blob_path(arena, digest), SOURCE_DOCUMENT_MAX, bytes, length, err) < 0 ||
		digest_of(*bytes, *length, found, err) < 0)
		return -1;
	if (strcmp(found, digest) || (size >= 0 && (uint64_t)size != *length))
		return fail(err, ERROR_USAGE, "blob %s: what is there has the digest %s and %zu bytes", digest, found,
			*length);
	return 0;
}

static bool is_called(const struct descriptor *descriptor, const char *reference)
{
	return text_equal(pairs_get(&descriptor->annotations, REF_NAME), reference) ||
	       text_equal(pairs_get(&descriptor->annotations, IMAGE_NAME), reference);
}

static int fail_choice(const struct manifest_index *index, const char *reference, struct error *err)
{
	struct text names AUTO(text_drop) = {0};

	for (size_t i = 0; i < index->manifests.count; i++) {
		const char *name = pairs_get(&index->manifests.items[i].annotations, REF_NAME);

		text_appendf(&names, "%s%s", i ? ", " : "", name ? name : index->manifests.items[i].digest);
		if (names.length > 300)
			break;
	}
	if (reference)
		return fail(err, ERROR_MISSING, "no image \"%s\" in it; there are: %s", reference, text_string(&names));
	return fail(err, ERROR_USAGE, "several images in it, say which: %s", text_string(&names));
}

/* index.json is no index for platforms but a list of images. */
static const struct descriptor *top_choose(
	const struct layout *layout, const struct manifest_index *index, struct error *err)
{
	if (!layout->reference && index->manifests.count == 1)
		return &index->manifests.items[0];
	for (size_t i = 0; layout->reference && i < index->manifests.count; i++)
		if (is_called(&index->manifests.items[i], layout->reference) ||
			!strcmp(index->manifests.items[i].digest, layout->reference))
			return &index->manifests.items[i];
	if (!index->manifests.count)
		fail(err, ERROR_MISSING, "no image in it");
	else
		fail_choice(index, layout->reference, err);
	return NULL;
}

/* From the chosen entry down to a manifest. An index that leads to indexes for ever is cut off. */
static int manifest_follow(struct layout *layout, struct arena *arena, const struct descriptor *descriptor,
	struct source_blob *blob, const char **bytes, size_t *length, struct error *err)
{
	for (unsigned depth = 0; descriptor && depth <= INDEX_DEPTH_MAX; depth++) {
		struct manifest_document document;

		if (blob_read_verified(layout, arena, descriptor->digest, descriptor->size, bytes, length, err) < 0 ||
			manifest_decode(
				arena, descriptor->digest, *bytes, *length, descriptor->media_type, &document, err) < 0)
			return -1;
		blob->digest = descriptor->digest;
		blob->size = descriptor->size;
		blob->media_type = descriptor->media_type;
		if (document.kind == MEDIA_MANIFEST)
			return 0;
		blob->index_digest = blob->index_digest ? blob->index_digest : descriptor->digest;
		descriptor = index_choose(arena, &document.index, &layout->platform, err);
	}
	return descriptor ? fail(err, ERROR_USAGE, "more than %d indexes inside one another", INDEX_DEPTH_MAX) : -1;
}

static int layout_manifest(struct source *source, struct arena *arena, struct source_blob *blob, const char **bytes,
	size_t *length, struct error *err)
{
	struct layout *layout = (struct layout *)source;
	struct manifest_document document;
	const struct descriptor *chosen;

	if (files_read(&layout->files, arena, "index.json", SOURCE_DOCUMENT_MAX, bytes, length, err) < 0 ||
		manifest_decode(arena, "index.json", *bytes, *length, NULL, &document, err) < 0)
		return -1;
	if (document.kind != MEDIA_INDEX)
		return fail(err, ERROR_USAGE, "index.json: not an index");
	chosen = top_choose(layout, &document.index, err);
	return chosen ? manifest_follow(layout, arena, chosen, blob, bytes, length, err) : -1;
}

static int layout_document(struct source *source, struct arena *arena, const struct source_blob *blob,
	const char **bytes, size_t *length, struct error *err)
{
	return blob_read_verified((struct layout *)source, arena, blob->digest, blob->size, bytes, length, err);
}

static int layout_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	return files_send(&((struct layout *)source)->files, blob_path(&arena, blob->digest), sink, err);
}

static void layout_drop(struct source *source)
{
	struct layout *layout = (struct layout *)source;

	files_drop(&layout->files);
	arena_drop(&layout->arena);
	free(layout);
}

static const struct source_kind directory_kind = {
	.name = "oci",
	.manifest = layout_manifest,
	.document = layout_document,
	.layer = layout_layer,
	.drop = layout_drop,
};
static const struct source_kind archive_kind = {
	.name = "oci-archive",
	.manifest = layout_manifest,
	.document = layout_document,
	.layer = layout_layer,
	.drop = layout_drop,
};

struct source *layout_open_adopt(
	struct files *files, const char *reference, const struct platform *platform, struct error *err)
{
	struct layout *layout = calloc(1, sizeof(*layout));

	if (!layout || !files_have(files, "index.json")) {
		fail(err, ERROR_USAGE, "not an OCI layout: it has no index.json");
		files_drop(files);
		free(layout);
		return NULL;
	}
	layout->source.kind = files->archive ? &archive_kind : &directory_kind;
	layout->files = *files;
	layout->platform = *platform;
	layout->reference = reference ? arena_string(&layout->arena, reference) : NULL;
	return &layout->source;
}
