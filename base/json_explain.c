/* Why a text is not JSON: a second, slow look at the few bytes where the parser stopped. */
#include "base/json_explain.h"

#include <ctype.h>
#include <string.h>

#define WORD_SHOWN 24

struct view {
	const char *text;
	size_t length;
	bool comments;
};

static bool is_at(const struct view *view, size_t pos, const char *what)
{
	size_t length = strlen(what);

	return view->length - pos >= length && !memcmp(view->text + pos, what, length);
}

/* The offset behind the comment at pos, or pos itself when there is none or when it is never closed. */
static size_t skip_comment(const struct view *view, size_t pos)
{
	const char *from = view->text + pos + 2, *end = NULL;

	if (is_at(view, pos, "//")) {
		end = memchr(from, '\n', view->length - pos - 2);
		return end ? (size_t)(end - view->text) : view->length;
	}
	if (is_at(view, pos, "/*"))
		end = memmem(from, view->length - pos - 2, "*/", 2);
	return end ? (size_t)(end - view->text) + 2 : pos;
}

/* Behind blanks and, where they are allowed, comments. */
static size_t skip_blanks(const struct view *view, size_t pos)
{
	size_t before;

	do {
		before = pos;
		while (pos < view->length && isspace((unsigned char)view->text[pos]))
			pos++;
		if (view->comments)
			pos = skip_comment(view, pos);
	} while (pos != before);
	return pos;
}

/* A backslash at pos: gives how many bytes the escape takes, or 0 with the reason. */
static size_t escape_check(const struct view *view, size_t pos, struct text *reason)
{
	char letter = pos + 1 < view->length ? view->text[pos + 1] : '\0';

	if (letter && strchr("\"\\/bfnrt", letter))
		return 2;
	if (letter != 'u') {
		if (isgraph((unsigned char)letter))
			text_appendf(reason, "unknown escape \\%c in a string", letter);
		else
			text_append(reason, "unfinished escape in a string");
		return 0;
	}
	for (size_t i = 2; i < 6; i++) {
		if (pos + i >= view->length || !isxdigit((unsigned char)view->text[pos + i])) {
			text_append(reason, "\\u in a string needs four hexadecimal digits");
			return 0;
		}
	}
	return 6;
}

/* A quote at pos: gives the offset of what is wrong in the string, or pos with no reason when it is well formed. */
static size_t string_check(const struct view *view, size_t pos, struct text *reason)
{
	for (size_t i = pos + 1, step; i < view->length; i += step) {
		unsigned char byte = (unsigned char)view->text[i];

		step = 1;
		if (byte == '"')
			return pos;
		if (byte == '\n' || byte == '\r') {
			text_append(reason, "the string is not closed on its line");
			return pos;
		}
		if (byte < 0x20) {
			text_appendf(reason, "control character 0x%02x in a string", byte);
			return i;
		}
		if (byte == '\\' && !(step = escape_check(view, i, reason)))
			return i;
	}
	text_append(reason, "the string is never closed");
	return pos;
}

static size_t span_digits(const struct view *view, size_t pos)
{
	size_t start = pos;

	while (pos < view->length && isdigit((unsigned char)view->text[pos]))
		pos++;
	return pos - start;
}

/* True when the number at pos is well formed: -?digits(.digits)?([eE][+-]?digits)? */
static bool number_check(const struct view *view, size_t pos)
{
	size_t digits;

	pos += is_at(view, pos, "-");
	digits = span_digits(view, pos);
	if (!digits)
		return false;
	pos += digits;
	if (is_at(view, pos, ".")) {
		digits = span_digits(view, pos + 1);
		if (!digits)
			return false;
		pos += 1 + digits;
	}
	if (!is_at(view, pos, "e") && !is_at(view, pos, "E"))
		return true;
	pos++;
	pos += is_at(view, pos, "+") || is_at(view, pos, "-");
	return span_digits(view, pos) > 0;
}

static bool is_word_letter(char letter)
{
	return isalnum((unsigned char)letter) || letter == '_' || letter == '-' || letter == '+' || letter == '.';
}

static size_t span_word(const struct view *view, size_t pos)
{
	size_t start = pos;

	while (pos < view->length && pos - start < WORD_SHOWN && is_word_letter(view->text[pos]))
		pos++;
	return pos - start;
}

