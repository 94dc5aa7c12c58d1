/* Annotations org.systemd.property.NAME → properties. Their values are GVariant text (GLib's manual, "GVariant Text
 * Format"), of which the part is read that properties of scopes are made of: truth values, numbers, strings, and arrays
 * of one of these. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/systemd.h"

#define ANNOTATION "org.systemd.property."
#define TEXT_MAX 8192
#define SECOND_US 1000000
/* So that microseconds stay exact in a double. */
#define SECONDS_MAX 4000000000.0

struct cursor {
	const char *at;
	struct arena *arena;
};

static void blanks_skip(struct cursor *c)
{
	c->at += strspn(c->at, " \t\r\n");
}

static bool token_take(struct cursor *c, char token)
{
	blanks_skip(c);
	if (*c->at != token)
		return false;
	c->at++;
	return true;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	char type;
} keywords[] = {
	{"boolean", 'b'},
	{"byte", 'y'},
	{"int16", 'n'},
	{"uint16", 'q'},
	{"int32", 'i'},
	{"handle", 'i'},
	{"uint32", 'u'},
	{"int64", 'x'},
	{"uint64", 't'},
	{"double", 'd'},
	{"string", 's'},
	{"objectpath", 'o'},
};

/* "uint64 5": the type; 0 when there is no such word here. */
static char keyword_take(struct cursor *c)
{
	blanks_skip(c);
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
		size_t length = strlen(keywords[i].word);

		if (strncmp(c->at, keywords[i].word, length) == 0 && c->at[length] == ' ') {
			c->at += length;
			return keywords[i].type;
		}
	}
	return 0;
}

static const char *quoted_take(struct cursor *c, struct error *err)
{
	AUTO(text_drop) struct text out = {0};
	char quote = *c->at++;

	for (; *c->at && *c->at != quote; c->at++) {
		static const char escapes[] = "\\\\''\"\"n\nt\t";
		const char *escape = *c->at == '\\' ? escapes : NULL;

		if (!escape) {
			text_append_bytes(&out, c->at, 1);
			continue;
		}
		c->at++;
		while (*escape && *escape != *c->at)
			escape += 2;
		if (!*escape || !*c->at) {
			fail(err, ERROR_USAGE, "a backslash stands before one of \\ ' \" n t");
			return NULL;
		}
		text_append_bytes(&out, escape + 1, 1);
	}
	if (!*c->at) {
		fail(err, ERROR_USAGE, "the string has no end");
		return NULL;
	}
	c->at++;
	return arena_string(c->arena, text_string(&out));
}

/* A number or true or false: up to what cannot be in one. */
static const char *plain_take(struct cursor *c, struct error *err)
{
	size_t length = strcspn(c->at, " \t\r\n,[]()<>{}'\"@");
	const char *word = arena_bytes(c->arena, c->at, length);

	c->at += length;
	if (length == 0)
		fail(err, ERROR_USAGE, "a value is missing at \"%.40s\"", c->at);
	return length ? word : NULL;
}

static char plain_type(const char *word)
{
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
		return 'b';
	return word[strcspn(word, ".eE")] ? 'd' : 'i';
}

/* --- values ------------------------------------------------------------------------------------------------------- */

/* One basic value; *type: what it must be, or 0 and what it is. */
static const char *basic_take(struct cursor *c, char *type, struct error *err)
{
	char said = keyword_take(c), found;
	const char *value;

	blanks_skip(c);
	value = *c->at == '\'' || *c->at == '"' ? (found = 's', quoted_take(c, err)) : (found = 0, plain_take(c, err));
	if (!value)
		return NULL;
	if (!found)
		found = plain_type(value);
	if (!*type)
		*type = said ? said : found;
	if ((said && said != *type) || ((found == 's') != (*type == 's' || *type == 'o')) ||
		((found == 'b') != (*type == 'b'))) {
		fail(err, ERROR_USAGE, "\"%.80s\" is not of the type before it", value);
		return NULL;
	}
	return value;
}

static int array_take(struct cursor *c, char *type, struct systemd_property *out, struct error *err)
{
	if (token_take(c, ']'))
		return *type ? 0 : fail(err, ERROR_USAGE, "an empty array has a type before it, as \"@as []\"");
	do {
		const char *value = basic_take(c, type, err);

		if (!value)
			return -1;
		strings_add(c->arena, &out->values, value);
	} while (token_take(c, ','));
	return token_take(c, ']') ? 0 : fail(err, ERROR_USAGE, "the array has no end");
}

