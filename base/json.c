/* JSON text → tree, by yajl's streaming parser (never its own tree, which leaked).
 *
 * What the parser leaves to us: where a token begins (it says only where it ends), bounds, NUL and broken surrogate
 * pairs in strings (it would make a '?' of them), strict UTF-8, and the words for what is wrong. The whole text is
 * given to it at once, with a line break behind: so every token lies whole in our buffer, a number at the very end ends
 * there, and positions are always those of this one text. */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json_explain.h"
#include "base/text.h"
#include "base/yajl_memory.h"

#define TEXT_MAX ((size_t)8 << 20)
#define DEPTH_MAX 64
#define MEMBERS_MAX 65536
#define VALUES_MAX (1 << 20) /* in all: bounds the tree at 64 MiB */

struct builder {
	struct arena *arena;
	struct json_doc *doc;
	struct error *err; /* filled when a callback refused */
	yajl_handle parser;
	struct json *open[DEPTH_MAX]; /* the arrays and objects around */
	size_t depth, values;
	const char *key; /* of the member to come */
	uint32_t key_offset;
	size_t end; /* of the last token */
	enum json_place place;
	bool comments;
};

static const char *const kind_names[] = {
	[JSON_NULL] = "null",
	[JSON_BOOL] = "a boolean",
	[JSON_NUMBER] = "a number",
	[JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",
	[JSON_OBJECT] = "an object",
};

const char *json_kind_name(enum json_kind kind)
{
	return kind_names[kind];
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *member = object->first; member; member = member->next)
		if (!strcmp(member->key, key))
			return member;
	return NULL;
}

void json_member_add(struct arena *arena, struct json *object, const char *key, const struct json *member)
{
	struct json *copy = arena_new(arena, struct json);

	*copy = *member;
	copy->key = key;
	copy->next = NULL;
	*(object->last ? &object->last->next : &object->first) = copy;
	object->last = copy;
	object->count++;
}

/* --- positions ---------------------------------------------------------------------------------------------------- */

const struct json_doc *json_part(const struct json_doc *doc, size_t offset)
{
	while (doc->more && offset >= doc->more->base)
		doc = doc->more;
	return doc;
}

size_t json_line(const struct json_doc *doc, size_t offset)
{
	const struct json_doc *part = json_part(doc, offset);
	size_t line = 1;

	for (size_t i = 0; i < offset - part->base && i < part->length; i++)
		line += part->text[i] == '\n';
	return line;
}