static void append_found(const struct view *view, size_t pos, struct text *reason)
{
	const char *at = view->text + pos;
	size_t length;

	if (pos >= view->length) {
		text_append(reason, "the end of the text");
	} else if (*at == '"') {
		text_append(reason, "a string");
	} else if (is_at(view, pos, "//") || is_at(view, pos, "/*")) {
		text_append(reason,
			view->comments ? "a comment that is never closed" : "a comment, which is not allowed here");
	} else if (is_at(view, pos, "\xef\xbb\xbf")) {
		text_append(reason, "a byte order mark");
	} else if ((length = span_word(view, pos))) {
		text_append(reason, "\"");
		text_append_bytes(reason, at, length);
		text_append(reason, "\"");
	} else if ((unsigned char)*at < 0x20 || *at == 0x7f) {
		text_appendf(reason, "byte 0x%02x", *at);
	} else {
		text_append(reason, "'");
		text_append_bytes(reason, at, utf8_length(at, view->length - pos));
		text_append(reason, *at == '\'' ? "' (strings stand in double quotes)" : "'");
	}
}

static bool is_word(const struct view *view, size_t pos)
{
	size_t length = span_word(view, pos);

	return (length == 4 && (is_at(view, pos, "true") || is_at(view, pos, "null"))) ||
	       (length == 5 && is_at(view, pos, "false"));
}

/* What is wrong with the token itself, if something is: then pos moves there. */
static bool token_is_bad(const struct view *view, size_t *pos, struct text *reason)
{
	char first = *pos < view->length ? view->text[*pos] : '\0';

	if (first == '"')
		*pos = string_check(view, *pos, reason);
	else if ((isdigit((unsigned char)first) || first == '-') && !number_check(view, *pos))
		text_appendf(reason, "malformed number \"%.*s\"", (int)span_word(view, *pos), view->text + *pos);
	else if (isalpha((unsigned char)first) && !is_word(view, *pos))
		text_appendf(reason, "unknown word \"%.*s\"", (int)span_word(view, *pos), view->text + *pos);
	return reason->length > 0;
}

static const struct {
	const char *separator; /* that may come first … */
	const char *close;     /* … or this; NULL: none */
	const char *expected;  /* in place of both */
	const char *then;      /* expected behind the separator */
} places[] = {
	[JSON_AT_START] = {NULL, NULL, "a value", NULL},
	[JSON_AFTER_OBJECT_BEGIN] = {NULL, "}", "a key or '}'", NULL},
	[JSON_AFTER_KEY] = {":", NULL, "':' after the key", "a value"},
	[JSON_AFTER_MEMBER] = {",", "}", "',' or '}'", "a key"},
	[JSON_AFTER_ARRAY_BEGIN] = {NULL, "]", "a value or ']'", NULL},
	[JSON_AFTER_ITEM] = {",", "]", "',' or ']'", "a value"},
	[JSON_AFTER_ALL] = {NULL, NULL, "the end of the text", NULL},
};

/* "01": the parser read "0", a whole number, and stopped at the next digit. */
static bool follows_zero(const struct json_stop *stop, size_t pos)
{
	return pos == stop->offset && pos > 0 && pos < stop->length && stop->text[pos - 1] == '0' &&
	       isdigit((unsigned char)stop->text[pos]);
}

size_t json_explain(const struct json_stop *stop, struct text *reason)
{
	const struct view view = {.text = stop->text, .length = stop->length, .comments = stop->comments};
	const char *expected = places[stop->place].expected, *separator = places[stop->place].separator;
	const char *close = places[stop->place].close;
	size_t pos = skip_blanks(&view, stop->offset);

	if (follows_zero(stop, pos)) {
		text_append(reason, "a number must not begin with 0");
		return pos - 1;
	}
	if (separator && is_at(&view, pos, separator)) {
		size_t behind = skip_blanks(&view, pos + 1);

		if (close && is_at(&view, behind, close)) {
			text_appendf(reason, "a comma must not stand before '%s'", close);
			return pos;
		}
		pos = behind;
		expected = places[stop->place].then;
		separator = NULL;
	}
	if (!separator && stop->place != JSON_AFTER_ALL && token_is_bad(&view, &pos, reason))
		return pos;
	text_appendf(reason, "expected %s, found ", expected);
	append_found(&view, pos, reason);
	return pos;
}

bool json_ends_at(const struct json_stop *stop)
{
	const struct view view = {.text = stop->text, .length = stop->length, .comments = stop->comments};

	return skip_blanks(&view, stop->offset) == stop->length;
}
