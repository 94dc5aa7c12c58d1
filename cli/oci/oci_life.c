/* create, start, run, kill, delete, pause, resume: one call of the runtime each. */
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/process.h"
#include "cgroups/systemd.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

#define PRESERVE_MAX 4096

static const struct option no_options[] = {END_OF_OPTIONS};

/* --- create and run ----------------------------------------------------------------------------------------------- */

struct create_options {
	const char *bundle, *config, *console_socket, *pid_file;
	struct optional preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper, keep, detach;
};

#define CREATE_OPTIONS                                                                                                 \
	OPTION_TEXT(                                                                                                   \
		"bundle", 'b', "DIR", "bundle directory (default: the current one)", struct create_options, bundle),   \
		OPTION_TEXT("config", 'f', "FILE", "read FILE instead of config.json in the bundle",                   \
			struct create_options, config),                                                                \
		OPTION_TEXT("console-socket", 0, "SOCKET", "send the master of the terminal to this UNIX socket",      \
			struct create_options, console_socket),                                                        \
		OPTION_TEXT("pid-file", 0, "FILE", "write the first process's pid to FILE", struct create_options,     \
			pid_file),                                                                                     \
		OPTION_INTEGER("preserve-fds", 0, "N", "pass descriptors 3 to 2+N on to the container",                \
			struct create_options, preserve_fds, 0, PRESERVE_MAX),                                         \
		OPTION_FLAG("no-new-keyring", 0, "keep the caller's session keyring", struct create_options,           \
			no_new_keyring),                                                                               \
		OPTION_FLAG("no-pivot", 0, NULL, struct create_options,                                                \
			no_pivot), /* Children left by the container's first process go to its pid namespace's init,   \
				      never to us. */                                                                  \
		OPTION_FLAG("no-subreaper", 0, NULL, struct create_options, no_subreaper)

static const struct option create_table[] = {CREATE_OPTIONS, END_OF_OPTIONS};
static const struct option run_table[] = {
	CREATE_OPTIONS,
	OPTION_FLAG("detach", 'd', "return when the container runs", struct create_options, detach),
	OPTION_FLAG("keep", 0, "do not delete the container when it ends", struct create_options, keep),
	END_OF_OPTIONS,
};

int oci_prepare(struct oci_cli *cli, struct container_create_options *create, struct error *err)
{
	const char *config;

	/* Before this program executes itself anew and has no directory any more. */
	if (cli->cgroups == CONTAINER_SYSTEMD && (cli->systemd = systemd_helper_keep(err)) < 0)
		return blame(err, "cgroups by systemd");
	create->cgroups = (enum container_cgroups)cli->cgroups;
	create->rootless = (enum container_rootless)cli->rootless;
	create->guard_arguments = cli->arguments;
	if (!create->bundle)
		create->bundle = ".";
	config = create->config ? create->config : arena_format(&cli->arena, "%s/config.json", create->bundle);
	return runtime_guard_enter(cli->arguments, config, err) < 0 ? -1 : oci_cli_open(cli, err);
}

static int create_prepare(
	struct oci_cli *cli, const struct create_options *from, struct container_create_options *out, struct error *err)
{
	if (from->no_pivot)
		log_debug("--no-pivot: the root is changed by pivot_root all the same, anything else can be escaped");
	*out = (struct container_create_options){
		.bundle = from->bundle,
		.config = from->config,
		.console_socket = from->console_socket,
		.pid_file = from->pid_file,
		.preserve_fds = (int)(from->preserve_fds.value + cli->listen_fds.value),
		.listen_fds = cli->listen_fds,
		.listen_names = cli->listen_names,
		.notify_socket = getenv("NOTIFY_SOCKET"),
		.no_new_keyring = from->no_new_keyring,
		.keep = from->keep,
	};
	if (oci_prepare(cli, out, err) < 0)
		return -1;
	return oci_check_preserved(cli, out->preserve_fds, err);
}

static int create_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct oci_cli *cli = context;
	struct container_create_options create;

	(void)count;
	if (id_check(operands[0], err) < 0 || create_prepare(cli, options, &create, err) < 0)
		return -1;
	return container_create(cli->root_dir, operands[0], &create, err);
}

static int run_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct create_options *from = options;
	struct oci_cli *cli = context;
	struct container_create_options create;
	int status = 0;

	(void)count;
	if (id_check(operands[0], err) < 0 || create_prepare(cli, from, &create, err) < 0)
		return -1;
	if (container_run(cli->root_dir, operands[0], &create, from->detach, &status, err) < 0)
		return -1;
	return from->detach ? 0 : oci_exit_status(status);
}

const struct command oci_create_command = {
	.name = "create",
	.operands = "[options] ID",
	.summary = "make a container whose program waits for start",
	.example = "warren-oci create --bundle /srv/web web",
	.options = create_table,
	.options_size = sizeof(struct create_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = create_run,
};
const struct command oci_run_command = {
	.name = "run",
	.operands = "[options] ID",
	.summary = "create and start a container and wait for its end",
	.example = "warren-oci run --bundle /srv/web web",
	.options = run_table,
	.options_size = sizeof(struct create_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = run_run,
};

/* --- start, pause, resume ----------------------------------------------------------------------------------------- */

static int start_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct oci_cli *cli = context;

	(void)options, (void)count;
	if (id_check(operands[0], err) < 0 || oci_cli_open(cli, err) < 0)
		return -1;
	return container_start_notified(cli->root_dir, operands[0], getenv("NOTIFY_SOCKET"), err);
}

static int pause_set(struct oci_cli *cli, const char *id, bool paused, struct error *err)
{
	if (id_check(id, err) < 0 || oci_cli_open(cli, err) < 0)
		return -1;
	return container_pause(cli->root_dir, id, paused, err);
}

static int pause_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)options, (void)count;
	return pause_set(context, operands[0], true, err);
}

