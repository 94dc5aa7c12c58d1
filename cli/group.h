/* Commands of two words: `warren image list`. */
#ifndef WARREN_CLI_GROUP_H
#define WARREN_CLI_GROUP_H

#include "cli/cli.h"

/* Runs the member of the group that words[0] names with the words after it; without a word: help, and status 2 as for
 * wrong use. */
MUST_CHECK int group_run(struct cli *cli, const char *program, const struct command *group, size_t count, char **words,
	struct error *err);

/* How a group begins; members and purpose, name, summary and example follow. */
#define GROUP_COMMAND                                                                                                  \
	.operands = "COMMAND [options] …", .options = options_none, .stop_at_operand = true, .operands_max = SIZE_MAX

#endif
