/* The fleet file's JSON schema, from the tables that decode it: a key that is not in them is not in the schema, and one
 * that is cannot be forgotten.
 *
 * Every value may be null, which takes away what a lower layer says, and "+key" appends to a list, as
 * fleet/file/merge.c has it. Strings may hold ${name} and ${index}, so a pattern lets them pass. */
#include <string.h>

#include "base/cleanup.h"
#include "fleet/file/file_reader.h"
#include "fleet/spec/spec_fields.h"

#define NAME_PATTERN "^[a-z0-9][a-z0-9-]{0,62}$"
#define OR_PLACEHOLDER "|\\$\\{"

static void object_encode(struct encoder *encoder, const char *key, const struct field *fields);

/* --- values ------------------------------------------------------------------------------------------------------- */

static void type_encode(struct encoder *encoder, const char *type)
{
	encode_array_begin(encoder, "type");
	encode_string(encoder, NULL, type);
	encode_string(encoder, NULL, "null");
	encode_array_end(encoder);
}

static void string_encode(struct encoder *encoder, const char *key, const char *pattern)
{
	auto_free char *lenient = text_format("%s" OR_PLACEHOLDER, pattern ? pattern : "");

	encode_object_begin(encoder, key);
	encode_string(encoder, "type", "string");
	if (pattern)
		encode_string(encoder, "pattern", lenient);
	encode_object_end(encoder);
}

static void one_type_encode(struct encoder *encoder, const char *key, const char *type)
{
	encode_object_begin(encoder, key);
	encode_string(encoder, "type", type);
	encode_object_end(encoder);
}

static void shape_encode(struct encoder *encoder, const char *key, const struct value_shape *shape, bool may_be_null);

static void items_encode(struct encoder *encoder, const char *key, const struct value_shape *items)
{
	if (items)
		shape_encode(encoder, key, items, false);
	else
		string_encode(encoder, key, NULL);
}

/* Where both forms are there, a list is of strings: ["NAME=value"]. */
static void list_form_encode(struct encoder *encoder, const struct value_shape *shape)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", "array");
	items_encode(encoder, "items", shape->forms & FORM_OBJECT ? NULL : shape->items);
	encode_object_end(encoder);
}

static void object_form_encode(struct encoder *encoder, const struct value_shape *shape)
{
	if (shape->fields) {
		object_encode(encoder, NULL, shape->fields);
		return;
	}
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", "object");
	items_encode(encoder, "additionalProperties", shape->items);
	encode_object_end(encoder);
}

