/* Completion scripts from the tables.
 *
 * The three shells get the same: the command's name, then its options, then for the value of an option or for an
 * operand what its word in the help says: FILE, DIR or BUNDLE are paths, "a|b" are those words, NAME and ID as operands
 * are what "PROGRAM list -q" prints, IMAGE what "PROGRAM image list -q" does, if there are such commands. Everything
 * else is left to the user. A command of a group is known by both its words. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "base/suggest.h"

enum source { FROM_NOTHING, FROM_PATHS, FROM_DIRECTORIES, FROM_WORDS, FROM_LIST };

/* As the scripts of bash and zsh call them. */
static const char *const source_names[] = {
	[FROM_NOTHING] = "none",
	[FROM_PATHS] = "paths",
	[FROM_DIRECTORIES] = "directories",
	[FROM_WORDS] = "words",
	[FROM_LIST] = "list",
};

/* Where the candidates for a word come from. */
struct offer {
	enum source source;
	const char *group; /* FROM_LIST: whose command "list -q" prints them; "": the program's own */
};

/* Words of the help that stand for something that can be listed. */
static const struct {
	const char *word, *group;
} listed[] = {{"IMAGE", "image"}, {"NETWORK", "network"}, {"VOLUME", "volume"}};

/* What is being printed: the whole program, and the group that the present command is of. */
struct printing {
	FILE *out;
	const char *program, *id; /* id: the program's name as part of a function's name */
	const struct command *const *commands;
	const struct option *global;
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

static struct offer paths_offer(const char *text)
{
	if (mentions(text, "FILE") || mentions(text, "PATH"))
		return (struct offer){FROM_PATHS, NULL};
	if (mentions(text, "DIR") || mentions(text, "BUNDLE"))
		return (struct offer){FROM_DIRECTORIES, NULL};
	return (struct offer){FROM_NOTHING, NULL};
}

/* "list -q" works without further words. */
static bool lists_names(const struct command *command)
{
	if (strcmp(command->name, "list") != 0 || command->operands_min)
		return false;
	for (const struct option *option = command->options; option->kind != OPTION_KIND_END; option++)
		if (option->letter == 'q')
			return true;
	return false;
}

static bool group_lists(const struct command *group)
{
	for (size_t i = 0; group->members && group->members[i]; i++)
		if (lists_names(group->members[i]))
			return true;
	return false;
}

/* group "": the program itself. */
static bool can_list(const struct command *const *commands, const char *group)
{
	for (; *commands; commands++)
		if (*group ? !strcmp((*commands)->name, group) && group_lists(*commands) : lists_names(*commands))
			return true;
	return false;
}

static struct offer listed_offer(const struct printing *printing, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
		if (mentions(text, listed[i].word) && can_list(printing->commands, listed[i].group))
			return (struct offer){FROM_LIST, listed[i].group};
	return (struct offer){FROM_NOTHING, NULL};
}

static struct offer value_offer(const struct printing *printing, const struct option *option)
{
	struct offer offer;

