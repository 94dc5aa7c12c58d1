/* `warren image …`: the images that are here. What reads bytes from outside is in image_pull.c. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/process.h"
#include "cli/group.h"
#include "cli/image_pull.h"
#include "cli/table.h"
#include "cli/template.h"
#include "images/collection.h"

#define SHORT_DIGEST 12

/* --- list --------------------------------------------------------------------------------------------------------- */

enum {
	NAME,
	PLATFORM,
	LAYERS,
	SIZE,
	SHARED,
	OWN,
	PULLED,
	INSTANCES,
	DIGEST,
	FULL_NAME,
	MANIFEST,
	CONFIG,
	INDEX,
	COMPRESSED,
	SOURCE,
	REPOSITORY,
	TAG
};

static const struct column image_columns[] = {
	[NAME] = {.title = "NAME", .key = "name", .cut = 20, .keep_end = true},
	[PLATFORM] = {.title = "PLATFORM", .key = "platform", .drop = 2},
	[LAYERS] = {.title = "LAYERS", .key = "layers", .kind = COLUMN_NUMBER, .drop = 1},
	[SIZE] = {.title = "SIZE", .key = "size_bytes", .kind = COLUMN_NUMBER},
	[SHARED] = {.title = "SHARED", .key = "shared_bytes", .kind = COLUMN_NUMBER, .drop = 4},
	[OWN] = {.title = "OWN", .key = "own_bytes", .kind = COLUMN_NUMBER, .drop = 5},
	[PULLED] = {.title = "AGE", .key = "pulled_ms", .kind = COLUMN_NUMBER, .drop = 6},
	[INSTANCES] = {.title = "INSTANCES", .key = "instances", .kind = COLUMN_NUMBER, .drop = 7},
	[DIGEST] = {.title = "DIGEST", .key = "short_digest", .drop = 3},
	[FULL_NAME] = {.title = "FULLNAME", .key = "full_name", .json_only = true},
	[MANIFEST] = {.title = "MANIFEST", .key = "manifest", .json_only = true},
	[CONFIG] = {.title = "CONFIG", .key = "config", .json_only = true},
	[INDEX] = {.title = "INDEX", .key = "index", .json_only = true},
	[COMPRESSED] = {.title = "COMPRESSED", .key = "compressed_bytes", .kind = COLUMN_NUMBER, .json_only = true},
	[SOURCE] = {.title = "SOURCE", .key = "source", .json_only = true},
	[REPOSITORY] = {.title = "REPOSITORY", .key = "Repository", .format_only = true},
	[TAG] = {.title = "TAG", .key = "Tag", .format_only = true},
};

/* docker's words. */
static const struct template_alias image_aliases[] = {
	{"ID", "short_digest"}, {"CreatedSince", "#age"}, {"Containers", "instances"}, {NULL, NULL}};

struct image_options {
	struct table_options table;
	bool all, json, force;
};
static const struct option list_table[] = {TABLE_OPTIONS(struct image_options, table), END_OF_OPTIONS};

static struct cell size_cell(struct arena *arena, uint64_t bytes)
{
	char buffer[24];

	return (struct cell){.text = arena_string(arena, size_format((int64_t)bytes, buffer)),
		.value = arena_format(arena, "%ju", (uintmax_t)bytes)};
}

static const char *short_digest(struct arena *arena, const char *digest)
{
	return arena_bytes(arena, digest + strlen("sha256:"), SHORT_DIGEST);
}

/* A ':' before a '/' belongs to a registry's port. */
static size_t repository_length(const char *name)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash : name;

	return (size_t)(last - name) + strcspn(last, ":@");
}

