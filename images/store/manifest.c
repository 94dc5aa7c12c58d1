/* Index and manifest: decoding, and choosing the entry for a platform. See manifest.h. */
#include "images/store/manifest.h"

#include <string.h>

#include "base/cleanup.h"
#include "images/store/reference.h"

#define PLATFORMS_SHOWN 8 /* in an error */

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static int decode_digest(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char **out = member;

	if (decode_string(decoder, node, out, err) < 0)
		return -1;
	return digest_check("digest", *out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct field platform_fields[] = {
	STRING("os", struct platform, os, 0),
	STRING("architecture", struct platform, architecture, 0),
	STRING("variant", struct platform, variant, 0),
	END_OF_FIELDS,
};

static const struct field descriptor_fields[] = {
	STRING("mediaType", struct descriptor, media_type, REQUIRED),
	CUSTOM("digest", struct descriptor, digest, decode_digest, REQUIRED),
	INTEGER("size", struct descriptor, size, 0, LAYER_BYTES_MAX, REQUIRED),
	POINTER("platform", struct descriptor, platform, platform_fields, 0),
	PAIRS("annotations", struct descriptor, annotations, 0),
	END_OF_FIELDS,
};

/* --- the two documents -------------------------------------------------------------------------------------------- */

static const struct field manifest_fields[] = {
	OBJECT("config", struct manifest, config, descriptor_fields, REQUIRED),
	LIST("layers", struct manifest, layers, descriptor_fields, REQUIRED),
	PAIRS("annotations", struct manifest, annotations, 0),
	END_OF_FIELDS,
};

static const struct field index_fields[] = {
	LIST("manifests", struct manifest_index, manifests, descriptor_fields, REQUIRED),
	PAIRS("annotations", struct manifest_index, annotations, 0),
	END_OF_FIELDS,
};

/* What both have, and what tells one from the other. */
struct document_head {
	int64_t schema_version;
	const char *media_type;
};
static const struct field head_fields[] = {
	INTEGER("schemaVersion", struct document_head, schema_version, 1, 2, REQUIRED),
	STRING("mediaType", struct document_head, media_type, 0),
	END_OF_FIELDS,
};

static const char *const kind_names[] = {
	[MEDIA_INDEX] = "an index",
	[MEDIA_MANIFEST] = "a manifest",
};

/* By its content alone: the type that came with it may be anybody's word. */
static int kind_find(const struct decoder *decoder, enum media_kind *kind, struct error *err)
{
	const struct json *root = decoder->doc->root;
	const struct json *manifests = json_get(root, "manifests");
	bool is_manifest = json_get(root, "layers") || json_get(root, "config") || json_get(root, "fsLayers");

	if (manifests && is_manifest)
		return json_fail_key(decoder->doc, manifests, err,
			"both a manifest and an index: two readers would see two different images in it");
	if (!manifests && !is_manifest)
		return json_fail(decoder->doc, root, err,
			"neither a manifest (\"config\" and \"layers\") nor an index (\"manifests\")");
	*kind = manifests ? MEDIA_INDEX : MEDIA_MANIFEST;
	return 0;
}

/* Unknown types contradict nothing. */
static int kind_agrees(
	const struct decoder *decoder, const char *media_type, enum media_kind kind, const char *who, struct error *err)
{
	enum media_kind said = media_kind(media_type);

	if (said == MEDIA_SCHEMA_1)
		return json_fail(decoder->doc, decoder->doc->root, err,
			"a manifest of schema 1, which ended with docker 1.10: push the image anew");
	if (said == MEDIA_UNKNOWN || said == kind)
		return 0;
	return json_fail(decoder->doc, decoder->doc->root, err, "%s says \"%.100s\", but it is %s", who, media_type,
		kind_names[kind]);
}

static int head_check(const struct decoder *decoder, const char *media_type, enum media_kind kind, struct error *err)
{
	struct document_head head = {0};

	if (decode_object(decoder, decoder->doc->root, head_fields, &head, err) < 0)
		return -1;
	if (head.schema_version == 1)
		return kind_agrees(decoder, "application/vnd.docker.distribution.manifest.v1+json", kind, "", err);
	if (kind_agrees(decoder, media_type, kind, "what it came with", err) < 0)
		return -1;
	return kind_agrees(decoder, head.media_type, kind, "its own \"mediaType\"", err);
}

static int layers_check(const struct decoder *decoder, const struct manifest *manifest, struct error *err)
{
	if (manifest->layers.count <= MANIFEST_LAYERS_MAX)
		return 0;
	return json_fail_key(decoder->doc, json_get(decoder->doc->root, "layers"), err,
		"%zu layers are more than the %d that can be mounted over one another", manifest->layers.count,
		MANIFEST_LAYERS_MAX);
}

int manifest_decode(struct arena *arena, const char *name, const char *text, size_t length, const char *media_type,
	struct manifest_document *out, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};

	*out = (struct manifest_document){0};
	if (json_parse(arena, name, text, length, JSON_PLAIN, &doc, err) < 0 ||
		kind_find(&decoder, &out->kind, err) < 0 || head_check(&decoder, media_type, out->kind, err) < 0)
		return -1;
	if (out->kind == MEDIA_INDEX)
		return decode_object(&decoder, doc.root, index_fields, &out->index, err);
	if (decode_object(&decoder, doc.root, manifest_fields, &out->manifest, err) < 0)
		return -1;
	return layers_check(&decoder, &out->manifest, err);
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* "v7" → 7; 0: none, or another word. */
static int variant_number(const char *variant)
{
	if (text_is_empty(variant) || *variant != 'v' || !strchr("123456789", variant[1]) || !variant[1] || variant[2])
		return 0;
	return variant[1] - '0';
}

/* How well a variant runs where `wanted` is: 0 not at all; more is better. A processor runs what was made for earlier
 * ones of its family. Of an unnamed variant only the first is certain: that is amd64's v1 and arm64's v8; a 32-bit arm
 * without a number is v7, as docker means it. */
static int variant_fit(const struct platform *offer, const struct platform *wanted)
{
	bool is_arm = strcmp(wanted->architecture, "arm") == 0, is_arm64 = strcmp(wanted->architecture, "arm64") == 0;
	int unnamed = is_arm ? 7 : is_arm64 ? 8 : 1;
	int need = variant_number(offer->variant), have = variant_number(wanted->variant);

	if (text_equal(offer->variant, wanted->variant))
		return 100;
	if ((!text_is_empty(offer->variant) && !need) || (!text_is_empty(wanted->variant) && !have))
		return 0;
	need = need ? need : unnamed;
	have = have ? have : unnamed;
	return need > have ? 0 : 50 - (have - need);
}

static bool same_platform(const struct platform *offer, const struct platform *wanted)
{
	return text_equal(offer->os, wanted->os) && text_equal(offer->architecture, wanted->architecture);
}

static bool is_readable(const struct descriptor *entry)
{
	enum media_kind kind = media_kind(entry->media_type);

	return kind == MEDIA_MANIFEST || kind == MEDIA_INDEX;
}

static int fail_no_platform(
	struct arena *arena, const struct manifest_index *index, const struct platform *platform, struct error *err)
{
	struct text list AUTO(text_drop) = {0};
	size_t shown = 0;

	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct platform *offer = index->manifests.items[i].platform;

		if (!is_readable(&index->manifests.items[i]) || !offer || !offer->os || !offer->architecture ||
			strcmp(offer->os, "unknown") == 0)
			continue;
		if (shown++ < PLATFORMS_SHOWN)
			text_appendf(&list, "%s%s", list.length ? ", " : "", platform_format(arena, offer));
	}
	if (shown > PLATFORMS_SHOWN)
		text_appendf(&list, " and %zu more", shown - PLATFORMS_SHOWN);
	return fail(err, ERROR_MISSING, "no image for %s; %s%.300s", platform_format(arena, platform),
		shown ? "there is one for " : "the index names no platform", text_string(&list));
}

const struct descriptor *index_choose(
	struct arena *arena, const struct manifest_index *index, const struct platform *platform, struct error *err)
{
	const struct descriptor *best = NULL, *only = NULL;
	size_t readable = 0;
	int best_fit = 0;

	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct descriptor *entry = &index->manifests.items[i];
		int fit;

		if (!is_readable(entry))
			continue;
		readable++;
		only = entry;
		if (!entry->platform || !same_platform(entry->platform, platform))
			continue;
		fit = variant_fit(entry->platform, platform);
		if (fit > best_fit) {
			best = entry;
			best_fit = fit;
		}
	}
	if (!best && readable == 1 && !only->platform)
		return only;
	if (!best)
		(void)fail_no_platform(arena, index, platform, err);
	return best;
}
