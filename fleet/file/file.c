/* The fleet file: text → merged, expanded, checked instances in the order in which they start.
 *
 * Layers are merged on the JSON tree, before any decoding, so an error in a merged value points at the line it was
 * written on. What can be checked without changing anything is checked here, so that `validate` and `apply` refuse the
 * same. */
#include "fleet/file/file_reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/suggest.h"
#include "fleet/file/merge.h"
#include "fleet/file/order.h"
#include "fleet/file/source.h"

#define FILE_VERSION 1
#define INSTANCES_MAX SLOT_MAX
#define EXPANDED_MAX_BYTES                                                                                             \
	((size_t)256 << 20) /* replicas times what each says: bounds the memory a small file can ask for */

/* --- the top of the file ------------------------------------------------------------------------------------------ */

int decode_tree(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	*(const struct json **)member = node;
	return decode_keys_check(decoder, node, err);
}

static const struct field volume_declaration_fields[] = {END_OF_FIELDS};

static int decode_volume_names(const struct decoder *decoder, const struct json *node, void *into, struct error *err)
{
	const struct json *checked;
	struct file_top *top = into;

	if (decode_tree(decoder, node, &checked, err) < 0)
		return -1;
	for (const struct json *item = node->first; item; item = item->next) {
		if (name_check("volume", item->key, err) < 0) {
			struct error reason = *err;

			return json_fail_key(decoder->doc, item, err, "%s", reason.text);
		}
		if (item->kind != JSON_NULL && decode_object(decoder, item, volume_declaration_fields, top, err) < 0)
			return -1;
		strings_add(decoder->arena, &top->volumes, arena_string(decoder->arena, item->key));
	}
	return 0;
}

#define TREE(key_, member_, flags_)                                                                                    \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .flags = flags_,                                                    \
		.offset = CHECKED_OFFSET(struct file_top, member_, const struct json *), .decode = decode_tree         \
	}

