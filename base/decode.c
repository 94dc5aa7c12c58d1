/* Tree → structs by table. One function per kind of row, in a table of their own at the end. */
#include "base/decode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"

/* Objects with more members than this are sorted to find repeated keys. */
#define COMPARE_ALL_MAX 16

/* --- failing ------------------------------------------------------------------------------------------------------ */

int decode_fail(const struct decoder *decoder, const struct json *node, struct error *err, const char *format, ...)
{
	struct text what AUTO(text_drop) = {0};
	va_list args;

	if (node->key)
		text_appendf(&what, "\"%s\": ", node->key);
	va_start(args, format);
	text_appendv(&what, format, args);
	va_end(args);
	return json_fail(decoder->doc, node, err, "%s", text_string(&what));
}

int decode_blame(const struct decoder *decoder, const struct json *node, struct error *err)
{
	struct error reason = *err;

	decode_fail(decoder, node, err, "%s", reason.text);
	err->kind = reason.kind;
	err->errnum = reason.errnum;
	return -1;
}

static int kind_check(const struct decoder *decoder, const struct json *node, enum json_kind kind, struct error *err)
{
	if (node->kind == kind)
		return 0;
	return decode_fail(
		decoder, node, err, "expected %s, found %s", json_kind_name(kind), json_kind_name(node->kind));
}

static const char *next_key(const void *context, size_t i)
{
	return ((const struct field *)context)[i].key;
}

/* The tables of the objects that a row holds; NULL: it has none, or its keys are free. */
static const struct field *fields_below(const struct field *field)
{
	if (field->kind == FIELD_OBJECT || field->kind == FIELD_POINTER)
		return field->fields;
	return field->kind == FIELD_CUSTOM && field->shape ? field->shape->fields : NULL;
}

static const struct field *field_find(const struct field *fields, const char *key)
{
	for (; fields->kind != FIELD_END; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

/* The row of the object that the key belongs into: who writes "memory" beside "resources" has the right word. */
static const struct field *field_above(const struct field *fields, const char *key)
{
	for (; fields->kind != FIELD_END; fields++)
		if (fields_below(fields) && field_find(fields_below(fields), key))
			return fields;
	return NULL;
}

static int fail_unknown_key(
	const struct decoder *decoder, const struct json *node, const struct field *fields, struct error *err)
{
	const struct field *above = field_above(fields, node->key);
	const char *guess = above ? above->key : suggest(node->key, next_key, fields);

	if (guess)
		return json_fail_key(decoder->doc, node, err, "unknown key \"%s\"; did you mean \"%s%s%s\"?", node->key,
			guess, above ? "." : "", above ? node->key : "");
	return json_fail_key(decoder->doc, node, err, "unknown key \"%s\"", node->key);
}

int decode_nulls_check(
	const struct decoder *decoder, const struct json *object, const struct field *fields, struct error *err)
{
	for (const struct json *member = object->first; member; member = member->next) {
		const struct field *field = field_find(fields, member->key);
		const struct field *below = field ? fields_below(field) : NULL;

		if (!field && member->kind == JSON_NULL)
			return fail_unknown_key(decoder, member, fields, err);
		if (below && member->kind == JSON_OBJECT && decode_nulls_check(decoder, member, below, err) < 0)
			return -1;
	}
	return 0;
}

/* --- repeated keys ------------------------------------------------------------------------------------------------ */

static int fail_repeated(
	const struct decoder *decoder, const struct json *first, const struct json *again, struct error *err)
{
	return json_fail_key(decoder->doc, again, err, "repeated key \"%s\" (first at line %zu)", again->key,
		json_line(decoder->doc, first->key_offset));
}

static int compare_members(const void *a, const void *b)
{
	const struct json *one = *(const struct json *const *)a, *other = *(const struct json *const *)b;
	int order = strcmp(one->key, other->key);

	return order ? order : (one->key_offset > other->key_offset) - (one->key_offset < other->key_offset);
}

static int sorted_keys_check(const struct decoder *decoder, const struct json *object, struct error *err)
{
	auto_free const struct json **members = calloc(object->count, sizeof(struct json *));
	size_t count = 0;

	if (!members)
		memory_exhausted();
	for (const struct json *member = object->first; member; member = member->next)
		members[count++] = member;
	qsort(members, count, sizeof(*members), compare_members);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(members[i - 1]->key, members[i]->key))
			return fail_repeated(decoder, members[i - 1], members[i], err);
	return 0;
}

int decode_keys_check(const struct decoder *decoder, const struct json *object, struct error *err)
{
	if (object->count > COMPARE_ALL_MAX)
		return sorted_keys_check(decoder, object, err);
	for (const struct json *again = object->first; again; again = again->next)
		for (const struct json *first = object->first; first != again; first = first->next)
			if (!strcmp(first->key, again->key))
				return fail_repeated(decoder, first, again, err);
	return 0;
}

/* --- single values ------------------------------------------------------------------------------------------------ */

int decode_string(const struct decoder *decoder, const struct json *node, const char **out, struct error *err)
{
	if (kind_check(decoder, node, JSON_STRING, err) < 0)
		return -1;
	*out = arena_string(decoder->arena, node->text);
	return 0;
}

/* JSON also writes 1.0 and 1e3: refused, here as everywhere. */
static int number_check(const struct decoder *decoder, const struct json *node, struct error *err)
{
	if (kind_check(decoder, node, JSON_NUMBER, err) < 0)
		return -1;
	if (node->text[strcspn(node->text, ".eE")])
		return decode_fail(decoder, node, err, "expected a whole number, found %s", node->text);
	return 0;
}

int decode_integer(const struct decoder *decoder, const struct json *node, int64_t min, int64_t max, int64_t *out,
	struct error *err)
{
	if (number_check(decoder, node, err) < 0)
		return -1;
	if (number_parse(node->text, min, max, out, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}

int decode_strings(const struct decoder *decoder, const struct json *node, struct strings *out, struct error *err)
{
	const char *text;

	if (kind_check(decoder, node, JSON_ARRAY, err) < 0)
		return -1;
	*out = (struct strings){.items = arena_new_array(decoder->arena, (size_t)node->count + 1, const char *)};
	for (const struct json *item = node->first; item; item = item->next) {
		if (decode_string(decoder, item, &text, err) < 0)
			return -1;
		out->items[out->count++] = text;
	}
	return 0;
}

/* --- one function per kind of row; member points into the struct -------------------------------------------------- */

static int string_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	(void)field;
	return decode_string(decoder, node, member, err);
}

static int bool_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	(void)field;
	if (kind_check(decoder, node, JSON_BOOL, err) < 0)
		return -1;
	*(bool *)member = node->boolean;
	return 0;
}

static void integer_store(void *member, size_t size, int64_t value)
{
	switch (size) {
	case sizeof(int8_t):
		*(int8_t *)member = (int8_t)value;
		break;
	case sizeof(int16_t):
		*(int16_t *)member = (int16_t)value;
		break;
	case sizeof(int32_t):
		*(int32_t *)member = (int32_t)value;
		break;
	default:
		assert(size == sizeof(int64_t));
		*(int64_t *)member = value;
	}
}

static int integer_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	int64_t value;

	if (decode_integer(decoder, node, field->min, field->max, &value, err) < 0)
		return -1;
	integer_store(member, field->size, value);
	return 0;
}

