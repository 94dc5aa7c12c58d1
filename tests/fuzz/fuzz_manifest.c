/* Any bytes as an index, a manifest or a config: refused with one line, or decoded into what keeps the promises of
 * images/store/manifest.h. The first byte chooses the media type that came with it. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/store/manifest.h"
#include "images/store/reference.h"

static void check_error(const struct error *err)
{
	FUZZ_ASSERT(*err->text && !strchr(err->text, '\n'));
}

static void check_descriptor(const struct descriptor *descriptor)
{
	struct error err;

	FUZZ_ASSERT(descriptor->media_type && descriptor->size >= 0 && descriptor->size <= LAYER_BYTES_MAX);
	FUZZ_ASSERT(digest_check("digest", descriptor->digest, &err) == 0);
}

static void check_index(struct arena *arena, const struct manifest_index *index)
{
	static const char *const wanted[] = {"linux/amd64", "linux/arm/v7", "linux/arm64/v8"};

	for (size_t i = 0; i < index->manifests.count; i++)
		check_descriptor(&index->manifests.items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct descriptor *chosen;
		struct platform platform;
		struct error err;

		FUZZ_ASSERT(platform_parse(arena, wanted[i], &platform, &err) == 0);
		chosen = index_choose(arena, index, &platform, &err);
		FUZZ_ASSERT(!chosen || (chosen >= index->manifests.items &&
					       chosen < index->manifests.items + index->manifests.count));
		if (!chosen)
			check_error(&err);
	}
}

static void check_manifest(struct arena *arena, const struct manifest *manifest, const struct image_details *details)
{
	struct image_layers layers;
	struct error err;

	check_descriptor(&manifest->config);
	FUZZ_ASSERT(manifest->layers.count <= MANIFEST_LAYERS_MAX);
	for (size_t i = 0; i < manifest->layers.count; i++)
		check_descriptor(&manifest->layers.items[i]);
	if (image_layers_join(arena, "fuzz", manifest, details, &layers, &err) < 0)
		check_error(&err);
	else
		FUZZ_ASSERT(layers.count <= manifest->layers.count && layers.count <= details->diff_ids.count);
}

static void check_details(const struct image_details *details)
{
	struct error err;

	FUZZ_ASSERT(details->platform.os && details->platform.architecture);
	for (size_t i = 0; i < details->diff_ids.count; i++)
		FUZZ_ASSERT(digest_check("diff id", details->diff_ids.items[i], &err) == 0);
	for (size_t i = 0; i < details->environment.count; i++)
		FUZZ_ASSERT(strchr(details->environment.items[i], '='));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {NULL, "application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json; charset=utf-8", "text/plain"};
	AUTO(arena_drop) struct arena arena = {0};
	struct manifest_document document;
	struct image_details details;
	struct error err;
	const char *text = (const char *)data + 1;

	log_setup("fuzz", LOG_ERROR, LOG_TEXT, 2);
	if (!size)
		return 0;
	if (image_details_decode(&arena, "fuzz", text, size - 1, &details, &err) < 0) {
		check_error(&err);
		details = (struct image_details){0};
	} else {
		check_details(&details);
	}
	if (manifest_decode(&arena, "fuzz", text, size - 1, types[data[0] % ARRAY_SIZE(types)], &document, &err) < 0)
		check_error(&err);
	else if (document.kind == MEDIA_INDEX)
		check_index(&arena, &document.index);
	else
		check_manifest(&arena, &document.manifest, &details);
	return 0;
}
