/* Profiles that the program brings along. One so far: "system", for an instance that boots an init of its own.
 *
 * Such a profile is a layer like any other, in the language of the fleet file, so that everything it says can be seen
 * (`inspect`), compared (`plan`) and said otherwise by a layer above it. What the key "boot" itself stands for is in
 * docs/system.md: capabilities and calls to mount and to make namespaces, a control group of its own to divide, a
 * console whose output is the log, room in /run. */
#include <string.h>

#include "base/suggest.h"
#include "fleet/spec/spec_fields.h"

static const struct built_in {
	const char *name, *text;
} built_in[] = {
	/* RTMIN+3 asks systemd to halt (systemd(1)); services may take 90 s to end (DefaultTimeoutStopSec=). The number
	 * of processes is that of a machine. sudo and su gain rights by set-user-id, inside the user namespace only. */
	{PROFILE_SYSTEM, "{\"boot\": true, \"command\": [\"/sbin/init\"],"
			 " \"stop_signal\": \"RTMIN+3\", \"stop_grace_period\": \"100s\","
			 " \"resources\": {\"pids\": 4096},"
			 " \"security\": {\"no_new_privileges\": false}}"},
};

static const char *name_at(const void *context, size_t i)
{
	(void)context;
	return i < sizeof(built_in) / sizeof(built_in[0]) ? built_in[i].name : NULL;
}

static const char *text_of(const char *name)
{
	for (size_t i = 0; name_at(NULL, i); i++)
		if (!strcmp(name, built_in[i].name))
			return built_in[i].text;
	return NULL;
}

static void move_to(struct json *node, const struct json *place)
{
	node->offset = node->key_offset = place->offset;
	for (struct json *member = node->first; member; member = member->next)
		move_to(member, place);
}

static int parse(struct arena *arena, const char *name, const char *text, struct json_doc *doc, struct error *err)
{
	return json_parse(arena, name, text, strlen(text), JSON_PLAIN, doc, err);
}

const struct json *profile_built_in(struct arena *arena, const char *name, const struct json *named)
{
	const char *text = text_of(name);
	struct json_doc doc;
	struct error bug;

	/* Our own text parses: a test says so. */
	if (!text || parse(arena, name, text, &doc, &bug) < 0)
		return NULL;
	move_to(doc.root, named);
	return doc.root;
}

int profile_apply(struct arena *arena, const char *name, struct instance_spec *spec, struct error *err)
{
	const char *text = text_of(name), *guess;
	struct json_doc doc;
	const struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_STRICT};

	if (!text) {
		guess = suggest(name, name_at, NULL);
		return fail(err, ERROR_USAGE, "no profile \"%s\" is built in; did you mean \"%s\"?", name,
			guess ? guess : PROFILE_SYSTEM);
	}
	if (parse(arena, name, text, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, instance_fields, spec, err);
}
