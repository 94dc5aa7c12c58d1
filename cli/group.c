/* Commands of two words: the second is looked up and parsed as the first one is. */
#include "cli/group.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

int group_run(struct cli *cli, const char *program, const struct command *group, size_t count, char **words,
	struct error *err)
{
	const char *both = arena_format(&cli->arena, "%s %s", program, group->name);
	const struct command *command;
	struct command named; /* for the usage line */
	char **operands;
	size_t operand_count;
	bool help = false;
	void *options;

	if (!count || (is_help(words[0]) && count == 1)) {
		program_help(count ? stdout : stderr, both, group->purpose, group->members, options_none);
		return count ? 0 : 2;
	}
	if (is_help(words[0]))
		words++, count--, help = true;
	command = command_find(group->members, both, words[0], err);
	if (!command)
		return -1;
	options = arena_alloc(&cli->arena, command->options_size);
	named = *command;
	named.name = arena_format(&cli->arena, "%s %s", group->name, command->name);
	if (!help && options_parse(&cli->arena, &named, (int)count - 1, words + 1, options, &operands, &operand_count,
			     &help, err) < 0)
		return -1;
	if (help) {
		command_help(stdout, both, command);
		return 0;
	}
	return command->run(cli, options, operand_count, operands, err);
}
