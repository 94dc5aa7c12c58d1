/* Starting warren-pull: see image_pull.h.
 *
 * The helper reads the terminal's keys with us (it is in the same process group) and ends when we do. It has its own
 * output and, when a command of the user's is behind it, its own errors; started on the way of another command it gives
 * its error to us instead. */
#include "cli/image_pull.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/cli.h"
#include "cli/image_pull_options.h"

/* --- options → words ---------------------------------------------------------------------------------------------- */

static void optional_add(struct arena *arena, struct strings *words, const struct option *option, const char *unit,
	const struct optional *value)
{
	if (value->set)
		strings_add(
			arena, words, arena_format(arena, "--%s=%lld%s", option->name, (long long)value->value, unit));
}

static void option_add(struct arena *arena, struct strings *words, const struct option *option, const void *member)
{
	const char *const *text = member;

	switch (option->kind) {
	case OPTION_KIND_FLAG:
		if (*(const bool *)member)
			strings_add(arena, words, arena_format(arena, "--%s", option->name));
		break;
	case OPTION_KIND_TEXT:
		if (*text)
			strings_add(arena, words, arena_format(arena, "--%s=%s", option->name, *text));
		break;
	case OPTION_KIND_TEXTS:
		for (size_t i = 0; i < ((const struct strings *)member)->count; i++)
			strings_add(arena, words,
				arena_format(
					arena, "--%s=%s", option->name, ((const struct strings *)member)->items[i]));
		break;
	case OPTION_KIND_DURATION:
		optional_add(arena, words, option, "ms", member);
		break;
	default: /* numbers and sizes: the tables have no other */
		optional_add(arena, words, option, "", member);
		break;
	}
}

static struct strings words_make(struct arena *arena, const char *word, const struct command *command,
	const struct pull_options *options, size_t count, char **operands)
{
	struct strings words = {0};

	strings_add(arena, &words, PULL_PROGRAM);
	strings_add(arena, &words, word);
	for (const struct option *option = command->options; option->kind != OPTION_KIND_END; option++)
		option_add(arena, &words, option, (const char *)options + option->offset);
	strings_add(arena, &words, "--");
	for (size_t i = 0; i < count; i++)
		strings_add(arena, &words, operands[i]);
	return words;
}

/* --- while something is held -------------------------------------------------------------------------------------- */

static volatile sig_atomic_t held_helper, held_signal;

static void signal_pass(int number)
{
	if (held_helper)
		kill(held_helper, number);
	else
		held_signal = number;
}

/* Signals that end us end the helper instead, and we go on to undo what we hold. exec(2) resets handlers. */
static void signals_catch(const int *numbers, size_t count, struct sigaction *before)
{
	struct sigaction pass = {.sa_handler = signal_pass, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < count; i++)
		sigaction(numbers[i], &pass, &before[i]);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

/* In the child. error_fd ≥ 0: it becomes 3, and what would go to standard output goes to standard error. */
static void execute(int program, const struct strings *words, int error_fd)
{
	auto_fd keep = error_fd >= 0 ? fcntl(program, F_DUPFD_CLOEXEC, 10) : program;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (error_fd >= 0 && (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(error_fd, 3) < 0))
		_exit(126);
	if (fds_close_on_exec_from(error_fd >= 0 ? 4 : 3) == 0)
		execveat(keep, "", (char *const *)words->items, environ, AT_EMPTY_PATH);
	_exit(127);
}

/* Gives the exit status; error_fd as above, -1: none. */
static int helper_run(const struct strings *words, int error_fd, struct error *err)
{
	auto_fd program = companion_open(PULL_PROGRAM, WARREN_LIBEXEC, err), pidfd = -1;
	int status;
	pid_t pid;

	if (program < 0)
		return err->kind == ERROR_MISSING ? blame(err, "images are fetched by a program of its own") : -1;
	fflush(stdout);
	pid = process_clone(0, -1, &pidfd);
	if (pid < 0)
		return fail_errno(err, "start " PULL_PROGRAM);
	if (pid == 0)
		execute(program, words, error_fd);
	held_helper = pid;
	if (held_signal)
		kill(pid, held_signal);
	if (process_wait_end(pidfd, -1) < 0 || process_reap(pidfd, &status, err) < 0)
		return blame(err, "wait for " PULL_PROGRAM);
	if (WIFSIGNALED(status))
		return fail(err, ERROR_SYSTEM, PULL_PROGRAM ": killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

int pull_run_held(struct cli *cli, const char *word, const struct command *command, struct pull_options *options,
	size_t count, char **operands, struct error *err)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction before[ARRAY_SIZE(numbers)];
	struct strings words;
	int result;

	options->store = cli->host.lib_path;
	words = words_make(&cli->arena, word, command, options, count, operands);
	signals_catch(numbers, ARRAY_SIZE(numbers), before);
	result = helper_run(&words, -1, err);
	held_helper = 0;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &before[i], NULL);
	return result;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

/* The helper has printed its errors: its status is ours. */
static int command_run(struct cli *cli, const struct command *command, struct pull_options *options, size_t count,
	char **operands, struct error *err)
{
	struct strings words;

	if (cli_open(cli, err) < 0)
		return -1;
	options->store = cli->host.lib_path;
	words = words_make(&cli->arena, command->name, command, options, count, operands);
	return helper_run(&words, -1, err);
}

static int pull_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return command_run(context, &image_pull_command, options, count, operands, err);
}

static int import_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return command_run(context, &image_import_command, options, count, operands, err);
}

static int export_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return command_run(context, &image_export_command, options, count, operands, err);
}

static int verify_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	return command_run(context, &image_verify_command, options, count, operands, err);
}

const struct command image_pull_command = {PULL_COMMAND, .run = pull_run};
const struct command image_import_command = {IMPORT_COMMAND, .run = import_run};
const struct command image_export_command = {EXPORT_COMMAND, .run = export_run};
const struct command image_verify_command = {VERIFY_COMMAND, .run = verify_run};

/* --- on the way of another command -------------------------------------------------------------------------------- */

static const enum error_kind kinds[] = {[1] = ERROR_SYSTEM, [2] = ERROR_USAGE, [3] = ERROR_MISSING, [4] = ERROR_BUSY};

static int fail_reported(int status, int report, struct error *err)
{
	char text[ERROR_TEXT_SIZE];
	ssize_t length = read_retried(report, text, sizeof(text) - 1);

	if (length <= 0)
		return fail(err, ERROR_SYSTEM, PULL_PROGRAM ": status %d", status);
	text[length] = '\0';
	return fail(err, (size_t)status < ARRAY_SIZE(kinds) ? kinds[status] : ERROR_SYSTEM, "%s", text);
}

int pull_start(const char *lib_path, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct pull_options options = {.store = lib_path, .error_fd = {true, 3}};
	auto_fd report = -1, error_fd = -1;
	char *operands[] = {(char *)name};
	struct strings words;
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_errno(err, "start " PULL_PROGRAM);
	report = ends[0];
	error_fd = ends[1];
	words = words_make(&arena, image_pull_command.name, &image_pull_command, &options, 1, operands);
	status = helper_run(&words, error_fd, err);
	return status > 0 ? fail_reported(status, report, err) : status;
}
