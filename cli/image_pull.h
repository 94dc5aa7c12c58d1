/* The commands of `warren` that read bytes from outside: they start the helper warren-pull, which alone has the
 * libraries for it. */
#ifndef WARREN_CLI_IMAGE_PULL_H
#define WARREN_CLI_IMAGE_PULL_H

#include "base/error.h"
#include "base/options.h"

/* Of `warren image`. */
extern const struct command image_pull_command, image_import_command, image_export_command, image_verify_command;

/* `warren commit` and `warren export` while the instance is held: the helper's command `word` with the options of
 * `command`. Signals that would end us end the helper. Gives its exit status; its errors it has printed itself. */
struct cli;
struct pull_options;
MUST_CHECK int pull_run_held(struct cli *cli, const char *word, const struct command *command,
	struct pull_options *options, size_t count, char **operands, struct error *err);

/* Fetches the image into the store at lib_path: starts warren-pull and waits for it. Its progress goes to standard
 * error. -1: the helper's error and the kind of that. */
MUST_CHECK int pull_start(const char *lib_path, const char *name, struct error *err);

#endif
