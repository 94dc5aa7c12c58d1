/* See applied.h. Lines, so that no bound on one JSON text is a bound on a fleet. */
#include "fleet/apply/applied.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "fleet/spec/spec_fields.h"

#define APPLIED_VERSION 1

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void head_encode(struct encoder *encoder, const struct fleet_file *file)
{
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "version", APPLIED_VERSION);
	encode_string(encoder, "name", file->name);
	encode_object_begin(encoder, "networks");
	for (size_t i = 0; i < file->networks.count; i++)
		network_spec_encode(encoder, file->networks.items[i].name, &file->networks.items[i]);
	encode_object_end(encoder);
	encode_strings(encoder, "volumes", &file->volumes);
	encode_object_end(encoder);
}

static void line_append(struct text *text, struct encoder *encoder)
{
	size_t length;
	auto_free char *line = encoder_take(encoder, &length);

	text_append_bytes(text, line, length);
	text_append(text, "\n");
}

char *applied_encode(const struct fleet_file *file, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct text text = {0};

	head_encode(encoder, file);
	line_append(&text, encoder);
	for (size_t i = 0; i < file->instances.count; i++) {
		instance_spec_encode(encoder, NULL, &file->instances.items[i]);
		line_append(&text, encoder);
	}
	*length = text.length;
	return text.data;
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

struct head {
	int64_t version;
	const char *name;
	LIST_OF(struct network_spec) networks;
	struct strings volumes;
};

static int networks_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct head *head = member;

	head->networks.items = arena_new_array(decoder->arena, node->count, struct network_spec);
	for (const struct json *item = node->first; item; item = item->next)
		if (network_spec_decode(decoder, item, &head->networks.items[head->networks.count++], err) < 0)
			return -1;
	return 0;
}

static const struct field head_fields[] = {
	INTEGER("version", struct head, version, 1, APPLIED_VERSION, REQUIRED),
	STRING("name", struct head, name, REQUIRED),
	{.key = "networks", .kind = FIELD_CUSTOM, .decode = networks_decode},
	STRINGS("volumes", struct head, volumes, 0),
	END_OF_FIELDS,
};

static int head_decode(struct arena *arena, const struct json_doc *doc, struct fleet_file *out, struct error *err)
{
	const struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};
	struct head head = {0};

	if (decode_object(&decoder, doc->root, head_fields, &head, err) < 0)
		return -1;
	out->name = head.name;
	out->networks.items = head.networks.items;
	out->networks.count = head.networks.count;
	out->volumes = head.volumes;
	return 0;
}

int applied_decode(struct arena *arena, const char *name, const char *text, size_t length, struct fleet_file *out,
	struct error *err)
{
	const char *end = text + length, *next;
	size_t lines = 0;

	for (const char *at = text; at < end; at++)
		lines += *at == '\n';
	*out = (struct fleet_file){.text = text, .length = length};
	out->instances.items = arena_new_array(arena, lines, struct instance_spec);
	for (const char *line = text; line < end; line = next + 1) {
		struct json_doc doc;
		bool is_head = line == text;

		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			return fail(err, ERROR_SYSTEM, "%s: its end is missing", name);
		if (json_parse(arena, name, line, (size_t)(next - line), JSON_PLAIN, &doc, err) < 0 ||
			(is_head ? head_decode(arena, &doc, out, err)
				 : instance_spec_decode(arena, &doc, doc.root,
					   &out->instances.items[out->instances.count++], err)) < 0)
			return -1;
	}
	return out->name ? 0 : fail(err, ERROR_SYSTEM, "%s: it is empty", name);
}
