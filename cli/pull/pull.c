/* The program warren-pull: all that reads bytes from outside for `warren`. It alone is linked with the libraries for
 * HTTP, TLS, archives and compression; what looks into an image's bytes is done by processes of its own in turn, which
 * may do nothing else (images/pull/sandbox.h). They are made first, before there are threads or secrets. */
#include "cli/pull/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"

#define PURPOSE "fetch and unpack images for warren, which starts it"

static const struct command *const commands[] = {
	&(const struct command){PULL_COMMAND, .run = pull_run},
	&(const struct command){IMPORT_COMMAND, .run = import_run},
	&(const struct command){EXPORT_COMMAND, .run = export_run},
	&(const struct command){VERIFY_COMMAND, .run = verify_run},
	&(const struct command){COMMIT_COMMAND, .run = commit_run},
	&(const struct command){.name = ROOT_EXPORT_WORD, ROOT_EXPORT_OPTIONS, .run = export_instance_run},
	&(const struct command){.name = ROOT_DIFF_WORD, ROOT_DIFF_OPTIONS, .run = diff_instance_run},
	&(const struct command){TREE_UNPACK_COMMAND, .run = tree_unpack_run},
	&(const struct command){TREE_PACK_COMMAND, .run = tree_pack_run},
	NULL,
};

static const struct option no_options[] = {END_OF_OPTIONS};

int pull_begin(struct pull *pull, const struct pull_options *options, struct error *err)
{
	pull->options = options;
	if (geteuid() != 0)
		return fail(err, ERROR_SYSTEM, "images need root");
	if (unpackers_start(&pull->unpackers, err) < 0)
		return -1;
	return store_open(options->store ? options->store : PULL_STORE, &pull->store, err);
}

void pull_end(struct pull *pull)
{
	store_drop(&pull->store);
	unpackers_drop(&pull->unpackers);
}

/* To whoever started us, when they asked for it; else to people. */
static void error_tell(const struct error *err, int fd)
{
	if (fd < 0 || write_all(fd, err->text, strlen(err->text)) < 0)
		fprintf(stderr, "warren: %s\n", err->text);
}

static int command_run(struct pull *pull, int argc, char **argv, int *error_fd, struct error *err)
{
	const struct command *command = command_find(commands, PULL_PROGRAM, argv[0], err);
	struct pull_options options = {0};
	char **operands;
	size_t count;
	bool help = false;

	if (!command ||
		options_parse(&pull->arena, command, argc - 1, argv + 1, &options, &operands, &count, &help, err) < 0)
		return -1;
	if (help) {
		command_help(stdout, PULL_PROGRAM, command);
		return 0;
	}
	if (options.error_fd.set)
		*error_fd = fcntl((int)options.error_fd.value, F_DUPFD_CLOEXEC, 3);
	return command->run(pull, &options, count, operands, err);
}

static int words_run(struct pull *pull, int argc, char **argv, int *error_fd, struct error *err)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf(PULL_PROGRAM " " WARREN_VERSION "\n");
		return 0;
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		program_help(argc < 2 ? stderr : stdout, PULL_PROGRAM, PURPOSE, commands, no_options);
		return argc < 2 ? 2 : 0;
	}
	return command_run(pull, argc - 1, argv + 1, error_fd, err);
}

int main(int argc, char **argv)
{
	struct pull pull = {.unpackers = UNPACKERS_NONE, .store = NO_STORE};
	struct error err = {0};
	int status, error_fd = -1;

	fds_open_standard();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	/* libarchive converts names by the locale's character set; those of images are UTF-8 or plain bytes. */
	setlocale(LC_CTYPE, "C.UTF-8");
	log_setup("warren", LOG_WARN, LOG_TEXT, STDERR_FILENO);
	status = words_run(&pull, argc, argv, &error_fd, &err);
	if (status < 0) {
		fflush(stdout);
		error_tell(&err, error_fd);
		status = error_exit_status(&err);
	} else if (output_finish(&err) < 0) {
		error_tell(&err, error_fd);
		status = 1;
	}
	pull_end(&pull);
	fd_drop(&error_fd);
	arena_drop(&pull.arena);
	return status;
}