static void image_row(struct table *table, const struct image_info *image)
{
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	int64_t age_ms = clock_real_ms() - image->pulled_ms;
	char buffer[24];

	row[NAME].text = image->familiar;
	row[PLATFORM].text = image->platform;
	row[LAYERS].text = arena_format(arena, "%zu", image->layers);
	row[SIZE] = size_cell(arena, image->bytes);
	row[SHARED] = size_cell(arena, image->shared_bytes);
	row[OWN] = size_cell(arena, image->own_bytes);
	row[PULLED] = (struct cell){.text = arena_string(arena, duration_format(age_ms > 0 ? age_ms : 0, buffer)),
		.value = arena_format(arena, "%jd", (intmax_t)image->pulled_ms)};
	row[INSTANCES].text = arena_format(arena, "%zu", image->instances);
	row[DIGEST].text = short_digest(arena, image->manifest_digest);
	row[FULL_NAME].text = image->name;
	row[MANIFEST].text = image->manifest_digest;
	row[CONFIG].text = image->config_digest;
	row[INDEX].text = image->index_digest;
	row[COMPRESSED] = size_cell(arena, image->compressed_bytes);
	row[SOURCE].text = image->source;
	size_t length = repository_length(image->familiar);
	row[REPOSITORY].text = arena_bytes(arena, image->familiar, length);
	row[TAG].text = image->familiar[length] == ':' ? image->familiar + length + 1 : NULL;
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct image_options *chosen = options;
	struct image_list list;
	struct table table;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || images_list(cli->host.lib, &cli->arena, &list, err) < 0)
		return -1;
	table_init(&table, &cli->arena, image_columns, ARRAY_SIZE(image_columns));
	table.aliases = image_aliases;
	for (size_t i = 0; i < list.count; i++)
		image_row(&table, &list.items[i]);
	return table_print(&table, &chosen->table, stdout, err);
}

/* --- inspect ------------------------------------------------------------------------------------------------------ */

static const struct option inspect_table[] = {
	OPTION_FLAG("json", 0, "print JSON (the default)", struct image_options, json), END_OF_OPTIONS};

static void check_encode(struct encoder *encoder, const struct image_check *check)
{
	if (!check)
		return;
	encode_object_begin(encoder, "health_check");
	encode_strings(encoder, "test", &check->test);
	encode_integer(encoder, "interval_ms", check->interval_ms);
	encode_integer(encoder, "timeout_ms", check->timeout_ms);
	encode_integer(encoder, "start_period_ms", check->start_period_ms);
	encode_integer(encoder, "retries", check->retries);
	encode_object_end(encoder);
}

static void config_encode(struct encoder *encoder, const struct image_config *config)
{
	encode_object_begin(encoder, "defaults");
	encode_strings(encoder, "entrypoint", &config->entrypoint);
	encode_strings(encoder, "command", &config->command);
	encode_pairs(encoder, "environment", &config->environment);
	encode_string(encoder, "user", config->user);
	encode_string(encoder, "working_dir", config->working_dir);
	encode_string(encoder, "stop_signal", config->stop_signal);
	if (config->volumes.count)
		encode_array_begin(encoder, "volumes");
	for (size_t i = 0; i < config->volumes.count; i++)
		encode_string(encoder, NULL, config->volumes.items[i].name);
	if (config->volumes.count)
		encode_array_end(encoder);
	encode_strings(encoder, "exposed_ports", &config->exposed_ports);
	encode_pairs(encoder, "labels", &config->labels);
	check_encode(encoder, config->check);
	encode_object_end(encoder);
}

static void about_encode(struct encoder *encoder, const struct image_about *about)
{
	const struct image_info *info = &about->info;

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", info->name);
	encode_string(encoder, "manifest", info->manifest_digest);
	encode_string(encoder, "config", info->config_digest);
	encode_string(encoder, "index", info->index_digest);
	encode_string(encoder, "platform", info->platform);
	encode_string(encoder, "source", info->source);
	encode_string(encoder, "created", about->created);
	encode_string(encoder, "author", about->author);
	encode_integer(encoder, "pulled_ms", info->pulled_ms);
	encode_uint64(encoder, "size_bytes", info->bytes);
	encode_uint64(encoder, "shared_bytes", info->shared_bytes);
	encode_uint64(encoder, "own_bytes", info->own_bytes);
	encode_uint64(encoder, "compressed_bytes", info->compressed_bytes);
	encode_integer(encoder, "instances", (int64_t)info->instances);
	encode_strings(encoder, "layers", &about->layers);
	config_encode(encoder, &about->config);
	encode_object_end(encoder);
}

static int inspect_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	(void)options;
	if (cli_open(cli, err) < 0)
		return -1;
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < count; i++) {
		struct image_about about;

		if (image_look(cli->host.lib, operands[i], &cli->arena, &about, err) < 0)
			return -1;
		about_encode(encoder, &about);
	}
	encode_array_end(encoder);
	encoder_print(encoder, stdout);
	return 0;
}

/* --- rm, tag, prune ----------------------------------------------------------------------------------------------- */

