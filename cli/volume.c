/* `warren volume …`: the named volumes. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "cli/group.h"
#include "cli/table.h"
#include "images/collection.h"

enum { NAME, KIND, INSTANCES, LABELS };

static const struct column volume_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[KIND] = {.title = "KIND", .key = "kind"},
	[INSTANCES] = {.title = "INSTANCES", .key = "instances", .cut = 16},
	[LABELS] = {.title = "LABELS", .key = "labels", .json_only = true},
};

struct volume_options {
	bool json, all, force;
	struct strings labels;
	struct table_options table;
};
static const struct option list_table[] = {
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "those that carry this label", struct volume_options, labels),
	TABLE_OPTIONS(struct volume_options, table),
	END_OF_OPTIONS,
};

static bool has_labels(const struct volume_info *volume, const struct strings *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		size_t length = strcspn(wanted->items[i], "=");
		auto_free char *name = strndup(wanted->items[i], length);
		const char *value = pairs_get(&volume->labels, name);

		if (!value || (wanted->items[i][length] && !text_equal(value, wanted->items[i] + length + 1)))
			return false;
	}
	return true;
}

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
		if (!has_labels(&list.items[i], &chosen->labels))
			continue;
		struct cell *row = table_row(&table);

		row[NAME].text = list.items[i].name;
		row[KIND].text = list.items[i].anonymous ? "of an image" : "named";
		row[INSTANCES].text = instances_text(&cli->arena, &list.items[i].instances);
		row[LABELS].text = labels_text(&cli->arena, &list.items[i].labels);
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
	encode_pairs(encoder, "labels", &volume->labels);
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
	encoder_print(encoder, stdout);
	return 0;
}

/* --- create, rm and prune ----------------------------------------------------------------------------------------- */

static const struct option create_table[] = {
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "a label", struct volume_options, labels),
	END_OF_OPTIONS,
};
static const struct option rm_table[] = {
	OPTION_FLAG("force", 'f', "pass over those that are not there", struct volume_options, force),
	END_OF_OPTIONS,
};
static const struct option prune_table[] = {
	OPTION_FLAG("all", 'a', "also those that somebody gave a name", struct volume_options, all),
	OPTION_FLAG("force", 'f', "nobody is asked anyway", struct volume_options, force),
	END_OF_OPTIONS,
};

/* As with docker it is no failure that it is there. */
static int create_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct volume_options *chosen = options;
	struct pairs labels = {0};
	bool made;

	labels_fill(&cli->arena, &chosen->labels, &labels);
	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (host_volume_create(&cli->host, operands[i], &labels, &made, err) < 0)
			return -1;
		printf("%s\n", operands[i]);
	}
	return 0;
}

static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct volume_options *chosen = options;

	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (host_volume_remove(&cli->host, operands[i], err) == 0)
			printf("%s\n", operands[i]);
		else if (!chosen->force || err->kind != ERROR_MISSING)
			return -1;
	}
	return 0;
}

static int prune_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct volume_options *chosen = options;
	struct strings removed;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_volumes_prune(&cli->host, &cli->arena, chosen->all, &removed, err) < 0)
		return -1;
	for (size_t i = 0; i < removed.count; i++)
		printf("%s\n", removed.items[i]);
	return 0;
}

static const struct command volume_create_command = {
	.name = "create",
	.operands = "[options] NAME…",
	.summary = "make volumes; one that nobody has had begins with what an image has in its place",
	.example = "warren volume create data\nwarren volume create --label tier=db data",
	.options = create_table,
	.options_size = sizeof(struct volume_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = create_run,
};

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
	.operands = "[options] NAME…",
	.summary = "delete volumes that no instance has, with all that is in them",
	.example = "warren volume rm data",
	.options = rm_table,
	.options_size = sizeof(struct volume_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = rm_run,
};

static const struct command volume_prune_command = {
	.name = "prune",
	.operands = "[options]",
	.summary = "delete the volumes of images that no instance has any more",
	.example = "warren volume prune",
	.options = prune_table,
	.options_size = sizeof(struct volume_options),
	.run = prune_run,
};

static const struct command *const volume_members[] = {
	&volume_create_command,
	&volume_list_command,
	&volume_inspect_command,
	&volume_rm_command,
	&volume_prune_command,
	NULL,
};

const struct command volume_command = {
	GROUP_COMMAND,
	.name = "volume",
	.summary = "make, list and delete named volumes",
	.example = "warren volume create data\nwarren volume list\nwarren volume rm data",
	.members = volume_members,
	.purpose = "directories that outlive their instances",
};
