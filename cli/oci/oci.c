/* The program `warren-oci`: global options, the table of commands, and the one place where errors are printed.
 *
 * It is started three times for each container of an engine above it, so it links statically and does nothing before it
 * knows what is wanted. All errors exit with 1, as that command line has it. */
#include "cli/oci/oci.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/output.h"
#include "runtime/runtime.h"

#define PROGRAM "warren-oci"
#define PURPOSE "run one container from an OCI bundle"
#define MEMORY_PIECES 8 /* more than a start takes */
#define DEFAULT_ROOT "/run/warren-oci"

struct global_options {
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *criu, *rootless;
	bool debug, systemd_cgroup, version;
};

static const struct option global_table[] = {
	OPTION_TEXT("root", 0, "DIR", "directory for the containers' state (default: " DEFAULT_ROOT ")",
		struct global_options, root),
	OPTION_TEXT("log", 0, "FILE", "also write messages to FILE", struct global_options, log),
	OPTION_TEXT("log-format", 0, "FORMAT", "text (default) or json", struct global_options, log_format),
	OPTION_TEXT(
		"log-level", 0, "LEVEL", "debug, info, warning (default) or error", struct global_options, log_level),
	OPTION_TEXT("cgroup-manager", 0, "MANAGER", "who makes cgroups: cgroupfs (default), systemd or disabled",
		struct global_options, cgroup_manager),
	OPTION_FLAG("systemd-cgroup", 0, "the same as --cgroup-manager systemd", struct global_options, systemd_cgroup),
	OPTION_FLAG("debug", 0, "say what is done", struct global_options, debug),
	OPTION_FLAG("version", 'v', "print the version", struct global_options, version),
	/* The letter of crun. */
	{.letter = 'V', .kind = OPTION_KIND_FLAG, .offset = offsetof(struct global_options, version)},
	OPTION_TEXT("rootless", 0, "true|false|auto",
		"whether to do without a cgroup that may not be made (default: auto)", struct global_options, rootless),
	OPTION_TEXT("criu", 0, "FILE", "the program criu, for checkpoint and restore (default: the system's)",
		struct global_options, criu),
	END_OF_OPTIONS,
};

static int completion_run(void *context, void *options, size_t count, char **operands, struct error *err);
static const struct command completion_command = COMPLETION_COMMAND(PROGRAM, completion_run);

/* In the order of `warren-oci --help`. */
static const struct command *const commands[] = {
	&oci_create_command,
	&oci_start_command,
	&oci_run_command,
	&oci_exec_command,
	&oci_kill_command,
	&oci_delete_command,
	&oci_pause_command,
	&oci_resume_command,
	&oci_state_command,
	&oci_list_command,
	&oci_ps_command,
	&oci_update_command,
	&oci_events_command,
	&oci_checkpoint_command,
	&oci_restore_command,
	&oci_spec_command,
	&oci_features_command,
	&completion_command,
	NULL,
};

static int completion_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	(void)context, (void)options, (void)count;
	return program_completion(stdout, operands[0], PROGRAM, commands, global_table, err);
}

int oci_cli_open(struct oci_cli *cli, struct error *err)
{
	struct error missing = {0};
	struct stat status;

	/* It is absent but once per boot, and making it costs a call or three for each level. */
	cli->root_dir = dir_open(AT_FDCWD, cli->root, &missing);
	if (cli->root_dir < 0)
		cli->root_dir = dir_create_all(cli->root, 0700, err);
	if (cli->root_dir < 0)
		return blame(err, "state root %s", cli->root);
	if (fstat(cli->root_dir, &status) < 0)
		return fail_errno(err, "state root %s", cli->root);
	/* What stands in it is believed: pids to signal, cgroups to remove. */
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return fail(err, ERROR_USAGE, "state root %s: must belong to uid %u and be writable by nobody else",
			cli->root, geteuid());
	return 0;
}

int oci_check_preserved(const struct oci_cli *cli, int64_t count, struct error *err)
{
	for (int fd = 3; fd < 3 + count; fd++) {
		if (fd == cli->root_dir || fd == cli->log || fd == cli->systemd || fcntl(fd, F_GETFD) < 0)
			return fail(err, ERROR_USAGE, "--preserve-fds %lld: descriptor %d is not open",
				(long long)count, fd);
	}
	return 0;
}

int oci_exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- global options ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum log_level level;
} log_levels[] = {
	{"trace", LOG_DEBUG},
	{"debug", LOG_DEBUG},
	{"info", LOG_INFO},
	{"warn", LOG_WARN},
	{"warning", LOG_WARN},
	{"error", LOG_ERROR},
	{"fatal", LOG_ERROR},
	{"panic", LOG_ERROR},
};

static int level_parse(const char *name, enum log_level *out, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_levels); i++) {
		if (strcmp(log_levels[i].name, name) == 0) {
			*out = log_levels[i].level;
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "--log-level %s: must be debug, info, warning or error", name);
}

static int format_parse(const char *name, enum log_format *out, struct error *err)
{
	if (!name || strcmp(name, "text") == 0)
		*out = LOG_TEXT;
	else if (strcmp(name, "json") == 0)
		*out = LOG_JSON;
	else
		return fail(err, ERROR_USAGE, "--log-format %s: must be text or json", name);
	return 0;
}

static int log_open(struct oci_cli *cli, const struct global_options *options, struct error *err)
{
	enum log_level level = LOG_WARN;
	enum log_format format;
	const char *path = options->log;

	if (format_parse(options->log_format, &format, err) < 0)
		return -1;
	if (options->log_level && level_parse(options->log_level, &level, err) < 0)
		return -1;
	if (options->debug)
		level = LOG_DEBUG;
	if (text_is_empty(path)) {
		log_setup(PROGRAM, level, format, STDERR_FILENO);
		return 0;
	}
	if (text_starts_with(path, "file:"))
		path += strlen("file:");
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(err, "--log %s", path);
	log_setup(PROGRAM, level, format, fd);
	cli->log = take_fd(&fd);
	return 0;
}

