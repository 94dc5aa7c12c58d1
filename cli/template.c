/* Templates are carried out while they are read: no tree is made of them, a {{range}} reads its part again for each
 * item (once, in silence, when there is none). The text goes to memory first, so that a mistake at the end prints
 * nothing. */
#include "cli/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/template_value.h"

#define DEPTH_MAX 8		     /* of {{range}} in {{range}} */
#define OUTPUT_MAX ((size_t)8 << 20) /* a range in a range in a range multiplies */
#define WORDS_MAX 8

/* --- actions ------------------------------------------------------------------------------------------------------ */

/* The words of an action; "quoted ones" lose their quotes and may hold blanks. */
struct words {
	const char *items[WORDS_MAX];
	bool quoted[WORDS_MAX];
	size_t count;
};

static int words_split(
	const struct template_run *run, const char *text, size_t length, struct words *out, struct error *err)
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
		out->quoted[out->count] = quoted;
		out->items[out->count++] = arena_bytes(run->arena, start, (size_t)(at - start));
		at += quoted;
	}
	return out->count ? 0 : fail(err, ERROR_USAGE, "nothing between {{ and }}");
}

/* "\t" and "\n" are what they are in docker's; the rest is copied. */
static const char *letter_print(const struct template_run *run, const char *at)
{
	bool escaped = at[0] == '\\' && (at[1] == 't' || at[1] == 'n');
	const char letter[] = {!escaped ? *at : at[1] == 't' ? '\t' : '\n', '\0'};

	if (!run->silent)
		text_append(run->out, letter);
	return at + 1 + escaped;
}

static void escaped_print(const struct template_run *run, const char *text)
{
	while (*text)
		text = letter_print(run, text);
}

static int action_value(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (template_find(run, words->items[0], dot, &value, err) < 0)
		return -1;
	template_value_print(run, value, false);
	return 0;
}

