/* cp: files into an instance and out of it.
 *
 * "-" in the place of the host's path is a tar archive at standard input or output. It goes through a directory of the
 * store: what reads and writes archives is another program, which sees that directory only, and the copy between it and
 * the instance is the same as any other. So nothing of an archive that turns out to be broken comes into an instance.
 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/image_pull.h"
#include "cli/image_pull_options.h"
#include "images/transfer.h"

struct copy_options {
	bool archive, follow;
};

static const struct option copy_table[] = {
	OPTION_FLAG("archive", 'a', "keep owners (the ids inside) and attributes", struct copy_options, archive),
	OPTION_FLAG("follow-link", 'L', "of a link what it leads to, not the link itself", struct copy_options, follow),
	END_OF_OPTIONS,
};

/* --- operands ----------------------------------------------------------------------------------------------------- */

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

/* --- archives ----------------------------------------------------------------------------------------------------- */

static const struct command tree_unpack_command = {TREE_UNPACK_COMMAND};
static const struct command tree_pack_command = {TREE_PACK_COMMAND};

static int terminal_check(const struct copy_request *request, struct error *err)
{
	if (isatty(request->into ? STDIN_FILENO : STDOUT_FILENO))
		return fail(err, ERROR_USAGE, "\"-\" is a tar archive, and nothing for a terminal");
	return 0;
}

/* The helper has printed its errors: its status is ours. */
static int helper_run(
	struct cli *cli, const struct command *command, const struct transfer_scratch *scratch, struct error *err)
{
	char *operands[] = {(char *)transfer_scratch_name(scratch)};
	struct pull_options options = {0};

	return pull_run_held(cli, command->name, command, &options, 1, operands, err);
}

static int archive_into(
	struct cli *cli, struct copy_request *request, const struct transfer_scratch *scratch, struct error *err)
{
	int status = helper_run(cli, &tree_unpack_command, scratch, err);

	request->host_path = arena_format(&cli->arena, "/proc/self/fd/%d/.", transfer_scratch_tree(scratch));
	request->to_directory = true;
	return status ? status : instance_copy(&cli->host, request, err);
}

static int archive_out(
	struct cli *cli, struct copy_request *request, const struct transfer_scratch *scratch, struct error *err)
{
	request->host_path = arena_format(&cli->arena, "/proc/self/fd/%d/.", transfer_scratch_tree(scratch));
	if (instance_copy(&cli->host, request, err) < 0)
		return -1;
	return helper_run(cli, &tree_pack_command, scratch, err);
}

static int archive_copy(struct cli *cli, struct copy_request *request, struct error *err)
{
	struct transfer_scratch *scratch AUTO(transfer_scratch_drop) = NULL;

	if (terminal_check(request, err) < 0)
		return -1;
	scratch = transfer_scratch_make(cli->host.lib_path, err);
	if (!scratch)
		return -1;
	return request->into ? archive_into(cli, request, scratch, err) : archive_out(cli, request, scratch, err);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int copy_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct copy_options *chosen = options;
	struct cli *cli = context;
	struct copy_request request = {.archive = chosen->archive, .follow = chosen->follow};

	(void)count; /* two, as the table says */
	if (operands_parse(&cli->arena, operands, &request, err) < 0 || cli_open(cli, err) < 0)
		return -1;
	if (strcmp(request.host_path, "-") == 0)
		return archive_copy(cli, &request, err);
	return instance_copy(&cli->host, &request, err);
}

const struct command copy_command = {
	.name = "cp",
	.operands = "[options] INSTANCE:PATH PATH|- | PATH|- INSTANCE:PATH",
	.summary = "copy files out of an instance or into it",
	.example = "warren cp site.conf blog:/etc/nginx/conf.d/\nwarren cp blog:/var/log/nginx ./logs\n"
		   "tar -c site | warren cp - blog:/srv\nwarren cp blog:/var/log/nginx - | tar -t",
	.options = copy_table,
	.options_size = sizeof(struct copy_options),
	.operands_min = 2,
	.operands_max = 2,
	.run = copy_run,
};
