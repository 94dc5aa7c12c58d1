/* Merging and substitution on the JSON tree: before any key is decoded, so that every later error still points at the
 * place in the file where the value came from. Nodes of the parsed document are never changed: two replicas share them.
 */
#include "fleet/file/merge.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/text.h"

#define MERGED_MEMBERS_MAX 4096 /* members are searched one by one */

static struct json *node_copy(struct arena *arena, const struct json *node)
{
	struct json *copy = arena_new(arena, struct json);

	*copy = *node;
	copy->next = NULL;
	return copy;
}

static struct json *node_copy_empty(struct arena *arena, const struct json *node)
{
	struct json *copy = node_copy(arena, node);

	copy->first = copy->last = NULL;
	copy->count = 0;
	return copy;
}

static void member_add(struct json *parent, struct json *member)
{
	*(parent->last ? &parent->last->next : &parent->first) = member;
	parent->last = member;
	parent->count++;
}

static void items_append(struct arena *arena, struct json *list, const struct json *items)
{
	for (const struct json *item = items->first; item; item = item->next)
		member_add(list, node_copy(arena, item));
}

/* The link that holds the member of that key, or the end of the chain. */
static struct json **member_find(struct json *object, const char *key)
{
	struct json **link = &object->first;

	while (*link && strcmp((*link)->key, key))
		link = &(*link)->next;
	return link;
}

static void member_remove(struct json *object, struct json **link)
{
	struct json *last = NULL;

	if (!*link)
		return;
	*link = (*link)->next;
	object->count--;
	for (struct json *member = object->first; member; member = member->next)
		last = member;
	object->last = last;
}

static void member_put(struct json *object, struct json **link, struct json *member)
{
	if (!*link) {
		member_add(object, member);
		return;
	}
	member->next = (*link)->next;
	if (object->last == *link)
		object->last = member;
	*link = member;
}

struct merge {
	struct arena *arena;
	const struct json_doc *doc;
	struct error *err;
};

static int layer_apply(const struct merge *merge, struct json *into, const struct json *layer);

static int fail_kinds(const struct merge *merge, const struct json *lower, const struct json *upper)
{
	return json_fail(merge->doc, upper, merge->err,
		"\"%s\": %s here, but %s in the layer below: write both the same way", upper->key,
		json_kind_name(upper->kind), json_kind_name(lower->kind));
}

/* "+key": the items go behind those that are there. */
static int list_extend(
	const struct merge *merge, struct json *into, const struct json *layer, const struct json *member)
{
	const char *key = member->key + 1;
	struct json **link = member_find(into, key);
	struct json *list;

	if (json_get(layer, key))
		return json_fail_key(
			merge->doc, member, merge->err, "\"%s\" and \"%s\" exclude each other", member->key, key);
	if (member->kind != JSON_ARRAY)
		return json_fail(merge->doc, member, merge->err, "\"%s\": expected an array, found %s", member->key,
			json_kind_name(member->kind));
	if (*link && (*link)->kind != JSON_ARRAY)
		return json_fail_key(merge->doc, member, merge->err,
			"\"%s\": \"%s\" is %s in the layer below, not an array", member->key, key,
			json_kind_name((*link)->kind));
	list = node_copy_empty(merge->arena, member);
	list->key = key;
	if (*link)
		items_append(merge->arena, list, *link);
	items_append(merge->arena, list, member);
	member_put(into, link, list);
	return 0;
}

/* Also for an object without one below: its own nulls and "+key" have to go. */
static int object_merge(const struct merge *merge, struct json *into, struct json **link, const struct json *member)
{
	struct json *object = node_copy_empty(merge->arena, member);

	if (*link && (*link)->kind == JSON_OBJECT && layer_apply(merge, object, *link) < 0)
		return -1;
	if (layer_apply(merge, object, member) < 0)
		return -1;
	member_put(into, link, object);
	return 0;
}

static int member_apply(
	const struct merge *merge, struct json *into, const struct json *layer, const struct json *member)
{
	struct json **link = member_find(into, member->key);

	if (*member->key == '+')
		return list_extend(merge, into, layer, member);
	if (member->kind == JSON_NULL) {
		member_remove(into, link);
		return 0;
	}
	if (*link && (*link)->kind != member->kind && ((*link)->kind == JSON_OBJECT || (*link)->kind == JSON_ARRAY) &&
		(member->kind == JSON_OBJECT || member->kind == JSON_ARRAY))
		return fail_kinds(merge, *link, member);
	if (member->kind == JSON_OBJECT)
		return object_merge(merge, into, link, member);
	member_put(into, link, node_copy(merge->arena, member));
	return 0;
}