const struct field file_fields[] = {
	INTEGER("version", struct file_top, version, 1, INT32_MAX, REQUIRED),
	STRING("name", struct file_top, name, REQUIRED),
	TREE("defaults", defaults, 0),
	TREE("profiles", profiles, 0),
	{.key = "networks", .kind = FIELD_CUSTOM, .decode = decode_networks},
	{.key = "volumes", .kind = FIELD_CUSTOM, .decode = decode_volume_names},
	TREE("instances", instances, REQUIRED),
	STRINGS("include", struct file_top, include, 0), /* used up before: see file_include.c */
	END_OF_FIELDS,
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

int fail_at_key(const struct reader *reader, const struct json *node)
{
	struct error reason = *reader->err;

	return json_fail_key(&reader->doc, node, reader->err, "%s", reason.text);
}

static const char *next_member(const void *context, size_t i)
{
	const struct json *member = ((const struct json *)context)->first;

	while (member && i--)
		member = member->next;
	return member ? member->key : NULL;
}

int fail_unknown(const struct reader *reader, const struct json *node, const char *what, const char *name,
	const struct json *among, const char *why)
{
	const char *guess = among ? suggest(name, next_member, among) : NULL;

	if (guess)
		return json_fail(
			&reader->doc, node, reader->err, "%s \"%s\" %s; did you mean \"%s\"?", what, name, why, guess);
	return json_fail(&reader->doc, node, reader->err, "%s \"%s\" %s", what, name, why);
}

static int check_top(const struct reader *reader)
{
	const struct file_top *top = &reader->top;

	if (top->version != FILE_VERSION)
		return json_fail(&reader->doc, json_get(reader->doc.root, "version"), reader->err,
			"\"version\": %" PRId64 ": this program knows version %d", top->version, FILE_VERSION);
	if (name_check("fleet name", top->name, reader->err) < 0) {
		struct error reason = *reader->err;

		return json_fail(
			&reader->doc, json_get(reader->doc.root, "name"), reader->err, "\"name\": %s", reason.text);
	}
	return 0;
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

static struct decoder strict_decoder(const struct reader *reader)
{
	return (struct decoder){.arena = reader->arena, .doc = &reader->doc, .mode = DECODE_STRICT};
}

/* A layer that no instance uses is checked too, as far as it can be alone. */
static int check_layer(const struct reader *reader, const struct json *layer)
{
	const struct substitution values = {.name = "x", .index = 1};
	const struct decoder decoder = strict_decoder(reader);
	struct instance_spec scratch;
	const struct json *merged = layers_merge(reader->arena, &reader->doc, &layer, 1, reader->err);

	if (!merged || !(merged = tree_substitute(reader->arena, &reader->doc, merged, &values, reader->err)))
		return -1;
	instance_spec_init(reader->arena, &scratch, true);
	if (decode_nulls_check(&decoder, layer, instance_fields, reader->err) < 0)
		return -1;
	return decode_object(&decoder, merged, instance_fields, &scratch, reader->err);
}

static int check_profile(const struct reader *reader, const struct json *profile)
{
	static const char *const refused[] = {"profiles", "+profiles"};

	if (name_check("profile", profile->key, reader->err) < 0)
		return fail_at_key(reader, profile);
	if (profile_built_in(reader->arena, profile->key, profile))
		return json_fail_key(&reader->doc, profile, reader->err,
			"profile \"%s\" is built in: give yours another name and list it behind that one",
			profile->key);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct json *nested = json_get(profile, refused[i]);

		if (nested)
			return json_fail_key(&reader->doc, nested, reader->err,
				"\"%s\": a profile does not name profiles; instances and \"defaults\" do", nested->key);
	}
	return check_layer(reader, profile);
}

static int check_layers(const struct reader *reader)
{
	const struct json *profiles = reader->top.profiles;

	if (reader->top.defaults && check_layer(reader, reader->top.defaults) < 0)
		return -1;
	for (const struct json *profile = profiles ? profiles->first : NULL; profile; profile = profile->next)
		if (check_profile(reader, profile) < 0)
			return -1;
	return 0;
}

static const struct json *profile_find(const struct reader *reader, const struct json *name)
{
	const struct json *profile = NULL;

	if (name->kind != JSON_STRING) {
		json_fail(&reader->doc, name, reader->err, "\"profiles\": expected a string, found %s",
			json_kind_name(name->kind));
		return NULL;
	}
	if (reader->top.profiles)
		profile = json_get(reader->top.profiles, name->text);
	if (!profile)
		profile = profile_built_in(reader->arena, name->text, name);
	if (!profile)
		fail_unknown(reader, name, "profile", name->text, reader->top.profiles, "is not one of this file");
	return profile;
}

/* defaults < the profiles in order < the instance itself. The list of profiles comes from the instance or from
 * defaults. */
static const struct json *entry_merge(const struct reader *reader, const struct json *entry)
{
	const struct json *ends[] = {reader->top.defaults, entry}, *own, *names, **layers;
	const struct decoder decoder = strict_decoder(reader);
	size_t count = 0;

	if (decode_nulls_check(&decoder, entry, instance_fields, reader->err) < 0)
		return NULL;
	own = layers_merge(reader->arena, &reader->doc, ends, ARRAY_SIZE(ends), reader->err);
	names = own ? json_get(own, "profiles") : NULL;
	if (!own || !names)
		return own;
	if (names->kind != JSON_ARRAY) {
		json_fail(&reader->doc, names, reader->err, "\"profiles\": expected an array, found %s",
			json_kind_name(names->kind));
		return NULL;
	}
	layers = arena_new_array(reader->arena, names->count + 2, const struct json *);
	layers[count++] = reader->top.defaults;
	for (const struct json *name = names->first; name; name = name->next)
		if (!(layers[count++] = profile_find(reader, name)))
			return NULL;
	layers[count++] = entry;
	return layers_merge(reader->arena, &reader->doc, layers, count, reader->err);
}

/* --- one instance ------------------------------------------------------------------------------------------------- */

/* Lists that are filled from two keys: an index counts through both. */
static bool key_fills(const char *key, const char *list)
{
	return !strcmp(key, list) || (!strcmp(list, "volumes") && !strcmp(key, "tmpfs")) ||
	       (!strcmp(list, "configs") && !strcmp(key, "secrets"));
}

/* Item number *index of a list or object; NULL when it has fewer, and *index is less by those it has. */
static const struct json *item_find(const struct json *list, size_t *index)
{
	for (const struct json *item = list->first; item; item = item->next)
		if (!(*index)--)
			return item;
	return NULL;
}

static bool has_items(const struct json *node)
{
	return node->kind == JSON_ARRAY || node->kind == JSON_OBJECT;
}

const struct json *fault_node(const struct json *merged, const struct spec_fault *fault, const char **key)
{
	size_t index = fault->index;

	for (const struct json *member = merged->first; member; member = member->next) {
		const struct json *node = member, *item;

		if (!key_fills(member->key, fault->key))
			continue;
		if (fault->member && json_get(member, fault->member))
			node = json_get(member, fault->member);
		*key = node->key;
		if (fault->index == NO_INDEX || !has_items(node))
			return node;
		item = item_find(node, &index);
		if (item)
			return item;
	}
	*key = fault->key;
	return json_get(merged, fault->key);
}

static int fail_at_fault(const struct reader *reader, const struct place *place, const struct spec_fault *fault)
{
	const char *key;
	const struct json *node = fault_node(place->merged, fault, &key);
	struct error reason = *reader->err;

	if (!strcmp(fault->key, "name"))
		return json_fail_key(&reader->doc, place->entry, reader->err, "%s", reason.text);
	if (!node)
		return json_fail_key(
			&reader->doc, place->entry, reader->err, "\"%s\": %s", place->entry->key, reason.text);
	return json_fail(&reader->doc, node, reader->err, "\"%s\": %s", key, reason.text);
}

static const char *directory_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *directory = slash == path ? "/" : slash ? arena_bytes(arena, path, (size_t)(slash - path)) : ".";
	auto_free char *whole = realpath(directory, NULL);

	return whole ? arena_string(arena, whole) : directory;
}

