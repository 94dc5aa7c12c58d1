/* Templates are carried out while they are read: no tree is made of them, a {{range}} reads its part again for each
 * item (once, in silence, when there is none). The text goes to memory first, so that a mistake at the end prints
 * nothing. */
#include "cli/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/suggest.h"
#include "base/text.h"

#define DEPTH_MAX 8		     /* of {{range}} in {{range}} */
#define OUTPUT_MAX ((size_t)8 << 20) /* a range in a range in a range multiplies */
#define WORDS_MAX 8

struct run {
	struct arena *arena;
	const struct json *document;
	const struct template_names *names;
	struct text *out;
	int depth;
	bool silent; /* read only to find its end and its mistakes */
};

/* --- names and values --------------------------------------------------------------------------------------------- */

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

static const struct json *member_find(const struct json *value, const char *name, size_t length)
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

static bool name_is_known(const struct run *run, const char *name, size_t length)
{
	for (size_t i = 0; run->names->optional[i]; i++)
		if (name_matches(run->names->optional[i], name, length))
			return true;
	return false;
}

static const char *known_list(const struct run *run)
{
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; run->names->optional[i]; i++)
		text_appendf(&text, "%s%s", i ? ", " : "there are ", run->names->optional[i]);
	return arena_string(run->arena, text_string(&text));
}

static int name_refuse(const struct run *run, const char *name, size_t length, struct error *err)
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
static const char *alias_apply(const struct run *run, const char *path)
{
	for (const struct template_alias *alias = run->names->aliases; alias->theirs; alias++) {
		size_t length = strlen(alias->theirs);

		if (!strncasecmp(path, alias->theirs, length) && (!path[length] || path[length] == '.'))
			return arena_format(run->arena, "%s%s", alias->ours, path + length);
	}
	return path;
}

/* ".a.b.0", "." or "$.a": *out NULL when it is not there. */
static int path_find(
	const struct run *run, const char *path, const struct json *dot, const struct json **out, struct error *err)
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
		const struct json *member = member_find(*out, path, length);

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

static void value_print(const struct run *run, const struct json *value, bool as_json)
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

/* --- actions ------------------------------------------------------------------------------------------------------ */

/* The words of an action; "quoted ones" lose their quotes and may hold blanks. */
struct words {
	const char *items[WORDS_MAX];
	size_t count;
};

static int words_split(const struct run *run, const char *text, size_t length, struct words *out, struct error *err)
{
	const char *at = text, *end = text + length;

	out->count = 0;
	for (;;) {
		const char *start;

		while (at < end && isspace((unsigned char)*at))
			at++;
		if (at == end)
			break;
		if (out->count == WORDS_MAX)
			return fail(err, ERROR_USAGE, "more than %d words", WORDS_MAX);
		bool quoted = *at == '"' || *at == '`';
		char quote = *at;
		start = at += quoted;
		while (at < end && (quoted ? *at != quote : !isspace((unsigned char)*at)))
			at++;
		if (quoted && at == end)
			return fail(err, ERROR_USAGE, "a quote is not closed");
		out->items[out->count++] = arena_bytes(run->arena, start, (size_t)(at - start));
		at += quoted;
	}
	return out->count ? 0 : fail(err, ERROR_USAGE, "nothing between {{ and }}");
}

static int action_value(const struct run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (path_find(run, words->items[0], dot, &value, err) < 0)
		return -1;
	value_print(run, value, false);
	return 0;
}

