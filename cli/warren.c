/* The program `warren`: global options, the table of commands, and the one place where errors are printed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "base/output.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/group.h"
#include "cli/lines.h"
#include "cli/manual.h"

#define PROGRAM "warren"
#define PURPOSE "run many isolated server instances on one Linux host, with no daemon"

struct global_options {
	const char *root, *cgroup_parent;
	bool debug, version;
};

static const struct option global_table[] = {
	OPTION_TEXT("root", 0, "DIR", "keep everything below DIR instead of /run, /var/lib and /var/log",
		struct global_options, root),
	OPTION_TEXT("cgroup-parent", 0, "NAME",
		"control group that holds all others: a name, a /path, or delegated (default: warren)",
		struct global_options, cgroup_parent),
	OPTION_FLAG("debug", 0, "say what is done, on standard error", struct global_options, debug),
	OPTION_FLAG("version", 'v', "print the version", struct global_options, version),
	END_OF_OPTIONS,
};

static int completion_run(void *context, void *options, size_t count, char **operands, struct error *err);
static const struct command completion_command = COMPLETION_COMMAND(PROGRAM, completion_run);
static int manual_run(void *context, void *options, size_t count, char **operands, struct error *err);
/* For the build, which installs the page: not in the help. */
static const struct command manual_command = {.name = "manual", .options = options_none, .run = manual_run};

/* In the order of `warren --help`. */
static const struct command *const commands[] = {
	&run_command,
	&create_command,
	&start_command,
	&stop_command,
	&restart_command,
	&kill_command,
	&pause_command,
	&resume_command,
	&rm_command,
	&list_command,
	&exec_command,
	&shell_command,
	&logs_command,
	&inspect_command,
	&port_command,
	&audit_command,
	&stats_command,
	&top_command,
	&events_command,
	&usage_command,
	&healthcheck_command,
	&why_command,
	&wait_command,
	&set_command,
	&rename_command,
	&init_command,
	&validate_command,
	&plan_command,
	&apply_command,
	&down_command,
	&history_command,
	&diff_command,
	&rollback_command,
	&clone_command,
	&snapshot_command,
	&commit_command,
	&export_command,
	&copy_command,
	&network_command,
	&volume_command,
	&image_command,
	&doctor_command,
	&capacity_command,
	&boot_command,
	&check_command,
	&schema_command,
	&completion_command,
	&manual_command,
	NULL,
};

static int completion_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)context, (void)options, (void)count;
	return program_completion(stdout, operands[0], PROGRAM, commands, global_table, err);
}

static int manual_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)context, (void)options, (void)count, (void)operands, (void)err;
	program_manual(stdout, &warren_manual, commands, global_table);
	return 0;
}

int cli_open(struct cli *cli, struct error *err)
{
	if (cli->is_open)
		return 0;
	if (host_open(&cli->where, &cli->host, err) < 0)
		return -1;
	cli->host.caller_arena = &cli->arena; /* a monitor forked from here gives it back to the kernel */
	cli->is_open = true;
	return 0;
}

int cli_select(struct cli *cli, const struct selection *selection, size_t count, char **operands, struct strings *names,
	struct error *err)
{
	struct strings patterns = {0};

	if (!count && !selection->all && !selection->labels.count)
		return fail(err, ERROR_USAGE, "name at least one instance, or give --label or --all");
	if (count && selection->all)
		return fail(err, ERROR_USAGE, "--all and \"%s\" exclude each other", operands[0]);
	for (size_t i = 0; i < count; i++)
		strings_add(&cli->arena, &patterns, operands[i]);
	if (cli_open(cli, err) < 0)
		return -1;
	return instance_select(&cli->arena, &cli->host, &patterns, &selection->labels, names, err);
}

static int command_words_run(
	struct cli *cli, const struct command *command, bool help, int argc, char **argv, struct error *err)
{
	void *options = arena_alloc(&cli->arena, command->options_size);
	char **operands;
	size_t count;

	if (!help &&
		options_parse(&cli->arena, command, argc - 1, argv + 1, options, &operands, &count, &help, err) < 0)
		return -1;
	if (help && command->members) {
		char *word[] = {(char[]){"help"}, NULL};

		return group_run(cli, PROGRAM, command, 1, word, err);
	}
	if (help) {
		command_help(stdout, PROGRAM, command);
		return 0;
	}
	if (command->members)
		return group_run(cli, PROGRAM, command, count, operands, err);
	return command->run(cli, options, count, operands, err);
}

/* A failure of any kind is then status 1. */
static int answer_keep_apart(const struct command *command, int result, struct error *err)
{
	if (result < 0 && command->two_is_an_answer)
		err->kind = ERROR_SYSTEM;
	return result;
}

static bool command_is_known(const char *word)
{
	struct error ignored;

	return command_find(commands, PROGRAM, word, &ignored);
}

static int command_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	const struct command *command;
	bool help = false;

	if (!strcmp(argv[0], "help")) {
		if (argc == 1) {
			program_help(stdout, PROGRAM, PURPOSE, commands, global_table);
			return 0;
		}
		argv++, argc--;
		help = true;
	}
	if (!command_is_known(argv[0]) && foreign_translate(&cli->arena, &argc, &argv, err) < 0)
		return -1;
	foreign_adapt(&cli->arena, &argc, &argv);
	command = command_find(commands, PROGRAM, argv[0], err);
	if (!command)
		return -1;
	return answer_keep_apart(command, command_words_run(cli, command, help, argc, argv, err), err);
}

/* While the global options are not understood it is not known which word is the command; that one reads like it will
 * do.
 */
static void answers_keep_apart(int argc, char **argv, struct error *err)
{
	for (int i = 1; i < argc; i++)
		for (size_t c = 0; commands[c]; c++)
			if (!strcmp(argv[i], commands[c]->name))
				answer_keep_apart(commands[c], -1, err);
}

static int global_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct global_options options = {0};
	bool help = false;
	int used = 0;

	if (options_parse_global(&cli->arena, global_table, argc - 1, argv + 1, &options, &used, &help, err) < 0) {
		answers_keep_apart(argc, argv, err);
		return -1;
	}
	log_setup(PROGRAM, options.debug ? LOG_DEBUG : LOG_WARN, LOG_TEXT, STDERR_FILENO);
	cli->where = (struct host_options){.root = options.root, .cgroup_parent = options.cgroup_parent};
	if (options.version) {
		printf("warren %s\n", WARREN_VERSION);
		return 0;
	}
	if (help || argc - 1 == used) {
		program_help(help ? stdout : stderr, PROGRAM, PURPOSE, commands, global_table);
		return help ? 0 : 2;
	}
	return command_run(cli, argc - 1 - used, argv + 1 + used, err);
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct error err = {0};
	int status;

	fds_open_standard();
	/* A control group that only root may enter could not be mounted inside (cgroup2 walks there as the instance).
	 */
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	status = global_run(&cli, argc, argv, &err);
	if (status < 0) {
		cli_explain(&cli, &err);
		fflush(stdout);
		complaint_print(err.text);
		status = error_exit_status(&err);
	} else if (output_finish(&err) < 0) {
		fprintf(stderr, PROGRAM ": %s\n", err.text);
		status = status ? status : 1;
	}
	if (cli.is_open)
		host_close(&cli.host);
	arena_drop(&cli.arena);
	return status;
}
