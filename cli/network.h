/* The members of `warren network` that lie in files of their own. */
#ifndef WARREN_CLI_NETWORK_H
#define WARREN_CLI_NETWORK_H

#include "cli/cli.h"

/* network_show.c */
extern const struct command network_list_command, network_inspect_command;

#endif