const char *node_directory(const struct reader *reader, const struct json *node)
{
	const struct json_doc *part = json_part(&reader->doc, node->offset);

	return part == &reader->doc ? reader->directory : directory_of(reader->arena, part->name);
}

/* Of an item of a list: relative to the file that it was written in. */
static const char *item_directory(const struct reader *reader, const struct place *place, const char *key, size_t index)
{
	const char *ignored;
	const struct spec_fault fault = {key, NULL, index};
	const struct json *node = fault_node(place->merged, &fault, &ignored);

	return node ? node_directory(reader, node) : reader->directory;
}

static const char *path_join(const struct reader *reader, const char *directory, const char *path)
{
	return *path == '/' ? path : arena_format(reader->arena, "%s/%s", directory, path);
}

/* Binds of "./…" lie beside the file. */
static int volumes_anchor(const struct reader *reader, const struct place *place, struct instance_spec *spec)
{
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (volume_anchor(reader->arena, item_directory(reader, place, "volumes", i), &spec->volumes.items[i],
			    reader->err) < 0)
			return fail_at_fault(reader, place, &(struct spec_fault){"volumes", NULL, i});
	return 0;
}

/* Makes sources absolute; for `validate` and `apply` they must be there. */
static int sources_resolve(const struct reader *reader, const struct place *place, struct instance_spec *spec)
{
	for (size_t i = 0; i < spec->env_file.count; i++) {
		spec->env_file.items[i] =
			path_join(reader, item_directory(reader, place, "env_file", i), spec->env_file.items[i]);
		if (reader->check_sources && source_check(spec->env_file.items[i], reader->err) < 0)
			return fail_at_fault(reader, place, &(struct spec_fault){"env_file", NULL, i});
	}
	for (size_t i = 0; i < spec->configs.count; i++) {
		struct config_spec *config = &spec->configs.items[i];

		if (!config->source)
			continue;
		config->source = path_join(reader, item_directory(reader, place, "configs", i), config->source);
		if (reader->check_sources && source_check(config->source, reader->err) < 0)
			return fail_at_fault(reader, place, &(struct spec_fault){"configs", NULL, i});
	}
	return 0;
}

