/* Values that keys have in common: each in the forms that people write, with and without quotes. */
#include <string.h>

#include "fleet/spec/spec_rows.h"
#include "fleet/spec/words.h"

#define SIZE_PATTERN "^[0-9]+(\\.[0-9]+)?[KMGTkmgt]?([Ii]?[Bb])?$"
#define DURATION_PATTERN "^[0-9]+(\\.[0-9]+)?$|^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$"

/* --- single values ------------------------------------------------------------------------------------------------ */

/* A value that may be written with or without quotes, because ${index} needs them. */
int decode_scalar(const struct decoder *decoder, const struct json *node, const char *expected, const char **out,
	struct error *err)
{
	if (node->kind != JSON_STRING && node->kind != JSON_NUMBER) {
		decode_fail(decoder, node, err, "expected %s, found %s", expected, json_kind_name(node->kind));
		return -1;
	}
	*out = arena_string(decoder->arena, node->text);
	return 0;
}

const struct value_shape decode_plain_size_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a size such as \"64M\"", .pattern = SIZE_PATTERN};

int decode_plain_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_scalar(decoder, node, "a size such as \"64M\"", &text, err) < 0)
		return -1;
	return size_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

const struct value_shape decode_size_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a size such as \"64M\"", .pattern = SIZE_PATTERN};

int decode_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *size = member;

	if (decode_plain_size(decoder, node, &size->value, err) < 0)
		return -1;
	size->set = true;
	return 0;
}

const struct value_shape decode_duration_shape = {.forms = FORM_STRING | FORM_NUMBER,
	.words = "a duration such as \"1m30s\"; a plain number is seconds",
	.pattern = DURATION_PATTERN};

int decode_duration(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_scalar(decoder, node, "a duration such as \"1m30s\"", &text, err) < 0)
		return -1;
	return duration_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

const struct value_shape decode_bitrate_shape = {.forms = FORM_STRING | FORM_NUMBER,
	.words = "bits per second, such as \"100M\"",
	.pattern = "^[0-9]+(\\.[0-9]{1,3})?([KkMmGgTt]?([Bb][Ii][Tt])?)$"};

int decode_bitrate(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *rate = member;
	const char *text;

	if (decode_scalar(decoder, node, "a rate such as \"100M\"", &text, err) < 0)
		return -1;
	if (bitrate_parse(text, &rate->value, err) < 0)
		return decode_blame(decoder, node, err);
	rate->set = true;
	return 0;
}

const struct value_shape decode_cpus_shape = {.forms = FORM_STRING | FORM_NUMBER, .words = "processors, such as 0.5"};

int decode_cpus(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *cpus = member;
	const char *text;

	if (decode_scalar(decoder, node, "a number", &text, err) < 0)
		return -1;
	if (cpus_parse(text, &cpus->value, err) < 0)
		return decode_blame(decoder, node, err);
	cpus->set = true;
	return 0;
}

const struct value_shape decode_pids_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a number or \"unlimited\"", .pattern = "^unlimited$"};

/* "unlimited" takes away the default. */
int decode_pids(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *pids = member;

	pids->set = true;
	pids->value = -1;
	if (node->kind == JSON_STRING && !strcmp(node->text, "unlimited"))
		return 0;
	if (node->kind != JSON_NUMBER)
		return decode_fail(decoder, node, err, "expected a number or \"unlimited\", found %s",
			node->kind == JSON_STRING ? node->text : json_kind_name(node->kind));
	return decode_integer(decoder, node, 1, 4194304, &pids->value, err);
}

int decode_mode_bits(const struct decoder *decoder, const struct json *node, unsigned *mode, struct error *err)
{
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected a string such as \"0440\", found %s", json_kind_name(node->kind));
	return octal_parse(node->text, 07777, mode, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

const struct value_shape decode_mode_shape = {
	.forms = FORM_STRING, .words = "a file mode such as \"0440\"", .pattern = MODE_PATTERN};

int decode_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *mode = member;
	unsigned bits = 0;

	if (decode_mode_bits(decoder, node, &bits, err) < 0)
		return -1;
	*mode = (struct optional){true, bits};
	return 0;
}

const struct value_shape decode_text_shape = {.forms = FORM_STRING | FORM_NUMBER};

int decode_text(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_scalar(decoder, node, "a string", member, err);
}

/* --- several values ----------------------------------------------------------------------------------------------- */

const struct value_shape decode_words_shape = {
	.forms = FORM_STRING | FORM_LIST, .words = "a list of words, or a string"};

int decode_words(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	if (node->kind == JSON_ARRAY)
		return decode_strings(decoder, node, member, err);
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected an array or a string, found %s", json_kind_name(node->kind));
	*(struct strings *)member = (struct strings){0};
	return words_split(decoder->arena, node->text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static int decode_name_and_value(
	const struct decoder *decoder, const struct json *item, struct pairs *pairs, struct error *err)
{
	const char *text = NULL, *equals, *name;

	if (decode_string(decoder, item, &text, err) < 0)
		return -1;
	equals = strchr(text, '=');
	if (!equals)
		return decode_fail(decoder, item, err, "\"%s\": expected NAME=VALUE", text);
	name = arena_bytes(decoder->arena, text, (size_t)(equals - text));
	if (pairs_get(pairs, name))
		return decode_fail(decoder, item, err, "repeated name \"%s\"", name);
	pairs->items[pairs->count++] = (struct pair){name, equals + 1};
	return 0;
}

static int decode_named_value(
	const struct decoder *decoder, const struct json *item, struct pairs *pairs, struct error *err)
{
	struct pair *pair = &pairs->items[pairs->count];

	if (decode_scalar(decoder, item, "a string", &pair->value, err) < 0)
		return -1;
	pair->name = arena_string(decoder->arena, item->key);
	pairs->count++;
	return 0;
}

const struct value_shape decode_named_values_shape = {.forms = FORM_OBJECT | FORM_LIST,
	.words = "{\"NAME\": \"value\"} or [\"NAME=value\"]",
	.items = &decode_text_shape};

/* {"NAME": "value"} or ["NAME=value"]. */
int decode_named_values(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct pairs *pairs = member;

	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
		return decode_fail(
			decoder, node, err, "expected an object or an array, found %s", json_kind_name(node->kind));
	if (node->kind == JSON_OBJECT && decode_keys_check(decoder, node, err) < 0)
		return -1;
	*pairs = (struct pairs){.items = arena_new_array(decoder->arena, node->count, struct pair)};
	for (const struct json *item = node->first; item; item = item->next)
		if ((node->kind == JSON_OBJECT ? decode_named_value : decode_name_and_value)(
			    decoder, item, pairs, err) < 0)
			return -1;
	return 0;
}
int list_expected(const struct decoder *decoder, const struct json *node, struct error *err)
{
	if (node->kind == JSON_ARRAY)
		return 0;
	return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
}
