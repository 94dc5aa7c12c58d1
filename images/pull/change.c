/* Instructions of a Dockerfile that say something about the config, and only these: see change.h. */
#include "images/pull/change.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/path.h"
#include "base/process.h"

#define SPACE " \t"

/* ---- one value ---- */

static int list_parse(struct arena *arena, const char *value, struct strings *out, struct error *err)
{
	struct json_doc doc;

	if (json_parse(arena, "list", value, strlen(value), JSON_PLAIN, &doc, err) < 0)
		return -1;
	if (doc.root->kind != JSON_ARRAY)
		return json_fail(&doc, doc.root, err, "must be an array");
	for (const struct json *node = doc.root->first; node; node = node->next) {
		if (node->kind != JSON_STRING)
			return json_fail(&doc, node, err, "must be a string");
		strings_add(arena, out, node->text);
	}
	return 0;
}

/* ["a", "b"] as it is; anything else is for the shell. */
static int command_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct change_list *list = member;

	*list = (struct change_list){.set = true};
	if (*value == '[')
		return list_parse(arena, value, &list->items, err);
	strings_add(arena, &list->items, "/bin/sh");
	strings_add(arena, &list->items, "-c");
	strings_add(arena, &list->items, value);
	return 0;
}

static const char *unquoted(struct arena *arena, const char *value)
{
	size_t length = strlen(value);

	if (length < 2 || (*value != '"' && *value != '\'') || value[length - 1] != *value)
		return value;
	return arena_bytes(arena, value + 1, length - 2);
}

/* NAME=VALUE, or NAME VALUE as they were written once. */
static int pair_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	size_t length = strcspn(value, "=" SPACE);

	if (!length || !value[length])
		return fail(err, ERROR_USAGE, "must be NAME=VALUE");
	pairs_set(arena, member, arena_bytes(arena, value, length), unquoted(arena, value + length + 1));
	return 0;
}

static int text_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	const char **out = member;

	(void)arena;
	*out = value;
	return line_check("value", value, err);
}

static int signal_name_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	int number;

	return signal_parse(value, &number, err) < 0 ? -1 : text_parse(arena, value, member, err);
}

static int path_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	return path_check_absolute("path", value, err) < 0 ? -1 : text_parse(arena, value, member, err);
}

static int volumes_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct strings paths = {0};

	if (*value != '[')
		paths = strings_split(arena, value, ' ');
	else if (list_parse(arena, value, &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count; i++) {
		if (path_check_absolute("volume", paths.items[i], err) < 0)
			return -1;
		strings_add(arena, member, paths.items[i]);
	}
	return 0;
}

/* "80", "80/tcp", "53/udp", several. */
static int ports_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct strings words = strings_split(arena, value, ' ');

	for (size_t i = 0; i < words.count; i++) {
		size_t length = strcspn(words.items[i], "/");
		const char *protocol = words.items[i] + length;
		int64_t number;

		if (number_parse(arena_bytes(arena, words.items[i], length), 1, 65535, &number, err) < 0)
			return -1;
		if (*protocol && strcmp(protocol, "/tcp") && strcmp(protocol, "/udp") && strcmp(protocol, "/sctp"))
			return fail(err, ERROR_USAGE, "\"%.40s\": must be PORT, PORT/tcp, PORT/udp or PORT/sctp",
				words.items[i]);
		strings_add(arena, member, *protocol ? words.items[i] : arena_format(arena, "%s/tcp", words.items[i]));
	}
	return 0;
}

/* ---- all ---- */

static const struct instruction {
	const char *name;
	int (*parse)(struct arena *arena, const char *value, void *member, struct error *err);
	size_t offset;
} instructions[] = {
	{"CMD", command_parse, offsetof(struct config_changes, command)},
	{"ENTRYPOINT", command_parse, offsetof(struct config_changes, entrypoint)},
	{"ENV", pair_parse, offsetof(struct config_changes, environment)},
	{"EXPOSE", ports_parse, offsetof(struct config_changes, ports)},
	{"LABEL", pair_parse, offsetof(struct config_changes, labels)},
	{"STOPSIGNAL", signal_name_parse, offsetof(struct config_changes, stop_signal)},
	{"USER", text_parse, offsetof(struct config_changes, user)},
	{"VOLUME", volumes_parse, offsetof(struct config_changes, volumes)},
	{"WORKDIR", path_parse, offsetof(struct config_changes, working_dir)},
};

