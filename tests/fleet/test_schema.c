/* The schema allows what the decoder takes, and refuses what it refuses. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "fleet/file/file_reader.h"
#include "fleet/spec/spec_fields.h"
#include "tests/fleet/support_schema.h"
#include "tests/test.h"

static const struct json *schema_read(struct arena *arena)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	auto_free char *text = NULL;
	struct json_doc doc;
	struct error err;
	size_t length;

	fleet_schema_encode(encoder);
	text = encoder_take(encoder, &length);
	ASSERT_OK(json_parse(arena, "schema", text, length, JSON_PLAIN, &doc, &err));
	return doc.root;
}

static const struct json *value_parse(struct arena *arena, const char *text)
{
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(arena, text, text, strlen(text), JSON_COMMENTS, &doc, &err));
	return doc.root;
}

TEST(schema, allows_every_example)
{
	static const char own[] = "/tests/fleet/test_schema.c";
	auto_free char *directory = text_format("%.*s/examples", (int)(strlen(__FILE__) - strlen(own)), __FILE__);
	AUTO(arena_drop) struct arena arena = {0};
	const struct json *schema = schema_read(&arena);
	DIR *dir = opendir(directory);
	size_t count = 0;

	cr_assert(dir, "%s", directory);
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct json_doc doc;
		struct error err;

		if (!text_ends_with(entry->d_name, ".json"))
			continue;
		ASSERT_OK(json_read(&arena, dirfd(dir), entry->d_name, JSON_COMMENTS, &doc, &err));
		cr_assert(schema_allows(schema, schema, doc.root), "%s", entry->d_name);
		count++;
	}
	closedir(dir);
	cr_assert(count >= 4);
}

/* One instance with these members, for the decoder and for the schema. */
static const struct {
	const char *members;
	bool right;
} rows[] = {
	{"", true},
	{"\"resources\": {\"memory\": \"64M\", \"cpus\": 0.5, \"pids\": \"unlimited\"}", true},
	{"\"resources\": {\"memory\": 65536000, \"swap\": \"1.5GiB\"}", true},
	{"\"resources\": {\"memry\": \"64M\"}", false},
	{"\"resources\": {\"memory\": \"64X\"}", false},
	{"\"resources\": {\"memory\": true}", false},
	{"\"resources\": {\"cpu_weight\": 10001}", false},
	{"\"resources\": {\"egress\": \"100Mbit\", \"ingress\": 2500000}", true},
	{"\"resources\": {\"egress\": \"100MB\"}", false},
	{"\"address6\": \"fd00::1\"", true},
	{"\"address6\": 6", false},
	{"\"resources\": []", false},
	{"\"replicas\": 2, \"ports\": [\"808${index}:80\"]", true},
	{"\"ports\": [\"8080:80\", 81, {\"target\": 82, \"protocol\": \"udp\"}]", true},
	{"\"ports\": [{\"published\": 80}]", false},
	{"\"ports\": [{\"target\": 80, \"protocol\": \"icmp\"}]", false},
	{"\"ports\": \"8080:80\"", false},
	{"\"command\": \"sleep 1\"", true},
	{"\"command\": [\"sleep\", 1]", false},
	{"\"environment\": {\"A\": \"b\", \"N\": 1}", true},
	{"\"environment\": [\"A=b\"]", true},
	{"\"environment\": 3", false},
	{"\"restart\": \"always\"", true},
	{"\"restart\": {\"policy\": \"sometimes\"}", false},
	{"\"stop_grace_period\": \"1m30s\"", true},
	{"\"stop_grace_period\": \"soon\"", false},
	{"\"ulimits\": {\"nofile\": \"1024:65536\", \"core\": 0, \"nproc\": {\"soft\": 1, \"hard\": \"unlimited\"}}",
		true},
	{"\"ulimits\": {\"nofile\": {\"soft\": 1}}", false},
	{"\"volumes\": [\"/srv:/srv:ro\"], \"tmpfs\": [\"/x:size=1M\"]", true},
	{"\"volumes\": [{\"target\": \"/srv\"}]", false},
	{"\"configs\": [{\"content\": \"x\", \"target\": \"/etc/x\", \"mode\": \"0440\"}]", true},
	{"\"configs\": [{\"content\": \"x\", \"target\": \"/etc/x\", \"mode\": \"0480\"}]", false},
	{"\"secrets\": [{\"content\": \"x\", \"target\": \"/etc/x\"}]", false},
	{"\"read_only\": \"yes\"", false},
	{"\"security\": {\"apparmor\": \"web\", \"selinux\": \"system_u:system_r:container_t:s0\"}", true},
	{"\"security\": {\"apparmor\": true}", false},
	{"\"state\": \"asleep\"", false},
	{"\"healthcheck\": {\"tcp\": 80, \"interval\": \"5s\"}", true},
	{"\"healthcheck\": {\"tcp\": 70000}", false},
	{"\"update\": {\"order\": \"stop-first\", \"parallel\": \"10%\", \"canary\": 1}", true},
	{"\"update\": {\"parallel\": \"many\"}", false},
	{"\"labels\": null, \"+tmpfs\": [\"/var/cache\"]", true},
	{"\"nonsense\": 1", false},
};

TEST(schema, and_decoder_agree)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct json *schema = schema_read(&arena);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = arena_format(&arena,
			"{\"version\": 1, \"name\": \"x\", \"instances\": {\"a\": {\"rootfs\": \"/srv\", \"command\": "
			"[\"x\"]%s%s}}}",
			*rows[i].members ? ", " : "", rows[i].members);
		bool repeats = strstr(rows[i].members, "\"command\"");
		struct fleet_file file;
		struct error err;

		if (repeats)
			text = arena_format(&arena,
				"{\"version\": 1, \"name\": \"x\", \"instances\": {\"a\": {\"rootfs\": \"/srv\", %s}}}",
				rows[i].members);
		cr_expect((fleet_file_decode(&arena, "t.json", text, strlen(text), &file, &err) == 0) == rows[i].right,
			"decoder: %s: %s", rows[i].members, err.text);
		cr_expect(schema_allows(schema, schema, value_parse(&arena, text)) == rows[i].right, "schema: %s",
			rows[i].members);
	}
}

/* Rows of their own decoder say what they take; the schema would call them anything. */
static void shapes_expect(const struct field *fields, const char *where)
{
	for (; fields->kind != FIELD_END; fields++) {
		auto_free char *path = text_format("%s.%s", where, fields->key);

		cr_expect(fields->kind != FIELD_CUSTOM || fields->shape, "%s has no shape", path);
		if (fields->fields)
			shapes_expect(fields->fields, path);
	}
}

TEST(schema, knows_the_form_of_every_key)
{
	shapes_expect(instance_fields, "instances");
	shapes_expect(network_fields, "networks");
}