static int optional_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	struct optional *optional = member;

	if (decode_integer(decoder, node, field->min, field->max, &optional->value, err) < 0)
		return -1;
	optional->set = true;
	return 0;
}

static int uint64_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	(void)field;
	if (number_check(decoder, node, err) < 0)
		return -1;
	if (*node->text == '-')
		return decode_fail(decoder, node, err, "%s is not between 0 and %" PRIu64, node->text, UINT64_MAX);
	if (number_parse_u64(node->text, UINT64_MAX, member, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}

static int strings_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	(void)field;
	return decode_strings(decoder, node, member, err);
}

static int pairs_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	struct pairs *pairs = member;
	const char *value;

	(void)field;
	if (kind_check(decoder, node, JSON_OBJECT, err) < 0 || decode_keys_check(decoder, node, err) < 0)
		return -1;
	*pairs = (struct pairs){.items = arena_new_array(decoder->arena, node->count, struct pair)};
	for (const struct json *item = node->first; item; item = item->next) {
		if (decode_string(decoder, item, &value, err) < 0)
			return -1;
		pairs->items[pairs->count++] = (struct pair){arena_string(decoder->arena, item->key), value};
	}
	return 0;
}

static int fail_enum(
	const struct decoder *decoder, const struct json *node, const struct field *field, struct error *err)
{
	const char *guess = suggest_from(node->text, field->names);
	struct text names AUTO(text_drop) = {0};

	for (size_t i = 0; field->names[i]; i++)
		text_appendf(&names, "%s%s", i ? ", " : "", field->names[i]);
	if (guess)
		return decode_fail(decoder, node, err, "\"%s\" is not one of %s; did you mean \"%s\"?", node->text,
			text_string(&names), guess);
	return decode_fail(decoder, node, err, "\"%s\" is not one of %s", node->text, text_string(&names));
}

