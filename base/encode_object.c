/* Structs → JSON by their decoding tables: per kind of row, when a member counts as empty and how it is written. */
#include <assert.h>
#include <string.h>

#include "base/encode.h"

/* Every LIST_OF() has this shape, whatever its items. */
typedef LIST_OF(const char) any_list;

static bool pointer_is_empty(const struct field *field, const void *member)
{
	(void)field;
	return !*(const void *const *)member;
}

static bool optional_is_empty(const struct field *field, const void *member)
{
	(void)field;
	return !((const struct optional *)member)->set;
}

static bool list_is_empty(const struct field *field, const void *member)
{
	any_list list;

	(void)field;
	memcpy(&list, member, sizeof(list));
	return !list.count;
}

static bool is_never_empty(const struct field *field, const void *member)
{
	(void)field;
	(void)member;
	return false;
}

static bool is_always_empty(const struct field *field, const void *member)
{
	(void)field;
	(void)member;
	return true;
}

static const char *enum_name(const struct field *field, const void *member)
{
	int value;

	memcpy(&value, member, sizeof(value));
	for (int i = 0; field->names[i]; i++)
		if (i == value)
			return field->names[i];
	return NULL;
}

static bool enum_is_empty(const struct field *field, const void *member)
{
	return !enum_name(field, member);
}

static bool object_is_empty(const struct field *field, const void *member);

static void string_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_string(encoder, field->key, *(const char *const *)member);
}

static void bool_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_bool(encoder, field->key, *(const bool *)member);
}

static int64_t integer_load(const void *member, size_t size, bool is_signed)
{
	switch (size) {
	case sizeof(int8_t):
		return is_signed ? *(const int8_t *)member : *(const uint8_t *)member;
	case sizeof(int16_t):
		return is_signed ? *(const int16_t *)member : *(const uint16_t *)member;
	case sizeof(int32_t):
		return is_signed ? *(const int32_t *)member : (int64_t) * (const uint32_t *)member;
	default:
		assert(size == sizeof(int64_t));
		return *(const int64_t *)member;
	}
}

static void integer_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_integer(encoder, field->key, integer_load(member, field->size, field->is_signed));
}

static void optional_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_integer(encoder, field->key, ((const struct optional *)member)->value);
}

static void uint64_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_uint64(encoder, field->key, *(const uint64_t *)member);
}

static void strings_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_strings(encoder, field->key, member);
}

static void pairs_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_pairs(encoder, field->key, member);
}

static void enum_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_string(encoder, field->key, enum_name(field, member));
}

static void object_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_object(encoder, field->key, field->fields, member);
}

static void pointer_write(struct encoder *encoder, const struct field *field, const void *member)
{
	encode_object(encoder, field->key, field->fields, *(const void *const *)member);
}

static void list_write(struct encoder *encoder, const struct field *field, const void *member)
{
	any_list list;

	memcpy(&list, member, sizeof(list));
	encode_array_begin(encoder, field->key);
	for (size_t i = 0; i < list.count; i++)
		encode_object(encoder, NULL, field->fields, list.items + i * field->size);
	encode_array_end(encoder);
}

static void map_write(struct encoder *encoder, const struct field *field, const void *member)
{
	any_list list;

	memcpy(&list, member, sizeof(list));
	encode_object_begin(encoder, field->key);
	for (size_t i = 0; i < list.count; i++) {
		const void *item = list.items + i * field->size;

		encode_object(encoder, *(const char *const *)item, field->fields, item);
	}
	encode_object_end(encoder);
}

static const struct {
	bool (*is_empty)(const struct field *field, const void *member);
	void (*write)(struct encoder *encoder, const struct field *field, const void *member);
} rows[] = {
	[FIELD_STRING] = {pointer_is_empty, string_write},
	[FIELD_BOOL] = {is_never_empty, bool_write},
	[FIELD_INTEGER] = {is_never_empty, integer_write},
	[FIELD_OPTIONAL] = {optional_is_empty, optional_write},
	[FIELD_UINT64] = {is_never_empty, uint64_write},
	[FIELD_STRINGS] = {list_is_empty, strings_write},
	[FIELD_PAIRS] = {list_is_empty, pairs_write},
	[FIELD_ENUM] = {enum_is_empty, enum_write},
	[FIELD_OBJECT] = {object_is_empty, object_write},
	[FIELD_POINTER] = {pointer_is_empty, pointer_write},
	[FIELD_LIST] = {list_is_empty, list_write},
	[FIELD_MAP] = {list_is_empty, map_write},
	[FIELD_CUSTOM] = {is_always_empty, NULL},
	[FIELD_REFUSED] = {is_always_empty, NULL},
};

/* A struct by value is empty when all its members are: "{}" would lack the keys it requires. */
static bool object_is_empty(const struct field *field, const void *member)
{
	for (const struct field *inner = field->fields; inner->kind != FIELD_END; inner++)
		if (!rows[inner->kind].is_empty(inner, (const char *)member + inner->offset))
			return false;
	return true;
}

void encode_object(struct encoder *encoder, const char *key, const struct field *fields, const void *from)
{
	encode_object_begin(encoder, key);
	for (const struct field *field = fields; field->kind != FIELD_END; field++) {
		const void *member = (const char *)from + field->offset;

		if (!rows[field->kind].is_empty(field, member))
			rows[field->kind].write(encoder, field, member);
	}
	encode_object_end(encoder);
}
