/* `warren volume …`: the named volumes. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "cli/group.h"
#include "cli/table.h"
#include "images/collection.h"

enum { NAME, KIND, INSTANCES };

static const struct column volume_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[KIND] = {.title = "KIND", .key = "kind"},
	[INSTANCES] = {.title = "INSTANCES", .key = "instances"},
};

struct volume_options {
	bool json;
	struct table_options table;
};
static const struct option list_table[] = {TABLE_OPTIONS(struct volume_options, table), END_OF_OPTIONS};

static const char *instances_text(struct arena *arena, const struct strings *instances)
{
	const char *text = "";

	for (size_t i = 0; i < instances->count; i++)
		text = arena_format(arena, "%s%s%s", text, *text ? ", " : "",
			*instances->items[i] ? instances->items[i] : "a snapshot");
	return text;
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct volume_options *chosen = options;
	struct volume_list list;
	struct table table;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_volumes(&cli->host, &cli->arena, &list, err) < 0)
		return -1;
	table_init(&table, &cli->arena, volume_columns, ARRAY_SIZE(volume_columns));
	for (size_t i = 0; i < list.count; i++) {
		struct cell *row = table_row(&table);

		row[NAME].text = list.items[i].name;
		row[KIND].text = list.items[i].anonymous ? "of an image" : "named";
		row[INSTANCES].text = instances_text(&cli->arena, &list.items[i].instances);
	}
	return table_print(&table, &chosen->table, stdout, err);
}

/* --- inspect ------------------------------------------------------------------------------------------------------ */

static const struct option inspect_table[] = {
	OPTION_FLAG("json", 0, "print JSON (the default)", struct volume_options, json), END_OF_OPTIONS};

static void volume_encode(struct encoder *encoder, const struct host *host, const struct volume_info *volume)
{
	auto_free char *path = text_format("%s/volumes/%s", host->lib_path, volume->name);
	bool in_snapshot = false;

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", volume->name);
	encode_string(encoder, "path", path);
	encode_bool(encoder, "of_image", volume->anonymous);
	encode_array_begin(encoder, "instances");
	for (size_t i = 0; i < volume->instances.count; i++) {
		if (*volume->instances.items[i])
			encode_string(encoder, NULL, volume->instances.items[i]);
		else
			in_snapshot = true;
	}
	encode_array_end(encoder);
	encode_bool(encoder, "in_snapshot", in_snapshot);
	encode_object_end(encoder);
}

static const struct volume_info *volume_find(const struct volume_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

/* All or nothing: whoever reads it gets a whole document. */
static int inspect_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct volume_list list;
	size_t length;

	(void)options;
	if (cli_open(cli, err) < 0 || host_volumes(&cli->host, &cli->arena, &list, err) < 0)
		return -1;
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < count; i++) {
		const struct volume_info *volume = volume_find(&list, operands[i]);

		if (!volume)
			return fail(err, ERROR_MISSING, "no volume \"%s\" here", operands[i]);
		volume_encode(encoder, &cli->host, volume);
	}
	encode_array_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	fwrite(text, 1, length, stdout);
	return 0;
}

/* --- rm and prune ------------------------------------------------------------------------------------------------- */

static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options;
	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (host_volume_remove(&cli->host, operands[i], err) < 0)
			return -1;
	return 0;
}

static int prune_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct strings removed;

	(void)options, (void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_volumes_prune(&cli->host, &cli->arena, &removed, err) < 0)
		return -1;
	for (size_t i = 0; i < removed.count; i++)
		printf("%s\n", removed.items[i]);
	return 0;
}

static const struct command volume_list_command = {
	.name = "list",
	.alias = "ls",
	.operands = "[options]",
	.summary = "list volumes and whose they are",
	.example = "warren volume list",
	.options = list_table,
	.options_size = sizeof(struct volume_options),
	.run = list_run,
};

static const struct command volume_inspect_command = {
	.name = "inspect",
	.operands = "NAME…",
	.summary = "show where volumes are and who has them",
	.example = "warren volume inspect data",
	.options = inspect_table,
	.options_size = sizeof(struct volume_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = inspect_run,
};

static const struct command volume_rm_command = {
	.name = "rm",
	.operands = "NAME…",
	.summary = "delete volumes that no instance has, with all that is in them",
	.example = "warren volume rm data",
	.options = options_none,
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = rm_run,
};

static const struct command volume_prune_command = {
	.name = "prune",
	.operands = "",
	.summary = "delete the volumes of images that no instance has any more",
	.example = "warren volume prune",
	.options = options_none,
	.run = prune_run,
};

static const struct command *const volume_members[] = {
	&volume_list_command,
	&volume_inspect_command,
	&volume_rm_command,
	&volume_prune_command,
	NULL,
};

const struct command volume_command = {
	GROUP_COMMAND,
	.name = "volume",
	.summary = "list and delete named volumes",
	.example = "warren volume list\nwarren volume rm data",
	.members = volume_members,
	.purpose = "directories that outlive their instances",
};