static int resume_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)options, (void)count;
	return pause_set(context, operands[0], false, err);
}

#define PLAIN_COMMAND(name_, summary_, example_)                                                                       \
	{                                                                                                              \
		.name = #name_, .operands = "ID", .summary = summary_, .example = example_, .options = no_options,     \
		.operands_min = 1, .operands_max = 1, .run = name_##_run                                               \
	}

const struct command oci_start_command =
	PLAIN_COMMAND(start, "let a created container execute its program", "warren-oci start web");
const struct command oci_pause_command =
	PLAIN_COMMAND(pause, "freeze all processes of a container", "warren-oci pause web");
const struct command oci_resume_command =
	PLAIN_COMMAND(resume, "let the processes of a paused container go on", "warren-oci resume web");

/* --- kill, delete ------------------------------------------------------------------------------------------------- */

/* The ids that an extended regular expression fits somewhere in, as crun has it. None is no mistake. */
static int ids_match(struct oci_cli *cli, const char *expression, struct strings *out, struct error *err)
{
	struct container_list list;
	regex_t compiled;
	char reason[128];
	int result = regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB);

	if (result != 0) {
		regerror(result, &compiled, reason, sizeof(reason));
		return fail(err, ERROR_USAGE, "--regex %s: %s", expression, reason);
	}
	if (container_list(&cli->arena, cli->root_dir, &list, err) < 0) {
		regfree(&compiled);
		return -1;
	}
	for (size_t i = 0; i < list.count; i++) {
		if (regexec(&compiled, list.items[i].facts.id, 0, NULL, 0) == 0)
			strings_add(&cli->arena, out, list.items[i].facts.id);
		container_close(&list.items[i]);
	}
	regfree(&compiled);
	return 0;
}

/* What the operands name: checked ids, all before anything is touched, as what stands below the state root is removed
 * by them. */
static int ids_select(
	struct oci_cli *cli, bool regex, size_t count, char **operands, struct strings *out, struct error *err)
{
	for (size_t i = 0; i < count && !regex; i++) {
		if (id_check(operands[i], err) < 0)
			return -1;
		strings_add(&cli->arena, out, operands[i]);
	}
	if (oci_cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count && regex; i++)
		if (ids_match(cli, operands[i], out, err) < 0)
			return -1;
	return 0;
}

struct kill_options {
	bool all, regex;
};
static const struct option kill_table[] = {
	OPTION_FLAG("all", 'a', "to all processes of the container", struct kill_options, all),
	OPTION_FLAG(
		"regex", 'r', "ID is a regular expression: every container that it fits", struct kill_options, regex),
	END_OF_OPTIONS,
};

/* Signal 0 asks whether there is somebody to get one. */
static int signal_of(const char *word, int *out, struct error *err)
{
	if (strcmp(word, "0") != 0)
		return signal_parse(word, out, err);
	*out = 0;
	return 0;
}

static int kill_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct kill_options *kill_options = options;
	struct oci_cli *cli = context;
	struct strings ids = {0};
	int signal = SIGTERM;

	if (count > 1 && signal_of(operands[1], &signal, err) < 0)
		return -1;
	if (ids_select(cli, kill_options->regex, 1, operands, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.count; i++)
		if (container_kill(cli->root_dir, ids.items[i], signal, kill_options->all, err) < 0)
			return -1;
	return 0;
}

const struct command oci_kill_command = {
	.name = "kill",
	.operands = "[options] ID [SIGNAL]",
	.summary = "send a signal (default: TERM) to a container's first process",
	.example = "warren-oci kill web HUP",
	.options = kill_table,
	.options_size = sizeof(struct kill_options),
	.operands_min = 1,
	.operands_max = 2,
	.run = kill_run,
};

struct delete_options {
	bool force, regex;
};
static const struct option delete_table[] = {
	OPTION_FLAG(
		"force", 'f', "also when it runs (it is killed) and when it is absent", struct delete_options, force),
	OPTION_FLAG(
		"regex", 'r', "ID is a regular expression: every container that it fits", struct delete_options, regex),
	END_OF_OPTIONS,
};

static int delete_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct delete_options *delete_options = options;
	struct oci_cli *cli = context;
	struct strings ids = {0};

	if (ids_select(cli, delete_options->regex, count, operands, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < ids.count; i++)
		if (container_delete(cli->root_dir, ids.items[i], delete_options->force, err) < 0)
			return -1;
	return 0;
}

const struct command oci_delete_command = {
	.name = "delete",
	.operands = "[options] ID…",
	.summary = "remove what is left of a container",
	.example = "warren-oci delete web",
	.options = delete_table,
	.options_size = sizeof(struct delete_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = delete_run,
};
