/* Commands of two words: `warren image list`. */
#ifndef WARREN_CLI_GROUP_H
#define WARREN_CLI_GROUP_H

#include "cli/cli.h"

struct group {
	const char *program; /* "warren image": what help and errors call it */
	const char *purpose;
	const struct command *const *commands;
	size_t count;
};

/* Runs the command that words[0] names with the words after it; without a word: help, and status 2 as for wrong use. */
MUST_CHECK int group_run(struct cli *cli, const struct group *group, size_t count, char **words, struct error *err);

/* How the first word's own command begins; the rest of it is operands and summary. */
#define GROUP_COMMAND                                                                                                  \
	.operands = "COMMAND [options] …", .options = group_options, .stop_at_operand = true, .operands_max = SIZE_MAX
extern const struct option group_options[];
/* True of such a command: its help is the list of its commands. */
bool command_is_group(const struct command *command);

#endif