	if (!option->argument)
		return (struct offer){FROM_NOTHING, NULL};
	if (strchr(option->argument, '|') && islower((unsigned char)*option->argument))
		return (struct offer){FROM_WORDS, NULL};
	offer = paths_offer(option->argument);
	return offer.source == FROM_NOTHING ? listed_offer(printing, option->argument) : offer;
}

static struct offer operands_offer(
	const struct printing *printing, const struct command *group, const struct command *command)
{
	const char *words = command->operands ? command->operands : "";
	struct offer offer = listed_offer(printing, words);

	if (offer.source != FROM_NOTHING)
		return offer;
	if (mentions(words, "NAME") || mentions(words, "ID")) {
		if (group && group_lists(group))
			return (struct offer){FROM_LIST, group->name};
		if (can_list(printing->commands, ""))
			return (struct offer){FROM_LIST, ""};
	}
	return command->stop_at_operand ? (struct offer){FROM_PATHS, NULL} : paths_offer(words);
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

/* Calls one() for every command, those of groups with their group. */
static void commands_walk(const struct printing *printing,
	void (*one)(const struct printing *printing, const struct command *group, const struct command *command))
{
	for (const struct command *const *next = printing->commands, *command; (command = *next); next++) {
		one(printing, NULL, command);
		for (size_t i = 0; command->members && command->members[i]; i++)
			one(printing, command, command->members[i]);
	}
}

/* "image|volume", for a pattern; the first one is preceded by nothing. False: there is none. */
static bool print_groups(const struct printing *printing, const char *separator)
{
	bool any = false;

	for (const struct command *const *next = printing->commands, *command; (command = *next); next++) {
		if (!command->members)
			continue;
		fprintf(printing->out, "%s%s", any ? separator : "", command->name);
		any = true;
	}
	return any;
}

static bool has_groups(const struct command *const *commands)
{
	for (; *commands; commands++)
		if ((*commands)->members)
			return true;
	return false;
}

static void print_member_words(FILE *out, const struct command *group)
{
	for (size_t i = 0; group->members[i]; i++)
		fprintf(out, "%s ", group->members[i]->name);
}

/* --- bash and zsh: one function, a "case" of what each command has ------------------------------------------------ */

static void print_option_list(FILE *out, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++)
		if (is_shown(table))
			fprintf(out, "--%s ", table->name);
	fputs("--help", out);
}

static void print_offer(const struct printing *printing, const struct offer *offer)
{
	fprintf(printing->out, "from=%s", source_names[offer->source]);
	if (offer->source == FROM_LIST)
		fprintf(printing->out, " lister='%s%slist'", offer->group, *offer->group ? " " : "");
}

/* A line of the inner "case $prev" per option with a value. */
static void print_value_cases(const struct printing *printing, const struct option *table)
{
	for (; table->kind != OPTION_KIND_END; table++) {
		struct offer offer = value_offer(printing, table);

		if (!option_takes_value(table))
			continue;
		fputs("\t\t", printing->out);
		print_pattern(printing->out, table);
		fputs(") ", printing->out);
		print_offer(printing, &offer);
		if (offer.source == FROM_WORDS) {
			fputs("; list='", printing->out);
			print_words(printing->out, table->argument);
			fputc('\'', printing->out);
		}
		fputs(" ;;\n", printing->out);
	}
}

/* The label: "image pull", and "list"|"ps" where there is another name. */
static void print_case_label(FILE *out, const struct command *group, const struct command *command)
{
	const char *names[] = {command->name, command->alias};

	fputc('\t', out);
	for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++)
		fprintf(out, "%s\"%s%s%s\"", i ? "|" : "", group ? group->name : "", group ? " " : "", names[i]);
	fputs(")\n\t\t", out);
}

static void print_command_case(
	const struct printing *printing, const struct command *group, const struct command *command)
{
	struct offer offer = operands_offer(printing, group, command);

	print_case_label(printing->out, group, command);
	if (command->members) {
		fputs("from=words list='", printing->out);
		print_member_words(printing->out, command);
		fputs("' options=--help ;;\n", printing->out);
		return;
	}
	print_offer(printing, &offer);
	fputs("\n\t\toptions='", printing->out);
	print_option_list(printing->out, command->options);
	fputs("'\n\t\tcase $prev in\n", printing->out);
	print_value_cases(printing, command->options);
	fputs("\t\tesac ;;\n", printing->out);
}

/* Sets from, list, lister and options for where the cursor is: the part that bash and zsh share. */
static void print_cases(const struct printing *printing)
{
	fputs("\tcase $command in\n\t'')\n\t\tfrom=words\n\t\tlist='", printing->out);
	for (size_t i = 0; printing->commands[i]; i++)
		if (printing->commands[i]->summary)
			fprintf(printing->out, "%s ", printing->commands[i]->name);
	fputs("'\n\t\toptions='", printing->out);
	print_option_list(printing->out, printing->global);
	fputs("'\n\t\tcase $prev in\n", printing->out);
	print_value_cases(printing, printing->global);
	fputs("\t\tesac ;;\n", printing->out);
	commands_walk(printing, print_command_case);
	fputs("\tesac\n", printing->out);
}

/* The "case" that finds the command among the words: the values of global options are none, and a group is only the
 * first word of one. */
