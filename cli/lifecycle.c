/* start, stop, restart, kill, pause, resume, rm, wait, rename: verbs on instances that exist. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/lines.h"
#include "images/collection.h"

struct verb_options {
	struct selection which;
	struct optional timeout;
	const char *signal;
	bool force, volumes;
};

static const struct option start_options[] = {SELECTION_OPTIONS(struct verb_options, which), END_OF_OPTIONS};

static const struct option stop_options[] = {
	SELECTION_OPTIONS(struct verb_options, which),
	OPTION_DURATION("time", 't', "TIME", "grace period before everything is killed (default: the instance's)",
		struct verb_options, timeout),
	END_OF_OPTIONS,
};

static const struct option kill_options[] = {
	SELECTION_OPTIONS(struct verb_options, which),
	OPTION_TEXT("signal", 's', "SIGNAL", "name or number (default: KILL); \"-HUP\" and \"-9\" do as well",
		struct verb_options, signal),
	END_OF_OPTIONS,
};

static const struct option rm_options[] = {
	SELECTION_OPTIONS(struct verb_options, which),
	OPTION_FLAG("force", 'f', "also running ones: they are killed first", struct verb_options, force),
	OPTION_FLAG("volumes", 'v',
		"also of a fleet's: the volumes that only its image asked for (of others they go anyway)",
		struct verb_options, volumes),
	END_OF_OPTIONS,
};

static const struct option no_options[] = {END_OF_OPTIONS};

/* Prints each name as it is done, and each failure but the last, which main() prints. */
struct progress {
	const struct cli *cli;
	size_t failed, total;
};

static void print_done(void *context, const char *name, const struct error *result)
{
	struct progress *progress = context;

	if (result->kind == ERROR_NONE) {
		printf("%s\n", name);
		fflush(stdout);
	} else {
		progress->failed++;
		if (progress->total > 1) {
			struct error explained = *result;

			cli_explain(progress->cli, &explained);
			complaint_print(explained.text);
		}
	}
}

/* The same verb for all selected; a failure of one does not keep the others. */
static int verb_run(struct cli *cli, const struct verb_options *options, size_t count, char **operands,
	struct bulk bulk, struct error *err)
{
	struct strings names = {0};
	struct progress progress = {.cli = cli};
	int failed;

	if (cli_select(cli, &options->which, count, operands, &names, err) < 0)
		return -1;
	progress.total = names.count;
	bulk.timeout_ms = options->timeout;
	bulk.done = print_done;
	bulk.context = &progress;
	failed = instances_do(&cli->host, &names, &bulk, err);
	if (failed > 0 && names.count > 1)
		return fail(
			err, err->kind ? err->kind : ERROR_SYSTEM, "%d of %zu instances failed", failed, names.count);
	return failed ? -1 : 0;
}

static int start_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return verb_run(context, options, count, operands, (struct bulk){.verb = VERB_START}, err);
}

static int stop_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return verb_run(context, options, count, operands, (struct bulk){.verb = VERB_STOP}, err);
}

static int restart_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return verb_run(context, options, count, operands, (struct bulk){.verb = VERB_RESTART}, err);
}

static int kill_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct verb_options *chosen = options;
	struct bulk bulk = {.verb = VERB_KILL, .signal = SIGKILL};

	if (chosen->signal && signal_parse(chosen->signal, &bulk.signal, err) < 0)
		return blame(err, "--signal");
	return verb_run(context, options, count, operands, bulk, err);
}

/* What only the image asked for, and only these instances have: known before they go, deleted afterwards. Whatever
 * somebody else has got meanwhile stays. */
static int volumes_note(struct cli *cli, const struct verb_options *options, size_t count, char **operands,
	struct strings *out, struct error *err)
{
	struct volume_list list;
	struct strings names = {0};

	if (cli_select(cli, &options->which, count, operands, &names, err) < 0 ||
		host_volumes(&cli->host, &cli->arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		const struct volume_info *volume = &list.items[i];

		if (volume->anonymous && volume->instances.count == 1 &&
			strings_contain(&names, volume->instances.items[0]))
			strings_add(&cli->arena, out, volume->name);
	}
	return 0;
}

static int volumes_remove(struct cli *cli, const struct strings *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++)
		if (host_volume_remove(&cli->host, names->items[i], err) < 0 && err->kind != ERROR_MISSING &&
			err->kind != ERROR_BUSY)
			return -1;
	return 0;
}

