#include "tests/base/support_commands.h"

#include <stdlib.h>
#include <string.h>

static int level_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	(void)arena;
	if (strcmp(value, "low") && strcmp(value, "high"))
		return fail(err, ERROR_USAGE, "\"%s\" is neither low nor high", value);
	*(int *)member = *value == 'l' ? 1 : 2;
	return 0;
}

const struct option sample_run_options[] = {
	OPTION_FLAG("detach", 'd', "run in the background", struct sample_options, detach),
	OPTION_FLAG("interactive", 'i', "keep standard input open", struct sample_options, interactive),
	OPTION_FLAG("tty", 't', "give it a terminal", struct sample_options, tty),
	OPTION_TEXT("name", 'n', "NAME", "name of the instance", struct sample_options, name),
	OPTION_TEXTS("env", 'e', "NAME=VALUE",
		"environment variable; this one has a help text that is long enough to be wrapped, twice even, so that "
		"the"
		" second column can be seen to stay where it is",
		struct sample_options, environment),
	OPTION_TEXT("env-file", 0, "FILE", "read environment variables from a file", struct sample_options, file),
	OPTION_INTEGER("pids-limit", 0, "N", "most processes", struct sample_options, pids, 1, 4194304),
	OPTION_SIZE("memory", 'm', "SIZE", "most memory", struct sample_options, memory),
	OPTION_DURATION("stop-timeout", 0, "TIME", "time to end in", struct sample_options, timeout),
	OPTION_CUSTOM("level", 0, "low|high", "a level", struct sample_options, level, level_parse),
	OPTION_TEXT("a-rather-long-option-name", 0, "AND-ITS-VALUE", "stands alone", struct sample_options, format),
	{.name = "hidden", .kind = OPTION_KIND_FLAG, .offset = offsetof(struct sample_options, all)},
	OPTION_IGNORED("no-new-keyring", NULL),
	OPTION_IGNORED("console-size", "SIZE"),
	END_OF_OPTIONS,
};

const struct option sample_list_options[] = {
	OPTION_FLAG("quiet", 'q', "names only", struct sample_options, quiet),
	OPTION_FLAG("all", 'a', "also what isn't running", struct sample_options, all),
	OPTION_TEXT("format", 0, "table|json", "form of the output", struct sample_options, format),
	END_OF_OPTIONS,
};

static const struct option no_options[] = {END_OF_OPTIONS};

const struct option sample_global_options[] = {
	OPTION_TEXT("root", 0, "DIR", "directory of the state", struct sample_global, root),
	OPTION_FLAG("debug", 'D', "say more", struct sample_global, debug),
	END_OF_OPTIONS,
};

static int nothing(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)context;
	(void)options;
	(void)operands;
	(void)err;
	return (int)count;
}

static const struct command sample_image_list = {.name = "list",
	.alias = "ls",
	.operands = "[options]",
	.summary = "show the images",
	.options = sample_list_options,
	.options_size = sizeof(struct sample_options),
	.run = nothing};
static const struct command sample_image_tag = {.name = "tag",
	.operands = "IMAGE NAME",
	.summary = "name an image",
	.options = no_options,
	.operands_min = 2,
	.operands_max = 2,
	.run = nothing};
static const struct command *const sample_image_members[] = {&sample_image_list, &sample_image_tag, NULL};

const struct command *const sample_commands[] = {
	&(const struct command){.name = "run",
		.operands = "[options] IMAGE [COMMAND…]",
		.summary = "start a new instance",
		.example = "sample run -d host\nsample run host -- sh",
		.options = sample_run_options,
		.options_size = sizeof(struct sample_options),
		.stop_at_operand = true,
		.operands_min = 1,
		.operands_max = SIZE_MAX,
		.run = nothing},
	&(const struct command){.name = "list",
		.alias = "ps",
		.operands = "[options]",
		.summary = "show the instances",
		.options = sample_list_options,
		.options_size = sizeof(struct sample_options),
		.run = nothing},
	&(const struct command){.name = "stop",
		.operands = "[options] NAME…",
		.summary = "stop instances",
		.options = no_options,
		.operands_min = 1,
		.operands_max = 2,
		.run = nothing},
	&(const struct command){.name = "apply",
		.operands = "FILE",
		.summary = "make it so",
		.options = no_options,
		.operands_min = 1,
		.operands_max = 1,
		.run = nothing},
	&(const struct command){.name = "image",
		.operands = "COMMAND [options] …",
		.summary = "images of instances",
		.options = no_options,
		.stop_at_operand = true,
		.operands_max = SIZE_MAX,
		.members = sample_image_members,
		.purpose = "what instances are made of"},
	&(const struct command){.name = "secret", .options = no_options, .run = nothing},
	NULL,
};

const struct command *sample_command(const char *name)
{
	struct error err;
	const struct command *command = command_find(sample_commands, "sample", name, &err);

	if (!command)
		abort();
	return command;
}
