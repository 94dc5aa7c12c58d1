/* commit, export and diff: an instance's root leaves it. What reads it is warren-pull; we hold the instance meanwhile.
 */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/image_pull.h"
#include "cli/image_pull_options.h"

struct leaving {
	struct cli *cli;
	const char *word; /* of the helper */
	const struct command *command;
	struct pull_options *options;
	size_t count;
	char **operands;
};

static int leaving_run(void *context, const struct instance_spec *spec, struct error *err)
{
	const struct leaving *leaving = context;

	leaving->options->lower = spec->rootfs;
	return pull_run_held(leaving->cli, leaving->word, leaving->command, leaving->options, leaving->count,
		leaving->operands, err);
}

static int leave(struct leaving *leaving, struct error *err)
{
	const struct held_work work = {.run = leaving_run, .context = leaving};

	if (cli_open(leaving->cli, err) < 0)
		return -1;
	return instance_hold(&leaving->cli->host, leaving->operands[0], &work, err);
}

static int commit_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct leaving leaving = {.cli = context,
		.word = commit_command.name,
		.command = &commit_command,
		.options = options,
		.count = count,
		.operands = operands};

	return leave(&leaving, err);
}

static int export_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct leaving leaving = {.cli = context,
		.word = ROOT_EXPORT_WORD,
		.command = &export_command,
		.options = options,
		.count = count,
		.operands = operands};

	return leave(&leaving, err);
}

int instance_diff(struct cli *cli, char **operands, bool json, struct error *err)
{
	static const struct command diff = {.name = "diff", ROOT_DIFF_OPTIONS};
	struct pull_options options = {.json = json};
	struct leaving leaving = {.cli = cli,
		.word = ROOT_DIFF_WORD,
		.command = &diff,
		.options = &options,
		.count = 1,
		.operands = operands};

	return leave(&leaving, err);
}

const struct command commit_command = {COMMIT_COMMAND, .run = commit_run};
const struct command export_command = {.name = "export", ROOT_EXPORT_OPTIONS, .run = export_run};