/* A command that was killed before its instance had a name left things without one: who says "rm" wants them gone too.
 */
static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct verb_options *chosen = options;
	const struct bulk bulk = {.verb = chosen->force ? VERB_REMOVE_FORCE : VERB_REMOVE};
	struct strings volumes = {0};
	struct error later = {0};
	int result;

	if (chosen->volumes && volumes_note(cli, chosen, count, operands, &volumes, err) < 0)
		return -1;
	result = verb_run(context, options, count, operands, bulk, err);
	if (volumes_remove(cli, &volumes, &later) < 0 && result == 0) {
		*err = later;
		result = -1;
	}
	if (cli->is_open) {
		host_clean(&cli->host);
		host_store_clean(&cli->host);
	}
	return result;
}

/* Verbs without a bulk form: one after the other. each() gives -1 with *err for a failure. */
static int each_run(struct cli *cli, const struct verb_options *options, size_t count, char **operands,
	int (*each)(struct cli *cli, const char *name, struct error *err), struct error *err)
{
	struct strings names = {0};
	struct progress progress = {.cli = cli};

	if (cli_select(cli, &options->which, count, operands, &names, err) < 0)
		return -1;
	progress.total = names.count;
	for (size_t i = 0; i < names.count; i++) {
		struct error one = {0};

		if (each(cli, names.items[i], &one) < 0) {
			print_done(&progress, names.items[i], &one);
			*err = one;
		}
	}
	if (progress.failed && names.count > 1)
		return fail(err, err->kind, "%zu of %zu instances failed", progress.failed, names.count);
	return progress.failed ? -1 : 0;
}

static int pause_one(struct cli *cli, const char *name, struct error *err)
{
	if (instance_pause(&cli->host, name, true, err) < 0)
		return -1;
	printf("%s\n", name);
	return 0;
}

static int resume_one(struct cli *cli, const char *name, struct error *err)
{
	if (instance_pause(&cli->host, name, false, err) < 0)
		return -1;
	printf("%s\n", name);
	return 0;
}

static int wait_one(struct cli *cli, const char *name, struct error *err)
{
	int status;

	if (instance_wait(&cli->host, name, &status, err) < 0)
		return -1;
	printf("%d\n", status);
	fflush(stdout);
	return 0;
}

static int pause_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return each_run(context, options, count, operands, pause_one, err);
}

static int resume_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return each_run(context, options, count, operands, resume_one, err);
}

static int wait_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return each_run(context, options, count, operands, wait_one, err);
}

static int rename_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options, (void)count;
	if (name_check("new name", operands[1], err) < 0 || cli_open(cli, err) < 0)
		return -1;
	return instance_rename(&cli->host, operands[0], operands[1], err);
}

#define VERB(variable, word, line, rows, function, sample)                                                             \
	const struct command variable = {                                                                              \
		.name = word,                                                                                          \
		.operands = "[options] NAME…",                                                                         \
		.summary = line,                                                                                       \
		.example = sample,                                                                                     \
		.options = rows,                                                                                       \
		.options_size = sizeof(struct verb_options),                                                           \
		.operands_max = SIZE_MAX,                                                                              \
		.run = function,                                                                                       \
	}

VERB(start_command, "start", "start instances", start_options, start_run, "warren start blog 'site-*'");
VERB(stop_command, "stop", "stop instances: signal, grace period, then all of it", stop_options, stop_run,
	"warren stop --time 30s blog");
VERB(restart_command, "restart", "stop instances and start them again", stop_options, restart_run,
	"warren restart --label tier=web");
VERB(kill_command, "kill", "send a signal to the first process of instances", kill_options, kill_run,
	"warren kill --signal HUP blog");
VERB(pause_command, "pause", "freeze all processes of instances", start_options, pause_run, "warren pause blog");
VERB(resume_command, "resume", "let paused instances go on", start_options, resume_run, "warren resume blog");
VERB(rm_command, "rm", "remove instances with all that is theirs", rm_options, rm_run, "warren rm -f blog");
VERB(wait_command, "wait", "wait for instances to end and print their exit status", start_options, wait_run,
	"warren wait job-1");

const struct command rename_command = {
	.name = "rename",
	.operands = "NAME NEW-NAME",
	.summary = "give a stopped instance another name",
	.example = "warren rename blog old-blog",
	.options = no_options,
	.operands_min = 2,
	.operands_max = 2,
	.run = rename_run,
};
