/* Values → JSON text. base/encode.c is the only file that includes yajl's generator.
 *
 * Calls must nest rightly; a wrong nesting or a string that is not UTF-8 (it is then written with U+FFFD) never loses
 * the rest. The text is owned by the encoder until encoder_take(). */
#ifndef WARREN_BASE_ENCODE_H
#define WARREN_BASE_ENCODE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/decode.h"
#include "base/text.h"

struct encoder;

enum encode_style { ENCODE_COMPACT, ENCODE_PRETTY };

struct encoder *encoder_new(enum encode_style style) __attribute__((returns_nonnull));
void encoder_drop(struct encoder **encoder);
/* The finished text (ends in a line break when pretty), malloc()ed, the caller's; the encoder is empty afterwards. */
char *encoder_take(struct encoder *encoder, size_t *length) __attribute__((returns_nonnull));
/* The same to a stream, with a line break at its end in either style; whether that took it shows in its ferror(). */
void encoder_print(struct encoder *encoder, FILE *out);
/* The same as a tree in the arena. NULL: it is not valid after all, as when a number was no number. */
const struct json *encoder_tree(struct encoder *encoder, struct arena *arena, struct error *err);

/* key is NULL inside arrays and at the top. */
void encode_object_begin(struct encoder *encoder, const char *key);
void encode_object_end(struct encoder *encoder);
void encode_array_begin(struct encoder *encoder, const char *key);
void encode_array_end(struct encoder *encoder);
void encode_string(
	struct encoder *encoder, const char *key, const char *value); /* NULL value: left out (null in arrays) */
void encode_integer(struct encoder *encoder, const char *key, int64_t value);
void encode_uint64(struct encoder *encoder, const char *key, uint64_t value);
void encode_number(struct encoder *encoder, const char *key, const char *digits); /* as written */
void encode_bool(struct encoder *encoder, const char *key, bool value);
void encode_null(struct encoder *encoder, const char *key);
void encode_strings(struct encoder *encoder, const char *key, const struct strings *list); /* empty: left out */
void encode_pairs(struct encoder *encoder, const char *key, const struct pairs *pairs);	   /* empty: left out */
/* A tree as it is, for what we pass through. */
void encode_json(struct encoder *encoder, const char *key, const struct json *node);
/* A struct by its decoding table: the inverse of decode_object() for rows but CUSTOM and REFUSED, which are passed
 * over. Members that are empty (NULL, unset, no items) are left out. */
void encode_object(struct encoder *encoder, const char *key, const struct field *fields, const void *from);

#endif