static int PRINTF(4, 0)
	failv_at(const struct json_doc *doc, size_t offset, struct error *err, const char *format, va_list args)
{
	struct text what AUTO(text_drop) = {0};
	size_t line = 1, start = 0;

	doc = json_part(doc, offset);
	offset -= doc->base;
	for (size_t i = 0; i < offset && i < doc->length; i++) {
		if (doc->text[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	text_appendv(&what, format, args);
	return fail(err, ERROR_USAGE, "%s:%zu:%zu: %s", doc->name, line, offset - start + 1, text_string(&what));
}

static int PRINTF(4, 5) fail_at(const struct json_doc *doc, size_t offset, struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	failv_at(doc, offset, err, format, args);
	va_end(args);
	return -1;
}

int json_fail(const struct json_doc *doc, const struct json *node, struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	failv_at(doc, node->offset, err, format, args);
	va_end(args);
	return -1;
}

int json_fail_key(const struct json_doc *doc, const struct json *node, struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	failv_at(doc, node->key ? node->key_offset : node->offset, err, format, args);
	va_end(args);
	return -1;
}

/* The opening quote of the string that ends before `end`. A quote inside it has an odd number of backslashes in front;
 * before the opening one there is never a backslash: outside of strings only comments hold any, and those end
 * otherwise. */
static size_t string_start(const char *text, size_t end)
{
	size_t pos = end - 1, backslashes;

	do {
		pos--;
		while (text[pos] != '"')
			pos--;
		backslashes = 0;
		while (pos > backslashes && text[pos - 1 - backslashes] == '\\')
			backslashes++;
	} while (backslashes % 2);
	return pos;
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

static unsigned hex_value(const char *digits)
{
	char copy[5] = {digits[0], digits[1], digits[2], digits[3]};

	return (unsigned)strtoul(copy, NULL, 16); /* the parser has seen four hexadecimal digits there */
}

/* How many bytes the \u escape or pair of escapes takes; 0: what it names cannot stand in a string. */
static size_t unicode_escape_length(const char *at, const char *end)
{
	unsigned first = hex_value(at + 2);

	if (first < 0xd800 || first > 0xdfff)
		return first ? 6 : 0;
	if (first > 0xdbff || end - at < 12 || at[6] != '\\' || at[7] != 'u')
		return 0;
	return hex_value(at + 8) >> 10 == 0xdc00 >> 10 ? 12 : 0;
}

/* Looks through the escapes of the raw string between its quotes. */
static int escapes_check(struct builder *b, size_t start, size_t end)
{
	const char *at = b->doc->text + start, *stop = b->doc->text + end;

	while ((at = memchr(at, '\\', (size_t)(stop - at)))) {
		size_t length = at[1] == 'u' ? unicode_escape_length(at, stop) : 2;

		if (!length)
			return fail_at(b->doc, (size_t)(at - b->doc->text), b->err, "%.6s in a string: %s", at,
				hex_value(at + 2) ? "half of a surrogate pair" : "NUL is not allowed");
		at += length;
	}
	return 0;
}

/* Takes the string that the parser just read. NULL: refused. */
static const char *string_take(struct builder *b, const unsigned char *string, size_t length, uint32_t *offset)
{
	size_t end = yajl_get_bytes_consumed(b->parser), start = string_start(b->doc->text, end);

	if (escapes_check(b, start + 1, end - 1) < 0)
		return NULL;
	*offset = (uint32_t)start;
	return arena_bytes(b->arena, (const char *)string, length);
}

/* --- building; each returns 0 to stop the parser ------------------------------------------------------------------ */

static void place_after_value(struct builder *b)
{
	b->end = yajl_get_bytes_consumed(b->parser);
	if (!b->depth)
		b->place = JSON_AFTER_ALL;
	else
		b->place = b->open[b->depth - 1]->kind == JSON_OBJECT ? JSON_AFTER_MEMBER : JSON_AFTER_ITEM;
}

static struct json *node_add(struct builder *b, enum json_kind kind, size_t offset)
{
	struct json *parent = b->depth ? b->open[b->depth - 1] : NULL, *node;

	if (parent && parent->count == MEMBERS_MAX) {
		fail_at(b->doc, offset, b->err, "%s with more than %d members", kind_names[parent->kind], MEMBERS_MAX);
		return NULL;
	}
	if (++b->values > VALUES_MAX) {
		fail_at(b->doc, offset, b->err, "more than %d values", VALUES_MAX);
		return NULL;
	}
	node = arena_new(b->arena, struct json);
	*node = (struct json){.kind = kind, .offset = (uint32_t)offset, .key = b->key, .key_offset = b->key_offset};
	b->key = NULL;
	b->key_offset = 0;
	if (!parent) {
		b->doc->root = node;
		return node;
	}
	*(parent->last ? &parent->last->next : &parent->first) = node;
	parent->last = node;
	parent->count++;
	return node;
}

static int on_word(struct builder *b, enum json_kind kind, size_t length, bool value)
{
	struct json *node = node_add(b, kind, yajl_get_bytes_consumed(b->parser) - length);

	if (!node)
		return 0;
	node->boolean = value;
	place_after_value(b);
	return 1;
}

static int on_null(void *context)
{
	return on_word(context, JSON_NULL, strlen("null"), false);
}

static int on_boolean(void *context, int value)
{
	return on_word(context, JSON_BOOL, value ? strlen("true") : strlen("false"), value);
}

static int on_number(void *context, const char *number, size_t length)
{
	struct builder *b = context;
	struct json *node = node_add(b, JSON_NUMBER, yajl_get_bytes_consumed(b->parser) - length);

	if (!node)
		return 0;
	node->text = arena_bytes(b->arena, number, length);
	place_after_value(b);
	return 1;
}

static int on_string(void *context, const unsigned char *string, size_t length)
{
	struct builder *b = context;
	uint32_t offset;
	const char *text = string_take(b, string, length, &offset);
	struct json *node = text ? node_add(b, JSON_STRING, offset) : NULL;

	if (!node)
		return 0;
	node->text = text;
	place_after_value(b);
	return 1;
}

static int on_key(void *context, const unsigned char *string, size_t length)
{
	struct builder *b = context;

	b->key = string_take(b, string, length, &b->key_offset);
	b->end = yajl_get_bytes_consumed(b->parser);
	b->place = JSON_AFTER_KEY;
	return b->key != NULL;
}

static int on_begin(struct builder *b, enum json_kind kind)
{
	size_t offset = yajl_get_bytes_consumed(b->parser) - 1;
	struct json *node;

	if (b->depth == DEPTH_MAX) {
		fail_at(b->doc, offset, b->err, "nested deeper than %d levels", DEPTH_MAX);
		return 0;
	}
	node = node_add(b, kind, offset);
	if (!node)
		return 0;
	b->open[b->depth++] = node;
	b->end = offset + 1;
	b->place = kind == JSON_OBJECT ? JSON_AFTER_OBJECT_BEGIN : JSON_AFTER_ARRAY_BEGIN;
	return 1;
}

static int on_object_begin(void *context)
{
	return on_begin(context, JSON_OBJECT);
}

static int on_array_begin(void *context)
{
	return on_begin(context, JSON_ARRAY);
}

static int on_end(void *context)
{
	struct builder *b = context;

	b->depth--;
	place_after_value(b);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object_begin,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array_begin,
	.yajl_end_array = on_end,
};

/* --- parsing ------------------------------------------------------------------------------------------------------ */

static void parser_drop(yajl_handle *parser)
{
	if (*parser)
		yajl_free(*parser);
}

static int utf8_check(const struct json_doc *doc, struct error *err)
{
	for (size_t i = 0, step; i < doc->length; i += step) {
		step = utf8_length(doc->text + i, doc->length - i);
		if (!step)
			return fail_at(doc, i, err, "byte 0x%02x is not UTF-8", (unsigned char)doc->text[i]);
	}
	return 0;
}

static struct json_stop stop_of(const struct builder *b)
{
	return (struct json_stop){
		.text = b->doc->text,
		.length = b->doc->length,
		.offset = b->end,
		.place = b->place,
		.comments = b->comments,
	};
}

static int fail_explained(const struct builder *b)
{
	const struct json_stop stop = stop_of(b);
	struct text reason AUTO(text_drop) = {0};
	size_t offset = json_explain(&stop, &reason);

	return fail_at(b->doc, offset, b->err, "%s", text_string(&reason));
}

static int tree_build(struct builder *b)
{
	struct yajl_pool pool;
	AUTO(parser_drop) yajl_handle parser = yajl_alloc(&callbacks, yajl_pool_begin(&pool), b);
	struct json_stop stop;
	yajl_status status;

	b->parser = parser;
	yajl_config(parser, yajl_allow_comments, (int)b->comments);
	yajl_config(parser, yajl_dont_validate_strings, 1); /* done before, more strictly */
	status = yajl_parse(parser, (const unsigned char *)b->doc->text, b->doc->length + 1);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(parser);
	if (status == yajl_status_client_canceled)
		return -1;
	stop = stop_of(b);
	return status == yajl_status_ok && json_ends_at(&stop) ? 0 : fail_explained(b);
}

int json_parse(struct arena *arena, const char *name, const char *text, size_t length, enum json_flags flags,
	struct json_doc *doc, struct error *err)
{
	struct builder builder = {.arena = arena, .doc = doc, .err = err, .comments = flags & JSON_COMMENTS};
	char *copy;

	if (length > TEXT_MAX)
		return fail(err, ERROR_USAGE, "%s: larger than %zu bytes", name, TEXT_MAX);
	copy = arena_alloc(arena, length + 2);
	if (length)
		memcpy(copy, text, length);
	copy[length] = '\n';
	*doc = (struct json_doc){.name = arena_string(arena, name), .text = copy, .length = length};
	if (utf8_check(doc, err) < 0)
		return -1;
	return tree_build(&builder);
}

static void tree_move(struct json *node, uint32_t by)
{
	node->offset += by;
	if (node->key)
		node->key_offset += by;
	for (struct json *member = node->first; member; member = member->next)
		tree_move(member, by);
}

const struct json_doc *json_parse_more(struct arena *arena, struct json_doc *doc, const char *name, const char *text,
	size_t length, enum json_flags flags, struct error *err)
{
	struct json_doc *part = arena_new(arena, struct json_doc), *last = doc;

	if (json_parse(arena, name, text, length, flags, part, err) < 0)
		return NULL;
	while (last->more)
		last = (struct json_doc *)last->more;
	if (last->base + last->length + 1 > UINT32_MAX - TEXT_MAX) {
		fail(err, ERROR_USAGE, "%s: too many texts", name);
		return NULL;
	}
	part->base = last->base + (uint32_t)last->length + 1;
	tree_move(part->root, part->base);
	last->more = part;
	return part;
}

int json_read(
	struct arena *arena, int dir, const char *path, enum json_flags flags, struct json_doc *doc, struct error *err)
{
	const char *text;
	size_t length;

	if (file_read(arena, dir, path, TEXT_MAX, &text, &length, err) < 0)
		return -1;
	return json_parse(arena, path, text, length, flags, doc, err);
}
