/* logs: what instances wrote. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"

struct logs_flags {
	struct selection which;
	bool follow, timestamps, no_prefix, prefix;
	const char *tail;
	struct optional since, until;
};

static const struct option logs_table[] = {
	OPTION_FLAG("follow", 'f', "go on until they end", struct logs_flags, follow),
	OPTION_FLAG("timestamps", 't', "show when each line was written", struct logs_flags, timestamps),
	OPTION_TEXT("tail", 'n', "NUMBER", "only the last lines of each, or \"all\"", struct logs_flags, tail),
	OPTION_CUSTOM("since", 0, "TIME", "from then on: 10m ago, now, 2026-01-31T23:59:59Z, or seconds since 1970",
		struct logs_flags, since, moment_parse),
	OPTION_CUSTOM("until", 0, "TIME", "up to then", struct logs_flags, until, moment_parse),
	OPTION_FLAG("names", 0, "the instance's name before each line (the default for several)", struct logs_flags,
		prefix),
	OPTION_FLAG("no-log-prefix", 0, "no names, also for several", struct logs_flags, no_prefix),
	SELECTION_OPTIONS(struct logs_flags, which),
	END_OF_OPTIONS,
};

static int tail_parse(const char *text, struct optional *out, struct error *err)
{
	if (!text || !strcmp(text, "all"))
		return 0;
	out->set = true;
	return number_parse(text, 0, 1000000000, &out->value, err) < 0 ? blame(err, "--tail") : 0;
}

/* One that was named plainly needs no name before its lines. */
static bool shows_names(const struct logs_flags *flags, size_t count, char **operands)
{
	if (flags->no_prefix || flags->prefix)
		return flags->prefix;
	return count != 1 || strpbrk(operands[0], "*?[") || flags->which.labels.count;
}

static int logs_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct logs_flags *flags = options;
	struct strings names = {0};
	struct logs_options logs = {
		.follow = flags->follow,
		.timestamps = flags->timestamps,
		.since_ms = flags->since,
		.until_ms = flags->until,
		.names = shows_names(flags, count, operands),
		.colour = isatty(STDOUT_FILENO),
	};

	if (tail_parse(flags->tail, &logs.tail, err) < 0 ||
		cli_select(cli, &flags->which, count, operands, &names, err) < 0)
		return -1;
	if (instances_logs(&cli->host, &names, &logs, STDOUT_FILENO, STDERR_FILENO, err) == 0)
		return 0;
	return err->errnum == EPIPE ? 0 : -1; /* "logs -f | head -1" */
}

const struct command logs_command = {
	.name = "logs",
	.operands = "[options] NAME…",
	.summary = "print what instances wrote, in the order in which they did",
	.example = "warren logs -f --tail 20 blog\nwarren logs -f --since 10m 'site-*' db",
	.options = logs_table,
	.options_size = sizeof(struct logs_flags),
	.operands_max = SIZE_MAX,
	.run = logs_run,
};
