/* exec: a further process in a running container. What it is made of comes from the container's own process section,
 * changed by options, or whole from a file. */
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

#define PRESERVE_MAX 4096
#define ID_MAX 4294967294 /* the next one means "no change" to the kernel */

struct exec_options {
	const char *process, *cwd, *user, *pid_file, *console_socket, *apparmor, *label;
	struct strings env, groups, capabilities, cgroups;
	struct optional preserve_fds;
	bool terminal, detach, no_new_privileges, ignore_paused;
};

static const struct option exec_table[] = {
	OPTION_TEXT("process", 'p', "FILE", "the process as JSON, instead of words and options", struct exec_options,
		process),
	OPTION_FLAG("tty", 't', "with a terminal", struct exec_options, terminal),
	OPTION_FLAG("detach", 'd', "return when the process runs", struct exec_options, detach),
	OPTION_TEXT("cwd", 0, "DIR", "working directory", struct exec_options, cwd),
	OPTION_TEXTS("env", 'e', "NAME=VALUE", "one more of the environment", struct exec_options, env),
	OPTION_TEXT("user", 'u', "UID[:GID]", "numbers, as the container sees them", struct exec_options, user),
	OPTION_TEXTS("additional-gids", 'g', "GID", "one more supplementary group", struct exec_options, groups),
	OPTION_TEXTS("cap", 'c', "NAME", "one more capability", struct exec_options, capabilities),
	OPTION_FLAG("no-new-privs", 0, "set no_new_privs", struct exec_options, no_new_privileges),
	OPTION_INTEGER("preserve-fds", 0, "N", "pass descriptors 3 to 2+N on to the process", struct exec_options,
		preserve_fds, 0, PRESERVE_MAX),
	OPTION_TEXT("pid-file", 0, "FILE", "write the process's pid to FILE", struct exec_options, pid_file),
	OPTION_TEXT("console-socket", 0, "SOCKET", "send the master of the terminal to this UNIX socket",
		struct exec_options, console_socket),
	OPTION_FLAG("ignore-paused", 0, "also in a paused container", struct exec_options, ignore_paused),
	OPTION_TEXT(
		"apparmor", 0, "PROFILE", "run the process under this AppArmor profile", struct exec_options, apparmor),
	OPTION_TEXT("process-label", 0, "LABEL", "run the process with this SELinux label", struct exec_options, label),
	OPTION_TEXTS("cgroup", 0, "[CONTROLLER:]PATH",
		"run the process in this cgroup below the container's, which exists", struct exec_options, cgroups),
	END_OF_OPTIONS,
};

/* --- options → process -------------------------------------------------------------------------------------------- */

/* Numbers only: a name would have to be looked up in a file that the container controls. */
static int user_parse(struct arena *arena, const char *text, struct spec_process *process, struct error *err)
{
	struct strings parts = strings_split(arena, text, ':');
	int64_t uid, gid = process->gid;

	if (parts.count > 2)
		return fail(err, ERROR_USAGE, "--user %s: must be UID or UID:GID", text);
	if (number_parse(parts.items[0], 0, ID_MAX, &uid, err) < 0 ||
		(parts.count == 2 && number_parse(parts.items[1], 0, ID_MAX, &gid, err) < 0))
		return blame(err, "--user %s", text);
	process->uid = (uid_t)uid;
	process->gid = (gid_t)gid;
	return 0;
}

static int groups_add(struct arena *arena, const struct strings *list, struct spec_process *process, struct error *err)
{
	gid_t *groups = arena_new_array(arena, process->groups.count + list->count, gid_t);
	int64_t gid;

	for (size_t i = 0; i < process->groups.count; i++)
		groups[i] = process->groups.items[i];
	for (size_t i = 0; i < list->count; i++) {
		if (number_parse(list->items[i], 0, ID_MAX, &gid, err) < 0)
			return blame(err, "--additional-gids %s", list->items[i]);
		groups[process->groups.count + i] = (gid_t)gid;
	}
	process->groups.items = groups;
	process->groups.count += list->count;
	return 0;
}

/* A uid other than 0 loses at execve what is not also ambient (capabilities(7)). */
static int capabilities_add(const struct strings *list, struct spec_process *process, struct error *err)
{
	static const enum capability_set as_root[] = {CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_PERMITTED};
	static const enum capability_set as_user[] = {CAPS_INHERITABLE, CAPS_AMBIENT};

	for (size_t i = 0; i < list->count; i++) {
		unsigned capability;

		/* As with those of a config.json: names come from whoever knew a newer kernel. */
		if (capability_parse(list->items[i], &capability, err) < 0) {
			log_warn("--cap: %s", err->text);
			continue;
		}
		for (size_t k = 0; k < ARRAY_SIZE(as_root); k++)
			process->capabilities[as_root[k]] |= UINT64_C(1) << capability;
		for (size_t k = 0; k < ARRAY_SIZE(as_user) && process->uid != 0; k++)
			process->capabilities[as_user[k]] |= UINT64_C(1) << capability;
	}
	return 0;
}

