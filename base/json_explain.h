/* Why a text is not JSON, in words. Private to json.c: the parser says that it stopped, this looks at the text again
 * and says what stands there and what should. */
#ifndef WARREN_BASE_JSON_EXPLAIN_H
#define WARREN_BASE_JSON_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Behind which token the parser stopped, and so what may come next. */
enum json_place {
	JSON_AT_START,
	JSON_AFTER_OBJECT_BEGIN,
	JSON_AFTER_KEY,
	JSON_AFTER_MEMBER,
	JSON_AFTER_ARRAY_BEGIN,
	JSON_AFTER_ITEM,
	JSON_AFTER_ALL,
};

struct json_stop {
	const char *text;
	size_t length;
	size_t offset; /* of the end of the last good token */
	enum json_place place;
	bool comments; /* are allowed */
};

/* Appends the reason; gives the offset where it lies. */
size_t json_explain(const struct json_stop *stop, struct text *reason);

/* True when nothing but blanks and whole comments follows: the parser does not mind a comment that is never closed
 * there. */
bool json_ends_at(const struct json_stop *stop);

#endif
