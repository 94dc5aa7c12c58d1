/* state, list, features, spec: what is printed or written for engines and people to read. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

static const struct option no_options[] = {END_OF_OPTIONS};

/* --- state -------------------------------------------------------------------------------------------------------- */

static int state_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct oci_cli *cli = context;
	struct container container;

	(void)options, (void)count;
	if (id_check(operands[0], err) < 0 || oci_cli_open(cli, err) < 0)
		return -1;
	if (container_open(&cli->arena, cli->root_dir, operands[0], &container, err) < 0)
		return -1;
	container_encode_state(encoder, &container);
	container_close(&container);
	encoder_print(encoder, stdout);
	return 0;
}

const struct command oci_state_command = {
	.name = "state",
	.operands = "ID",
	.summary = "print a container's state as JSON",
	.example = "warren-oci state web",
	.options = no_options,
	.operands_min = 1,
	.operands_max = 1,
	.run = state_run,
};

/* --- list --------------------------------------------------------------------------------------------------------- */

struct list_options {
	const char *format;
	bool quiet;
};
static const struct option list_table[] = {
	OPTION_TEXT("format", 'f', "FORMAT", "table (default) or json", struct list_options, format),
	OPTION_FLAG("quiet", 'q', "print only ids", struct list_options, quiet),
	END_OF_OPTIONS,
};

static const char *const list_titles[] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
#define LIST_COLUMNS ARRAY_SIZE(list_titles)
#define COLUMN_WIDTH_MIN 12
#define COLUMN_GAP 3

static const char *time_format(struct arena *arena, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char day[32];

	gmtime_r(&seconds, &parts);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
	return arena_format(arena, "%s.%03dZ", day, (int)(ms % 1000));
}

static void list_row_fill(struct arena *arena, const struct container *container, const char **cells)
{
	const struct container_facts *facts = &container->facts;

	cells[0] = facts->id;
	cells[1] = arena_format(arena, "%d", container->status == CONTAINER_STOPPED ? 0 : facts->init.pid);
	cells[2] = container_status_names[container->status];
	cells[3] = facts->bundle ? facts->bundle : "";
	cells[4] = time_format(arena, facts->created_ms);
	cells[5] = facts->owner ? facts->owner : "root";
}

static size_t column_width(const char *const *cells, size_t rows, size_t column)
{
	size_t width = COLUMN_WIDTH_MIN;

	for (size_t row = 0; row < rows; row++) {
		size_t length = strlen(cells[row * LIST_COLUMNS + column]) + COLUMN_GAP;

		if (length > width)
			width = length;
	}
	return width;
}

/* The layout of runc, which scripts cut by columns: each padded to its widest cell and three blanks, at least twelve.
 */
static void list_print_table(struct arena *arena, const struct container_list *list)
{
	size_t rows = list->count + 1;
	const char **cells = arena_new_array(arena, rows * LIST_COLUMNS, const char *);

	for (size_t column = 0; column < LIST_COLUMNS; column++)
		cells[column] = list_titles[column];
	for (size_t i = 0; i < list->count; i++)
		list_row_fill(arena, &list->items[i], cells + (i + 1) * LIST_COLUMNS);
	for (size_t row = 0; row < rows; row++) {
		for (size_t column = 0; column + 1 < LIST_COLUMNS; column++)
			printf("%-*s", (int)column_width(cells, rows, column), cells[row * LIST_COLUMNS + column]);
		printf("%s\n", cells[row * LIST_COLUMNS + LIST_COLUMNS - 1]);
	}
}

static void list_encode(struct arena *arena, struct encoder *encoder, const struct container *container)
{
	const struct container_facts *facts = &container->facts;

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersion", facts->oci_version ? facts->oci_version : OCI_SPEC_VERSION);
	encode_string(encoder, "id", facts->id);
	encode_integer(encoder, "pid", container->status == CONTAINER_STOPPED ? 0 : facts->init.pid);
	encode_string(encoder, "status", container_status_names[container->status]);
	encode_string(encoder, "bundle", facts->bundle);
	encode_string(encoder, "rootfs", facts->root);
	encode_string(encoder, "created", time_format(arena, facts->created_ms));
	encode_pairs(encoder, "annotations", &facts->annotations);
	encode_string(encoder, "owner", facts->owner ? facts->owner : "root");
	encode_object_end(encoder);
}

static void list_print_json(struct arena *arena, const struct container_list *list)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < list->count; i++)
		list_encode(arena, encoder, &list->items[i]);
	encode_array_end(encoder);
	encoder_print(encoder, stdout);
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct list_options *how = options;
	struct oci_cli *cli = context;
	struct container_list list;
	bool json = how->format && strcmp(how->format, "json") == 0;

	(void)count, (void)operands;
	if (how->format && !json && strcmp(how->format, "table") != 0)
		return fail(err, ERROR_USAGE, "--format %s: must be table or json", how->format);
	if (oci_cli_open(cli, err) < 0 || container_list(&cli->arena, cli->root_dir, &list, err) < 0)
		return -1;
	if (how->quiet) {
		for (size_t i = 0; i < list.count; i++)
			printf("%s\n", list.items[i].facts.id);
	} else if (json) {
		list_print_json(&cli->arena, &list);
	} else {
		list_print_table(&cli->arena, &list);
	}
	for (size_t i = 0; i < list.count; i++)
		container_close(&list.items[i]);
	return 0;
}

const struct command oci_list_command = {
	.name = "list",
	.operands = "[options]",
	.summary = "print all containers of the state root",
	.example = "warren-oci list -q",
	.options = list_table,
	.options_size = sizeof(struct list_options),
	.run = list_run,
};

/* --- features, spec ----------------------------------------------------------------------------------------------- */

static int features_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	(void)context, (void)options, (void)count, (void)operands, (void)err;
	features_encode(encoder);
	encoder_print(encoder, stdout);
	return 0;
}

const struct command oci_features_command = {
	.name = "features",
	.operands = "",
	.summary = "print what this runtime, its libraries and this kernel support, as JSON",
	.example = "warren-oci features",
	.options = no_options,
	.run = features_run,
};

struct spec_options {
	const char *bundle, *file;
	bool rootless;
};
static const struct option spec_table[] = {
	OPTION_TEXT("bundle", 'b', "DIR", "where to write it (default: the current directory)", struct spec_options,
		bundle),
	OPTION_TEXT("file", 'f', "NAME", "another name than config.json, or a path", struct spec_options, file),
	OPTION_FLAG("rootless", 0, "with a user namespace that maps the caller to root", struct spec_options, rootless),
	END_OF_OPTIONS,
};

static int spec_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	const struct spec_options *how = options;
	const char *file = how->file ? how->file : "config.json";
	auto_free char *text = NULL;
	size_t length;

	(void)context, (void)count, (void)operands;
	auto_fd dir = open(how->bundle ? how->bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "bundle %s", how->bundle);
	/* O_EXCL: an existing one is somebody's work. */
	auto_fd fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(err, "make %s", file);
	oci_default_config(encoder, how->rootless);
	text = encoder_take(encoder, &length);
	if (write_all(fd, text, length) < 0)
		return fail_errno(err, "write %s", file);
	return 0;
}

const struct command oci_spec_command = {
	.name = "spec",
	.operands = "[options]",
	.summary = "write a config.json to start from",
	.example = "warren-oci spec --bundle /srv/web",
	.options = spec_table,
	.options_size = sizeof(struct spec_options),
	.run = spec_run,
};
