/* What is mounted into an instance: binds, named volumes, tmpfs, and single files. */
#include <string.h>

#include "fleet/spec/spec_rows.h"

/* --- volumes and tmpfs -------------------------------------------------------------------------------------------- */

static const char *const volume_type_names[] = {"bind", "volume", "tmpfs", NULL};

static const struct value_shape decode_volume_mode_shape = {
	.forms = FORM_STRING, .words = "a file mode such as \"0755\"", .pattern = MODE_PATTERN};

static int decode_volume_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mode_bits(decoder, node, member, err);
}

static const struct field volume_fields[] = {
	ENUM("type", struct volume, type, volume_type_names, REQUIRED),
	STRING("source", struct volume, source, 0),
	STRING("target", struct volume, target, REQUIRED),
	BOOL("read_only", struct volume, read_only, 0),
	BOOL("idmap", struct volume, idmap, 0),
	SIZE_OF("size", struct volume, size_bytes),
	ROW_AS(unsigned, "mode", struct volume, mode, decode_volume_mode),
	END_OF_FIELDS,
};

static const struct field tmpfs_fields[] = {
	STRING("target", struct volume, target, REQUIRED),
	SIZE_OF("size", struct volume, size_bytes),
	ROW_AS(unsigned, "mode", struct volume, mode, decode_volume_mode),
	BOOL("read_only", struct volume, read_only, 0),
	END_OF_FIELDS,
};

static int decode_volume(const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	const char *text;

	*out = (struct volume){.idmap = true};
	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, volume_fields, out, err);
	if (decode_scalar(decoder, node, "\"SOURCE:TARGET\" or an object", &text, err) < 0)
		return -1;
	return volume_parse(decoder->arena, text, out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* "size=64M" or "mode=0755" */
static int tmpfs_option_apply(const char *option, struct volume *out, struct error *err)
{
	if (text_starts_with(option, "size="))
		return size_parse(option + strlen("size="), &out->size_bytes, err);
	if (text_starts_with(option, "mode="))
		return octal_parse(option + strlen("mode="), 07777, &out->mode, err);
	return fail(err, ERROR_USAGE, "\"%s\": expected size=SIZE or mode=MODE", option);
}

static int decode_tmpfs_text(
	const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	const char *text, *colon;
	struct strings options;

	if (decode_scalar(decoder, node, "a path or an object", &text, err) < 0)
		return -1;
	colon = strchr(text, ':');
	out->target = colon ? arena_bytes(decoder->arena, text, (size_t)(colon - text)) : text;
	if (!colon)
		return 0;
	options = strings_split(decoder->arena, colon + 1, ',');
	for (size_t i = 0; i < options.count; i++)
		if (tmpfs_option_apply(options.items[i], out, err) < 0)
			return decode_blame(decoder, node, err);
	return 0;
}

static int decode_tmpfs(const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	*out = (struct volume){.type = VOLUME_TMPFS, .idmap = true};
	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, tmpfs_fields, out, err);
	return decode_tmpfs_text(decoder, node, out, err);
}

/* Both keys fill one list: room for further items behind those that are there. */
static struct volume *volumes_extend(struct arena *arena, struct instance_spec *spec, size_t more)
{
	struct volume *items = arena_new_array(arena, spec->volumes.count + more, struct volume);

	if (spec->volumes.count)
		memcpy(items, spec->volumes.items, spec->volumes.count * sizeof(*items));
	spec->volumes.items = items;
	return items;
}

static int decode_mounts(const struct decoder *decoder, const struct json *node, struct instance_spec *spec,
	int (*decode_one)(const struct decoder *, const struct json *, struct volume *, struct error *),
	struct error *err)
{
	struct volume *items;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	items = volumes_extend(decoder->arena, spec, node->count);
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_one(decoder, item, &items[spec->volumes.count++], err) < 0)
			return -1;
	return 0;
}

static const struct value_shape volume_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "\"SOURCE:TARGET\" or an object", .fields = volume_fields};
const struct value_shape decode_volumes_shape = {.forms = FORM_LIST, .items = &volume_shape};

int decode_volumes(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mounts(decoder, node, member, decode_volume, err);
}

static const struct value_shape tmpfs_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "a path or an object", .fields = tmpfs_fields};
const struct value_shape decode_tmpfs_list_shape = {.forms = FORM_LIST, .items = &tmpfs_shape};

int decode_tmpfs_list(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mounts(decoder, node, member, decode_tmpfs, err);
}

/* --- configs and secrets ------------------------------------------------------------------------------------------ */

static const struct field config_fields[] = {
	STRING("source", struct config_spec, source, 0),
	STRING("content", struct config_spec, content, 0),
	STRING("target", struct config_spec, target, REQUIRED),
	MODE("mode", struct config_spec, mode),
	END_OF_FIELDS,
};

static const struct field secret_fields[] = {
	STRING("source", struct config_spec, source, REQUIRED),
	STRING("target", struct config_spec, target, REQUIRED),
	MODE("mode", struct config_spec, mode),
	REFUSED("content", "a secret comes from a file (\"source\"): this file and the records keep no secrets"),
	END_OF_FIELDS,
};

static int decode_config_list(const struct decoder *decoder, const struct json *node, struct instance_spec *spec,
	bool secret, struct error *err)
{
	struct config_spec *items, *next;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	items = arena_new_array(decoder->arena, spec->configs.count + node->count, struct config_spec);
	if (spec->configs.count)
		memcpy(items, spec->configs.items, spec->configs.count * sizeof(*items));
	spec->configs.items = items;
	for (const struct json *item = node->first; item; item = item->next) {
		next = &items[spec->configs.count++];
		next->secret = secret;
		if (decode_object(decoder, item, secret ? secret_fields : config_fields, next, err) < 0)
			return -1;
	}
	return 0;
}

static const struct value_shape config_shape = {.forms = FORM_OBJECT, .fields = config_fields};
const struct value_shape decode_configs_shape = {.forms = FORM_LIST, .items = &config_shape};

int decode_configs(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_config_list(decoder, node, member, false, err);
}

static const struct value_shape secret_shape = {.forms = FORM_OBJECT, .fields = secret_fields};
const struct value_shape decode_secrets_shape = {.forms = FORM_LIST, .items = &secret_shape};

int decode_secrets(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_config_list(decoder, node, member, true, err);
}