static void freed_print(const struct prune_result *result, bool json)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	char buffer[24];

	if (!json) {
		printf("%zu names, %zu layers, %zu downloads: %s\n", result->names, result->layers, result->partials,
			size_format((int64_t)result->bytes, buffer));
		return;
	}
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "names", (int64_t)result->names);
	encode_integer(encoder, "layers", (int64_t)result->layers);
	encode_integer(encoder, "blobs", (int64_t)result->blobs);
	encode_integer(encoder, "downloads", (int64_t)result->partials);
	encode_integer(encoder, "leftovers", (int64_t)result->staged);
	encode_uint64(encoder, "bytes", result->bytes);
	encode_object_end(encoder);
	encoder_print(encoder, stdout);
}

static const struct option rm_table[] = {
	OPTION_FLAG("force", 'f', "a name that is not here is no error", struct image_options, force), END_OF_OPTIONS};

/* Names first, all of them; then one collection. That it could not delete is no failure of the command. */
static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct image_options *chosen = options;
	struct prune_result result;
	struct error first = {0}, later;

	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (image_untag(cli->host.lib, operands[i], &later) < 0 &&
			!(chosen->force && later.kind == ERROR_MISSING) && first.kind == ERROR_NONE)
			first = later;
	if (images_prune(cli->host.lib, &(struct prune_options){0}, &result, &later) < 0)
		log_warn("%s", later.text);
	*err = first;
	return first.kind == ERROR_NONE ? 0 : -1;
}

static int tag_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options, (void)count;
	return cli_open(cli, err) < 0 ? -1 : image_tag(cli->host.lib, operands[0], operands[1], err);
}

static const struct option prune_table[] = {
	OPTION_FLAG("all", 'a', "also names that no instance was made of", struct image_options, all),
	OPTION_FLAG("force", 'f', "nobody is asked anyway", struct image_options, force),
	OPTION_FLAG("json", 0, "print JSON", struct image_options, json), END_OF_OPTIONS};

static int prune_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct image_options *chosen = options;
	struct prune_result result;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 ||
		images_prune(cli->host.lib, &(struct prune_options){.unused = chosen->all, .partials = true}, &result,
			err) < 0)
		return -1;
	freed_print(&result, chosen->json);
	return 0;
}

/* --- the commands ------------------------------------------------------------------------------------------------- */

static const struct command image_list_command = {
	.name = "list",
	.alias = "ls",
	.operands = "[options]",
	.summary = "list the images that are here",
	.example = "warren image list\nwarren image list --format '{{.Name}} {{.Size}}'",
	.options = list_table,
	.options_size = sizeof(struct image_options),
	.run = list_run,
};

static const struct command image_inspect_command = {
	.name = "inspect",
	.operands = "NAME…",
	.summary = "print what an image is and gives its instances, as JSON",
	.example = "warren image inspect debian:12",
	.options = inspect_table,
	.options_size = sizeof(struct image_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = inspect_run,
};

static const struct command image_rm_command = {
	.name = "rm",
	.operands = "[options] NAME…",
	.summary = "take names away, and delete what then nobody needs",
	.example = "warren image rm debian:11",
	.options = rm_table,
	.options_size = sizeof(struct image_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = rm_run,
};

static const struct command image_tag_command = {
	.name = "tag",
	.operands = "NAME NEW_NAME",
	.summary = "give an image another name",
	.example = "warren image tag site:7 site:stable",
	.options = options_none,
	.operands_min = 2,
	.operands_max = 2,
	.run = tag_run,
};

static const struct command image_prune_command = {
	.name = "prune",
	.operands = "[options]",
	.summary = "delete layers that nobody needs, and what killed commands left",
	.example = "warren image prune\nwarren image prune --all",
	.options = prune_table,
	.options_size = sizeof(struct image_options),
	.run = prune_run,
};

static const struct command *const image_members[] = {
	&image_pull_command,
	&image_import_command,
	&image_list_command,
	&image_inspect_command,
	&image_rm_command,
	&image_prune_command,
	&image_tag_command,
	&image_export_command,
	&image_verify_command,
	NULL,
};

const struct command image_command = {
	GROUP_COMMAND,
	.name = "image",
	.summary = "fetch, list and remove images",
	.example = "warren image pull debian:12\nwarren image list",
	.members = image_members,
	.purpose = "images: the roots that instances are made of",
};
