/* validate, apply, down: fleets of instances from one file. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/deploy.h"
#include "cli/lines.h"
#include "cli/plan_text.h"

static const struct option no_options[] = {END_OF_OPTIONS};

static const struct option apply_options[] = {
	PARALLEL_OPTION,
	OPTION_FLAG("no-prune", 0, "keep instances that are no longer in the file", struct deploy_options, no_prune),
	OPTION_FLAG("quiet", 'q', "print failures only", struct deploy_options, quiet),
	PULL_OPTION(struct deploy_options, pull),
	DRY_RUN_OPTION,
	END_OF_OPTIONS,
};

static const struct option down_options[] = {
	PARALLEL_OPTION,
	OPTION_FLAG("quiet", 'q', "print failures only", struct deploy_options, quiet),
	END_OF_OPTIONS,
};

/* One line that is rewritten on a terminal; a line per instance otherwise. */
struct progress {
	const struct cli *cli;
	bool quiet, is_terminal;
	size_t counts[APPLY_FAILED + 1];
};

/* Cut to the terminal: what goes on in a second line could not be overwritten. */
static void progress_line(const char *name, enum apply_step step, size_t done, size_t total)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *line = arena_format(&arena, "%zu/%zu %s %s", done, total, name, apply_step_names[step]);

	printf("\r\033[K%s", text_cut(&arena, line, terminal_width(stdout) - 1, false));
}

static void progress_print(
	void *context, const char *name, enum apply_step step, const struct error *result, size_t done, size_t total)
{
	struct progress *progress = context;
	struct error explained;

	progress->counts[step]++;
	if (step == APPLY_FAILED) {
		if (progress->is_terminal && !progress->quiet)
			fputs("\r\033[K", stdout);
		fflush(stdout);
		explained = *result;
		cli_explain(progress->cli, &explained);
		complaint_print(explained.text);
		return;
	}
	if (progress->quiet)
		return;
	if (progress->is_terminal)
		progress_line(name, step, done, total);
	else if (step != APPLY_UNCHANGED)
		printf("%s %s\n", name, apply_step_names[step]);
	fflush(stdout);
}

/* Whether something came of any instance; else a refusal says all there is to say. */
static bool progress_has_any(const struct progress *progress)
{
	for (size_t step = 0; step < ARRAY_SIZE(progress->counts); step++)
		if (progress->counts[step])
			return true;
	return false;
}

static void progress_finish(const struct progress *progress, const char *fleet)
{
	AUTO(text_drop) struct text line = {0};
	const char *separator = ": ";

	if (progress->quiet)
		return;
	if (progress->is_terminal)
		fputs("\r\033[K", stdout);
	text_append(&line, fleet);
	for (size_t step = 0; step < ARRAY_SIZE(progress->counts); step++)
		if (progress->counts[step]) {
			text_appendf(&line, "%s%zu %s", separator, progress->counts[step], apply_step_names[step]);
			separator = ", ";
		}
	text_append(&line, *separator == ':' ? ": nothing to do" : "");
	lines_print(stdout, terminal_width(stdout), 2, text_string(&line));
}

static struct apply_options options_make(
	const struct cli *cli, const struct deploy_options *chosen, struct progress *progress)
{
	*progress = (struct progress){.cli = cli, .quiet = chosen->quiet, .is_terminal = isatty(STDOUT_FILENO)};
	return (struct apply_options){
		.parallel = (unsigned)chosen->parallel.value,
		.no_prune = chosen->no_prune,
		.progress = progress_print,
		.context = progress,
	};
}

int deploy_file_read(struct cli *cli, const char *path, struct fleet_file *file, struct error *err)
{
	if (fleet_file_read(&cli->arena, path, file, err) < 0)
		return -1;
	for (size_t i = 0; i < file->warnings.count; i++)
		log_warn("%s", file->warnings.items[i]);
	return 0;
}

static int validate_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options;
	for (size_t i = 0; i < count; i++) {
		struct fleet_file file = {0};

		if (deploy_file_read(cli, operands[i], &file, err) < 0)
			return -1;
		printf("%s: fleet \"%s\", %zu instance%s, %zu network%s: valid\n", operands[i], file.name,
			file.instances.count, file.instances.count == 1 ? "" : "s", file.networks.count,
			file.networks.count == 1 ? "" : "s");
	}
	return 0;
}

