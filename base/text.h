/* Text: growable buffers, lists of strings, and the only parsers of numbers, sizes, durations and names.
 *
 * Every number from outside (command line, JSON string, file of the kernel) passes through number_parse() or one of its
 * relatives here: full match, decimal digits only, range checked. "" , " 1", "1 ", "+1", "0x10", "1e3" and "01" are
 * refused. */
#ifndef WARREN_BASE_TEXT_H
#define WARREN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* A growable, always NUL-terminated buffer; all zero: empty (data NULL until the first append; use text_string()). */
struct text {
	char *data;
	size_t length, capacity;
};
void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_appendf(struct text *text, const char *format, ...) PRINTF(2, 3);
void text_appendv(struct text *text, const char *format, va_list args) PRINTF(2, 0);
const char *text_string(const struct text *text); /* never NULL */
void text_clear(struct text *text);		  /* empty, memory kept */
void text_drop(struct text *text);

/* A malloc()ed string; ends the process when memory is out, as the arena does. */
char *text_format(const char *format, ...) PRINTF(1, 2) __attribute__((returns_nonnull));

/* A list of strings in an arena; all zero: empty. items[count] is NULL once something was added (fit for execve). */
struct strings {
	const char **items;
	size_t count;
};
void strings_add(struct arena *arena, struct strings *list, const char *item); /* copies the pointer, not the text */
bool strings_contain(const struct strings *list, const char *item);
/* Splits at every separator; empty parts are kept. */
struct strings strings_split(struct arena *arena, const char *text, char separator);

/* name=value pairs in the order they came; all zero: empty. */
struct pair {
	const char *name, *value;
};
struct pairs {
	struct pair *items;
	size_t count;
};
/* Replaces the value when the name is there already. */
void pairs_set(struct arena *arena, struct pairs *pairs, const char *name, const char *value);
const char *pairs_get(const struct pairs *pairs, const char *name); /* NULL when absent */

/* Decimal, optional '-' , nothing else; min..max. The error is ERROR_USAGE and says value and range, not what it was
 * for: callers blame() that in front. */
MUST_CHECK int number_parse(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err);
MUST_CHECK int number_parse_u64(const char *text, uint64_t max, uint64_t *out, struct error *err);
MUST_CHECK int octal_parse(const char *text, unsigned max, unsigned *out, struct error *err); /* "0644", "644" */

/* Bytes: a number with an optional suffix B, K, M, G or T (also KiB, KB …), all binary: "64M" is 67,108,864. */
MUST_CHECK int size_parse(const char *text, int64_t *bytes, struct error *err);
/* Bits per second, as networks count: K, M, G and T are powers of 1000, "bit" may follow: "100M", "1.5Gbit". From 64K
 * to 1T, in whole bytes. */
#define BITRATE_MIN INT64_C(64000)
#define BITRATE_MAX INT64_C(1000000000000)
MUST_CHECK int bitrate_parse(const char *text, int64_t *bits, struct error *err);
/* Milliseconds: "250ms", "10s", "1m30s", "2h"; a plain number means seconds. At most 10 years. */
MUST_CHECK int duration_parse(const char *text, int64_t *ms, struct error *err);
/* Processors in thousandths: "0.5" → 500; at most three decimals, 0.001 … 65536. */
MUST_CHECK int cpus_parse(const char *text, int64_t *milli, struct error *err);
/* CPU lists as the kernel writes them, "0-3,7": checked for form, kept as text. */
MUST_CHECK int cpulist_check(const char *text, struct error *err);

/* The inverse of size_parse for people: "64M", "1.5G", "512B"; of duration for people: "3m12s", "2d4h". buffer ≥ 24. */
const char *size_format(int64_t bytes, char buffer[24]);
const char *bitrate_format(int64_t bits, char buffer[24]); /* "100M", "1.500G" */
const char *duration_format(int64_t ms, char buffer[24]);

/* Names of instances, networks, fleets and volumes: [a-z0-9][a-z0-9-]{0,62}. `what` names the thing in the error:
 * instance name "Web_1": … */
MUST_CHECK int name_check(const char *what, const char *name, struct error *err);
/* Container ids of warren-oci: [A-Za-z0-9_+.-]{1,255}, not beginning with '.' or '-'. */
MUST_CHECK int id_check(const char *id, struct error *err);
/* Refuses control characters (and so line breaks): for every string that ends in a line-based file. */
MUST_CHECK int line_check(const char *what, const char *text, struct error *err);

bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);
static inline bool text_is_empty(const char *text)
{
	return !text || !*text;
}
/* How many bytes the character at the beginning takes: 1 to 4, or 0 when it is not UTF-8 (cut, overlong, a surrogate,
 * beyond U+10FFFF). length ≥ 1. */
size_t utf8_length(const char *bytes, size_t length);
bool text_equal(const char *a, const char *b); /* NULL equals NULL only */

#endif
