/* The commands commit, export-instance and diff-instance of warren-pull: instances out of the store. Whoever starts
 * them holds the instance, so that nothing in it changes meanwhile. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/process.h"
#include "cli/pull/pull.h"
#include "images/pull/changes.h"
#include "images/pull/commit.h"
#include "images/pull/export.h"
#include "images/pull/instance.h"
#include "images/store/registries.h"

/* --- commit ------------------------------------------------------------------------------------------------------- */

int commit_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	const struct pull_options *chosen = options;
	struct commit_request request = {.instance = operands[0],
		.message = chosen->message,
		.author = chosen->author,
		.created_ms = clock_real_ms()};
	struct reference name;
	struct source *source;

	(void)count; /* two, as the table of commands says */
	if (new_name_resolve(&pull->arena, operands[1], &name, err) < 0)
		return -1;
	if (config_changes_parse(&pull->arena, &chosen->changes, &request.changes, err) < 0 ||
		pull_begin(pull, options, err) < 0)
		return -1;
	source = commit_open(&pull->store, &request, err);
	return source ? pull_install(pull, source, &name, NULL, err) : blame(err, "commit %s", operands[0]);
}

/* --- export ------------------------------------------------------------------------------------------------------- */

struct root_export {
	struct instance_layers layers;
	bool delta;
};

static int root_write(const void *context, int out, struct error *err)
{
	const struct root_export *export = context;

	if (export->delta)
		return export_delta(export->layers.items[0], out, err);
	return export_root(export->layers.items, export->layers.count, out, err);
}

static int layer_add(const char *directory, struct instance_layers *layers, struct error *err)
{
	int layer;

	if (layers->count == INSTANCE_LAYERS_MAX)
		return fail(err, ERROR_USAGE, "a root of %zu layers", layers->count);
	layer = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layer < 0)
		return fail_errno(err, "%s", directory);
	layers->items[layers->count++] = layer;
	return 0;
}

/* What lies below all layers: of an image nothing; else it must be a directory. */
static int bottom_add(const struct pull_options *options, struct instance_layers *layers, struct error *err)
{
	if (layers->image.config_digest)
		return 0;
	if (!options->lower)
		return fail(err, ERROR_USAGE, "its /usr is the host's own; --delta gives what it wrote");
	return layer_add(options->lower, layers, err);
}

/* What was written since the last snapshot is not all of it; a layer of several would be a merge of them. */
static int delta_check(const struct instance_layers *layers, struct error *err)
{
	return layers->own == 1 ? 0
				: fail(err, ERROR_USAGE,
					  "what it wrote lies in %zu layers because it has snapshots; commit it, and "
					  "export the image",
					  layers->own);
}

static int export_opened(struct pull *pull, struct root_export *export, struct error *err)
{
	export->delta = pull->options->delta;
	if (export->delta ? delta_check(&export->layers, err) < 0 : bottom_add(pull->options, &export->layers, err) < 0)
		return -1;
	return archive_write(pull, &(struct archive_writer){.write = root_write, .context = export}, err);
}

int export_instance_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	struct root_export export;
	int result;

	(void)count; /* one, as the table of commands says */
	if (archive_check(options, err) < 0 || pull_begin(pull, options, err) < 0 ||
		instance_layers_open(&pull->store, operands[0], &pull->arena, &export.layers, err) < 0)
		return -1;
	result = export_opened(pull, &export, err);
	instance_layers_drop(&export.layers);
	return result < 0 ? blame(err, "export %s", operands[0]) : 0;
}

/* --- diff --------------------------------------------------------------------------------------------------------- */

/* Names are the instance's: none of them shall say anything to a terminal. */
static void path_print(const char *path)
{
	for (; *path; path++) {
		if ((unsigned char)*path < 0x20 || *path == 0x7f || *path == '\\')
			printf("\\%03o", (unsigned char)*path);
		else
			putchar(*path);
	}
}

static void changes_print(const struct root_changes *list)
{
	for (size_t i = 0; i < list->count; i++) {
		printf("%c ", list->items[i].kind);
		path_print(list->items[i].path);
		putchar('\n');
	}
}

static void changes_print_json(const struct root_changes *list)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < list->count; i++) {
		const char kind[] = {list->items[i].kind, '\0'};

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "kind", kind);
		encode_string(encoder, "path", list->items[i].path);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
	encoder_print(encoder, stdout);
}

/* An instance of the image `host` has copies of parts of the host's /etc: the host's own files are what is below. */
int diff_instance_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	const struct pull_options *chosen = options;
	struct instance_layers layers;
	struct root_changes list = {0};
	int result;

	(void)count; /* one, as the table of commands says */
	if (pull_begin(pull, options, err) < 0 ||
		instance_layers_open(&pull->store, operands[0], &pull->arena, &layers, err) < 0)
		return -1;
	bool is_host = !layers.image.config_digest && !chosen->lower;

	result = layers.image.config_digest ? 0 : layer_add(is_host ? "/" : chosen->lower, &layers, err);
	if (result == 0)
		result = changes_find(&pull->arena, &layers, is_host, &list, err);
	instance_layers_drop(&layers);
	if (result < 0)
		return blame(err, "diff %s", operands[0]);
	if (chosen->json)
		changes_print_json(&list);
	else
		changes_print(&list);
	free(list.items);
	return 0;
}