/* An instance that is there has its image, whatever has become of the name. */
static bool has_its_image(struct cli *cli, const struct instance_spec *wanted)
{
	struct instance_status status;
	struct error ignored;

	return instance_status_read(&cli->arena, &cli->host, wanted->name, &status, &ignored) == 0 && status.spec &&
	       text_equal(status.spec->image, wanted->image);
}

/* Each once, before anything of the fleet is touched. */
static int file_images_fetch(
	struct cli *cli, const struct fleet_file *file, const struct deploy_options *options, struct error *err)
{
	struct strings images = {0};
	enum pull_policy policy;

	if (pull_policy_parse(options->pull, &policy, err) < 0)
		return -1;
	for (size_t i = 0; i < file->instances.count; i++) {
		const char *image = file->instances.items[i].image;

		if (image && strcmp(image, "host") != 0 && !strings_contain(&images, image) &&
			(policy == PULL_ALWAYS || !has_its_image(cli, &file->instances.items[i])))
			strings_add(&cli->arena, &images, image);
	}
	return images_fetch(cli, &images, policy, err);
}

int deploy_apply(struct cli *cli, const struct fleet_file *file, const struct deploy_options *options,
	int64_t rollback_of, struct error *err)
{
	struct progress progress;
	struct apply_options apply = options_make(cli, options, &progress);
	int result;

	apply.rollback_of = rollback_of;
	if (cli_open(cli, err) < 0 || file_images_fetch(cli, file, options, err) < 0)
		return -1;
	result = fleet_apply(&cli->host, file, &apply, err);
	if (result == 0 || progress_has_any(&progress))
		progress_finish(&progress, file->name);
	return result;
}

int deploy_open_for_reading(struct cli *cli, struct error *err)
{
	cli->where.read_only = true;
	return cli_open(cli, err);
}

int deploy_plan(
	struct cli *cli, const struct fleet_file *file, bool no_prune, bool json, bool expand, struct error *err)
{
	const struct plan_text how = {
		.json = json, .expand = expand, .nothing = "nothing to do: the host is as the file says"};
	struct fleet_plan plan;

	if (deploy_open_for_reading(cli, err) < 0 ||
		fleet_plan(&cli->arena, &cli->host, file, no_prune, &plan, err) < 0)
		return -1;
	plan_print(&cli->arena, &plan, &how, stdout);
	return plan.has_changes ? 2 : 0;
}

static int apply_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct deploy_options *chosen = options;
	struct cli *cli = context;
	struct fleet_file file = {0};

	(void)count;
	if (deploy_file_read(cli, operands[0], &file, err) < 0)
		return -1;
	if (chosen->dry_run)
		return deploy_plan(cli, &file, chosen->no_prune, false, false, err) < 0 ? -1 : 0;
	return deploy_apply(cli, &file, chosen, 0, err);
}

static int down_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct progress progress;
	struct apply_options apply = options_make(cli, options, &progress);
	int result;

	(void)count;
	if (name_check("fleet name", operands[0], err) < 0 || cli_open(cli, err) < 0)
		return -1;
	result = fleet_down(&cli->host, operands[0], &apply, err);
	if (result == 0 || progress.counts[APPLY_REMOVED])
		progress_finish(&progress, operands[0]);
	return result;
}

const struct command validate_command = {
	.name = "validate",
	.operands = "FILE…",
	.summary = "check fleet files without changing anything",
	.example = "warren validate examples/web.json",
	.options = no_options,
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = validate_run,
};

const struct command apply_command = {
	.name = "apply",
	.operands = "[options] FILE",
	.summary = "make the host as a fleet file says",
	.example = "warren apply examples/web.json",
	.options = apply_options,
	.options_size = sizeof(struct deploy_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = apply_run,
};

const struct command down_command = {
	.name = "down",
	.operands = "[options] FLEET",
	.summary = "stop and remove everything of a fleet",
	.example = "warren down web",
	.options = down_options,
	.options_size = sizeof(struct deploy_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = down_run,
};