static int instance_decode(struct reader *reader, const struct json *entry, const struct json *merged, int64_t index)
{
	struct instance_spec *spec = &reader->file->instances.items[reader->file->instances.count];
	struct place *place = &reader->places[reader->file->instances.count];
	const struct decoder decoder = strict_decoder(reader);
	struct spec_fault fault;

	instance_spec_init(reader->arena, spec, true);
	spec->fleet = reader->top.name;
	spec->base_name = entry->key;
	spec->index = index;
	spec->name = index ? arena_format(reader->arena, "%s-%" PRId64, entry->key, index) : entry->key;
	const struct substitution values = {.name = spec->name, .index = index};
	*place = (struct place){.entry = entry};
	place->merged = tree_substitute(reader->arena, &reader->doc, merged, &values, reader->err);
	if (!place->merged || decode_object(&decoder, place->merged, instance_fields, spec, reader->err) < 0)
		return -1;
	if (volumes_anchor(reader, place, spec) < 0)
		return -1;
	if (instance_spec_find_fault(spec, &fault, reader->err) < 0)
		return fail_at_fault(reader, place, &fault);
	if (sources_resolve(reader, place, spec) < 0)
		return -1;
	reader->file->instances.count++;
	return 0;
}

static size_t tree_bytes(const struct json *node)
{
	size_t bytes = sizeof(*node) + (node->text ? strlen(node->text) : 0);

	for (const struct json *member = node->first; member; member = member->next)
		bytes += tree_bytes(member);
	return bytes;
}

/* Room for further instances and their places. */
static int instances_extend(struct reader *reader, const struct json *entry, const struct json *merged, size_t more)
{
	struct fleet_file *file = reader->file;
	size_t needed = file->instances.count + more;

	reader->expanded_bytes += tree_bytes(merged) * more;
	if (needed > INSTANCES_MAX)
		return json_fail_key(&reader->doc, entry, reader->err, "more than %d instances in all", INSTANCES_MAX);
	if (reader->expanded_bytes > EXPANDED_MAX_BYTES)
		return json_fail_key(&reader->doc, entry, reader->err,
			"with all replicas the file would need more than %zu MiB", EXPANDED_MAX_BYTES >> 20);
	if (needed <= reader->room)
		return 0;
	reader->room = needed * 2;
	struct instance_spec *items = arena_new_array(reader->arena, reader->room, struct instance_spec);
	struct place *places = arena_new_array(reader->arena, reader->room, struct place);
	if (file->instances.count) {
		memcpy(items, file->instances.items, file->instances.count * sizeof(*items));
		memcpy(places, reader->places, file->instances.count * sizeof(*places));
	}
	file->instances.items = items;
	reader->places = places;
	return 0;
}

/* An entry that says "replicas", be it 1, is numbered from 1; one that does not is itself. */
static int entry_expand(struct reader *reader, const struct json *entry)
{
	const struct decoder decoder = strict_decoder(reader);
	const struct json *merged, *replicas;
	int64_t count = 0;

	if (name_check("instance name", entry->key, reader->err) < 0)
		return fail_at_key(reader, entry);
	if (!(merged = entry_merge(reader, entry)))
		return -1;
	replicas = json_get(merged, "replicas");
	if (replicas && decode_integer(&decoder, replicas, 1, INSTANCES_MAX, &count, reader->err) < 0)
		return -1;
	if (instances_extend(reader, entry, merged, count ? (size_t)count : 1) < 0)
		return -1;
	if (!count)
		return instance_decode(reader, entry, merged, 0);
	for (int64_t index = 1; index <= count; index++)
		if (instance_decode(reader, entry, merged, index) < 0)
			return -1;
	return 0;
}