static int change_parse(struct arena *arena, const char *text, struct config_changes *out, struct error *err)
{
	size_t length = strcspn(text, SPACE);
	const char *value = text + length + strspn(text + length, SPACE);

	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++)
		if (strlen(instructions[i].name) == length && !strncasecmp(text, instructions[i].name, length))
			return *value ? instructions[i].parse(arena, value, (char *)out + instructions[i].offset, err)
				      : fail(err, ERROR_USAGE, "a value is missing");
	return fail(err, ERROR_USAGE,
		"must begin with CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR");
}

int config_changes_parse(
	struct arena *arena, const struct strings *texts, struct config_changes *out, struct error *err)
{
	*out = (struct config_changes){0};
	for (size_t i = 0; i < texts->count; i++)
		if (change_parse(arena, texts->items[i], out, err) < 0)
			return blame(err, "change \"%.60s\"", texts->items[i]);
	/* Arguments for another program than the one that runs now. */
	if (out->entrypoint.set && !out->command.set)
		out->command.set = true;
	return 0;
}

/* ---- encoding ---- */

static void environment_encode(struct encoder *encoder, const struct json *old, const struct pairs *fresh)
{
	encode_array_begin(encoder, "Env");
	for (const struct json *node = old && old->kind == JSON_ARRAY ? old->first : NULL; node; node = node->next) {
		auto_free char *name = node->kind == JSON_STRING
					       ? text_format("%.*s", (int)strcspn(node->text, "="), node->text)
					       : NULL;

		if (name && !pairs_get(fresh, name))
			encode_string(encoder, NULL, node->text);
	}
	for (size_t i = 0; i < fresh->count; i++) {
		auto_free char *text = text_format("%s=%s", fresh->items[i].name, fresh->items[i].value);

		encode_string(encoder, NULL, text);
	}
	encode_array_end(encoder);
}

static void labels_encode(struct encoder *encoder, const struct json *old, const struct pairs *fresh)
{
	encode_object_begin(encoder, "Labels");
	for (const struct json *node = old && old->kind == JSON_OBJECT ? old->first : NULL; node; node = node->next)
		if (!pairs_get(fresh, node->key))
			encode_json(encoder, node->key, node);
	for (size_t i = 0; i < fresh->count; i++)
		encode_string(encoder, fresh->items[i].name, fresh->items[i].value);
	encode_object_end(encoder);
}

/* A set as Go writes it: keys with an empty object each. */
static void set_encode(struct encoder *encoder, const char *key, const struct json *old, const struct strings *fresh)
{
	encode_object_begin(encoder, key);
	for (const struct json *node = old && old->kind == JSON_OBJECT ? old->first : NULL; node; node = node->next)
		if (!strings_contain(fresh, node->key))
			encode_json(encoder, node->key, node);
	for (size_t i = 0; i < fresh->count; i++) {
		encode_object_begin(encoder, fresh->items[i]);
		encode_object_end(encoder);
	}
	encode_object_end(encoder);
}

/* An empty list takes away what the image had. */
static void list_encode(struct encoder *encoder, const char *key, const struct change_list *list)
{
	if (list->set)
		encode_strings(encoder, key, &list->items);
}

void config_changes_encode(struct encoder *encoder, const struct json *config, const struct config_changes *changes)
{
	const struct {
		const char *key;
		bool changed;
	} keys[] = {
		{"Entrypoint", changes->entrypoint.set},
		{"Cmd", changes->command.set},
		{"Env", changes->environment.count},
		{"Labels", changes->labels.count},
		{"ExposedPorts", changes->ports.count},
		{"Volumes", changes->volumes.count},
		{"User", changes->user},
		{"WorkingDir", changes->working_dir},
		{"StopSignal", changes->stop_signal},
	};

	encode_object_begin(encoder, "config");
	for (const struct json *node = config && config->kind == JSON_OBJECT ? config->first : NULL; node;
		node = node->next) {
		bool changed = false;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			changed |= keys[i].changed && !strcmp(keys[i].key, node->key);
		if (!changed)
			encode_json(encoder, node->key, node);
	}
	list_encode(encoder, "Entrypoint", &changes->entrypoint);
	list_encode(encoder, "Cmd", &changes->command);
	if (changes->environment.count)
		environment_encode(encoder, json_get(config, "Env"), &changes->environment);
	if (changes->labels.count)
		labels_encode(encoder, json_get(config, "Labels"), &changes->labels);
	if (changes->ports.count)
		set_encode(encoder, "ExposedPorts", json_get(config, "ExposedPorts"), &changes->ports);
	if (changes->volumes.count)
		set_encode(encoder, "Volumes", json_get(config, "Volumes"), &changes->volumes);
	encode_string(encoder, "User", changes->user);
	encode_string(encoder, "WorkingDir", changes->working_dir);
	encode_string(encoder, "StopSignal", changes->stop_signal);
	encode_object_end(encoder);
}
