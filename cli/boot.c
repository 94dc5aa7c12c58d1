/* boot: what the host's start and stop do; called by the service manager. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"

struct boot_options {
	bool stop, dry_run;
	struct optional parallel;
};

static const struct option boot_table[] = {
	OPTION_FLAG("stop", 0, "the host goes down: stop all, to be started again by the next boot",
		struct boot_options, stop),
	OPTION_FLAG("dry-run", 'n', "only print what would be started or stopped", struct boot_options, dry_run),
	OPTION_INTEGER("parallel", 0, "NUMBER", "how many at once (default: twice the processors)", struct boot_options,
		parallel, 1, 1024),
	END_OF_OPTIONS,
};

struct boot_count {
	size_t total;
};

static void boot_print(void *context, const char *name, const struct error *result)
{
	struct boot_count *count = context;

	count->total++;
	if (result->kind == ERROR_NONE)
		printf("%s\n", name);
	else
		log_error("%s", result->text);
	fflush(stdout);
}

static int boot_run(void *context, void *options, size_t operand_count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct boot_options *chosen = options;
	struct boot_count count = {0};
	struct boot_request request = {
		.parallel = chosen->parallel.set ? (unsigned)chosen->parallel.value : 0,
		.dry_run = chosen->dry_run,
		.done = boot_print,
		.context = &count,
	};
	int failed;

	(void)operand_count, (void)operands;
	if (cli_open(cli, err) < 0)
		return -1;
	failed = chosen->stop ? host_halt(&cli->host, &request, err) : host_boot(&cli->host, &request, err);
	if (failed > 0)
		return fail(err, ERROR_SYSTEM, "%d of %zu instances failed", failed, count.total);
	return failed;
}

const struct command boot_command = {
	.name = "boot",
	.operands = "[options]",
	.summary = "start what should run after the host has started, or stop all before it goes down",
	.example = "warren boot\nwarren boot --stop",
	.options = boot_table,
	.options_size = sizeof(struct boot_options),
	.run = boot_run,
};