static int action_json(const struct run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (path_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	value_print(run, value, true);
	return 0;
}

static int action_index(const struct run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (path_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	for (size_t i = 2; i < words->count; i++)
		value = member_find(value, words->items[i], strlen(words->items[i]));
	value_print(run, value, false);
	return 0;
}

static int action_len(const struct run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;
	size_t length;

	if (path_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	length = !value ? 0 : value->kind == JSON_STRING ? strlen(value->text) : value->count;
	if (!run->silent)
		text_appendf(run->out, "%zu", length);
	return 0;
}

static const struct {
	const char *word;
	size_t min, max; /* words, its own included */
	int (*run)(const struct run *run, const struct words *words, const struct json *dot, struct error *err);
} actions[] = {
	{"json", 2, 2, action_json},
	{"index", 3, WORDS_MAX, action_index},
	{"len", 2, 2, action_len},
};

static int action_run(const struct run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const char *word = words->items[0];

	if (*word == '.' || *word == '$')
		return words->count == 1 ? action_value(run, words, dot, err)
					 : fail(err, ERROR_USAGE, "\"%s\": one value at a time", words->items[1]);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(word, actions[i].word)) {
			if (words->count < actions[i].min || words->count > actions[i].max)
				return fail(err, ERROR_USAGE, "%s: as in {{%s .ports%s}}", word, word,
					actions[i].min > 2 ? " 0" : "");
			return actions[i].run(run, words, dot, err);
		}
	return fail(err, ERROR_USAGE,
		"\"%s\" is not known here; {{.name}}, {{json .name}}, {{index .name \"key\"}}, {{len .name}} and "
		"{{range .name}}…{{end}} are",
		word);
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

static int part_run(struct run *run, const char **at, const struct json *dot, struct error *err);

static int range_run(
	struct run *run, const char **at, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *list, *item;
	const char *body = *at;
	bool silent = run->silent;

	if (words->count != 2)
		return fail(err, ERROR_USAGE, "range: as in {{range .ports}}{{.target}} {{end}}");
	if (run->depth == DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d ranges in one another", DEPTH_MAX);
	if (path_find(run, words->items[1], dot, &list, err) < 0)
		return -1;
	item = !list || (list->kind != JSON_ARRAY && list->kind != JSON_OBJECT) ? NULL : list->first;
	run->depth++;
	run->silent = silent || !item;
	do {
		*at = body;
		if (part_run(run, at, item, err) < 0)
			return -1;
		item = item ? item->next : NULL;
	} while (item);
	run->depth--;
	run->silent = silent;
	return 0;
}

/* Behind an opening {{, whose text begins at *at. 1: it was {{end}}. */
static int braces_run(struct run *run, const char **at, const struct json *dot, struct error *err)
{
	const char *text = *at, *close = strstr(text, "}}");
	struct words words;

	if (!close)
		return fail(err, ERROR_USAGE, "\"{{%s\" has no closing }}", text);
	*at = close + 2;
	if (words_split(run, text, (size_t)(close - text), &words, err) < 0)
		return -1;
	if (!strcmp(words.items[0], "end"))
		return run->depth ? 1 : fail(err, ERROR_USAGE, "{{end}} without a {{range}}");
	if (!strcmp(words.items[0], "range"))
		return range_run(run, at, &words, dot, err);
	return action_run(run, &words, dot, err);
}

/* To the end of the template, or to the {{end}} of the range that it stands in. */
static int part_run(struct run *run, const char **at, const struct json *dot, struct error *err)
{
	while (**at) {
		if (run->out->length > OUTPUT_MAX)
			return fail(err, ERROR_USAGE, "makes more than %zu MiB", OUTPUT_MAX >> 20);
		if (!strncmp(*at, "{{", 2)) {
			*at += 2;
			int result = braces_run(run, at, dot, err);
			if (result)
				return result < 0 ? -1 : 0;
			continue;
		}
		bool escaped = (*at)[0] == '\\' && ((*at)[1] == 't' || (*at)[1] == 'n');
		const char letter[] = {!escaped ? **at : (*at)[1] == 't' ? '\t' : '\n', '\0'};

		if (!run->silent)
			text_append(run->out, letter);
		*at += 1 + escaped;
	}
	return run->depth ? fail(err, ERROR_USAGE, "{{range}} without its {{end}}") : 0;
}

int template_print(struct arena *arena, const char *template, const struct json *document,
	const struct template_names *names, FILE *out, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	struct run run = {.arena = arena, .document = document, .names = names, .out = &text};
	const char *at = template;

	if (part_run(&run, &at, document, err) < 0)
		return blame(err, "--format");
	fprintf(out, "%s\n", text_string(&text));
	return 0;
}