static int layer_apply(const struct merge *merge, struct json *into, const struct json *layer)
{
	const struct decoder keys = {.arena = merge->arena, .doc = merge->doc, .mode = DECODE_STRICT};

	if (decode_keys_check(&keys, layer, merge->err) < 0)
		return -1;
	for (const struct json *member = layer->first; member; member = member->next) {
		if (member_apply(merge, into, layer, member) < 0)
			return -1;
		if (into->count > MERGED_MEMBERS_MAX)
			return json_fail_key(merge->doc, member, merge->err, "an object with more than %d members",
				MERGED_MEMBERS_MAX);
	}
	return 0;
}

const struct json *layers_merge(struct arena *arena, const struct json_doc *doc, const struct json *const *layers,
	size_t count, struct error *err)
{
	const struct merge merge = {.arena = arena, .doc = doc, .err = err};
	struct json *merged = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct json *layer = layers[i];

		if (!layer || layer->kind == JSON_NULL)
			continue;
		if (layer->kind != JSON_OBJECT) {
			json_fail(doc, layer, err, "\"%s\": expected an object, found %s", layer->key ? layer->key : "",
				json_kind_name(layer->kind));
			return NULL;
		}
		if (!merged)
			merged = arena_new(arena, struct json);
		/* The topmost layer gives the position and the key. */
		struct json *first = merged->first, *last = merged->last;
		uint32_t members = merged->count;
		*merged = *node_copy_empty(arena, layer);
		merged->first = first;
		merged->last = last;
		merged->count = members;
		if (layer_apply(&merge, merged, layer) < 0)
			return NULL;
	}
	if (!merged)
		fail(err, ERROR_USAGE, "%s: nothing to merge", doc->name);
	return merged;
}

/* --- ${name} and ${index} ----------------------------------------------------------------------------------------- */

static bool tree_has_placeholder(const struct json *node)
{
	if (node->kind == JSON_STRING)
		return strstr(node->text, "${");
	for (const struct json *member = node->first; member; member = member->next)
		if (tree_has_placeholder(member))
			return true;
	return false;
}

static int placeholder_append(const struct json_doc *doc, const struct json *node, const struct substitution *values,
	const char *name, size_t length, struct text *out, struct error *err)
{
	if (length == strlen("name") && !memcmp(name, "name", length))
		text_append(out, values->name);
	else if (length == strlen("index") && !memcmp(name, "index", length))
		text_appendf(out, "%jd", (intmax_t)values->index);
	else
		return json_fail(doc, node, err,
			"\"${%.*s}\": only ${name} and ${index} are replaced; write \"$${\" for a plain \"${\"",
			(int)(length < 64 ? length : 64), name);
	return 0;
}

static int text_substitute(const struct json_doc *doc, const struct json *node, const struct substitution *values,
	struct text *out, struct error *err)
{
	const char *rest = node->text, *dollar;

	while ((dollar = strstr(rest, "${"))) {
		const char *end;

		if (dollar > rest && dollar[-1] == '$') {
			text_append_bytes(out, rest, (size_t)(dollar - rest) - 1);
			text_append(out, "${");
			rest = dollar + 2;
			continue;
		}
		end = strchr(dollar, '}');
		if (!end)
			return json_fail(
				doc, node, err, "\"${\" without a closing brace; write \"$${\" for a plain \"${\"");
		text_append_bytes(out, rest, (size_t)(dollar - rest));
		if (placeholder_append(doc, node, values, dollar + 2, (size_t)(end - dollar) - 2, out, err) < 0)
			return -1;
		rest = end + 1;
	}
	text_append(out, rest);
	return 0;
}

static struct json *node_substitute(struct arena *arena, const struct json_doc *doc, const struct json *node,
	const struct substitution *values, struct error *err)
{
	struct json *copy = node_copy(arena, node);

	if (node->kind == JSON_STRING && strstr(node->text, "${")) {
		AUTO(text_drop) struct text text = {0};

		if (text_substitute(doc, node, values, &text, err) < 0)
			return NULL;
		copy->text = arena_string(arena, text_string(&text));
	} else if (node->first) {
		copy = node_copy_empty(arena, node);
		for (const struct json *member = node->first; member; member = member->next) {
			struct json *replaced = node_substitute(arena, doc, member, values, err);

			if (!replaced)
				return NULL;
			member_add(copy, replaced);
		}
	}
	return copy;
}

const struct json *tree_substitute(struct arena *arena, const struct json_doc *doc, const struct json *node,
	const struct substitution *values, struct error *err)
{
	return tree_has_placeholder(node) ? node_substitute(arena, doc, node, values, err) : node;
}
