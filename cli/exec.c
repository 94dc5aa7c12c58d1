/* exec and shell: a second process in a running instance. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"

struct exec_flags {
	bool detach, interactive, terminal;
	struct strings environment, env_files;
	const char *user, *working_dir;
};

#define PROCESS_OPTIONS                                                                                                \
	OPTION_TEXTS("env", 'e', "NAME[=VALUE]", "environment variable; without a value, the caller's",                \
		struct exec_flags, environment),                                                                       \
		OPTION_TEXTS("env-file", 0, "FILE", "environment variables, one NAME=VALUE a line", struct exec_flags, \
			env_files),                                                                                    \
		OPTION_TEXT("user", 'u', "USER[:GROUP]", "as this user of the instance", struct exec_flags, user),     \
		OPTION_TEXT("workdir", 'w', "DIR", "working directory inside", struct exec_flags, working_dir)

static const struct option exec_table[] = {
	OPTION_FLAG("interactive", 'i', "keep standard input open", struct exec_flags, interactive),
	OPTION_FLAG("tty", 't', "give it a terminal", struct exec_flags, terminal),
	OPTION_FLAG("detach", 'd', "run in the background", struct exec_flags, detach),
	PROCESS_OPTIONS,
	END_OF_OPTIONS,
};

static const struct option shell_table[] = {PROCESS_OPTIONS, END_OF_OPTIONS};

static int environment_add(struct arena *arena, const char *text, struct pairs *out, struct error *err)
{
	const char *equals = strchr(text, '='), *value = equals ? equals + 1 : getenv(text);

	if (*text == '=' || !*text)
		return fail(err, ERROR_USAGE, "--env \"%s\": expected NAME=VALUE", text);
	if (value)
		pairs_set(arena, out, arena_bytes(arena, text, strcspn(text, "=")), value);
	return 0;
}

/* Files first: --env goes over them. */
static int environment_fill(struct arena *arena, const struct exec_flags *flags, struct strings *out, struct error *err)
{
	struct pairs all = {0};

	for (size_t i = 0; i < flags->env_files.count; i++)
		if (env_file_read(arena, flags->env_files.items[i], &all, err) < 0)
			return blame(err, "--env-file");
	for (size_t i = 0; i < flags->environment.count; i++)
		if (environment_add(arena, flags->environment.items[i], &all, err) < 0)
			return -1;
	for (size_t i = 0; i < all.count; i++)
		strings_add(arena, out, arena_format(arena, "%s=%s", all.items[i].name, all.items[i].value));
	return 0;
}

/* The command's own status; our own failure is 125, a program not found 127, one that cannot be executed 126. */
static int process_run_inside(
	struct cli *cli, const char *name, const struct exec_flags *flags, struct strings args, struct error *err)
{
	struct exec_options options = {
		.args = args,
		.user = flags->user,
		.working_dir = flags->working_dir,
		.terminal = flags->terminal,
		.interactive = flags->interactive,
		.detach = flags->detach,
	};
	int status = 0;

	if (environment_fill(&cli->arena, flags, &options.env, err) < 0 || cli_open(cli, err) < 0)
		return -1;
	if (instance_exec(&cli->host, name, &options, &status, err) == 0)
		return status;
	if (err->kind == ERROR_MISSING || err->kind == ERROR_USAGE)
		return -1;
	cli_explain(cli, err);
	log_error("%s", err->text);
	return status ? status : 125;
}

static int exec_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct exec_flags *flags = options;
	struct strings args = {0};

	if (flags->terminal && !flags->detach && !isatty(STDIN_FILENO))
		return fail(err, ERROR_USAGE, "--tty: standard input is not a terminal");
	for (size_t i = strcmp(operands[1], "--") ? 1 : 2; i < count; i++)
		strings_add(&cli->arena, &args, operands[i]);
	if (!args.count)
		return fail(err, ERROR_USAGE, "name a command to run in %s", operands[0]);
	return process_run_inside(cli, operands[0], flags, args, err);
}

static int shell_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	static const char *const words[] = {"/bin/sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh -l"};
	struct cli *cli = context;
	struct exec_flags flags = *(const struct exec_flags *)options;
	struct strings args = {0};

	(void)count;
	flags.interactive = true;
	flags.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		strings_add(&cli->arena, &args, words[i]);
	return process_run_inside(cli, operands[0], &flags, args, err);
}

const struct command exec_command = {
	.name = "exec",
	.operands = "[options] NAME COMMAND…",
	.summary = "run a command in a running instance",
	.example = "warren exec blog nginx -t\nwarren exec -it blog bash",
	.options = exec_table,
	.options_size = sizeof(struct exec_flags),
	.stop_at_operand = true,
	.operands_min = 2,
	.operands_max = SIZE_MAX,
	.run = exec_run,
};

const struct command shell_command = {
	.name = "shell",
	.operands = "[options] NAME",
	.summary = "open a shell in a running instance",
	.example = "warren shell blog",
	.options = shell_table,
	.options_size = sizeof(struct exec_flags),
	.operands_min = 1,
	.operands_max = 1,
	.run = shell_run,
};
