/* Command line → struct by table. */
#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"

static const struct option help_option = {.name = "help", .letter = 'h', .kind = OPTION_KIND_FLAG};

/* The words being walked through. */
struct walk {
	struct arena *arena;
	const struct option *table;
	char **words;
	int count, next;
	void *options;
	bool *help;
	struct error *err;
};

/* How an option was written, for errors: "--name" or "-n". */
struct spelling {
	char text[64];
};

static struct spelling spell(const struct option *option, bool is_long)
{
	struct spelling spelling;

	if (is_long)
		snprintf(spelling.text, sizeof(spelling.text), "--%s", option->name);
	else
		snprintf(spelling.text, sizeof(spelling.text), "-%c", option->letter);
	return spelling;
}

bool option_takes_value(const struct option *option)
{
	return option->argument || (option->kind != OPTION_KIND_FLAG && option->kind != OPTION_KIND_IGNORED);
}

static const struct option *find_long(const struct option *table, const char *name, size_t length)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (table->name && strlen(table->name) == length && !memcmp(table->name, name, length))
			return table;
	return length == 4 && !memcmp(name, "help", 4) ? &help_option : NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (table->letter && table->letter == letter)
			return table;
	return letter == 'h' ? &help_option : NULL;
}

/* --- storing one option ------------------------------------------------------------------------------------------- */

static int flag_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	(void)option;
	if (!value || !strcmp(value, "true")) {
		*(bool *)member = true;
		return 0;
	}
	if (!strcmp(value, "false")) {
		*(bool *)member = false;
		return 0;
	}
	return fail(walk->err, ERROR_USAGE, "takes no value");
}

static int text_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	(void)option;
	(void)walk;
	*(const char **)member = value;
	return 0;
}

static int texts_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	(void)option;
	strings_add(walk->arena, member, value);
	return 0;
}

static int integer_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	struct optional *optional = member;

	if (number_parse(value, option->min, option->max, &optional->value, walk->err) < 0)
		return -1;
	optional->set = true;
	return 0;
}

static int size_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	struct optional *optional = member;

	(void)option;
	if (size_parse(value, &optional->value, walk->err) < 0)
		return -1;
	optional->set = true;
	return 0;
}

static int duration_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	struct optional *optional = member;

	(void)option;
	if (duration_parse(value, &optional->value, walk->err) < 0)
		return -1;
	optional->set = true;
	return 0;
}

static int custom_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	return option->parse(walk->arena, value, member, walk->err);
}

static int ignored_store(const struct option *option, struct walk *walk, const char *value, void *member)
{
	(void)option;
	(void)walk;
	(void)value;
	(void)member;
	return 0;
}

typedef int option_store(const struct option *option, struct walk *walk, const char *value, void *member);

static option_store *const stores[] = {
	[OPTION_KIND_FLAG] = flag_store,
	[OPTION_KIND_TEXT] = text_store,
	[OPTION_KIND_TEXTS] = texts_store,
	[OPTION_KIND_INTEGER] = integer_store,
	[OPTION_KIND_SIZE] = size_store,
	[OPTION_KIND_DURATION] = duration_store,
	[OPTION_KIND_CUSTOM] = custom_store,
	[OPTION_KIND_IGNORED] = ignored_store,
};

static int store(const struct option *option, bool is_long, struct walk *walk, const char *value)
{
	void *member = option == &help_option ? walk->help : (void *)((char *)walk->options + option->offset);

	if (stores[option->kind](option, walk, value, member) == 0)
		return 0;
	/* "--detach takes no value" reads on; all others say what is wrong with the value. */
	if (option->kind == OPTION_KIND_FLAG)
		return fail(walk->err, ERROR_USAGE, "%s takes no value", spell(option, is_long).text);
	return blame(walk->err, "%s", spell(option, is_long).text);
}

/* Stores the option with its value: the one behind '=' (or the letter), else the next word. */
static int store_with_value(const struct option *option, bool is_long, struct walk *walk, const char *value)
{
	if (!value && option_takes_value(option)) {
		if (walk->next == walk->count)
			return fail(walk->err, ERROR_USAGE, "%s needs a value (%s)", spell(option, is_long).text,
				option->argument ? option->argument : "VALUE");
		value = walk->words[walk->next++];
	}
	return store(option, is_long, walk, value);
}

/* --- one word ----------------------------------------------------------------------------------------------------- */

