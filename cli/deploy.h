/* What the commands that make a host as a file or a generation says have in common. */
#ifndef WARREN_CLI_DEPLOY_H
#define WARREN_CLI_DEPLOY_H

#include "cli/cli.h"

struct deploy_options {
	struct optional parallel;
	bool no_prune, quiet, dry_run;
	const char *pull;
};

#define PARALLEL_OPTION                                                                                                \
	OPTION_INTEGER("parallel", 'j', "NUMBER", "instances at once (default: twice the processors)",                 \
		struct deploy_options, parallel, 1, 256)
#define DRY_RUN_OPTION                                                                                                 \
	OPTION_FLAG("dry-run", 0, "only show what would be done, as plan does; touch nothing", struct deploy_options,  \
		dry_run)

/* Reads a fleet file; its warnings are said. */
MUST_CHECK int deploy_file_read(struct cli *cli, const char *path, struct fleet_file *file, struct error *err);
/* Fetches the missing images, then applies, with progress. rollback_of: the generation that the file is; 0: none. */
MUST_CHECK int deploy_apply(struct cli *cli, const struct fleet_file *file, const struct deploy_options *options,
	int64_t rollback_of, struct error *err);
/* The host looked at without making or putting right anything. */
MUST_CHECK int deploy_open_for_reading(struct cli *cli, struct error *err);
/* Shows what deploy_apply() would do: 0 nothing, 2 something, -1. */
MUST_CHECK int deploy_plan(
	struct cli *cli, const struct fleet_file *file, bool no_prune, bool json, bool expand, struct error *err);

#endif
