/* The config of an image, and the joining of its layers with the manifest's. See manifest.h. */
#include <string.h>

#include "base/log.h"
#include "images/store/manifest.h"
#include "images/store/reference.h"

/* --- decoding ----------------------------------------------------------------------------------------------------- */

/* An object whose keys are the list and whose values say nothing: {"80/tcp": {}}. */
static int decode_keys(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *out = member;

	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	if (decode_keys_check(decoder, node, err) < 0)
		return -1;
	for (const struct json *item = node->first; item; item = item->next)
		strings_add(decoder->arena, out, item->key);
	return 0;
}

/* A list of words; docker once wrote a single word as a string. */
static int decode_command(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *out = member;
	const char *word;

	if (node->kind != JSON_STRING)
		return decode_strings(decoder, node, out, err);
	if (decode_string(decoder, node, &word, err) < 0)
		return -1;
	strings_add(decoder->arena, out, word);
	return 0;
}

/* Docker has written a bare name for a variable to be unset; there is nothing to unset here. */
static int decode_environment(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *out = member, all = {0};

	if (decode_strings(decoder, node, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++) {
		if (strchr(all.items[i], '=') && *all.items[i] != '=')
			strings_add(decoder->arena, out, all.items[i]);
		else
			log_warn("%s: Env[%zu] is passed over: \"%.100s\" is not NAME=VALUE", decoder->doc->name, i,
				all.items[i]);
	}
	return 0;
}

static int decode_diff_ids(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *out = member;

	if (decode_strings(decoder, node, out, err) < 0)
		return -1;
	for (size_t i = 0; i < out->count; i++)
		if (digest_check("diff id", out->items[i], err) < 0)
			return decode_blame(decoder, node, err);
	return 0;
}

static const struct field health_fields[] = {
	STRINGS("Test", struct image_health, test, 0),
	INTEGER("Interval", struct image_health, interval_ns, 0, INT64_MAX, 0),
	INTEGER("Timeout", struct image_health, timeout_ns, 0, INT64_MAX, 0),
	INTEGER("StartPeriod", struct image_health, start_period_ns, 0, INT64_MAX, 0),
	INTEGER("Retries", struct image_health, retries, 0, INT32_MAX, 0),
	END_OF_FIELDS,
};

static const struct field run_fields[] = {
	CUSTOM("Entrypoint", struct image_details, entrypoint, decode_command, 0),
	CUSTOM("Cmd", struct image_details, command, decode_command, 0),
	CUSTOM("Env", struct image_details, environment, decode_environment, 0),
	CUSTOM("ExposedPorts", struct image_details, exposed_ports, decode_keys, 0),
	CUSTOM("Volumes", struct image_details, volumes, decode_keys, 0),
	STRING("User", struct image_details, user, 0),
	STRING("WorkingDir", struct image_details, working_dir, 0),
	STRING("StopSignal", struct image_details, stop_signal, 0),
	PAIRS("Labels", struct image_details, labels, 0),
	POINTER("Healthcheck", struct image_details, health, health_fields, 0),
	END_OF_FIELDS,
};

static int decode_run(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, run_fields, member, err);
}

struct details_rootfs {
	const char *type;
	struct strings diff_ids;
};
static const struct field rootfs_fields[] = {
	STRING("type", struct details_rootfs, type, REQUIRED),
	CUSTOM("diff_ids", struct details_rootfs, diff_ids, decode_diff_ids, REQUIRED),
	END_OF_FIELDS,
};

static int decode_rootfs(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *diff_ids = member;
	struct details_rootfs rootfs = {0};

	if (decode_object(decoder, node, rootfs_fields, &rootfs, err) < 0)
		return -1;
	if (strcmp(rootfs.type, "layers") != 0)
		return decode_fail(
			decoder, json_get(node, "type"), err, "must be \"layers\", found \"%.100s\"", rootfs.type);
	*diff_ids = rootfs.diff_ids;
	return 0;
}

