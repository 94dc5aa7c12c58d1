/* Completion scripts from the tables.
 *
 * The three shells get the same: the command's name, then its options, then for the value of an option or for an
 * operand what its word in the help says: FILE, DIR or BUNDLE are paths, "a|b" are those words, NAME and ID as operands
 * are what "PROGRAM list -q" prints, if there is such a command. Everything else is left to the user. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "base/suggest.h"

enum source { FROM_NOTHING, FROM_PATHS, FROM_DIRECTORIES, FROM_WORDS, FROM_INSTANCES };

/* As the scripts of bash and zsh call them. */
static const char *const source_names[] = {
	[FROM_NOTHING] = "none",
	[FROM_PATHS] = "paths",
	[FROM_DIRECTORIES] = "directories",
	[FROM_WORDS] = "words",
	[FROM_INSTANCES] = "instances",
};

/* A word of the help, whole: "FILE" is in "[options] FILE…" and "SRC|FILE", not in "PROFILE". */
static bool mentions(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]))
			return true;
	return false;
}

static enum source paths_source(const char *text)
{
	if (mentions(text, "FILE") || mentions(text, "PATH"))
		return FROM_PATHS;
	if (mentions(text, "DIR") || mentions(text, "BUNDLE"))
		return FROM_DIRECTORIES;
	return FROM_NOTHING;
}

static enum source value_source(const struct option *option)
{
	if (!option->argument)
		return FROM_NOTHING;
	if (strchr(option->argument, '|') && islower((unsigned char)*option->argument))
		return FROM_WORDS;
	return paths_source(option->argument);
}

static bool lists_instances(const struct command *commands)
{
	for (; commands->name; commands++)
		if (!strcmp(commands->name, "list"))
			for (const struct option *option = commands->options; option->kind != OPTION_KIND_END; option++)
				if (option->letter == 'q')
					return true;
	return false;
}

static enum source operands_source(const struct command *command, bool instances)
{
	if (!command->operands)
		return FROM_NOTHING;
	if (instances && (mentions(command->operands, "NAME") || mentions(command->operands, "ID")))
		return FROM_INSTANCES;
	return command->stop_at_operand ? FROM_PATHS : paths_source(command->operands);
}

/* "a|b|c" → "a b c" */
static void print_words(FILE *out, const char *argument)
{
	for (; *argument; argument++)
		fputc(*argument == '|' ? ' ' : *argument, out);
}

/* The program's name as part of a function's name. */
static const char *identifier_of(const char *program, struct text *identifier)
{
	text_clear(identifier);
	for (; *program; program++)
		text_append_bytes(identifier, isalnum((unsigned char)*program) ? program : "_", 1);
	return text_string(identifier);
}

static void print_pattern(FILE *out, const struct option *option)
{
	fprintf(out, "--%s", option->name);
	if (option->letter)
		fprintf(out, "|-%c", option->letter);
}

static bool is_shown(const struct option *option)
{
	return option->help != NULL;
}

/* --- bash and zsh: one function, a "case" of what each command has ------------------------------------------------ */

static void print_option_list(FILE *out, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (is_shown(table))
			fprintf(out, "--%s ", table->name);
	fputs("--help", out);
}

/* A line of the inner "case $prev" per option with a value. */
static void print_value_cases(FILE *out, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++) {
		enum source source = value_source(table);

		if (!option_takes_value(table))
			continue;
		fputs("\t\t", out);
		print_pattern(out, table);
		fprintf(out, ") from=%s", source_names[source]);
		if (source == FROM_WORDS) {
			fputs("; list='", out);
			print_words(out, table->argument);
			fputc('\'', out);
		}
		fputs(" ;;\n", out);
	}
}

static void print_command_case(FILE *out, const struct command *command, bool instances)
{
	fprintf(out, "\t%s%s%s)\n\t\tfrom=%s\n\t\toptions='", command->name, command->alias ? "|" : "",
		command->alias ? command->alias : "", source_names[operands_source(command, instances)]);
	print_option_list(out, command->options);
	fputs("'\n\t\tcase $prev in\n", out);
	print_value_cases(out, command->options);
	fputs("\t\tesac ;;\n", out);
}

