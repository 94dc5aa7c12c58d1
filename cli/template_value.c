/* Names without regard to case and "_", the words of others, and values as text. */
#include "cli/template_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/suggest.h"

/* Without regard to case and to "_". The one may end at `length`. */
static bool name_matches(const char *name, const char *wanted, size_t length)
{
	size_t i = 0;

	for (;; i++, name++) {
		name += strspn(name, "_");
		while (i < length && wanted[i] == '_')
			i++;
		if (i == length || !*name)
			return i == length && !*name;
		if (tolower((unsigned char)*name) != tolower((unsigned char)wanted[i]))
			return false;
	}
}

const struct json *template_member(const struct json *value, const char *name, size_t length)
{
	const struct json *loose = NULL;
	int64_t number;
	struct error ignored;

	if (!value)
		return NULL;
	if (value->kind == JSON_ARRAY) {
		auto_free char *digits = strndup(name, length);

		if (!digits || number_parse(digits, 0, UINT32_MAX, &number, &ignored) < 0)
			return NULL;
		value = value->first;
		while (value && number-- > 0)
			value = value->next;
		return value;
	}
	if (value->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *member = value->first; member; member = member->next) {
		if (strlen(member->key) == length && !memcmp(member->key, name, length))
			return member;
		if (!loose && name_matches(member->key, name, length))
			loose = member;
	}
	return loose;
}

struct name_walk {
	const struct json *member;
	const char *const *optional;
};

static const char *name_next(const void *context, size_t i)
{
	const struct name_walk *walk = context;
	const struct json *member = walk->member;

	for (; member && i; i--)
		member = member->next;
	return member ? member->key : walk->optional[i];
}

static bool name_is_known(const struct template_run *run, const char *name, size_t length)
{
	for (size_t i = 0; run->names->optional[i]; i++)
		if (name_matches(run->names->optional[i], name, length))
			return true;
	return false;
}

static const char *known_list(const struct template_run *run)
{
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; run->names->optional[i]; i++)
		text_appendf(&text, "%s%s", i ? ", " : "there are ", run->names->optional[i]);
	return arena_string(run->arena, text_string(&text));
}

static int name_refuse(const struct template_run *run, const char *name, size_t length, struct error *err)
{
	const struct name_walk walk = {run->document->first, run->names->optional};
	char *lower = (char *)arena_bytes(run->arena, name, length);
	const char *guess;

	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	guess = suggest(lower, name_next, &walk);
	return fail(err, ERROR_USAGE, "no %s \".%.*s\"%s%s%s; %s", run->names->lists ? "field" : "member", (int)length,
		name, guess ? "; did you mean \"." : "", guess ? guess : "", guess ? "\"?" : "",
		run->names->lists ? known_list(run) : "{{json .}} shows all there are");
}

/* ".State.Pid" where docker has it is ".pid" here. Only whole names: ".State" is our own. */
static const char *alias_apply(const struct template_run *run, const char *path)
{
	for (const struct template_alias *alias = run->names->aliases; alias->theirs; alias++) {
		size_t length = strlen(alias->theirs);

		if (!strncasecmp(path, alias->theirs, length) && (!path[length] || path[length] == '.'))
			return arena_format(run->arena, "%s%s", alias->ours, path + length);
	}
	return path;
}

int template_find(const struct template_run *run, const char *path, const struct json *dot, const struct json **out,
	struct error *err)
{
	if (*path == '$') {
		dot = run->document;
		path++;
		if (!*path)
			path = ".";
	}
	if (*path != '.')
		return fail(err, ERROR_USAGE, "\"%s\" begins with no \".\"", path);
	path++;
	if (dot == run->document)
		path = alias_apply(run, path);
	if (*path == '#') {
		dot = run->names->extra;
		path++;
	}
	*out = dot;
	while (*path) {
		size_t length = strcspn(path, ".");
		const struct json *member = template_member(*out, path, length);

		if (!length)
			return fail(err, ERROR_USAGE, "a name is missing behind a \".\"");
		if (!member && *out == run->document && *out && !name_is_known(run, path, length))
			return name_refuse(run, path, length, err);
		*out = member;
		path += length;
		path += *path == '.';
	}
	return 0;
}

void template_value_print(const struct template_run *run, const struct json *value, bool as_json)
{
	if (run->silent || (!value && !as_json))
		return;
	if (!as_json && (value->kind == JSON_STRING || value->kind == JSON_NUMBER)) {
		text_append(run->out, value->text);
	} else if (!as_json && value->kind == JSON_BOOL) {
		text_append(run->out, value->boolean ? "true" : "false");
	} else if (!value) {
		text_append(run->out, "null");
	} else if (as_json || value->kind != JSON_NULL) {
		AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
		size_t length;

		encode_json(encoder, NULL, value);
		auto_free char *text = encoder_take(encoder, &length);
		text_append(run->out, text);
	}
}
