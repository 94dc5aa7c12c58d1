/* A small program's tables, for the tests of parsing, help and completion. */
#ifndef WARREN_TESTS_BASE_SUPPORT_COMMANDS_H
#define WARREN_TESTS_BASE_SUPPORT_COMMANDS_H

#include "base/options.h"

struct sample_options {
	bool detach, interactive, tty, quiet, all;
	const char *name, *format, *file;
	struct strings environment;
	struct optional pids, memory, timeout;
	int level; /* custom: "low" or "high" */
};

struct sample_global {
	const char *root;
	bool debug;
};

extern const struct option sample_run_options[], sample_list_options[], sample_global_options[];
extern const struct command *const sample_commands[]; /* run, list (ps), stop, apply, secret */

const struct command *sample_command(const char *name);

#endif