static void print_word_cases(const struct printing *printing)
{
	for (const struct option *global = printing->global; global->kind != OPTION_KIND_END; global++) {
		if (!option_takes_value(global))
			continue;
		fputs("\t\t", printing->out);
		print_pattern(printing->out, global);
		fputs(") skip=1 ;;\n", printing->out);
	}
	fputs("\t\t-*) ;;\n\t\t*) command=\"${command:+$command }$word\"\n", printing->out);
	if (has_groups(printing->commands)) {
		fputs("\t\t\tcase $command in\n\t\t\t", printing->out);
		print_groups(printing, "|");
		fputs(") ;;\n\t\t\t*) break ;;\n\t\t\tesac ;;\n\t\tesac\n\tdone\n", printing->out);
	} else {
		fputs("\t\t\tbreak ;;\n\t\tesac\n\tdone\n", printing->out);
	}
}

/* bash cuts words at '=': "--name=x" arrives as three words. */
static void print_bash(const struct printing *printing)
{
	FILE *out = printing->out;

	fprintf(out,
		"# bash completion: source <(%s completion bash)\n"
		"_%s()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tlocal command= skip= word i from=none list= lister= options=\n"
		"\tCOMPREPLY=()\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tif [[ $word == '=' ]]; then skip=1; continue; fi\n"
		"\t\tif [[ $skip ]]; then skip=; continue; fi\n"
		"\t\tcase $word in\n",
		printing->program, printing->id);
	print_word_cases(printing);
	fputs("\tif [[ $cur == '=' ]]; then\n"
	      "\t\tcur=\n"
	      "\telif [[ $prev == '=' ]]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	      "\tfi\n",
		out);
	print_cases(printing);
	fputs("\tif [[ $cur == -* ]]; then\n"
	      "\t\tfrom=words list=$options\n"
	      "\tfi\n"
	      "\tcase $from in\n"
	      "\twords) COMPREPLY=($(compgen -W \"$list\" -- \"$cur\")) ;;\n"
	      "\tpaths) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	      "\tdirectories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n",
		out);
	fprintf(out,
		"\tlist) COMPREPLY=($(compgen -W \"$(%s $lister -q 2>/dev/null)\" -- \"$cur\")) ;;\n"
		"\tesac\n}\n"
		"complete -F _%s %s\n",
		printing->program, printing->id, printing->program);
}

