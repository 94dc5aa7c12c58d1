/* What the commands of `warren` share. cli/ turns words into calls of fleet/ and results into lines; it knows no
 * mechanism. */
#ifndef WARREN_CLI_CLI_H
#define WARREN_CLI_CLI_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/options.h"
#include "fleet/fleet.h"

/* One per process: lives in main(), and is what commands get as their context. */
struct cli {
	struct arena arena;
	struct host_options where;
	struct host host;
	bool is_open;
};

/* The host's directories, opened at the first use, so that help and wrong use need no root. */
MUST_CHECK int cli_open(struct cli *cli, struct error *err);

/* Puts in front of a failure what its reader cannot see from it: what this kernel lacks, which disk is full. */
void cli_explain(const struct cli *cli, struct error *err);

/* The commands, each defined beside its options and its function. */
extern const struct command run_command, create_command, start_command, stop_command, restart_command, kill_command,
	rm_command, pause_command, resume_command, wait_command, rename_command, list_command, exec_command,
	shell_command, healthcheck_command, why_command, logs_command, inspect_command, audit_command, stats_command,
	validate_command, apply_command, down_command, port_command, doctor_command, image_command, snapshot_command,
	clone_command, network_command, volume_command, commit_command, export_command, copy_command, init_command,
	schema_command;
extern const struct command plan_command, history_command, diff_command, rollback_command, set_command;
extern const struct command events_command, usage_command, boot_command, check_command, capacity_command, top_command;

/* Fetches those of the images that are missing (PULL_ALWAYS: all of them), with warren-pull. */
enum pull_policy { PULL_MISSING, PULL_ALWAYS, PULL_NEVER };
MUST_CHECK int images_fetch(struct cli *cli, const struct strings *images, enum pull_policy policy, struct error *err);
/* The value of --pull; NULL: PULL_MISSING. */
MUST_CHECK int pull_policy_parse(const char *text, enum pull_policy *out, struct error *err);
#define PULL_OPTION(type, member)                                                                                      \
	OPTION_TEXT("pull", 0, "WHEN", "fetch images: missing, always or never (default: missing)", type, member)

/* For OPTION_CUSTOM and struct optional, CLOCK_REALTIME in ms. "10m": so long ago; "+10m": in so long; "now";
 * "2026-01-31T23:59:59.123Z" and its beginnings from the day on: then, of UTC unless an offset as "+02:00" follows;
 * "1769903999.123": seconds since 1970. */
MUST_CHECK int moment_parse(struct arena *arena, const char *value, void *member, struct error *err);

/* The words of a --label that is set, "KEY[=VALUE]". */
void labels_fill(struct arena *arena, const struct strings *words, struct pairs *out);
/* "a=b,c=d" */
const char *labels_text(struct arena *arena, const struct pairs *labels);

/* Prints what the instance operands[0] has made of its root. Gives the exit status, or -1. */
MUST_CHECK int instance_diff(struct cli *cli, char **operands, bool json, struct error *err);

/* Names given as words and patterns, plus --label and --all → instances. Nothing named is wrong use. */
struct selection {
	struct strings labels;
	bool all;
};
#define SELECTION_OPTIONS(type, member)                                                                                \
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "those that carry this label", type, member.labels),                 \
		OPTION_FLAG("all", 'a', "all instances", type, member.all)
MUST_CHECK int cli_select(struct cli *cli, const struct selection *selection, size_t count, char **operands,
	struct strings *names, struct error *err);

#endif