static int action_json(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (template_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	template_value_print(run, value, true);
	return 0;
}

static int action_index(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (template_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	for (size_t i = 2; i < words->count; i++)
		value = template_member(value, words->items[i], strlen(words->items[i]));
	template_value_print(run, value, false);
	return 0;
}

static int action_len(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;
	size_t length;

	if (template_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	length = !value ? 0 : value->kind == JSON_STRING ? strlen(value->text) : value->count;
	if (!run->silent)
		text_appendf(run->out, "%zu", length);
	return 0;
}

static int action_join(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *list;

	if (template_find(run, words->items[1], dot, &list, err) < 0)
		return -1;
	if (!list || (list->kind != JSON_ARRAY && list->kind != JSON_OBJECT)) {
		template_value_print(run, list, false);
		return 0;
	}
	for (const struct json *item = list->first; item; item = item->next) {
		template_value_print(run, item, false);
		if (item->next)
			escaped_print(run, words->items[2]);
	}
	return 0;
}

static int cased_print(const struct template_run *run, const struct words *words, const struct json *dot,
	int (*change)(int), struct error *err)
{
	size_t before = run->out->length;

	if (action_value(run, &(struct words){.items = {words->items[1]}, .count = 1}, dot, err) < 0)
		return -1;
	for (size_t i = before; i < run->out->length; i++)
		run->out->data[i] = (char)change((unsigned char)run->out->data[i]);
	return 0;
}

static int action_upper(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	return cased_print(run, words, dot, toupper, err);
}

static int action_lower(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	return cased_print(run, words, dot, tolower, err);
}

static int action_println(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *value;

	if (template_find(run, words->items[1], dot, &value, err) < 0)
		return -1;
	template_value_print(run, value, false);
	escaped_print(run, "\n");
	return 0;
}

static const struct {
	const char *word;
	size_t min, max; /* words, its own included */
	int (*run)(
		const struct template_run *run, const struct words *words, const struct json *dot, struct error *err);
} actions[] = {
	{"json", 2, 2, action_json},
	{"index", 3, WORDS_MAX, action_index},
	{"len", 2, 2, action_len},
	{"join", 3, 3, action_join},
	{"upper", 2, 2, action_upper},
	{"lower", 2, 2, action_lower},
	{"println", 2, 2, action_println},
};

static int action_run(
	const struct template_run *run, const struct words *words, const struct json *dot, struct error *err)
{
	const char *word = words->items[0];

	if (words->quoted[0] && words->count == 1) {
		escaped_print(run, word);
		return 0;
	}
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
		"\"%s\" is not known here; {{.name}}, {{json .name}}, {{index .name \"key\"}}, {{len .name}}, "
		"{{join .name \" \"}}, {{upper .name}}, {{range .name}}…{{end}} and {{if .name}}…{{else}}…{{end}} are",
		word);
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

/* What ended a part; 0: the end of the template. */
enum stop { STOP_END = 1, STOP_ELSE };

static int part_run(struct template_run *run, const char **at, const struct json *dot, struct error *err);

/* Up to its {{end}} or {{else}}, which is given. */
static int block_run(struct template_run *run, const char **at, const struct json *dot, bool silent, struct error *err)
{
	bool before = run->silent;

	run->depth++;
	run->silent = before || silent;
	int stop = part_run(run, at, dot, err);
	run->depth--;
	run->silent = before;
	return stop;
}

static int else_run(struct template_run *run, const char **at, const struct json *dot, bool silent, struct error *err)
{
	int stop = block_run(run, at, dot, silent, err);

	return stop == STOP_ELSE ? fail(err, ERROR_USAGE, "{{else}} twice") : stop < 0 ? -1 : 0;
}

static int range_run(
	struct template_run *run, const char **at, const struct words *words, const struct json *dot, struct error *err)
{
	const struct json *list, *item;
	const char *body = *at;
	int stop;

	if (words->count != 2)
		return fail(err, ERROR_USAGE, "range: as in {{range .ports}}{{.target}} {{end}}");
	if (template_find(run, words->items[1], dot, &list, err) < 0)
		return -1;
	item = !list || (list->kind != JSON_ARRAY && list->kind != JSON_OBJECT) ? NULL : list->first;
	bool any = item;
	do {
		*at = body;
		stop = block_run(run, at, item, !item, err);
		if (stop < 0)
			return -1;
		item = item ? item->next : NULL;
	} while (item);
	return stop == STOP_ELSE ? else_run(run, at, dot, any, err) : 0;
}

/* As in Go: nothing, false, zero and what is empty do not hold. */
static bool value_holds(const struct json *value)
{
	if (!value || value->kind == JSON_NULL)
		return false;
	if (value->kind == JSON_BOOL)
		return value->boolean;
	if (value->kind == JSON_STRING)
		return *value->text;
	return value->kind == JSON_NUMBER ? strcmp(value->text, "0") != 0 : value->count > 0;
}

/* A value, or what stands there: a quoted text, a number, true or false. */
static int operand_text(const struct template_run *run, const struct words *words, size_t i, const struct json *dot,
	const char **out, struct error *err)
{
	const struct json *value;

	*out = words->items[i];
	if (words->quoted[i] || (**out != '.' && **out != '$'))
		return 0;
	if (template_find(run, words->items[i], dot, &value, err) < 0)
		return -1;
	*out = !value ? "" : value->kind == JSON_BOOL ? (value->boolean ? "true" : "false") : value->text;
	*out = *out ? *out : "";
	return 0;
}

/* "if .a", "if not .a", "if eq .a "b"", "if ne .a .b" */
static int condition_read(const struct template_run *run, const struct words *words, const struct json *dot,
	bool *holds, struct error *err)
{
	bool is_not = words->count == 3 && !strcmp(words->items[1], "not");
	bool is_equal = words->count == 4 && !strcmp(words->items[1], "eq"),
	     is_other = words->count == 4 && !strcmp(words->items[1], "ne");
	const struct json *value;
	const char *a, *b;

	if (is_equal || is_other) {
		if (operand_text(run, words, 2, dot, &a, err) < 0 || operand_text(run, words, 3, dot, &b, err) < 0)
			return -1;
		*holds = !strcmp(a, b) == is_equal;
		return 0;
	}
	if (words->count != 2 && !is_not)
		return fail(err, ERROR_USAGE,
			"if: as in {{if .health}}, {{if not .health}} or {{if eq .state \"running\"}}");
	if (template_find(run, words->items[is_not ? 2 : 1], dot, &value, err) < 0)
		return -1;
	*holds = value_holds(value) != is_not;
	return 0;
}

static int if_run(
	struct template_run *run, const char **at, const struct words *words, const struct json *dot, struct error *err)
{
	bool holds;

	if (condition_read(run, words, dot, &holds, err) < 0)
		return -1;
	int stop = block_run(run, at, dot, !holds, err);
	return stop == STOP_ELSE ? else_run(run, at, dot, holds, err) : stop < 0 ? -1 : 0;
}

static const struct {
	const char *word;
	int (*run)(struct template_run *run, const char **at, const struct words *words, const struct json *dot,
		struct error *err);
} blocks[] = {{"range", range_run}, {"if", if_run}};

static int block_open(struct template_run *run, size_t which, const char **at, const struct words *words,
	const struct json *dot, struct error *err)
{
	const char *outer = run->opened;

	if (run->depth == DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d blocks in one another", DEPTH_MAX);
	run->opened = blocks[which].word;
	int result = blocks[which].run(run, at, words, dot, err);
	run->opened = outer;
	return result;
}

/* {{end}} or {{else}}; 0: neither. */
static int stop_read(const struct template_run *run, const struct words *words, struct error *err)
{
	int stop = !strcmp(words->items[0], "end") ? STOP_END : !strcmp(words->items[0], "else") ? STOP_ELSE : 0;

	if (!stop || words->quoted[0])
		return 0;
	if (words->count > 1)
		return fail(err, ERROR_USAGE, "{{%s %s …}} is not known here", words->items[0], words->items[1]);
	return run->depth ? stop : fail(err, ERROR_USAGE, "{{%s}} without a {{range}} or {{if}}", words->items[0]);
}

/* Behind an opening {{, whose text begins at *at. */
static int braces_run(struct template_run *run, const char **at, const struct json *dot, struct error *err)
{
	const char *text = *at, *close = strstr(text, "}}");
	struct words words;

	if (!close)
		return fail(err, ERROR_USAGE, "\"{{%s\" has no closing }}", text);
	*at = close + 2;
	if (words_split(run, text, (size_t)(close - text), &words, err) < 0)
		return -1;
	int stop = stop_read(run, &words, err);
	if (stop)
		return stop;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (!strcmp(words.items[0], blocks[i].word))
			return block_open(run, i, at, &words, dot, err);
	return action_run(run, &words, dot, err);
}

/* To the end of the template, or to the {{end}} or {{else}} of the block that it stands in. */
static int part_run(struct template_run *run, const char **at, const struct json *dot, struct error *err)
{
	while (**at) {
		if (run->out->length > OUTPUT_MAX)
			return fail(err, ERROR_USAGE, "makes more than %zu MiB", OUTPUT_MAX >> 20);
		if (strncmp(*at, "{{", 2) != 0) {
			*at = letter_print(run, *at);
			continue;
		}
		*at += 2;
		int stop = braces_run(run, at, dot, err);
		if (stop)
			return stop;
	}
	return run->depth ? fail(err, ERROR_USAGE, "{{%s}} without its {{end}}", run->opened) : 0;
}

int template_print(struct arena *arena, const char *template, const struct json *document,
	const struct template_names *names, FILE *out, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	struct template_run run = {.arena = arena, .document = document, .names = names, .out = &text};
	const char *at = template;

	if (part_run(&run, &at, document, err) < 0)
		return blame(err, "--format");
	fprintf(out, "%s\n", text_string(&text));
	return 0;
}