/* "config" is decoded into the same struct: it has what concerns the run. */
struct details_document {
	struct image_details details;
};
static const struct field details_fields[] = {
	STRING("architecture", struct image_details, platform.architecture, REQUIRED),
	STRING("os", struct image_details, platform.os, REQUIRED),
	STRING("variant", struct image_details, platform.variant, 0),
	STRING("created", struct image_details, created, 0),
	STRING("author", struct image_details, author, 0),
	CUSTOM("rootfs", struct image_details, diff_ids, decode_rootfs, REQUIRED),
	END_OF_FIELDS,
};
static const struct field document_fields[] = {
	CUSTOM("config", struct details_document, details, decode_run, 0),
	END_OF_FIELDS,
};

int image_details_decode(struct arena *arena, const char *name, const char *text, size_t length,
	struct image_details *out, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct details_document document = {0};

	*out = (struct image_details){0};
	if (json_parse(arena, name, text, length, JSON_PLAIN, &doc, err) < 0 ||
		decode_object(&decoder, doc.root, document_fields, &document, err) < 0 ||
		decode_object(&decoder, doc.root, details_fields, &document.details, err) < 0)
		return -1;
	*out = document.details;
	return 0;
}

/* --- joining with the manifest ------------------------------------------------------------------------------------ */

int manifest_config_check(const char *name, const struct manifest *manifest, struct error *err)
{
	enum media_kind kind = media_kind(manifest->config.media_type);

	if (kind == MEDIA_CONFIG)
		return 0;
	return fail(err, ERROR_USAGE, "%s is no image of a container: its config is of the type \"%.150s\"", name,
		manifest->config.media_type);
}

/* Which of the layers are in the config's list: all of them, or (of two readings of the specification) only those that
 * are file systems. */
static int layers_count_check(
	const char *name, const struct manifest *manifest, size_t known, size_t diff_ids, struct error *err)
{
	if (diff_ids == manifest->layers.count || diff_ids == known)
		return 0;
	return fail(err, ERROR_USAGE, "%s: the manifest has %zu layers, the config %zu \"diff_ids\"", name,
		manifest->layers.count, diff_ids);
}

static int layers_look(const char *name, const struct manifest *manifest, size_t *known, struct error *err)
{
	*known = 0;
	for (size_t i = 0; i < manifest->layers.count; i++) {
		const struct descriptor *layer = &manifest->layers.items[i];
		enum media_kind kind = media_kind(layer->media_type);

		if (kind == MEDIA_ENCRYPTED)
			return fail(
				err, ERROR_USAGE, "%s: layers[%zu] is encrypted (%.150s)", name, i, layer->media_type);
		if (kind == MEDIA_LAYER)
			++*known;
		else
			log_warn("%s: layers[%zu] is passed over: \"%.150s\" is no layer of files", name, i,
				layer->media_type);
	}
	return 0;
}

int image_layers_join(struct arena *arena, const char *name, const struct manifest *manifest,
	const struct image_details *details, struct image_layers *out, struct error *err)
{
	size_t known, diff = 0;

	if (manifest_config_check(name, manifest, err) < 0 || layers_look(name, manifest, &known, err) < 0 ||
		layers_count_check(name, manifest, known, details->diff_ids.count, err) < 0)
		return -1;
	*out = (struct image_layers){.items = arena_new_array(arena, known, struct image_layer)};
	for (size_t i = 0; i < manifest->layers.count; i++) {
		const struct descriptor *layer = &manifest->layers.items[i];
		bool is_layer = media_kind(layer->media_type) == MEDIA_LAYER;

		if (is_layer)
			out->items[out->count++] =
				(struct image_layer){.blob = layer, .diff_id = details->diff_ids.items[diff]};
		if (is_layer || details->diff_ids.count == manifest->layers.count)
			diff++;
	}
	return 0;
}
