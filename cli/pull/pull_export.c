/* The commands export and verify of warren-pull: images out of the store, and whether they are still what came in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "cli/pull/pull.h"
#include "images/collection.h"
#include "images/pull/export.h"
#include "images/pull/verify.h"
#include "images/store/registries.h"

static int image_get(
	struct pull *pull, const char *text, struct reference *name, struct image_record *out, struct error *err)
{
	if (reference_resolve(&pull->arena, text, name, err) < 0)
		return -1;
	return image_find(&pull->store, name, &pull->arena, out, err);
}

/* --- export ------------------------------------------------------------------------------------------------------- */

typedef int exporter(
	const struct store *store, const struct image_record *image, const char *tag, int out, struct error *err);

static int export_as_root(
	const struct store *store, const struct image_record *image, const char *tag, int out, struct error *err)
{
	(void)tag; /* a tarball has no place for it */
	return export_image_root(store, image, out, err);
}

static const struct {
	const char *name;
	exporter *run;
} formats[] = {{"oci-archive", export_oci_archive}, {"root", export_as_root}};

static exporter *format_find(const char *name, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!name || strcmp(name, formats[i].name) == 0)
			return formats[i].run;
	(void)fail(err, ERROR_USAGE, "--format=%.40s: must be oci-archive or root", name);
	return NULL;
}

/* A device or a FIFO is written into: renaming over it would put a file into its place. */
static bool is_special(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

static int export_into(const struct archive_writer *writer, const char *path, struct error *err)
{
	auto_fd fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? fail_errno(err, "%s", path) : writer->write(writer->context, fd, err);
}

static int export_to_file(struct pull *pull, const struct archive_writer *writer, const char *path, struct error *err)
{
	const char *draft = arena_format(&pull->arena, "%s.%d~", path, getpid());
	auto_fd fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return fail_errno(err, "%s", draft);
	if (writer->write(writer->context, fd, err) == 0) {
		if (fsync(fd) == 0 && rename(draft, path) == 0)
			return 0;
		(void)fail_errno(err, "%s", path);
	}
	unlink(draft);
	return -1;
}

static bool is_to_output(const struct pull_options *options)
{
	return !options->output || strcmp(options->output, "-") == 0;
}

int archive_check(const struct pull_options *options, struct error *err)
{
	if (is_to_output(options) && isatty(STDOUT_FILENO))
		return fail(err, ERROR_USAGE, "an archive is nothing for a terminal: give --output FILE");
	return 0;
}

int archive_write(struct pull *pull, const struct archive_writer *writer, struct error *err)
{
	if (is_to_output(pull->options))
		return writer->write(writer->context, STDOUT_FILENO, err);
	if (is_special(pull->options->output))
		return export_into(writer, pull->options->output, err);
	return export_to_file(pull, writer, pull->options->output, err);
}

struct image_export {
	const struct store *store;
	exporter *run;
	struct reference name;
	struct image_record image;
};

static int image_write(const void *context, int out, struct error *err)
{
	const struct image_export *export = context;

	return export->run(export->store, &export->image, export->name.tag, out, err);
}

int export_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct pull *pull = context;
	struct image_export export = {
		.store = &pull->store, .run = format_find(((struct pull_options *)options)->format, err)};

	(void)count; /* one, as the table of commands says */
	if (!export.run || archive_check(options, err) < 0 || pull_begin(pull, options, err) < 0 ||
		image_get(pull, operands[0], &export.name, &export.image, err) < 0)
		return -1;
	return archive_write(pull, &(struct archive_writer){.write = image_write, .context = &export}, err);
}

/* --- verify ------------------------------------------------------------------------------------------------------- */

static void verify_encode(struct encoder *encoder, const char *name, const struct verify_result *result)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", name);
	encode_bool(encoder, "whole", !result->damaged && !result->documents_damage);
	encode_string(encoder, "documents", result->documents_damage);
	encode_array_begin(encoder, "layers");
	for (size_t i = 0; i < result->count; i++) {
		encode_object_begin(encoder, NULL);
		encode_string(encoder, "key", result->layers[i].key);
		encode_string(encoder, "damage", result->layers[i].damage);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static void verify_print(const struct pull *pull, const char *name, const struct verify_result *result)
{
	bool whole = !result->damaged && !result->documents_damage;

	if (!whole || !pull->options->quiet)
		printf("%s  %s\n", name, whole ? "whole" : "DAMAGED");
	if (result->documents_damage)
		printf("  %s\n", result->documents_damage);
	for (size_t i = 0; i < result->count; i++)
		if (result->layers[i].damage)
			printf("  layer %.12s: %s\n", result->layers[i].key, result->layers[i].damage);
}

/* 1 whole, 0 damaged. encoder NULL: for people. */
static int image_check(struct pull *pull, const char *text, struct encoder *encoder, struct error *err)
{
	struct verify_result result;
	struct image_record image;
	struct reference name;

	if (image_get(pull, text, &name, &image, err) < 0 ||
		image_verify(&pull->store, &image, &pull->arena, &result, err) < 0)
		return -1;
	if (encoder)
		verify_encode(encoder, image.name, &result);
	else
		verify_print(pull, image.name, &result);
	return !result.damaged && !result.documents_damage;
}

static int names_all(struct pull *pull, struct strings *out, struct error *err)
{
	struct image_list list;

	if (images_list(pull->store.dir, &pull->arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		strings_add(&pull->arena, out, list.items[i].name);
	return 0;
}

int verify_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	struct pull *pull = context;
	struct strings names = {0};
	bool json = ((struct pull_options *)options)->json;
	size_t damaged = 0;

	if (pull_begin(pull, options, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		strings_add(&pull->arena, &names, operands[i]);
	if (!count && names_all(pull, &names, err) < 0)
		return -1;
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < names.count; i++) {
		int whole = image_check(pull, names.items[i], json ? encoder : NULL, err);

		if (whole < 0)
			return -1;
		damaged += !whole;
	}
	if (json)
		encoder_print(encoder, stdout);
	return damaged ? 1 : 0;
}
