/* plan: what apply would do now, and why. */
#include "cli/deploy.h"

struct plan_options {
	bool json, expand, no_prune;
};

static const struct option plan_table[] = {
	OPTION_FLAG("json", 0, "print JSON", struct plan_options, json),
	OPTION_FLAG("expand", 0, "show every key of every instance, defaults included", struct plan_options, expand),
	OPTION_FLAG("no-prune", 0, "as apply with --no-prune: what left the file stays", struct plan_options, no_prune),
	END_OF_OPTIONS,
};

static int plan_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct plan_options *chosen = options;
	struct cli *cli = context;
	struct fleet_file file = {0};

	(void)count;
	if (deploy_file_read(cli, operands[0], &file, err) < 0)
		return -1;
	return deploy_plan(cli, &file, chosen->no_prune, chosen->json, chosen->expand, err);
}

const struct command plan_command = {
	.name = "plan",
	.operands = "[options] FILE",
	.summary = "show what apply would do and why; status 0 nothing, 2 changes wait, 1 failed",
	.example = "warren plan examples/web.json\nwarren plan --json shop.json | jq '.instances[] | select(.action != "
		   "\"none\")'",
	.options = plan_table,
	.options_size = sizeof(struct plan_options),
	.operands_min = 1,
	.operands_max = 1,
	.two_is_an_answer = true, /* changes wait */
	.run = plan_run,
};
