/* cp: files into an instance and out of it. */
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"

struct copy_options {
	bool archive;
};

static const struct option copy_table[] = {
	OPTION_FLAG("archive", 'a', "keep owners (the ids inside) and attributes", struct copy_options, archive),
	END_OF_OPTIONS,
};

/* As with other engines: a path of the host's with a colon is written with a slash or a dot in front. */
static const char *colon_find(const char *operand)
{
	return *operand == '/' || *operand == '.' ? NULL : strchr(operand, ':');
}

static int operands_parse(struct arena *arena, char **operands, struct copy_request *out, struct error *err)
{
	const char *from = colon_find(operands[0]), *to = colon_find(operands[1]);
	const char *inner = to ? operands[1] : operands[0], *colon = to ? to : from;

	if (!from == !to)
		return fail(err, ERROR_USAGE, "one of the two must be INSTANCE:PATH, the other a path of the host");
	if (!colon[1])
		return fail(err, ERROR_USAGE, "%s: the path is missing", inner);
	out->into = to != NULL;
	out->instance = arena_bytes(arena, inner, (size_t)(colon - inner));
	out->inner_path = colon + 1;
	out->host_path = to ? operands[0] : operands[1];
	if (!*out->host_path)
		return fail(err, ERROR_USAGE, "the host's path is empty");
	return 0;
}

static int copy_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct copy_request request = {.archive = ((struct copy_options *)options)->archive};

	(void)count; /* two, as the table says */
	if (operands_parse(&cli->arena, operands, &request, err) < 0 || cli_open(cli, err) < 0)
		return -1;
	return instance_copy(&cli->host, &request, err);
}

const struct command copy_command = {
	.name = "cp",
	.operands = "[options] INSTANCE:PATH PATH | PATH INSTANCE:PATH",
	.summary = "copy files out of an instance or into it",
	.example = "warren cp site.conf blog:/etc/nginx/conf.d/\nwarren cp blog:/var/log/nginx ./logs",
	.options = copy_table,
	.options_size = sizeof(struct copy_options),
	.operands_min = 2,
	.operands_max = 2,
	.run = copy_run,
};
