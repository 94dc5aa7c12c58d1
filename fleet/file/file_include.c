/* include: a fleet in several files.
 *
 * What an included file says stands before what the including one says: its defaults are the lower layer, its networks,
 * volumes, profiles and instances come first. Nothing can be said twice: a name that two files have is refused with
 * both places. Trees are joined before anything is decoded, and every node keeps the place it was written in. */
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/file/file_reader.h"
#include "fleet/file/merge.h"

#define DEPTH_MAX 8

/* The objects at the top whose members come from all files. */
static const char *const joined_keys[] = {"profiles", "networks", "volumes", "instances"};
#define JOINED ARRAY_SIZE(joined_keys)

struct include_top {
	int64_t version;
	const struct json *defaults;
	const struct json *joined[JOINED];
	struct strings include;
};

#define TREE(key_, member_)                                                                                            \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM,                                                                     \
		.offset = CHECKED_OFFSET(struct include_top, member_, const struct json *), .decode = decode_tree      \
	}

static const struct field include_fields[] = {
	INTEGER("version", struct include_top, version, 1, 1, 0),
	REFUSED("name", "the file that includes this one names the fleet"),
	TREE("defaults", defaults),
	TREE("profiles", joined[0]),
	TREE("networks", joined[1]),
	TREE("volumes", joined[2]),
	TREE("instances", joined[3]),
	STRINGS("include", struct include_top, include, 0),
	END_OF_FIELDS,
};

struct joining {
	struct reader *reader;
	struct json *joined[JOINED];
	const struct json *defaults; /* of the files so far, merged; NULL: none */
	int depth;
};

/* --- joining ------------------------------------------------------------------------------------------------------ */

static int member_join(struct joining *joining, struct json *into, const struct json *member)
{
	struct reader *reader = joining->reader;
	const struct json *before = json_get(into, member->key);

	if (before && json_part(&reader->doc, before->key_offset) != json_part(&reader->doc, member->key_offset))
		return json_fail_key(&reader->doc, member, reader->err, "\"%s\" of \"%s\" is at %s:%zu already",
			member->key, into->key, json_part(&reader->doc, before->key_offset)->name,
			json_line(&reader->doc, before->key_offset));
	json_member_add(reader->arena, into, member->key, member);
	return 0;
}

/* 1: there is an object; 0: nothing; -1: something else. */
static int object_expect(const struct joining *joining, const struct json *object, const char *key)
{
	const struct reader *reader = joining->reader;

	if (!object || object->kind == JSON_NULL)
		return 0;
	if (object->kind == JSON_OBJECT)
		return 1;
	return json_fail(&reader->doc, object, reader->err, "\"%s\": expected an object, found %s", key,
		json_kind_name(object->kind));
}

static int object_join(struct joining *joining, size_t which, const struct json *object)
{
	int there = object_expect(joining, object, joined_keys[which]);

	if (there <= 0)
		return there;
	if (!joining->joined[which]) {
		joining->joined[which] = arena_new(joining->reader->arena, struct json);
		*joining->joined[which] = (struct json){.kind = JSON_OBJECT,
			.key = joined_keys[which],
			.offset = object->offset,
			.key_offset = object->key_offset};
	}
	for (const struct json *member = object->first; member; member = member->next)
		if (member_join(joining, joining->joined[which], member) < 0)
			return -1;
	return 0;
}

