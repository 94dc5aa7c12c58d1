/* Command line → struct, by table. The same table parses, prints help and completion, and guesses.
 *
 *   static const struct option run_options[] = {
 *           OPTION_FLAG("detach", 'd', "run in the background", struct run_options, detach),
 *           OPTION_TEXT("name", 0, "NAME", "name of the instance", struct run_options, name),
 *           END_OF_OPTIONS,
 *   };
 *
 * "--name=x", "--name x", "-n x", "-nx", "-it" (flags together), "--no-…" is no magic. "--" ends options. With
 * stop_at_operand the first word that is not an option ends them too (run, exec), else options may follow operands. */
#ifndef WARREN_BASE_OPTIONS_H
#define WARREN_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"

enum option_kind {
	OPTION_KIND_END,
	OPTION_KIND_FLAG,     /* bool := true; "--x=false" sets false */
	OPTION_KIND_TEXT,     /* const char *; the last one wins */
	OPTION_KIND_TEXTS,    /* struct strings; appended */
	OPTION_KIND_INTEGER,  /* struct optional, min ≤ value ≤ max */
	OPTION_KIND_SIZE,     /* struct optional, bytes */
	OPTION_KIND_DURATION, /* struct optional, ms */
	OPTION_KIND_CUSTOM,   /* parse() */
	OPTION_KIND_IGNORED,  /* accepted for the clients' sake, no effect; takes a value when argument is set */
};

struct option {
	const char *name; /* without dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	const char *argument; /* "NAME" as help shows it; NULL for flags */
	const char *help;     /* NULL: hidden */
	size_t offset;
	int64_t min, max;
	int (*parse)(struct arena *arena, const char *value, void *member, struct error *err);
};

struct command {
	const char *name, *alias; /* alias may be NULL */
	const char *operands;	  /* "[options] NAME…" */
	const char *summary;	  /* one line, lower case, no full stop */
	const char *example;	  /* one or more whole command lines, for help */
	const struct option *options;
	size_t options_size; /* of the options struct */
	bool stop_at_operand;
	size_t operands_min, operands_max; /* SIZE_MAX: any number */
	bool two_is_an_answer; /* exit status 2 says something else than that its words were wrong: that is 1 */
	/* operands ends with NULL. Gives the exit status, or -1 with *err filled. `context` is the program's own. */
	int (*run)(void *context, void *options, size_t count, char **operands, struct error *err);
	/* Of a group of commands of two words, "PROGRAM image list": its members, the last one NULL, and what they are
	 * about. It has no run(). */
	const struct command *const *members;
	const char *purpose;
};

/* True when the option needs a value ("--name NAME"), false when it is complete without ("--detach"). */
bool option_takes_value(const struct option *option);

/* Parses argv[0…] (the words after the command). options points at options_size zeroed-or-default bytes. operands
 * point into argv. ERROR_USAGE says what would be right: unknown option --memry; did you mean --memory? */
MUST_CHECK int options_parse(struct arena *arena, const struct command *command, int argc, char **argv, void *options,
	char ***operands, size_t *count, bool *help, struct error *err);
/* The same for options before the command's name: stops at the first operand; *used = words taken. */
MUST_CHECK int options_parse_global(struct arena *arena, const struct option *table, int argc, char **argv,
	void *options, int *used, bool *help, struct error *err);

/* The command of that name or alias, or NULL with ERROR_USAGE and a guess. commands ends with NULL. */
const struct command *command_find(
	const struct command *const *commands, const char *program, const char *name, struct error *err);
void command_help(FILE *out, const char *program, const struct command *command);
void program_help(FILE *out, const char *program, const char *purpose, const struct command *const *commands,
	const struct option *global);
/* A completion script for "bash", "zsh" or "fish", from the tables. */
MUST_CHECK int program_completion(FILE *out, const char *shell, const char *program,
	const struct command *const *commands, const struct option *global, struct error *err);

/* What a manual page says beside its tables. A line of the text is a paragraph. The first section stands before the
 * options, the others behind the commands; one without heading ends them. */
struct manual_section {
	const char *heading, *text;
};
struct manual {
	const char *program, *title, *purpose;
	int section;
	const struct manual_section *sections;
};
/* The page in man(7)'s language: every command and every option that help shows. */
void program_manual(
	FILE *out, const struct manual *manual, const struct command *const *commands, const struct option *global);

extern const struct option options_none[];
/* The command `completion` of a program, whose run() calls program_completion() with the program's tables. */
#define COMPLETION_COMMAND(program_, run_)                                                                             \
	{                                                                                                              \
		.name = "completion", .operands = "bash|zsh|fish", .summary = "print a completion script for a shell", \
		.example = program_ " completion bash > /etc/bash_completion.d/" program_, .options = options_none,    \
		.operands_min = 1, .operands_max = 1, .run = run_,                                                     \
	}

#define OPTION_FLAG(name_, letter_, help_, type, member)                                                               \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_FLAG, .help = help_,                             \
		.offset = CHECKED_OFFSET(type, member, bool)                                                           \
	}
#define OPTION_TEXT(name_, letter_, argument_, help_, type, member)                                                    \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_TEXT, .argument = argument_, .help = help_,      \
		.offset = CHECKED_OFFSET(type, member, const char *)                                                   \
	}
#define OPTION_TEXTS(name_, letter_, argument_, help_, type, member)                                                   \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_TEXTS, .argument = argument_, .help = help_,     \
		.offset = CHECKED_OFFSET(type, member, struct strings)                                                 \
	}
#define OPTION_INTEGER(name_, letter_, argument_, help_, type, member, min_, max_)                                     \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_INTEGER, .argument = argument_, .help = help_,   \
		.offset = CHECKED_OFFSET(type, member, struct optional), .min = min_, .max = max_                      \
	}
#define OPTION_SIZE(name_, letter_, argument_, help_, type, member)                                                    \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_SIZE, .argument = argument_, .help = help_,      \
		.offset = CHECKED_OFFSET(type, member, struct optional)                                                \
	}
#define OPTION_DURATION(name_, letter_, argument_, help_, type, member)                                                \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_DURATION, .argument = argument_, .help = help_,  \
		.offset = CHECKED_OFFSET(type, member, struct optional)                                                \
	}
#define OPTION_CUSTOM(name_, letter_, argument_, help_, type, member, parse_)                                          \
	{                                                                                                              \
		.name = name_, .letter = letter_, .kind = OPTION_KIND_CUSTOM, .argument = argument_, .help = help_,    \
		.offset = offsetof(type, member), .parse = parse_                                                      \
	}
#define OPTION_IGNORED(name_, argument_)                                                                               \
	{                                                                                                              \
		.name = name_, .kind = OPTION_KIND_IGNORED, .argument = argument_                                      \
	}
#define END_OF_OPTIONS                                                                                                 \
	{                                                                                                              \
		.kind = OPTION_KIND_END                                                                                \
	}

#endif