static int instances_expand(struct reader *reader)
{
	for (const struct json *entry = reader->top.instances->first; entry; entry = entry->next)
		if (entry_expand(reader, entry) < 0)
			return -1;
	return 0;
}

/* --- start order -------------------------------------------------------------------------------------------------- */

struct ranked {
	size_t level, position;
	const struct instance_spec *spec;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *one = a, *other = b;

	if (one->level != other->level)
		return one->level > other->level ? 1 : -1;
	if (one->spec->priority != other->spec->priority)
		return one->spec->priority < other->spec->priority ? 1 : -1;
	return (one->position > other->position) - (one->position < other->position);
}

static int fail_circle(const struct reader *reader, const struct instance_spec *culprit)
{
	size_t i = (size_t)(culprit - reader->file->instances.items);

	return fail_at_fault(reader, &reader->places[i], &(struct spec_fault){"depends_on", NULL, NO_INDEX});
}

/* By dependency, then by priority (the higher starts first), then as written. The places are no more right afterwards.
 */
static int instances_sort(struct reader *reader)
{
	struct fleet_file *file = reader->file;
	size_t count = file->instances.count;
	const struct instance_spec **specs = arena_new_array(reader->arena, count, const struct instance_spec *),
				   *culprit;
	struct ranked *ranked = arena_new_array(reader->arena, count, struct ranked);
	struct instance_spec *sorted = arena_new_array(reader->arena, count, struct instance_spec);
	struct order order;

	for (size_t i = 0; i < count; i++)
		specs[i] = &file->instances.items[i];
	if (order_make(reader->arena, specs, count, &order, &culprit, reader->err) < 0)
		return fail_circle(reader, culprit);
	for (size_t i = 0; i < count; i++)
		ranked[i] = (struct ranked){order_level(&order, specs[i]), i, specs[i]};
	qsort(ranked, count, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < count; i++) {
		sorted[i] = *ranked[i].spec;
		instance_spec_order(reader->arena, &sorted[i]);
	}
	file->instances.items = sorted;
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static int file_decode(struct reader *reader, const char *name, const char *text, size_t length)
{
	const struct decoder decoder = {.arena = reader->arena, .doc = &reader->doc, .mode = DECODE_STRICT};
	struct fleet_file *file = reader->file;

	if (length > FILE_MAX_BYTES)
		return fail(reader->err, ERROR_USAGE, "%s: larger than %zu bytes", name, FILE_MAX_BYTES);
	*file = (struct fleet_file){.path = arena_string(reader->arena, name)};
	reader->directory = directory_of(reader->arena, name);
	if (json_parse(reader->arena, name, text, length, JSON_COMMENTS, &reader->doc, reader->err) < 0 ||
		includes_merge(reader) < 0 ||
		decode_object(&decoder, reader->doc.root, file_fields, &reader->top, reader->err) < 0)
		return -1;
	file->name = reader->top.name;
	file->text = reader->doc.text;
	file->length = length;
	file->volumes = reader->top.volumes;
	file->networks.items = reader->top.networks.items;
	file->networks.count = reader->top.networks.count;
	if (check_top(reader) < 0 || check_networks(reader) < 0 || check_layers(reader) < 0 ||
		instances_expand(reader) < 0 || check_across(reader) < 0 || check_trust(reader) < 0)
		return -1;
	warnings_collect(reader);
	return instances_sort(reader);
}

int fleet_file_decode(struct arena *arena, const char *name, const char *text, size_t length, struct fleet_file *out,
	struct error *err)
{
	struct reader reader = {.arena = arena, .file = out, .err = err};

	return file_decode(&reader, name, text, length);
}

int fleet_file_read(struct arena *arena, const char *path, struct fleet_file *out, struct error *err)
{
	struct reader reader = {.arena = arena, .file = out, .err = err, .check_sources = true};
	const char *text;
	size_t length;

	if (file_text_read(&reader, path, &text, &length) < 0)
		return -1;
	return file_decode(&reader, path, text, length);
}