/* "@as ": the type, "" when none is said. */
static const char *annotation_take(struct cursor *c)
{
	size_t length;

	if (!token_take(c, '@'))
		return "";
	length = strcspn(c->at, " ");
	c->at += length;
	return arena_bytes(c->arena, c->at - length, length);
}

int systemd_variant_parse(struct arena *arena, const char *text, struct systemd_property *out, struct error *err)
{
	struct cursor c = {.at = text, .arena = arena};
	const char *said, *value;
	char type;
	bool array;

	if (strlen(text) > TEXT_MAX)
		return fail(err, ERROR_USAGE, "%zu bytes, at most %d", strlen(text), TEXT_MAX);
	out->values = (struct strings){0};
	said = annotation_take(&c);
	array = token_take(&c, '[');
	if (*said && strlen(said) != 1U + array)
		return fail(err, ERROR_USAGE, "type \"%.16s\" is not supported here", said);
	type = *said ? said[array] : '\0';
	if (array) {
		if (array_take(&c, &type, out, err) < 0)
			return -1;
	} else {
		value = basic_take(&c, &type, err);
		if (!value)
			return -1;
		strings_add(arena, &out->values, value);
	}
	blanks_skip(&c);
	if (*c.at)
		return fail(err, ERROR_USAGE, "\"%.40s\" follows the value", c.at);
	out->type = arena_format(arena, "%s%c", array ? "a" : "", type);
	return 0;
}

/* --- annotations -------------------------------------------------------------------------------------------------- */

/* What makes the container's scope one: ours to say. */
static const char *const reserved[] = {"PIDs", "PIDFDs", "Slice", "Delegate"};

static int reserved_check(const char *name, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return fail(err, ERROR_USAGE, "is set by the runtime");
	return 0;
}

/* TimeoutStopSec, but not …USec, which is what it is called on the bus. */
static bool is_in_seconds(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && text_ends_with(name, "Sec") && name[length - 4] >= 'a' && name[length - 4] <= 'z';
}

static int seconds_convert(struct arena *arena, struct systemd_property *property, struct error *err)
{
	double seconds;

	if (strlen(property->type) != 1 || !strchr("ynqiuxtd", *property->type))
		return fail(err, ERROR_USAGE, "is a number of seconds");
	if (systemd_property_check(property, err) < 0)
		return -1;
	seconds = strtod(property->values.items[0], NULL);
	if (!(seconds >= 0 && seconds <= SECONDS_MAX))
		return fail(err, ERROR_USAGE, "%s seconds", property->values.items[0]);
	property->name = arena_format(arena, "%.*sUSec", (int)strlen(property->name) - 3, property->name);
	property->type = "t";
	property->values.items[0] = arena_format(arena, "%llu", (unsigned long long)(seconds * SECOND_US));
	return 0;
}

static int annotation_convert(
	struct arena *arena, const struct pair *annotation, struct systemd_property *out, struct error *err)
{
	*out = (struct systemd_property){.name = annotation->name + strlen(ANNOTATION)};
	if (reserved_check(out->name, err) < 0 || systemd_variant_parse(arena, annotation->value, out, err) < 0)
		return -1;
	if (is_in_seconds(out->name) && seconds_convert(arena, out, err) < 0)
		return -1;
	return systemd_property_check(out, err);
}

int systemd_properties_add_annotations(
	struct arena *arena, struct systemd_properties *list, const struct pairs *annotations, struct error *err)
{
	for (size_t i = 0; i < annotations->count; i++) {
		struct systemd_property property;

		if (!text_starts_with(annotations->items[i].name, ANNOTATION))
			continue;
		if (annotation_convert(arena, &annotations->items[i], &property, err) < 0)
			return blame(err, "annotation %.100s", annotations->items[i].name);
		systemd_property_put(arena, list, &property);
		if (list->count > SYSTEMD_PROPERTIES_MAX)
			return fail(err, ERROR_USAGE, "annotations: more than %d properties of systemd",
				SYSTEMD_PROPERTIES_MAX);
	}
	return 0;
}