static void shape_encode(struct encoder *encoder, const char *key, const struct value_shape *shape, bool may_be_null)
{
	encode_object_begin(encoder, key);
	encode_string(encoder, "description", shape->words);
	if (!shape->forms) { /* anything */
		encode_object_end(encoder);
		return;
	}
	encode_array_begin(encoder, "anyOf");
	if (shape->forms & FORM_STRING)
		string_encode(encoder, NULL, shape->pattern);
	if (shape->forms & FORM_NUMBER)
		one_type_encode(encoder, NULL, "number");
	if (shape->forms & FORM_LIST)
		list_form_encode(encoder, shape);
	if (shape->forms & FORM_OBJECT)
		object_form_encode(encoder, shape);
	if (may_be_null)
		one_type_encode(encoder, NULL, "null");
	encode_array_end(encoder);
	encode_object_end(encoder);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void integer_encode(struct encoder *encoder, const struct field *field)
{
	type_encode(encoder, "integer");
	encode_integer(encoder, "minimum", field->kind == FIELD_UINT64 ? 0 : field->min);
	if (field->kind != FIELD_UINT64)
		encode_integer(encoder, "maximum", field->max);
}

static void enum_encode(struct encoder *encoder, const struct field *field)
{
	encode_array_begin(encoder, "enum");
	for (const char *const *name = field->names; *name; name++)
		encode_string(encoder, NULL, *name);
	encode_null(encoder, NULL);
	encode_array_end(encoder);
}

static void strings_encode(struct encoder *encoder, const struct field *field)
{
	bool is_list = field->kind == FIELD_STRINGS;

	type_encode(encoder, is_list ? "array" : "object");
	one_type_encode(encoder, is_list ? "items" : "additionalProperties", "string");
}

static void many_encode(struct encoder *encoder, const struct field *field)
{
	bool is_list = field->kind == FIELD_LIST;

	type_encode(encoder, is_list ? "array" : "object");
	object_encode(encoder, is_list ? "items" : "additionalProperties", field->fields);
}

static void refused_encode(struct encoder *encoder, const struct field *field)
{
	encode_string(encoder, "description", field->reason);
	encode_object_begin(encoder, "not");
	encode_object_end(encoder);
}

static void text_type_encode(struct encoder *encoder, const struct field *field)
{
	type_encode(encoder, field->kind == FIELD_BOOL ? "boolean" : "string");
}

/* By the kind of a row; objects and CUSTOM rows are schemas of their own. */
static void (*const kinds[])(struct encoder *encoder, const struct field *field) = {
	[FIELD_STRING] = text_type_encode,
	[FIELD_BOOL] = text_type_encode,
	[FIELD_INTEGER] = integer_encode,
	[FIELD_OPTIONAL] = integer_encode,
	[FIELD_UINT64] = integer_encode,
	[FIELD_STRINGS] = strings_encode,
	[FIELD_PAIRS] = strings_encode,
	[FIELD_ENUM] = enum_encode,
	[FIELD_LIST] = many_encode,
	[FIELD_MAP] = many_encode,
	[FIELD_REFUSED] = refused_encode,
};

static void field_encode(struct encoder *encoder, const struct field *field)
{
	static const struct value_shape anything = {.forms = FORM_STRING | FORM_NUMBER | FORM_LIST | FORM_OBJECT};

	if (field->kind == FIELD_OBJECT || field->kind == FIELD_POINTER) {
		object_encode(encoder, field->key, field->fields);
		return;
	}
	if (field->kind == FIELD_CUSTOM) {
		shape_encode(encoder, field->key, field->shape ? field->shape : &anything, true);
		return;
	}
	encode_object_begin(encoder, field->key);
	kinds[field->kind](encoder, field);
	encode_object_end(encoder);
}

static void required_encode(struct encoder *encoder, const struct field *fields)
{
	encode_array_begin(encoder, "required");
	for (; fields->kind != FIELD_END; fields++)
		if (fields->flags & REQUIRED)
			encode_string(encoder, NULL, fields->key);
	encode_array_end(encoder);
}

static void object_encode(struct encoder *encoder, const char *key, const struct field *fields)
{
	encode_object_begin(encoder, key);
	type_encode(encoder, "object");
	encode_object_begin(encoder, "properties");
	for (const struct field *field = fields; field->kind != FIELD_END; field++)
		field_encode(encoder, field);
	encode_object_end(encoder);
	encode_object_begin(encoder, "patternProperties");
	one_type_encode(encoder, "^\\+", "array");
	encode_object_end(encoder);
	encode_bool(encoder, "additionalProperties", false);
	required_encode(encoder, fields);
	encode_object_end(encoder);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void reference_encode(struct encoder *encoder, const char *key, const char *to)
{
	encode_object_begin(encoder, key);
	encode_string(encoder, "$ref", to);
	encode_object_end(encoder);
}

static void named_encode(struct encoder *encoder, const char *to)
{
	encode_string(encoder, "type", "object");
	reference_encode(encoder, "propertyNames", "#/$defs/name");
	reference_encode(encoder, "additionalProperties", to);
}

/* What the top of the file has as trees: merged before they are decoded, so their rows have no table. */
static const struct {
	const char *key, *to;
	bool named; /* an object of them, by name */
} trees[] = {
	{"name", "#/$defs/name", false},
	{"defaults", "#/$defs/instance", false},
	{"profiles", "#/$defs/instance", true},
	{"instances", "#/$defs/instance", true},
	{"networks", "#/$defs/network", true},
	{"volumes", "#/$defs/volume", true},
};

static void top_field_encode(struct encoder *encoder, const struct field *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		if (strcmp(trees[i].key, field->key) != 0)
			continue;
		encode_object_begin(encoder, field->key);
		if (trees[i].named)
			named_encode(encoder, trees[i].to);
		else
			encode_string(encoder, "$ref", trees[i].to);
		encode_object_end(encoder);
		return;
	}
	field_encode(encoder, field);
}

static void definitions_encode(struct encoder *encoder)
{
	static const struct field no_fields[] = {END_OF_FIELDS};

	encode_object_begin(encoder, "$defs");
	encode_object_begin(encoder, "name");
	encode_string(encoder, "type", "string");
	encode_string(encoder, "pattern", NAME_PATTERN);
	encode_object_end(encoder);
	object_encode(encoder, "instance", instance_fields);
	object_encode(encoder, "network", network_fields);
	object_encode(encoder, "volume", no_fields);
	encode_object_end(encoder);
}

void fleet_schema_encode(struct encoder *encoder)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "$schema", "https://json-schema.org/draft/2020-12/schema");
	encode_string(encoder, "title", "fleet file of warren");
	encode_string(encoder, "type", "object");
	encode_object_begin(encoder, "properties");
	for (const struct field *field = file_fields; field->kind != FIELD_END; field++)
		top_field_encode(encoder, field);
	encode_object_end(encoder);
	encode_bool(encoder, "additionalProperties", false);
	required_encode(encoder, file_fields);
	definitions_encode(encoder);
	encode_object_end(encoder);
}
