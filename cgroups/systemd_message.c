/* What warren-oci and warren-systemd say to each other: one message, one JSON object. Both ends decode with the same
 * tables, strictly, and check what the tables cannot; neither trusts that the other is of its own version. */
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "cgroups/systemd.h"

#define VERSION 1
#define TIMEOUT_MAX_MS (10 * 60 * 1000)
#define SINCE_MAX 10000

static const char *const verbs[] = {"start", "set", "stop", NULL};
/* enum error_kind */
static const char *const kinds[] = {"none", "usage", "missing", "busy", "system", NULL};

struct request_message {
	int version;
	struct systemd_request request;
};

static const struct field property_fields[] = {
	STRING("name", struct systemd_property, name, REQUIRED),
	STRING("type", struct systemd_property, type, REQUIRED),
	STRINGS("values", struct systemd_property, values, 0),
	INTEGER("since", struct systemd_property, since, 0, SINCE_MAX, 0),
	END_OF_FIELDS,
};
static const struct field request_fields[] = {
	INTEGER("version", struct request_message, version, VERSION, VERSION, REQUIRED),
	ENUM("verb", struct request_message, request.verb, verbs, REQUIRED),
	ENUM("bus", struct request_message, request.bus, systemd_bus_names, REQUIRED),
	STRING("unit", struct request_message, request.unit, REQUIRED),
	INTEGER("timeoutMs", struct request_message, request.timeout_ms, 1, TIMEOUT_MAX_MS, REQUIRED),
	LIST("properties", struct request_message, request.properties, property_fields, 0),
	END_OF_FIELDS,
};

struct answer_message {
	int version;
	struct systemd_answer answer;
};
static const struct field answer_fields[] = {
	INTEGER("version", struct answer_message, version, VERSION, VERSION, REQUIRED),
	STRING("cgroup", struct answer_message, answer.cgroup, 0),
	STRING("error", struct answer_message, answer.error, 0),
	ENUM("kind", struct answer_message, answer.kind, kinds, REQUIRED),
	END_OF_FIELDS,
};

static char *message_encode(const struct field *fields, const void *message, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	encode_object(encoder, NULL, fields, message);
	return encoder_take(encoder, length);
}

static int message_decode(struct arena *arena, const char *name, const char *text, size_t length,
	const struct field *fields, void *out, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_STRICT};

	if (json_parse(arena, name, text, length, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, fields, out, err);
}

char *systemd_request_encode(const struct systemd_request *request, size_t *length)
{
	struct request_message message = {.version = VERSION, .request = *request};

	return message_encode(request_fields, &message, length);
}

static int request_check(const struct systemd_request *request, struct error *err)
{
	if (systemd_unit_check(request->unit, err) < 0)
		return -1;
	if (request->properties.count > SYSTEMD_PROPERTIES_MAX)
		return fail(err, ERROR_USAGE, "%zu properties, at most %d", request->properties.count,
			SYSTEMD_PROPERTIES_MAX);
	for (size_t i = 0; i < request->properties.count; i++)
		if (systemd_property_check(&request->properties.items[i], err) < 0)
			return -1;
	return 0;
}

int systemd_request_decode(
	struct arena *arena, const char *text, size_t length, struct systemd_request *out, struct error *err)
{
	struct request_message message = {0};

	if (message_decode(arena, "request", text, length, request_fields, &message, err) < 0)
		return -1;
	if (request_check(&message.request, err) < 0)
		return blame(err, "request");
	*out = message.request;
	return 0;
}

char *systemd_answer_encode(const struct systemd_answer *answer, size_t *length)
{
	struct answer_message message = {.version = VERSION, .answer = *answer};

	return message_encode(answer_fields, &message, length);
}

/* A path as /proc/self/cgroup has it. */
static int answer_cgroup_check(const char *path, struct error *err)
{
	if (*path != '/' || !path[1] || strlen(path) >= PATH_MAX || strstr(path, "/../") || text_ends_with(path, "/.."))
		return fail(err, ERROR_SYSTEM, "cgroup \"%.200s\" is no absolute path", path);
	return line_check("cgroup", path, err);
}

int systemd_answer_decode(
	struct arena *arena, const char *text, size_t length, struct systemd_answer *out, struct error *err)
{
	struct answer_message message = {0};

	if (message_decode(arena, "answer", text, length, answer_fields, &message, err) < 0)
		return -1;
	if ((message.answer.error != NULL) != (message.answer.kind != ERROR_NONE))
		return fail(err, ERROR_SYSTEM, "answer: has an error or its kind, not both");
	if (message.answer.cgroup && answer_cgroup_check(message.answer.cgroup, err) < 0)
		return blame(err, "answer");
	*out = message.answer;
	return 0;
}
