/* Commands of two words: the second is looked up and parsed as the first one is. */
#include "cli/group.h"

#include <string.h>

#include "base/cleanup.h"

const struct option group_options[] = {END_OF_OPTIONS};

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

bool command_is_group(const struct command *command)
{
	return command->options == group_options;
}

/* The array that base/options wants: ends with a row without a name. */
static struct command *rows_make(struct cli *cli, const struct group *group)
{
	struct command *commands = arena_new_array(&cli->arena, group->count + 1, struct command);

	for (size_t i = 0; i < group->count; i++)
		commands[i] = *group->commands[i];
	return commands;
}

int group_run(struct cli *cli, const struct group *group, size_t count, char **words, struct error *err)
{
	const struct command *commands = rows_make(cli, group), *command;
	char **operands;
	size_t operand_count;
	bool help = false;
	void *options;

	if (!count || (is_help(words[0]) && count == 1)) {
		program_help(count ? stdout : stderr, group->program, group->purpose, commands, group_options);
		return count ? 0 : 2;
	}
	if (is_help(words[0]))
		words++, count--, help = true;
	command = command_find(commands, group->program, words[0], err);
	if (!command)
		return -1;
	options = arena_alloc(&cli->arena, command->options_size);
	if (!help && options_parse(&cli->arena, command, (int)count - 1, words + 1, options, &operands, &operand_count,
			     &help, err) < 0)
		return -1;
	if (help) {
		command_help(stdout, group->program, command);
		return 0;
	}
	return command->run(cli, options, operand_count, operands, err);
}