static int enum_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	if (kind_check(decoder, node, JSON_STRING, err) < 0)
		return -1;
	for (int i = 0; field->names[i]; i++) {
		if (!strcmp(node->text, field->names[i])) {
			memcpy(member, &i, sizeof(i));
			return 0;
		}
	}
	return fail_enum(decoder, node, field, err);
}

static int object_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	return decode_object(decoder, node, field->fields, member, err);
}

static int item_decode(const struct decoder *decoder, const struct json *node, const struct field *field, void *item,
	struct error *err)
{
	if (field->defaults)
		field->defaults(item);
	return decode_object(decoder, node, field->fields, item, err);
}

static int pointer_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	void *item = arena_alloc(decoder->arena, field->size);

	if (item_decode(decoder, node, field, item, err) < 0)
		return -1;
	memcpy(member, &item, sizeof(item));
	return 0;
}

/* Every LIST_OF() has this shape, whatever its items. */
typedef LIST_OF(void) any_list;

static void list_store(void *member, void *items, size_t count)
{
	any_list list = {items, count};

	memcpy(member, &list, sizeof(list));
}

static int list_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	char *items, *item;

	if (kind_check(decoder, node, JSON_ARRAY, err) < 0)
		return -1;
	items = item = arena_array(decoder->arena, node->count, field->size);
	for (const struct json *child = node->first; child; child = child->next, item += field->size)
		if (item_decode(decoder, child, field, item, err) < 0)
			return -1;
	list_store(member, items, node->count);
	return 0;
}

static int map_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	char *items, *item;
	const char *key;

	if (kind_check(decoder, node, JSON_OBJECT, err) < 0 || decode_keys_check(decoder, node, err) < 0)
		return -1;
	items = item = arena_array(decoder->arena, node->count, field->size);
	for (const struct json *child = node->first; child; child = child->next, item += field->size) {
		if (item_decode(decoder, child, field, item, err) < 0)
			return -1;
		key = arena_string(decoder->arena, child->key);
		memcpy(item, &key, sizeof(key));
	}
	list_store(member, items, node->count);
	return 0;
}

static int custom_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	return field->decode(decoder, node, member, err);
}

static int refused_row(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err)
{
	(void)member;
	return json_fail_key(decoder->doc, node, err, "\"%s\": %s", node->key, field->reason);
}

typedef int row_decoder(const struct decoder *decoder, const struct json *node, const struct field *field, void *member,
	struct error *err);

static row_decoder *const row_decoders[] = {
	[FIELD_STRING] = string_row,
	[FIELD_BOOL] = bool_row,
	[FIELD_INTEGER] = integer_row,
	[FIELD_OPTIONAL] = optional_row,
	[FIELD_UINT64] = uint64_row,
	[FIELD_STRINGS] = strings_row,
	[FIELD_PAIRS] = pairs_row,
	[FIELD_ENUM] = enum_row,
	[FIELD_OBJECT] = object_row,
	[FIELD_POINTER] = pointer_row,
	[FIELD_LIST] = list_row,
	[FIELD_MAP] = map_row,
	[FIELD_CUSTOM] = custom_row,
	[FIELD_REFUSED] = refused_row,
};

/* --- objects ------------------------------------------------------------------------------------------------------ */

static bool counts_as_absent(const struct json *node, const struct field *field)
{
	return node->kind == JSON_NULL && !(field->flags & NULL_REFUSED);
}

static int required_check(
	const struct decoder *decoder, const struct json *node, const struct field *fields, struct error *err)
{
	for (; fields->kind != FIELD_END; fields++) {
		const struct json *member;

		if (!(fields->flags & REQUIRED))
			continue;
		member = json_get(node, fields->key);
		if (!member || counts_as_absent(member, fields))
			return json_fail(decoder->doc, node, err, "missing key \"%s\"", fields->key);
	}
	return 0;
}

int decode_object(const struct decoder *decoder, const struct json *node, const struct field *fields, void *into,
	struct error *err)
{
	if (kind_check(decoder, node, JSON_OBJECT, err) < 0 || decode_keys_check(decoder, node, err) < 0)
		return -1;
	for (const struct json *member = node->first; member; member = member->next) {
		const struct field *field = field_find(fields, member->key);

		if (!field && decoder->mode == DECODE_STRICT)
			return fail_unknown_key(decoder, member, fields, err);
		if (!field || counts_as_absent(member, field))
			continue;
		if (row_decoders[field->kind](decoder, member, field, (char *)into + field->offset, err) < 0)
			return -1;
	}
	return required_check(decoder, node, fields, err);
}