static const struct {
	const char *name;
	enum container_cgroups cgroups;
} managers[] = {
	{"cgroupfs", CONTAINER_CGROUPFS},
	{"systemd", CONTAINER_SYSTEMD},
	{"disabled", CONTAINER_NO_CGROUP},
};

static int manager_choose(struct oci_cli *cli, const struct global_options *options, struct error *err)
{
	const char *name = options->cgroup_manager;

	if (!name)
		name = options->systemd_cgroup ? "systemd" : "cgroupfs";
	if (options->systemd_cgroup && strcmp(name, "systemd") != 0)
		return fail(err, ERROR_USAGE, "--systemd-cgroup and --cgroup-manager %s: which of the two?", name);
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++) {
		if (strcmp(managers[i].name, name) == 0) {
			cli->cgroups = managers[i].cgroups;
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "--cgroup-manager %s: must be cgroupfs, systemd or disabled", name);
}

static const struct {
	const char *name;
	enum container_rootless rootless;
} rootless_words[] = {
	{"auto", CONTAINER_ROOTLESS_AUTO},
	{"true", CONTAINER_ROOTLESS_TRUE},
	{"false", CONTAINER_ROOTLESS_FALSE},
};

static int rootless_parse(struct oci_cli *cli, const char *word, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rootless_words); i++) {
		if (!word || strcmp(rootless_words[i].name, word) == 0) {
			cli->rootless = (int)rootless_words[i].rootless;
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "--rootless %s: must be true, false or auto", word);
}

/* A user has a directory that goes with his last session; root of a user namespace has it if the user's session does.
 */
static int root_choose(struct oci_cli *cli, const char *root, struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	cli->root = root ? root : DEFAULT_ROOT;
	if (root || (geteuid() == 0 && (text_is_empty(runtime) || !rootless_is_inside())))
		return 0;
	if (text_is_empty(runtime))
		return fail(err, ERROR_USAGE,
			"XDG_RUNTIME_DIR is not set; say by --root where containers' state is to be kept");
	cli->root = arena_format(&cli->arena, "%s/warren-oci", runtime);
	return 0;
}

static int version_print(void)
{
	const struct scmp_version *library = seccomp_version();

	printf(PROGRAM " version %s\nspec: " OCI_SPEC_VERSION "\nlibseccomp: %u.%u.%u\n", runtime_version(),
		library->major, library->minor, library->micro);
	return 0;
}

static int help_print(void)
{
	program_help(stdout, PROGRAM, PURPOSE, commands, global_table);
	return 0;
}

/* --- main --------------------------------------------------------------------------------------------------------- */

static int command_run(struct oci_cli *cli, int argc, char **argv, struct error *err)
{
	const struct command *command = command_find(commands, PROGRAM, argv[0], err);
	char **operands;
	size_t count;
	bool help = false;

	if (!command)
		return -1;
	void *options = arena_alloc(&cli->arena, command->options_size);
	if (options_parse(&cli->arena, command, argc - 1, argv + 1, options, &operands, &count, &help, err) < 0)
		return -1;
	if (help) {
		command_help(stdout, PROGRAM, command);
		return 0;
	}
	return command->run(cli, options, count, operands, err);
}

static int program_run(struct oci_cli *cli, int argc, char **argv, struct error *err)
{
	struct global_options options = {0};
	bool help = false;
	int used;

	if (options_parse_global(&cli->arena, global_table, argc - 1, argv + 1, &options, &used, &help, err) < 0)
		return -1;
	argc -= 1 + used;
	argv += 1 + used;
	if (help || (argc > 0 && argc < 2 && strcmp(argv[0], "help") == 0))
		return help_print();
	if (options.version)
		return version_print();
	if (argc == 0)
		return fail(err, ERROR_USAGE, "no command; see " PROGRAM " --help");
	if (log_open(cli, &options, err) < 0 || manager_choose(cli, &options, err) < 0)
		return -1;
	if (rootless_parse(cli, options.rootless, err) < 0 || root_choose(cli, options.root, err) < 0)
		return -1;
	cli->criu = text_is_empty(options.criu) ? NULL : options.criu;
	return command_run(cli, argc, argv, err);
}

/* To the log, where the engine above reads it, and to stderr, where people do. */
static int error_report(const struct oci_cli *cli, const struct error *err)
{
	log_error("%s", err->text);
	if (cli->log >= 0)
		fprintf(stderr, PROGRAM ": %s\n", err->text);
	return 1;
}

static void cli_drop(struct oci_cli *cli)
{
	fd_drop(&cli->root_dir);
	fd_drop(&cli->log);
	fd_drop(&cli->systemd);
	arena_drop(&cli->arena);
}

int main(int argc, char **argv)
{
	AUTO(cli_drop) struct oci_cli cli = {.root_dir = -1, .log = -1, .systemd = -1, .arguments = argv};
	struct error err = {0};
	int status;

	fds_open_standard();
	/* The caller's must not decide who may enter a control group: cgroup2 is mounted walking there as the
	 * container. */
	umask(022);
	arena_reserve(MEMORY_PIECES);
	log_setup(PROGRAM, LOG_WARN, LOG_TEXT, STDERR_FILENO);
	oci_listen_read(&cli);
	status = program_run(&cli, argc, argv, &err);
	if (status >= 0 && output_finish(&err) < 0)
		status = -1;
	if (status >= 0)
		return status;
	kernel_explain(&err);
	return error_report(&cli, &err);
}