static void print_zsh(const struct printing *printing)
{
	FILE *out = printing->out;
	const char *program = printing->program, *id = printing->id;

	fprintf(out,
		"#compdef %s\n"
		"# zsh completion: source <(%s completion zsh), or save it as _%s in a directory of $fpath\n"
		"_%s()\n{\n"
		"\tlocal cur=${words[CURRENT]} prev=${words[CURRENT-1]}\n"
		"\tlocal command= skip= word i from=none list= lister= options=\n"
		"\tfor ((i = 2; i < CURRENT; i++)); do\n"
		"\t\tword=${words[i]}\n"
		"\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
		"\t\tcase $word in\n",
		program, program, program, id);
	print_word_cases(printing);
	fputs("\tif [[ $cur == --*=* ]]; then\n"
	      "\t\tprev=${cur%%=*}\n"
	      "\t\tcompset -P '*='\n"
	      "\t\tcur=${cur#*=}\n"
	      "\tfi\n",
		out);
	print_cases(printing);
	fputs("\tif [[ $cur == -* ]]; then\n"
	      "\t\tfrom=words list=$options\n"
	      "\tfi\n"
	      "\tcase $from in\n"
	      "\twords) compadd -- ${=list} ;;\n"
	      "\tpaths) _files ;;\n"
	      "\tdirectories) _files -/ ;;\n",
		out);
	fprintf(out,
		"\tlist) compadd -- ${(f)\"$(%s ${=lister} -q 2>/dev/null)\"} ;;\n"
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

static void print_fish_list(const struct printing *printing, const char *group)
{
	fprintf(printing->out, " -a '(%s %s%slist -q 2>/dev/null)'", printing->program, group, *group ? " " : "");
}

static void print_fish_value(const struct printing *printing, const struct option *option)
{
	struct offer offer = value_offer(printing, option);
	FILE *out = printing->out;

	switch (offer.source) {
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
	case FROM_LIST:
		fputs(" -x", out);
		print_fish_list(printing, offer.group);
		break;
	default:
		fputs(" -x", out);
	}
}

static void print_fish_options(const struct printing *printing, const char *condition, const struct option *table)
{
	FILE *out = printing->out;

	for (; table->kind != OPTION_KIND_END; table++) {
		if (!is_shown(table))
			continue;
		fprintf(out, "complete -c %s -n '%s' -l %s", printing->program, condition, table->name);
		if (table->letter)
			fprintf(out, " -s %c", table->letter);
		if (option_takes_value(table))
			print_fish_value(printing, table);
		fputs(" -d ", out);
		print_quoted(out, table->help);
		fputc('\n', out);
	}
	fprintf(out, "complete -c %s -n '%s' -l help -d 'show this help'\n", printing->program, condition);
}

static void print_fish_operands(const struct printing *printing, const char *condition, const struct offer *offer)
{
	if (offer->source == FROM_NOTHING || offer->source == FROM_WORDS)
		return;
	fprintf(printing->out, "complete -c %s -n '%s'", printing->program, condition);
	if (offer->source == FROM_LIST)
		print_fish_list(printing, offer->group);
	else
		fputs(offer->source == FROM_PATHS ? " -F" : " -a '(__fish_complete_directories)'", printing->out);
	fputc('\n', printing->out);
}

static void print_fish_command(
	const struct printing *printing, const struct command *group, const struct command *command)
{
	struct text condition AUTO(text_drop) = {0};
	struct offer offer = operands_offer(printing, group, command);

	if (command->summary) {
		fprintf(printing->out, "complete -c %s -n '__%s_is \"%s\"' -a %s -d ", printing->program, printing->id,
			group ? group->name : "", command->name);
		print_quoted(printing->out, command->summary);
		fputc('\n', printing->out);
	}
	if (command->members)
		return;
	text_appendf(&condition, "__%s_is \"%s%s%s\"", printing->id, group ? group->name : "", group ? " " : "",
		command->name);
	if (command->alias)
		text_appendf(&condition, " \"%s%s%s\"", group ? group->name : "", group ? " " : "", command->alias);
	print_fish_operands(printing, text_string(&condition), &offer);
	print_fish_options(printing, text_string(&condition), command->options);
}

/* The function that says whether the command on the line is one of its arguments. */
static void print_fish_function(const struct printing *printing)
{
	FILE *out = printing->out;

	fprintf(out,
		"# fish completion: %s completion fish | source\n"
		"function __%s_is --description 'is one of these the command on the line'\n"
		"\tset -l skip\n"
		"\tset -l command\n"
		"\tfor word in (commandline -opc)[2..-1]\n"
		"\t\tif test -n \"$skip\"\n"
		"\t\t\tset skip\n"
		"\t\t\tcontinue\n"
		"\t\tend\n"
		"\t\tswitch $word\n",
		printing->program, printing->id);
	for (const struct option *option = printing->global; option->kind != OPTION_KIND_END; option++) {
		if (!option_takes_value(option))
			continue;
		fprintf(out, "\t\t\tcase --%s", option->name);
		if (option->letter)
			fprintf(out, " -%c", option->letter);
		fputs("\n\t\t\t\tset skip 1\n", out);
	}
	fputs("\t\t\tcase '-*'\n"
	      "\t\t\tcase '*'\n"
	      "\t\t\t\tset command $command $word\n"
	      "\t\t\t\tcontains -- \"$command\" '' ",
		out);
	print_groups(printing, " ");
	fprintf(out,
		"\n\t\t\t\tor break\n"
		"\t\tend\n"
		"\tend\n"
		"\tcontains -- \"$command\" $argv\n"
		"end\n"
		"complete -c %s -f\n",
		printing->program);
}

static void print_fish(const struct printing *printing)
{
	struct text no_command AUTO(text_drop) = {0};

	print_fish_function(printing);
	commands_walk(printing, print_fish_command);
	text_appendf(&no_command, "__%s_is \"\"", printing->id);
	print_fish_options(printing, text_string(&no_command), printing->global);
}

static const struct shell {
	const char *name;
	void (*print)(const struct printing *printing);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

int program_completion(FILE *out, const char *shell, const char *program, const struct command *const *commands,
	const struct option *global, struct error *err)
{
	struct text identifier AUTO(text_drop) = {0};
	const struct printing printing = {out, program, identifier_of(program, &identifier), commands, global};

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (!strcmp(shells[i].name, shell)) {
			shells[i].print(&printing);
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "no completion for shell \"%s\"; there is one for bash, zsh and fish", shell);
}

const struct option options_none[] = {END_OF_OPTIONS};