/* Sets from, list and options for where the cursor is: the part that bash and zsh share. */
static void print_cases(FILE *out, const struct command *commands, const struct option *global)
{
	bool instances = lists_instances(commands);

	fputs("\tcase $command in\n\t'')\n\t\tfrom=words\n\t\tlist='", out);
	for (const struct command *command = commands; command->name; command++)
		if (command->summary)
			fprintf(out, "%s ", command->name);
	fputs("'\n\t\toptions='", out);
	print_option_list(out, global);
	fputs("'\n\t\tcase $prev in\n", out);
	print_value_cases(out, global);
	fputs("\t\tesac ;;\n", out);
	for (const struct command *command = commands; command->name; command++)
		print_command_case(out, command, instances);
	fputs("\tesac\n", out);
}

/* The pattern of global options whose value is the next word: that word is not the command. */
static void print_skip_case(FILE *out, const struct option *global)
{
	for (; global->kind != OPTION_KIND_END; global++) {
		if (!option_takes_value(global))
			continue;
		fputs("\t\t", out);
		print_pattern(out, global);
		fputs(") skip=1 ;;\n", out);
	}
}

/* bash cuts words at '=': "--name=x" arrives as three words. */
static void print_bash(FILE *out, const char *program, const struct command *commands, const struct option *global)
{
	struct text identifier AUTO(text_drop) = {0};
	const char *id = identifier_of(program, &identifier);

	fprintf(out,
		"# bash completion: source <(%s completion bash)\n"
		"_%s()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tlocal command= skip= word i from=none list= options=\n"
		"\tCOMPREPLY=()\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tif [[ $word == '=' ]]; then skip=1; continue; fi\n"
		"\t\tif [[ $skip ]]; then skip=; continue; fi\n"
		"\t\tcase $word in\n",
		program, id);
	print_skip_case(out, global);
	fputs("\t\t-*) ;;\n"
	      "\t\t*) command=$word; break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tif [[ $cur == '=' ]]; then\n"
	      "\t\tcur=\n"
	      "\telif [[ $prev == '=' ]]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	      "\tfi\n",
		out);
	print_cases(out, commands, global);
	fputs("\tif [[ $cur == -* ]]; then\n"
	      "\t\tfrom=words list=$options\n"
	      "\tfi\n"
	      "\tcase $from in\n"
	      "\twords) COMPREPLY=($(compgen -W \"$list\" -- \"$cur\")) ;;\n"
	      "\tpaths) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	      "\tdirectories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n",
		out);
	fprintf(out,
		"\tinstances) COMPREPLY=($(compgen -W \"$(%s list -q 2>/dev/null)\" -- \"$cur\")) ;;\n"
		"\tesac\n}\n"
		"complete -F _%s %s\n",
		program, id, program);
}

static void print_zsh(FILE *out, const char *program, const struct command *commands, const struct option *global)
{
	struct text identifier AUTO(text_drop) = {0};
	const char *id = identifier_of(program, &identifier);

	fprintf(out,
		"#compdef %s\n"
		"# zsh completion: source <(%s completion zsh), or save it as _%s in a directory of $fpath\n"
		"_%s()\n{\n"
		"\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]}\n"
		"\tlocal command= skip= word i from=none list= options=\n"
		"\tfor ((i = 2; i < CURRENT; i++)); do\n"
		"\t\tword=${words[i]}\n"
		"\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
		"\t\tcase $word in\n",
		program, program, program, id);
	print_skip_case(out, global);
	fputs("\t\t-*) ;;\n"
	      "\t\t*) command=$word; break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tif [[ $cur == --*=* ]]; then\n"
	      "\t\tprev=${cur%%=*}\n"
	      "\t\tcompset -P '*='\n"
	      "\t\tcur=${cur#*=}\n"
	      "\tfi\n",
		out);
	print_cases(out, commands, global);
	fputs("\tif [[ $cur == -* ]]; then\n"
	      "\t\tfrom=words list=$options\n"
	      "\tfi\n"
	      "\tcase $from in\n"
	      "\twords) compadd -- ${=list} ;;\n"
	      "\tpaths) _files ;;\n"
	      "\tdirectories) _files -/ ;;\n",
		out);
	fprintf(out,
		"\tinstances) compadd -- ${(f)\"$(%s list -q 2>/dev/null)\"} ;;\n"
		"\tesac\n}\n"
		"if [[ $funcstack[1] == _%s ]]; then _%s \"$@\"; else compdef _%s %s; fi\n",
		program, id, id, id, program);
}

/* --- fish: one "complete" line each ------------------------------------------------------------------------------- */

static void print_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