static int env_add(struct arena *arena, const struct strings *list, struct spec_process *process, struct error *err)
{
	struct strings all = {0};

	for (size_t i = 0; i < process->env.count; i++)
		strings_add(arena, &all, process->env.items[i]);
	for (size_t i = 0; i < list->count; i++) {
		if (!strchr(list->items[i], '=') || *list->items[i] == '=')
			return fail(err, ERROR_USAGE, "--env %s: must be NAME=VALUE", list->items[i]);
		strings_add(arena, &all, list->items[i]);
	}
	process->env = all;
	return 0;
}

static int process_change(struct arena *arena, const struct exec_options *options, size_t count, char **words,
	struct spec_process *process, struct error *err)
{
	process->args = (struct strings){0};
	for (size_t i = 0; i < count; i++)
		strings_add(arena, &process->args, words[i]);
	process->terminal = options->terminal;
	process->console_height = process->console_width = 0;
	if (options->cwd)
		process->cwd = options->cwd;
	if (*process->cwd != '/')
		return fail(err, ERROR_USAGE, "--cwd %s: must be an absolute path", process->cwd);
	if (options->no_new_privileges)
		process->no_new_privileges = true;
	if (options->user && user_parse(arena, options->user, process, err) < 0)
		return -1;
	if (groups_add(arena, &options->groups, process, err) < 0)
		return -1;
	if (capabilities_add(&options->capabilities, process, err) < 0)
		return -1;
	return env_add(arena, &options->env, process, err);
}

static int process_build(struct oci_cli *cli, const char *id, const struct exec_options *options, size_t count,
	char **words, struct spec_process *out, struct error *err)
{
	if (options->process) {
		if (count > 0)
			return fail(err, ERROR_USAGE, "--process and a command exclude each other");
		if (oci_process_read(&cli->arena, options->process, out, err) < 0)
			return -1;
		out->terminal |= options->terminal;
		return 0;
	}
	if (count == 0)
		return fail(err, ERROR_USAGE, "no command to execute in %s", id);
	if (container_exec_defaults(&cli->arena, cli->root_dir, id, out, err) < 0)
		return -1;
	return process_change(&cli->arena, options, count, words, out, err);
}

/* What the container says about the process: nothing may run in a paused one, and one without a user namespace of its
 * own can give no capability that we lack. */
static int process_fit(
	struct oci_cli *cli, const char *id, bool ignore_paused, struct spec_process *process, struct error *err)
{
	AUTO(container_close) struct container container = {.dir = -1};

	if (container_open(&cli->arena, cli->root_dir, id, &container, err) < 0)
		return -1;
	if (container.status == CONTAINER_PAUSED && !ignore_paused)
		return fail(err, ERROR_BUSY, "%s is paused; resume it, or use --ignore-paused", id);
	oci_process_fit(process, container.facts.own_id_range);
	return 0;
}

static int exec_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct exec_options *exec = options;
	struct oci_cli *cli = context;
	int64_t preserve = exec->preserve_fds.value + cli->listen_fds.value;
	struct spec_process process;
	int status = 0;

	if (id_check(operands[0], err) < 0)
		return -1;
	if (runtime_guard_enter(cli->arguments, NULL, err) < 0 || oci_cli_open(cli, err) < 0)
		return -1;
	if (oci_check_preserved(cli, preserve, err) < 0)
		return -1;
	if (process_build(cli, operands[0], exec, count - 1, operands + 1, &process, err) < 0 ||
		process_fit(cli, operands[0], exec->ignore_paused, &process, err) < 0 ||
		oci_process_label(&process, exec->apparmor, exec->label, err) < 0)
		return -1;

	oci_listen_pass(cli, &process);
	struct container_exec_options call = {
		.process = &process,
		.console_socket = exec->console_socket,
		.pid_file = exec->pid_file,
		.preserve_fds = (int)preserve,
		.detach = exec->detach,
		.ignore_paused = exec->ignore_paused,
		.cgroups = exec->cgroups,
		.guard_arguments = cli->arguments,
	};
	if (container_exec(cli->root_dir, operands[0], &call, &status, err) < 0)
		return -1;
	return exec->detach ? 0 : oci_exit_status(status);
}

const struct command oci_exec_command = {
	.name = "exec",
	.operands = "[options] ID COMMAND [ARGUMENT…]",
	.summary = "run a further process in a running container",
	.example = "warren-oci exec web nginx -t",
	.options = exec_table,
	.options_size = sizeof(struct exec_options),
	.stop_at_operand = true,
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = exec_run,
};
