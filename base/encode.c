/* Values → JSON text by yajl's generator.
 *
 * The generator falls silent for good after a call that does not fit where it is made. So nesting is followed here, and
 * a call that does not fit is either made to fit or left out, alone. */
#include "base/encode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/cleanup.h"
#include "base/yajl_memory.h"

/* Below the generator's own bound (YAJL_MAX_DEPTH, 128). What is deeper is left out. */
#define DEPTH_MAX 100

struct encoder {
	yajl_gen gen;
	enum encode_style style;
	bool begun; /* something is at the top already */
	size_t depth, left_out;
	enum json_kind open[DEPTH_MAX];
	struct yajl_pool pool; /* of gen */
};

static void encoder_begin(struct encoder *encoder)
{
	encoder->gen = yajl_gen_alloc(yajl_pool_begin(&encoder->pool));
	if (encoder->style == ENCODE_PRETTY) {
		yajl_gen_config(encoder->gen, yajl_gen_beautify, 1);
		yajl_gen_config(encoder->gen, yajl_gen_indent_string, "  ");
	}
	encoder->begun = false;
	encoder->depth = encoder->left_out = 0;
}

struct encoder *encoder_new(enum encode_style style)
{
	struct encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		memory_exhausted();
	encoder->style = style;
	encoder_begin(encoder);
	return encoder;
}

void encoder_drop(struct encoder **encoder)
{
	int saved = errno;

	if (*encoder) {
		yajl_gen_free((*encoder)->gen);
		free(*encoder);
		*encoder = NULL;
	}
	errno = saved;
}

char *encoder_take(struct encoder *encoder, size_t *length)
{
	const unsigned char *bytes;
	struct text text = {0};

	encoder->left_out = 0;
	while (encoder->depth)
		(encoder->open[encoder->depth - 1] == JSON_OBJECT ? encode_object_end : encode_array_end)(encoder);
	yajl_gen_get_buf(encoder->gen, &bytes, length);
	text_append_bytes(&text, (const char *)bytes, *length);
	yajl_gen_free(encoder->gen);
	encoder_begin(encoder);
	return text.data;
}

void encoder_print(struct encoder *encoder, FILE *out)
{
	size_t length;
	auto_free char *text = encoder_take(encoder, &length);

	fwrite(text, 1, length, out);
	if (!text_ends_with(text, "\n"))
		putc('\n', out);
}

const struct json *encoder_tree(struct encoder *encoder, struct arena *arena, struct error *err)
{
	struct json_doc doc;
	size_t length;
	auto_free char *text = encoder_take(encoder, &length);

	return json_parse(arena, "what was written", text, length, JSON_PLAIN, &doc, err) < 0 ? NULL : doc.root;
}

/* Strings from a workload may be anything: every byte that is not UTF-8 becomes U+FFFD. */
static void string_write(struct encoder *encoder, const char *string)
{
	size_t length = strlen(string), good = 0, step;
	struct text clean AUTO(text_drop) = {0};

	while (good < length && (step = utf8_length(string + good, length - good)))
		good += step;
	if (good == length) {
		yajl_gen_string(encoder->gen, (const unsigned char *)string, length);
		return;
	}
	for (size_t i = 0; i < length; i += step ? step : 1) {
		step = utf8_length(string + i, length - i);
		text_append_bytes(&clean, step ? string + i : "\xef\xbf\xbd", step ? step : 3);
	}
	yajl_gen_string(encoder->gen, (const unsigned char *)clean.data, clean.length);
}

/* Writes the key where one belongs. False: the value does not fit here. */
static bool value_begin(struct encoder *encoder, const char *key)
{
	if (encoder->left_out || (!encoder->depth && encoder->begun))
		return false;
	encoder->begun = true;
	if (encoder->depth && encoder->open[encoder->depth - 1] == JSON_OBJECT)
		string_write(encoder, key ? key : "");
	return true;
}

static void nest_begin(struct encoder *encoder, const char *key, enum json_kind kind)
{
	if (encoder->depth == DEPTH_MAX || !value_begin(encoder, key)) {
		encoder->left_out++;
		return;
	}
	encoder->open[encoder->depth++] = kind;
	if (kind == JSON_OBJECT)
		yajl_gen_map_open(encoder->gen);
	else
		yajl_gen_array_open(encoder->gen);
}

static void nest_end(struct encoder *encoder, enum json_kind kind)
{
	if (encoder->left_out) {
		encoder->left_out--;
		return;
	}
	if (!encoder->depth || encoder->open[encoder->depth - 1] != kind)
		return;
	encoder->depth--;
	if (kind == JSON_OBJECT)
		yajl_gen_map_close(encoder->gen);
	else
		yajl_gen_array_close(encoder->gen);
}

void encode_object_begin(struct encoder *encoder, const char *key)
{
	nest_begin(encoder, key, JSON_OBJECT);
}

void encode_object_end(struct encoder *encoder)
{
	nest_end(encoder, JSON_OBJECT);
}

void encode_array_begin(struct encoder *encoder, const char *key)
{
	nest_begin(encoder, key, JSON_ARRAY);
}

void encode_array_end(struct encoder *encoder)
{
	nest_end(encoder, JSON_ARRAY);
}

static bool is_in_object(const struct encoder *encoder)
{
	return encoder->depth && encoder->open[encoder->depth - 1] == JSON_OBJECT;
}

void encode_string(struct encoder *encoder, const char *key, const char *value)
{
	if (!value && is_in_object(encoder))
		return;
	if (!value)
		encode_null(encoder, key);
	else if (value_begin(encoder, key))
		string_write(encoder, value);
}

void encode_number(struct encoder *encoder, const char *key, const char *digits)
{
	if (value_begin(encoder, key))
		yajl_gen_number(encoder->gen, digits, strlen(digits));
}

void encode_integer(struct encoder *encoder, const char *key, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	encode_number(encoder, key, digits);
}

void encode_uint64(struct encoder *encoder, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	encode_number(encoder, key, digits);
}

void encode_bool(struct encoder *encoder, const char *key, bool value)
{
	if (value_begin(encoder, key))
		yajl_gen_bool(encoder->gen, value);
}

void encode_null(struct encoder *encoder, const char *key)
{
	if (value_begin(encoder, key))
		yajl_gen_null(encoder->gen);
}

void encode_strings(struct encoder *encoder, const char *key, const struct strings *list)
{
	if (!list->count && is_in_object(encoder))
		return;
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < list->count; i++)
		encode_string(encoder, NULL, list->items[i]);
	encode_array_end(encoder);
}

void encode_pairs(struct encoder *encoder, const char *key, const struct pairs *pairs)
{
	if (!pairs->count && is_in_object(encoder))
		return;
	encode_object_begin(encoder, key);
	for (size_t i = 0; i < pairs->count; i++)
		encode_string(encoder, pairs->items[i].name, pairs->items[i].value);
	encode_object_end(encoder);
}

void encode_json(struct encoder *encoder, const char *key, const struct json *node)
{
	switch (node->kind) {
	case JSON_NULL:
		encode_null(encoder, key);
		return;
	case JSON_BOOL:
		encode_bool(encoder, key, node->boolean);
		return;
	case JSON_NUMBER:
		encode_number(encoder, key, node->text);
		return;
	case JSON_STRING:
		encode_string(encoder, key, node->text);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		nest_begin(encoder, key, node->kind);
		for (const struct json *member = node->first; member; member = member->next)
			encode_json(encoder, member->key, member); /* as deep as the parser's bound */
		nest_end(encoder, node->kind);
	}
}
