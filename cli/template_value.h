/* Templates: what a name in one leads to. Only template*.c include this header. */
#ifndef WARREN_CLI_TEMPLATE_VALUE_H
#define WARREN_CLI_TEMPLATE_VALUE_H

#include <stdbool.h>

#include "base/text.h"
#include "cli/template.h"

/* A template that is being carried out. */
struct template_run {
	struct arena *arena;
	const struct json *document;
	const struct template_names *names;
	struct text *out;
	int depth;	    /* of blocks in one another */
	const char *opened; /* the word that opened the innermost */
	bool silent;	    /* read only to find its end and its mistakes */
};

/* ".a.b.0", "." or "$.a": *out NULL when it is not there. ERROR_USAGE: no such document has that. */
MUST_CHECK int template_find(const struct template_run *run, const char *path, const struct json *dot,
	const struct json **out, struct error *err);
/* A member of an object, or the item of an array by its number; NULL: there is none. */
const struct json *template_member(const struct json *value, const char *name, size_t length);
/* Nothing for NULL, "null" as JSON. */
void template_value_print(const struct template_run *run, const struct json *value, bool as_json);

#endif
