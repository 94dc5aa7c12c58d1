/* A manual page from the tables: man(7), as docs/man/warren-oci.8 is written by hand.
 *
 * What a page says of commands and options is what the program's help says, so it cannot be older than the program. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"

/* Text as it shall be read: "-" is a minus, "\" no escape, and no line a request. */
static void print_text(FILE *out, const char *text)
{
	for (bool at_start = true; *text; at_start = *text++ == '\n') {
		if (at_start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

/* As a sentence: with a capital and a full stop. */
static void print_sentence(FILE *out, const char *text)
{
	auto_free char *copy = text_format("%s", text);

	if (isalpha((unsigned char)copy[0]) && islower((unsigned char)copy[1]))
		copy[0] = (char)toupper((unsigned char)copy[0]);
	print_text(out, copy);
	fputs(text_ends_with(text, ".") ? "\n" : ".\n", out);
}

static void print_bold(FILE *out, const char *text)
{
	fputs("\\fB", out);
	print_text(out, text);
	fputs("\\fR", out);
}

static void print_option(FILE *out, const struct option *option)
{
	fputs(".TP\n", out);
	if (option->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
	fputs("\\fB\\-\\-", out);
	print_text(out, option->name);
	fputs("\\fR", out);
	if (option->argument) {
		fputs(" \\fI", out);
		print_text(out, option->argument);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	print_text(out, option->help);
	fputc('\n', out);
}

static void print_options(FILE *out, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (table->help)
			print_option(out, table);
}

static void print_command(FILE *out, const char *program, const struct command *command)
{
	auto_free char *words = text_format("%s %s", program, command->name);

	fputs(".SS ", out);
	print_text(out, words + strcspn(words, " ") + 1);
	fputc('\n', out);
	print_bold(out, words);
	if (command->operands && *command->operands) {
		fputc(' ', out);
		print_text(out, command->operands);
	}
	fputs("\n.P\n", out);
	print_sentence(out, command->summary);
	if (command->alias) {
		fputs("Also called ", out);
		print_bold(out, command->alias);
		fputs(".\n", out);
	}
	print_options(out, command->options);
	if (command->example && !command->members) {
		fputs(".P\n.RS 4\n.EX\n", out);
		print_text(out, command->example);
		fputs("\n.EE\n.RE\n", out);
	}
}

static void print_commands(FILE *out, const char *program, const struct command *const *commands)
{
	for (; *commands; commands++) {
		const struct command *command = *commands;
		auto_free char *group = text_format("%s %s", program, command->name);

		if (!command->summary)
			continue;
		print_command(out, program, command);
		for (size_t i = 0; command->members && command->members[i]; i++)
			print_command(out, group, command->members[i]);
	}
}

static void print_section(FILE *out, const struct manual_section *section)
{
	fputs(".SH ", out);
	print_text(out, section->heading);
	fputc('\n', out);
	for (const char *paragraph = section->text; *paragraph;) {
		size_t length = strcspn(paragraph, "\n");
		auto_free char *line = text_format("%.*s", (int)length, paragraph);

		if (paragraph != section->text)
			fputs(".P\n", out);
		print_text(out, line);
		fputc('\n', out);
		paragraph += length + (paragraph[length] == '\n');
	}
}

void program_manual(
	FILE *out, const struct manual *manual, const struct command *const *commands, const struct option *global)
{
	fprintf(out, ".TH \"%s\" %d \"\" \"%s\" \"System Administration\"\n.SH NAME\n", manual->title, manual->section,
		manual->program);
	print_text(out, manual->program);
	fputs(" \\- ", out);
	print_text(out, manual->purpose);
	fprintf(out, "\n.SH SYNOPSIS\n.B %s\n[options] COMMAND [options] [operands]\n", manual->program);
	print_section(out, &manual->sections[0]);
	fputs(".SH GLOBAL OPTIONS\n", out);
	print_options(out, global);
	fputs(".SH COMMANDS\n", out);
	print_commands(out, manual->program, commands);
	for (const struct manual_section *section = &manual->sections[1]; section->heading; section++)
		print_section(out, section);
}
