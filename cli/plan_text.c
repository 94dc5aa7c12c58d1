/* See plan_text.h. Replicas with equal changes are one paragraph: "site-1 … site-400". */
#include "cli/plan_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/lines.h"
#include "cli/table.h"

/* How each action is marked and told. */
static const struct {
	const char *mark, *words, *colour;
} looks[] = {
	[ACTION_NONE] = {" ", "unchanged", ""},
	[ACTION_CREATE] = {"+", "create", "\033[32m"},
	[ACTION_START] = {"+", "start", "\033[32m"},
	[ACTION_CHANGE] = {"~", "change live", "\033[36m"},
	[ACTION_RESTART] = {"!", "restart", "\033[33m"},
	[ACTION_RECREATE] = {"!", "recreate", "\033[31m"},
	[ACTION_STOP] = {"-", "stop", "\033[33m"},
	[ACTION_PAUSE] = {"~", "pause", "\033[36m"},
	[ACTION_RESUME] = {"~", "resume", "\033[36m"},
	[ACTION_ADOPT] = {"~", "give it a monitor", "\033[36m"},
	[ACTION_REMOVE] = {"-", "remove", "\033[31m"},
};

struct printer {
	struct arena *arena;
	const struct plan_text *how;
	FILE *out;
	bool colour;
};

static const char *colour(const struct printer *printer, const char *escape)
{
	return printer->colour ? escape : "";
}

/* --- what an instance comes to ------------------------------------------------------------------------------------ */

