/* Help from the tables: two columns, wrapped for 80. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"

#define LINE_WIDTH 80
#define LEFT_MAX 30 /* a longer left column gets a line of its own */

/* Columns that UTF-8 text takes on the terminal; our own words hold no wide or combining characters. */
static size_t width_of(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* Writes the words of text from column `indent` on, further lines indented as far. */
static void print_wrapped(FILE *out, size_t indent, const char *text)
{
	size_t column = indent;

	for (const char *word = text; *word;) {
		size_t length = strcspn(word, " "), width = width_of(word, length);

		if (column > indent && column + 1 + width > LINE_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(word, 1, length, out);
		column += width;
		word += length;
		word += strspn(word, " ");
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const char *left, size_t left_width, const char *right)
{
	size_t width = width_of(left, strlen(left));

	if (width > left_width)
		fprintf(out, "  %s\n%*s", left, (int)left_width + 4, "");
	else
		fprintf(out, "  %s%*s", left, (int)(left_width - width) + 2, "");
	print_wrapped(out, left_width + 4, right);
}

static void option_words(const struct option *option, struct text *words)
{
	text_clear(words);
	if (option->letter)
		text_appendf(words, "-%c, ", option->letter);
	else
		text_append(words, "    ");
	text_appendf(words, "--%s", option->name);
	if (option->argument)
		text_appendf(words, " %s", option->argument);
}

static size_t larger_up_to_max(size_t width, const struct text *words)
{
	size_t here = width_of(text_string(words), words->length);

	return here > width && here <= LEFT_MAX ? here : width;
}

static bool has_letter(const struct option *table, char letter)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (table->letter == letter)
			return true;
	return false;
}

static void print_options(FILE *out, const struct option *table)
{
	const struct option help = {
		.name = "help",
		.letter = has_letter(table, 'h') ? '\0' : 'h',
		.help = "show this help",
	};
	struct text words AUTO(text_drop) = {0};
	size_t width;

	option_words(&help, &words);
	width = words.length;
	for (const struct option *option = table; option->kind != OPTION_KIND_END; option++) {
		option_words(option, &words);
		if (option->help)
			width = larger_up_to_max(width, &words);
	}
	fputs("\nOptions:\n", out);
	for (const struct option *option = table; option->kind != OPTION_KIND_END; option++) {
		option_words(option, &words);
		if (option->help)
			print_row(out, text_string(&words), width, option->help);
	}
	option_words(&help, &words);
	print_row(out, text_string(&words), width, help.help);
}

static void print_example(FILE *out, const char *example)
{
	fputs("\nExample:\n", out);
	for (const char *line = example; *line; line += *line == '\n') {
		size_t length = strcspn(line, "\n");

		fprintf(out, "  %.*s\n", (int)length, line);
		line += length;
	}
}

void command_help(FILE *out, const char *program, const struct command *command)
{
	fprintf(out, "%s %s: %s\n", program, command->name, command->summary);
	fprintf(out, "\nUsage: %s %s%s%s\n", program, command->name, command->operands ? " " : "",
		command->operands ? command->operands : "");
	if (command->alias)
		fprintf(out, "Alias: %s %s\n", program, command->alias);
	print_options(out, command->options);
	if (command->example)
		print_example(out, command->example);
}

static void command_words(const struct command *command, struct text *words)
{
	text_clear(words);
	text_append(words, command->name);
	if (command->alias)
		text_appendf(words, ", %s", command->alias);
}

void program_help(FILE *out, const char *program, const char *purpose, const struct command *const *commands,
	const struct option *global)
{
	struct text words AUTO(text_drop) = {0};
	size_t width = 0;

	fprintf(out, "%s: %s\n\nUsage: %s [options] COMMAND …\n\nCommands:\n", program, purpose, program);
	for (size_t i = 0; commands[i]; i++) {
		command_words(commands[i], &words);
		if (commands[i]->summary)
			width = larger_up_to_max(width, &words);
	}
	for (size_t i = 0; commands[i]; i++) {
		command_words(commands[i], &words);
		if (commands[i]->summary)
			print_row(out, text_string(&words), width, commands[i]->summary);
	}
	print_options(out, global);
	fprintf(out, "\n\"%s COMMAND --help\" says more about a command.\n", program);
}
