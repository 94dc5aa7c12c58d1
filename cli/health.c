/* healthcheck run: ask now. And the flags of run and create that say how an instance is asked. */
#include "cli/health.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/group.h"

/* --- flags -------------------------------------------------------------------------------------------------------- */

static int action_parse(const char *text, enum health_action *out, struct error *err)
{
	for (int i = 0; health_action_names[i]; i++)
		if (text_equal(text, health_action_names[i])) {
			*out = (enum health_action)i;
			return 0;
		}
	return fail(err, ERROR_USAGE, "--health-on-failure \"%s\": expected restart, stop or none", text);
}

/* As docker: the line is the shell's, and "none" switches the image's off. */
static void command_fill(struct arena *arena, const char *line, struct health_spec *out)
{
	if (text_equal(line, "none")) {
		out->disable = true;
		return;
	}
	strings_add(arena, &out->test, "CMD-SHELL");
	strings_add(arena, &out->test, line);
}

int health_fill(struct arena *arena, const struct health_options *options, struct health_spec *out, struct error *err)
{
	bool more = options->command || options->http || options->tcp.set || options->interval.set ||
		    options->timeout.set || options->start_period.set || options->start_interval.set ||
		    options->retries.set || options->on_failure;

	if (options->disable && more)
		return fail(
			err, ERROR_USAGE, "--no-healthcheck and other flags of the health check exclude each other");
	out->disable = options->disable;
	if (options->command)
		command_fill(arena, options->command, out);
	out->http = options->http;
	out->tcp = options->tcp.set ? options->tcp.value : 0;
	out->interval_ms = options->interval;
	out->timeout_ms = options->timeout;
	out->start_period_ms = options->start_period;
	out->start_interval_ms = options->start_interval;
	out->retries = options->retries;
	return options->on_failure ? action_parse(options->on_failure, &out->on_failure, err) : 0;
}

/* --- healthcheck run ---------------------------------------------------------------------------------------------- */

struct ask_options {
	struct selection which;
	bool quiet;
};

static const struct option ask_table[] = {
	SELECTION_OPTIONS(struct ask_options, which),
	OPTION_FLAG("quiet", 'q', "say nothing: the exit status tells", struct ask_options, quiet),
	END_OF_OPTIONS,
};

static void answer_print(const char *name, const struct health_result *result)
{
	char duration[24];

	printf("%s: %s (%s)%s%s\n", name, result->well ? "well" : "not well",
		duration_format(result->took_ms, duration), *result->output ? ": " : "", result->output);
}

static int ask_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct ask_options *chosen = options;
	struct strings names = {0};
	struct health_result result;
	int status = 0;

	if (cli_select(cli, &chosen->which, count, operands, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (instance_health_ask(&cli->arena, &cli->host, names.items[i], &result, err) < 0)
			return -1;
		if (!chosen->quiet)
			answer_print(names.items[i], &result);
		if (!result.well)
			status = 1;
	}
	return status;
}

static const struct command ask_command = {
	.name = "run",
	.operands = "[options] NAME…",
	.summary = "ask running instances how they are, now: exit status 0 when all are well",
	.example = "warren healthcheck run blog",
	.options = ask_table,
	.options_size = sizeof(struct ask_options),
	.operands_max = SIZE_MAX,
	.run = ask_run,
};

static const struct command *const members[] = {&ask_command, NULL};

const struct command healthcheck_command = {
	.name = "healthcheck",
	.summary = "ask instances how they are",
	.example = "warren healthcheck run blog",
	.purpose = "ask instances how they are",
	.members = members,
	GROUP_COMMAND,
};