static int defaults_join(struct joining *joining, const struct json *defaults)
{
	const struct json *layers[] = {joining->defaults, defaults};
	struct reader *reader = joining->reader;
	int there = object_expect(joining, defaults, "defaults");

	if (there <= 0)
		return there;
	if (!joining->defaults) {
		joining->defaults = defaults;
		return 0;
	}
	joining->defaults = layers_merge(reader->arena, &reader->doc, layers, ARRAY_SIZE(layers), reader->err);
	return joining->defaults ? 0 : -1;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int list_include(struct joining *joining, const struct json *list);

static int file_include(struct joining *joining, const struct json *item, const char *path)
{
	struct reader *reader = joining->reader;
	const struct decoder decoder = {.arena = reader->arena, .doc = &reader->doc, .mode = DECODE_STRICT};
	struct include_top top = {0};
	const struct json_doc *part;
	const char *text;
	size_t length;

	if (file_text_read(reader, path, &text, &length) < 0) {
		struct error reason = *reader->err;

		return json_fail(&reader->doc, item, reader->err, "\"include\": %s", reason.text);
	}
	part = json_parse_more(reader->arena, &reader->doc, path, text, length, JSON_COMMENTS, reader->err);
	if (!part || decode_object(&decoder, part->root, include_fields, &top, reader->err) < 0 ||
		list_include(joining, json_get(part->root, "include")) < 0 || defaults_join(joining, top.defaults) < 0)
		return -1;
	for (size_t i = 0; i < JOINED; i++)
		if (object_join(joining, i, top.joined[i]) < 0)
			return -1;
	return 0;
}

static void glob_drop(glob_t *found)
{
	globfree(found);
}

/* A pattern may match nothing; a plain name must be there. */
static int pattern_include(struct joining *joining, const struct json *item, const char *path)
{
	AUTO(glob_drop) glob_t found = {0};
	struct reader *reader = joining->reader;
	int result = glob(path, 0, NULL, &found);

	if (result == GLOB_NOMATCH)
		return 0;
	if (result != 0)
		return json_fail(&reader->doc, item, reader->err, "\"include\": \"%s\": cannot be looked up", path);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (file_include(joining, item, found.gl_pathv[i]) < 0)
			return -1;
	return 0;
}

static int item_include(struct joining *joining, const struct json *item)
{
	struct reader *reader = joining->reader;
	const char *path;

	if (item->kind != JSON_STRING || !*item->text)
		return json_fail(&reader->doc, item, reader->err, "\"include\": expected the path of a file");
	path = *item->text == '/' ? item->text
				  : arena_format(reader->arena, "%s/%s", node_directory(reader, item), item->text);
	return strpbrk(item->text, "*?[") ? pattern_include(joining, item, path) : file_include(joining, item, path);
}

static int list_include(struct joining *joining, const struct json *list)
{
	struct reader *reader = joining->reader;

	if (!list || list->kind == JSON_NULL)
		return 0;
	if (list->kind != JSON_ARRAY)
		return json_fail(&reader->doc, list, reader->err, "\"include\": expected an array, found %s",
			json_kind_name(list->kind));
	if (joining->depth == DEPTH_MAX)
		return json_fail(&reader->doc, list, reader->err, "\"include\": more than %d files deep", DEPTH_MAX);
	joining->depth++;
	for (const struct json *item = list->first; item; item = item->next)
		if (item_include(joining, item) < 0)
			return -1;
	joining->depth--;
	return 0;
}

/* --- the fleet file ----------------------------------------------------------------------------------------------- */

/* The root with its joined members in place of its own. */
static struct json *root_join(const struct joining *joining, const struct json *root)
{
	struct arena *arena = joining->reader->arena;
	struct json *copy = arena_new(arena, struct json);

	*copy = (struct json){.kind = JSON_OBJECT, .offset = root->offset};
	for (const struct json *member = root->first; member; member = member->next) {
		bool replaced = !strcmp(member->key, "defaults") && joining->defaults;

		for (size_t i = 0; i < JOINED; i++)
			replaced |= !strcmp(member->key, joined_keys[i]) && joining->joined[i];
		if (!replaced)
			json_member_add(arena, copy, member->key, member);
	}
	if (joining->defaults)
		json_member_add(arena, copy, "defaults", joining->defaults);
	for (size_t i = 0; i < JOINED; i++)
		if (joining->joined[i])
			json_member_add(arena, copy, joined_keys[i], joining->joined[i]);
	return copy;
}

int includes_merge(struct reader *reader)
{
	const struct decoder decoder = {.arena = reader->arena, .doc = &reader->doc, .mode = DECODE_STRICT};
	struct joining joining = {.reader = reader};
	const struct json *root = reader->doc.root, *list = json_get(root, "include");

	if (!list || list->kind == JSON_NULL)
		return 0;
	if (!reader->check_sources && list->first)
		return json_fail_key(&reader->doc, list, reader->err,
			"\"include\": this text is no file, so there is nothing beside it");
	if (decode_keys_check(&decoder, root, reader->err) < 0 || list_include(&joining, list) < 0 ||
		defaults_join(&joining, json_get(root, "defaults")) < 0)
		return -1;
	for (size_t i = 0; i < JOINED; i++)
		if (object_join(&joining, i, json_get(root, joined_keys[i])) < 0)
			return -1;
	reader->doc.root = root_join(&joining, root);
	return 0;
}