static void print_fish_value(FILE *out, const struct option *option)
{
	switch (value_source(option)) {
	case FROM_WORDS:
		fputs(" -x -a '", out);
		print_words(out, option->argument);
		fputc('\'', out);
		break;
	case FROM_PATHS:
		fputs(" -r -F", out);
		break;
	case FROM_DIRECTORIES:
		fputs(" -x -a '(__fish_complete_directories)'", out);
		break;
	default:
		fputs(" -x", out);
	}
}

static void print_fish_options(FILE *out, const char *program, const char *condition, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++) {
		if (!is_shown(table))
			continue;
		fprintf(out, "complete -c %s -n '%s' -l %s", program, condition, table->name);
		if (table->letter)
			fprintf(out, " -s %c", table->letter);
		if (option_takes_value(table))
			print_fish_value(out, table);
		fputs(" -d ", out);
		print_quoted(out, table->help);
		fputc('\n', out);
	}
	fprintf(out, "complete -c %s -n '%s' -l help -d 'show this help'\n", program, condition);
}

static void print_fish_command(
	FILE *out, const char *program, const char *id, const struct command *command, bool instances)
{
	struct text condition AUTO(text_drop) = {0};

	text_appendf(&condition, "__%s_is %s %s", id, command->name, command->alias ? command->alias : "");
	if (command->summary) {
		fprintf(out, "complete -c %s -n '__%s_is \"\"' -a %s -d ", program, id, command->name);
		print_quoted(out, command->summary);
		fputc('\n', out);
	}
	switch (operands_source(command, instances)) {
	case FROM_INSTANCES:
		fprintf(out, "complete -c %s -n '%s' -a '(%s list -q 2>/dev/null)'\n", program, text_string(&condition),
			program);
		break;
	case FROM_PATHS:
		fprintf(out, "complete -c %s -n '%s' -F\n", program, text_string(&condition));
		break;
	case FROM_DIRECTORIES:
		fprintf(out, "complete -c %s -n '%s' -a '(__fish_complete_directories)'\n", program,
			text_string(&condition));
		break;
	default:
		break;
	}
	print_fish_options(out, program, text_string(&condition), command->options);
}

static void print_fish(FILE *out, const char *program, const struct command *commands, const struct option *global)
{
	struct text identifier AUTO(text_drop) = {0}, no_command AUTO(text_drop) = {0};
	const char *id = identifier_of(program, &identifier);
	bool instances = lists_instances(commands);

	fprintf(out,
		"# fish completion: %s completion fish | source\n"
		"function __%s_is --description 'is one of these the command on the line'\n"
		"\tset -l skip\n"
		"\tset -l command ''\n"
		"\tfor word in (commandline -opc)[2..-1]\n"
		"\t\tif test -n \"$skip\"\n"
		"\t\t\tset skip\n"
		"\t\t\tcontinue\n"
		"\t\tend\n"
		"\t\tswitch $word\n",
		program, id);
	for (const struct option *option = global; option->kind != OPTION_KIND_END; option++) {
		if (!option_takes_value(option))
			continue;
		fprintf(out, "\t\t\tcase --%s", option->name);
		if (option->letter)
			fprintf(out, " -%c", option->letter);
		fputs("\n\t\t\t\tset skip 1\n", out);
	}
	fprintf(out,
		"\t\t\tcase '-*'\n"
		"\t\t\tcase '*'\n"
		"\t\t\t\tset command $word\n"
		"\t\t\t\tbreak\n"
		"\t\tend\n"
		"\tend\n"
		"\tcontains -- \"$command\" $argv\n"
		"end\n"
		"complete -c %s -f\n",
		program);
	for (const struct command *command = commands; command->name; command++)
		print_fish_command(out, program, id, command, instances);
	text_appendf(&no_command, "__%s_is \"\"", id);
	print_fish_options(out, program, text_string(&no_command), global);
}

static const struct shell {
	const char *name;
	void (*print)(FILE *out, const char *program, const struct command *commands, const struct option *global);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

int program_completion(FILE *out, const char *shell, const char *program, const struct command *commands,
	const struct option *global, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (!strcmp(shells[i].name, shell)) {
			shells[i].print(out, program, commands, global);
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "no completion for shell \"%s\"; there is one for bash, zsh and fish", shell);
}

const struct option options_none[] = {END_OF_OPTIONS};

void commands_fill(struct command *out, const struct command *const *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		out[i] = *order[i];
	out[count] = (struct command){0};
}
