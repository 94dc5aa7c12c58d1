/* What the commands of warren-pull share. */
#ifndef WARREN_CLI_PULL_H
#define WARREN_CLI_PULL_H

#include "base/arena.h"
#include "base/options.h"
#include "cli/image_pull_options.h"
#include "images/pull/install.h"
#include "images/pull/layer.h"
#include "images/store/manifest.h"
#include "images/store/store.h"

#define PULL_STORE "/var/lib/warren"

/* One per process: lives in main(), and is what commands get as their context. */
struct pull {
	struct arena arena;
	const struct pull_options *options;
	struct unpackers unpackers;
	struct store store;
};

/* Starts the unpacking processes and opens the store. The first thing a command does. */
MUST_CHECK int pull_begin(struct pull *pull, const struct pull_options *options, struct error *err);
void pull_end(struct pull *pull);

/* The name of an image that is to be made. ERROR_USAGE: it has a digest, which follows from the content. */
MUST_CHECK int new_name_resolve(struct arena *arena, const char *text, struct reference *out, struct error *err);

/* Installs from the source under the name, with the progress shown, and prints the result. Drops the source. */
MUST_CHECK int pull_install(struct pull *pull, struct source *source, const struct reference *name,
	const struct platform *platform, struct error *err);

/* An archive to --output, or to standard output, which must be no terminal. A file gets its name when it is whole. */
struct archive_writer {
	int (*write)(const void *context, int out, struct error *err);
	const void *context;
};
MUST_CHECK int archive_check(const struct pull_options *options, struct error *err);
MUST_CHECK int archive_write(struct pull *pull, const struct archive_writer *writer, struct error *err);

int pull_run(void *context, void *options, size_t count, char **operands, struct error *err);
int import_run(void *context, void *options, size_t count, char **operands, struct error *err);
int export_run(void *context, void *options, size_t count, char **operands, struct error *err);
int commit_run(void *context, void *options, size_t count, char **operands, struct error *err);
int diff_instance_run(void *context, void *options, size_t count, char **operands, struct error *err);
int export_instance_run(void *context, void *options, size_t count, char **operands, struct error *err);
int tree_unpack_run(void *context, void *options, size_t count, char **operands, struct error *err);
int tree_pack_run(void *context, void *options, size_t count, char **operands, struct error *err);
int verify_run(void *context, void *options, size_t count, char **operands, struct error *err);

#endif
