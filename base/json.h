/* JSON text → tree with positions. base/json.c is the only file that includes yajl's parser.
 *
 * Strings and numbers are kept as text, so that no number loses digits. Line and column are counted only when an error
 * needs them. Bounds: 8 MiB of text, 64 levels, 65,536 members of one array or object, 1,048,576 values in all; a
 * string holds no NUL and is valid UTF-8. */
#ifndef WARREN_BASE_JSON_H
#define WARREN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	bool boolean;
	uint32_t offset;     /* of the value's first byte in the text */
	uint32_t key_offset; /* of the key's opening quote */
	uint32_t count;	     /* of members */
	const char *key;     /* in an object, else NULL */
	const char *text;    /* of a string (decoded) or a number (as written) */
	struct json *first, *last, *next;
};

struct json_doc {
	const char *name; /* what errors call it, e.g. the file's path */
	const char *text;
	size_t length;
	struct json *root;
	uint32_t base;		     /* offsets of the nodes of this text begin here */
	const struct json_doc *more; /* further texts, behind this one: json_parse_more() */
};

enum json_flags { JSON_PLAIN = 0, JSON_COMMENTS = 1 }; /* comments: // to the end of the line, and slash-star */

/* Parses the whole text; all of it lives in the arena (text too, which is copied). Errors read "name:line:column: …"
 * (ERROR_USAGE). */
MUST_CHECK int json_parse(struct arena *arena, const char *name, const char *text, size_t length, enum json_flags flags,
	struct json_doc *doc, struct error *err);
/* file_read() and json_parse(). */
MUST_CHECK int json_read(
	struct arena *arena, int dir, const char *path, enum json_flags flags, struct json_doc *doc, struct error *err);

/* A further text whose tree is used together with doc's: positions in errors about its nodes are in it, under its name.
 * The tree is the part's root. NULL: failed. */
const struct json_doc *json_parse_more(struct arena *arena, struct json_doc *doc, const char *name, const char *text,
	size_t length, enum json_flags flags, struct error *err);
/* The one of doc's texts that holds an offset of one of its nodes, and the line there, from 1. */
const struct json_doc *json_part(const struct json_doc *doc, size_t offset);
size_t json_line(const struct json_doc *doc, size_t offset);

/* Adds a copy of a node (its members are shared) to an object, under that key. */
void json_member_add(struct arena *arena, struct json *object, const char *key, const struct json *member);

const struct json *json_get(const struct json *object, const char *key); /* NULL: absent or not an object */
const char *json_kind_name(enum json_kind kind);			 /* "a string", "an object" … */

/* fail() with "name:line:column: " of the node (its value, or its key) in front. */
int json_fail(const struct json_doc *doc, const struct json *node, struct error *err, const char *format, ...)
	PRINTF(4, 5);
int json_fail_key(const struct json_doc *doc, const struct json *node, struct error *err, const char *format, ...)
	PRINTF(4, 5);

#endif