static const char *next_name(const void *context, size_t i)
{
	const struct option *table = context;

	/* Names that are hidden take part as well: whoever types one nearly right means it. */
	for (; table->kind != OPTION_KIND_END; table++)
		if (table->name && i-- == 0)
			return table->name;
	return i == 0 ? help_option.name : NULL;
}

static int fail_unknown(const struct walk *walk, const char *name, size_t length)
{
	auto_free char *word = text_format("%.*s", (int)length, name);
	const char *guess = suggest(word, next_name, walk->table);

	if (guess)
		return fail(walk->err, ERROR_USAGE, "unknown option --%s; did you mean --%s?", word, guess);
	return fail(walk->err, ERROR_USAGE, "unknown option --%s", word);
}

static int take_long(struct walk *walk, const char *name)
{
	size_t length = strcspn(name, "=");
	const struct option *option = find_long(walk->table, name, length);
	const char *value = name[length] ? name + length + 1 : NULL;

	if (!option)
		return fail_unknown(walk, name, length);
	if (value && option->kind == OPTION_KIND_IGNORED && !option->argument)
		return fail(walk->err, ERROR_USAGE, "--%s takes no value", option->name);
	return store_with_value(option, true, walk, value);
}

/* "-it", "-nNAME", "-n NAME", "-n=NAME" is NAME "=NAME" as everywhere. */
static int take_letters(struct walk *walk, const char *letters)
{
	for (const char *p = letters; *p; p++) {
		const struct option *option = find_letter(walk->table, *p);

		if (!option && p == letters)
			return fail(walk->err, ERROR_USAGE, "unknown option -%s", letters);
		if (!option)
			return fail(walk->err, ERROR_USAGE, "unknown option -%c in -%s", *p, letters);
		if (option_takes_value(option))
			return store_with_value(option, false, walk, p[1] ? p + 1 : NULL);
		if (store(option, false, walk, NULL) < 0)
			return -1;
	}
	return 0;
}

/* "-" alone is an operand: by custom it means standard input. */
static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static int take_option(struct walk *walk, const char *word)
{
	return word[1] == '-' ? take_long(walk, word + 2) : take_letters(walk, word + 1);
}

/* --- whole command lines ------------------------------------------------------------------------------------------ */

static int check_operand_count(const struct command *command, size_t count, struct error *err)
{
	const char *problem = count < command->operands_min ? "too few operands" : "too many operands";

	if (count >= command->operands_min && count <= command->operands_max)
		return 0;
	return fail(err, ERROR_USAGE, "%s; usage: %s %s%s%s", problem, program_invocation_short_name, command->name,
		command->operands ? " " : "", command->operands ? command->operands : "");
}

int options_parse(struct arena *arena, const struct command *command, int argc, char **argv, void *options,
	char ***operands, size_t *count, bool *help, struct error *err)
{
	struct walk walk = {arena, command->options, argv, argc, 0, options, help, err};
	bool only_operands = false;
	const char *word;

	*help = false;
	*count = 0;
	*operands = arena_new_array(arena, (size_t)argc + 1, char *);
	while (walk.next < argc) {
		word = argv[walk.next++];
		if (!only_operands && !strcmp(word, "--")) {
			only_operands = true;
		} else if (!only_operands && is_option(word)) {
			if (take_option(&walk, word) < 0)
				return -1;
		} else {
			(*operands)[(*count)++] = argv[walk.next - 1];
			only_operands |= command->stop_at_operand;
		}
	}
	return *help ? 0 : check_operand_count(command, *count, err);
}

int options_parse_global(struct arena *arena, const struct option *table, int argc, char **argv, void *options,
	int *used, bool *help, struct error *err)
{
	struct walk walk = {arena, table, argv, argc, 0, options, help, err};

	*help = false;
	while (walk.next < argc && is_option(argv[walk.next])) {
		const char *word = argv[walk.next++];

		if (!strcmp(word, "--"))
			break;
		if (take_option(&walk, word) < 0)
			return -1;
	}
	*used = walk.next;
	return 0;
}

static const char *next_command(const void *context, size_t i)
{
	const struct command *const *commands = context;

	return commands[i] ? commands[i]->name : NULL;
}

const struct command *command_find(
	const struct command *const *commands, const char *program, const char *name, struct error *err)
{
	const char *guess;

	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name) || text_equal(commands[i]->alias, name))
			return commands[i];
	guess = suggest(name, next_command, commands);
	if (guess)
		fail(err, ERROR_USAGE, "unknown command %s; did you mean %s %s?", name, program, guess);
	else
		fail(err, ERROR_USAGE, "unknown command %s; see %s --help", name, program);
	return NULL;
}