/* Who an instance is belongs to no key of a fleet file. */
static bool is_identity(const char *key)
{
	static const char *const keys[] = {"version", "name", "fleet", "base_name", "index"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

static void members_append(struct arena *arena, const struct json *object, const char *path, struct text *text)
{
	for (const struct json *member = object->first; member; member = member->next) {
		const char *key = *path ? arena_format(arena, "%s.%s", path, member->key) : member->key;

		if (!*path && is_identity(key))
			continue;
		if (member->kind == JSON_OBJECT && member->count)
			members_append(arena, member, key, text);
		else
			text_appendf(text, "      %s: %s\n", key, plan_value_show(arena, key, member));
	}
}

/* --- one paragraph ------------------------------------------------------------------------------------------------ */

static const char *side(struct arena *arena, const char *key, const struct json *value)
{
	return value ? plan_value_show(arena, key, value) : "none";
}

static void change_append(const struct printer *printer, const struct plan_change *change, struct text *text)
{
	static const char *const colours[] = {"\033[36m", "\033[33m", "\033[31m"};

	text_appendf(text, "      %s: %s -> %s  %s(%s)%s%s\n", change->key,
		side(printer->arena, change->key, change->from), side(printer->arena, change->key, change->to),
		colour(printer, colours[change->cost]), change_cost_names[change->cost], colour(printer, "\033[0m"),
		change->drift ? "  changed by hand" : "");
}

/* All but the names: what is equal is said once. */
static const char *paragraph(const struct printer *printer, const struct plan_entry *entry)
{
	AUTO(text_drop) struct text text = {0};
	struct error ignored;
	const struct json *tree = printer->how->expand && entry->wanted
					  ? instance_spec_tree(printer->arena, entry->wanted, &ignored)
					  : NULL;

	text_appendf(
		&text, "%s%s%s\n", looks[entry->action].words, entry->why ? ": " : "", entry->why ? entry->why : "");
	for (size_t i = 0; i < entry->changes.count; i++)
		change_append(printer, &entry->changes.items[i], &text);
	if (tree)
		members_append(printer->arena, tree, "", &text);
	return arena_string(printer->arena, text_string(&text));
}

/* --- many --------------------------------------------------------------------------------------------------------- */

struct group {
	const char *base_name, *text;
	enum plan_action action;
	const struct plan_entry **items;
	size_t count, room;
};

static void group_add(struct arena *arena, struct group *group, const struct plan_entry *entry)
{
	if (group->count == group->room) {
		const struct plan_entry **items =
			arena_new_array(arena, group->room ? 2 * group->room : 4, const struct plan_entry *);

		if (group->count)
			memcpy(items, group->items, group->count * sizeof(*items));
		group->items = items;
		group->room = group->room ? 2 * group->room : 4;
	}
	group->items[group->count++] = entry;
}

static size_t groups_make(const struct printer *printer, const struct plan_entries *entries, struct group *groups)
{
	size_t count = 0;

	for (size_t i = 0; i < entries->count; i++) {
		const struct plan_entry *entry = &entries->items[i];
		struct group *group = NULL;

		if (entry->action == ACTION_NONE && !printer->how->expand)
			continue;
		const char *text = paragraph(printer, entry);
		for (size_t j = 0; j < count && !group; j++)
			if (groups[j].action == entry->action && text_equal(groups[j].base_name, entry->base_name) &&
				!strcmp(groups[j].text, text))
				group = &groups[j];
		if (!group) {
			group = &groups[count++];
			*group = (struct group){.base_name = entry->base_name, .text = text, .action = entry->action};
		}
		group_add(printer->arena, group, entry);
	}
	return count;
}

static int compare_index(const void *a, const void *b)
{
	const struct plan_entry *one = *(const struct plan_entry *const *)a;
	const struct plan_entry *other = *(const struct plan_entry *const *)b;

	return (one->index > other->index) - (one->index < other->index);
}

/* "site-1 … site-4, site-7 (5)" */
static void names_print(const struct printer *printer, struct group *group)
{
	size_t last;

	qsort(group->items, group->count, sizeof(*group->items), compare_index);
	for (size_t i = 0; i < group->count; i = last + 1) {
		for (last = i;
			last + 1 < group->count && group->items[last + 1]->index == group->items[last]->index + 1;)
			last++;
		fprintf(printer->out, "%s%s", i ? ", " : "", group->items[i]->name);
		if (last > i)
			fprintf(printer->out, "%s%s", last > i + 1 ? " … " : ", ", group->items[last]->name);
	}
	if (group->count > 2)
		fprintf(printer->out, " (%zu)", group->count);
}

static void entries_print(const struct printer *printer, const struct plan_entries *entries, const char *kind)
{
	struct group *groups = arena_new_array(printer->arena, entries->count, struct group);
	size_t count = groups_make(printer, entries, groups);

	for (size_t i = 0; i < count; i++) {
		const char *escape = colour(printer, looks[groups[i].action].colour);

		fprintf(printer->out, "  %s%s%s %s", escape, looks[groups[i].action].mark, *escape ? "\033[0m" : "",
			kind);
		names_print(printer, &groups[i]);
		fprintf(printer->out, ": %s", groups[i].text);
	}
}

static void summary_print(const struct printer *printer, const struct fleet_plan *plan)
{
	size_t counts[ACTION_REMOVE + 1] = {0};
	const char *separator = "";

	for (size_t i = 0; i < plan->instances.count; i++)
		counts[plan->instances.items[i].action]++;
	for (size_t i = ACTION_CREATE; i <= ACTION_REMOVE; i++)
		if (counts[i]) {
			fprintf(printer->out, "%s%zu to %s", separator, counts[i], looks[i].words);
			separator = ", ";
		}
	fprintf(printer->out, "%s%zu unchanged\n", separator, counts[ACTION_NONE]);
}

static void text_print(const struct printer *printer, const struct fleet_plan *plan)
{
	fprintf(printer->out, "%s", plan->fleet);
	if (plan->next > plan->generation)
		fprintf(printer->out, ": generation %" PRId64 " -> %" PRId64, plan->generation, plan->next);
	else if (plan->generation)
		fprintf(printer->out, ": generation %" PRId64, plan->generation);
	fprintf(printer->out, "%s\n", plan->interrupted ? ", whose apply did not come to its end" : "");
	entries_print(printer, &plan->networks, "network ");
	entries_print(printer, &plan->volumes, "volume ");
	entries_print(printer, &plan->instances, "");
	if (!plan->has_changes)
		fprintf(printer->out, "%s\n", printer->how->nothing);
	else
		summary_print(printer, plan);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void change_encode(struct encoder *encoder, const struct plan_change *change)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "key", change->key);
	if (change->from)
		encode_json(encoder, "from", change->from);
	else
		encode_null(encoder, "from");
	if (change->to)
		encode_json(encoder, "to", change->to);
	else
		encode_null(encoder, "to");
	encode_string(encoder, "cost", change_cost_names[change->cost]);
	encode_bool(encoder, "by_hand", change->drift);
	encode_object_end(encoder);
}

static void entries_encode(
	struct encoder *encoder, const char *key, const struct plan_entries *entries, const struct plan_text *how)
{
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < entries->count; i++) {
		const struct plan_entry *entry = &entries->items[i];

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "name", entry->name);
		encode_string(encoder, "action", plan_action_names[entry->action]);
		encode_string(encoder, "why", entry->why);
		encode_array_begin(encoder, "changes");
		for (size_t j = 0; j < entry->changes.count; j++)
			change_encode(encoder, &entry->changes.items[j]);
		encode_array_end(encoder);
		if (how->expand && entry->wanted)
			instance_spec_encode(encoder, "spec", entry->wanted);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void json_print(const struct printer *printer, const struct fleet_plan *plan)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "fleet", plan->fleet);
	encode_integer(encoder, "generation", plan->generation);
	encode_integer(encoder, "next", plan->next);
	encode_bool(encoder, "interrupted", plan->interrupted);
	encode_bool(encoder, "changes", plan->has_changes);
	entries_encode(encoder, "networks", &plan->networks, printer->how);
	entries_encode(encoder, "volumes", &plan->volumes, printer->how);
	entries_encode(encoder, "instances", &plan->instances, printer->how);
	encode_object_end(encoder);
	encoder_print(encoder, printer->out);
}

/* Into memory first: lines that a terminal has no place for are broken between words. */
static void lines_flow(const struct printer *printer, const struct fleet_plan *plan)
{
	struct printer inner = *printer;
	auto_free char *text = NULL;
	size_t length;

	inner.out = open_memstream(&text, &length);
	if (!inner.out)
		memory_exhausted();
	text_print(&inner, plan);
	fclose(inner.out);
	lines_print(printer->out, terminal_width(printer->out), 4, text);
}

void plan_print(struct arena *arena, const struct fleet_plan *plan, const struct plan_text *how, FILE *out)
{
	const struct printer printer = {.arena = arena, .how = how, .out = out, .colour = table_uses_colour(out)};

	if (how->json)
		json_print(&printer, plan);
	else
		lines_flow(&printer, plan);
}

void changes_print(struct arena *arena, const char *name, const struct plan_changes *changes, FILE *out)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct plan_change *change = &changes->items[i];

		fprintf(out, "%s: %s: %s -> %s\n", name, change->key, side(arena, change->key, change->from),
			side(arena, change->key, change->to));
	}
	if (!changes->count)
		fprintf(out, "%s: as it was\n", name);
}
