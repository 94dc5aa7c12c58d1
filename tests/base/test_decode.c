#include "base/decode.h"

#include "base/cleanup.h"
#include "tests/test.h"

struct port {
	const char *protocol;
	int host, inside;
};

static const struct field port_fields[] = {
	STRING("protocol", struct port, protocol, 0),
	INTEGER("host", struct port, host, 0, 65535, REQUIRED),
	INTEGER("inside", struct port, inside, 1, 65535, 0),
	END_OF_FIELDS,
};

struct volume {
	const char *name; /* the key */
	const char *path;
	bool read_only;
};

static const struct field volume_fields[] = {
	STRING("path", struct volume, path, REQUIRED),
	BOOL("read_only", struct volume, read_only, 0),
	END_OF_FIELDS,
};

enum restart { RESTART_NEVER, RESTART_ALWAYS, RESTART_ON_FAILURE };
static const char *const restart_names[] = {"never", "always", "on-failure", NULL};

struct web {
	const char *image;
	bool read_only;
	uint8_t tiny;
	int8_t nice;
	uint16_t port;
	int64_t pids;
	struct optional memory;
	uint64_t quota;
	struct strings command;
	struct pairs environment;
	enum restart restart;
	struct port main_port;
	struct port *extra_port;
	LIST_OF(struct port) ports;
	LIST_OF(struct volume) volumes;
	int64_t size_bytes;
};

static void port_defaults(void *item)
{
	((struct port *)item)->protocol = "tcp";
}

static int decode_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	return size_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct field web_fields[] = {
	STRING("image", struct web, image, REQUIRED),
	BOOL("read_only", struct web, read_only, 0),
	INTEGER("tiny", struct web, tiny, 0, 255, 0),
	INTEGER("nice", struct web, nice, -20, 19, 0),
	INTEGER("port", struct web, port, 0, 65535, NULL_REFUSED),
	INTEGER("pids", struct web, pids, 1, 4194304, 0),
	OPTIONAL("memory", struct web, memory, 0, INT64_MAX, 0),
	UINT64("quota", struct web, quota, 0),
	STRINGS("command", struct web, command, 0),
	PAIRS("environment", struct web, environment, 0),
	ENUM("restart", struct web, restart, restart_names, 0),
	OBJECT("main_port", struct web, main_port, port_fields, 0),
	POINTER("extra_port", struct web, extra_port, port_fields, 0),
	{.key = "ports",
		.kind = FIELD_LIST,
		.offset = offsetof(struct web, ports),
		.size = sizeof(struct port),
		.fields = port_fields,
		.defaults = port_defaults},
	MAP("volumes", struct web, volumes, volume_fields, 0),
	CUSTOM("size", struct web, size_bytes, decode_size, 0),
	REFUSED("replicas", "not possible for a single server"),
	END_OF_FIELDS,
};

static int decode(struct arena *arena, const char *text, enum decode_mode mode, struct web *web, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = mode};

	if (json_parse(arena, "web.json", text, strlen(text), JSON_PLAIN, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, web_fields, web, err);
}

TEST(decode, fills_every_kind_of_member)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct web web = {0};
	struct error err;

	ASSERT_OK(decode(&arena,
		"{\"image\": \"host\", \"read_only\": true, \"tiny\": 255, \"nice\": -20, \"port\": 65535, \"pids\": "
		"4194304,"
		"\"memory\": 0, \"quota\": 18446744073709551615, \"command\": [\"nginx\", \"-g\"],"
		"\"environment\": {\"A\": \"1\", \"B\": \"\"}, \"restart\": \"on-failure\","
		"\"main_port\": {\"host\": 80}, \"extra_port\": {\"host\": 81, \"inside\": 8081},"
		"\"ports\": [{\"host\": 1}, {\"host\": 2, \"protocol\": \"udp\"}],"
		"\"volumes\": {\"data\": {\"path\": \"/data\", \"read_only\": true}, \"log\": {\"path\": \"/log\"}},"
		"\"size\": \"64M\"}",
		DECODE_STRICT, &web, &err));
	cr_assert_str_eq(web.image, "host");
	cr_assert(web.read_only);
	cr_assert_eq(web.tiny, 255);
	cr_assert_eq(web.nice, -20);
	cr_assert_eq(web.port, 65535);
	cr_assert_eq(web.pids, 4194304);
	cr_assert(web.memory.set && web.memory.value == 0);
	cr_assert_eq(web.quota, UINT64_MAX);
	cr_assert_eq(web.command.count, 2);
	cr_assert_str_eq(web.command.items[1], "-g");
	cr_assert_null(web.command.items[2]);
	cr_assert_str_eq(pairs_get(&web.environment, "B"), "");
	cr_assert_eq(web.restart, RESTART_ON_FAILURE);
	cr_assert_eq(web.main_port.host, 80);
	cr_assert_eq(web.extra_port->inside, 8081);
	cr_assert_eq(web.ports.count, 2);
	cr_assert_str_eq(web.ports.items[0].protocol, "tcp");
	cr_assert_str_eq(web.ports.items[1].protocol, "udp");
	cr_assert_eq(web.volumes.count, 2);
	cr_assert_str_eq(web.volumes.items[0].name, "data");
	cr_assert_str_eq(web.volumes.items[1].path, "/log");
	cr_assert_eq(web.size_bytes, 64 << 20);
}

TEST(decode, absent_and_null_members_keep_what_they_held)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct web web = {.pids = 512, .restart = RESTART_ALWAYS, .image = "old"};
	struct error err;

	ASSERT_OK(decode(&arena,
		"{\"image\": \"host\", \"pids\": null, \"memory\": null, \"ports\": null, \"extra_port\": null,"
		" \"replicas\": null, \"size\": null, \"restart\": null}",
		DECODE_STRICT, &web, &err));
	cr_assert_eq(web.pids, 512);
	cr_assert_eq(web.restart, RESTART_ALWAYS);
	cr_assert_not(web.memory.set);
	cr_assert_null(web.extra_port);
	cr_assert_eq(web.ports.count, 0);
}

/* What is wrong → what is said, in strict mode. */
static const struct {
	const char *text, *error;
} wrong[] = {
	{"[]", "web.json:1:1: expected an object, found an array"},
	{"{}", "web.json:1:1: missing key \"image\""},
	{"{\"image\": null}", "web.json:1:1: missing key \"image\""},
	{"{\n  \"image\": \"a\",\n  \"memry\": 1}", "web.json:3:3: unknown key \"memry\"; did you mean \"memory\"?"},
	{"{\"image\": \"a\", \"zebra\": 1}", "web.json:1:16: unknown key \"zebra\""},
	{"{\"image\": \"a\",\n\"pids\": 1,\n\"pids\": 2}", "web.json:3:1: repeated key \"pids\" (first at line 2)"},
	{"{\"image\": 1}", "web.json:1:11: \"image\": expected a string, found a number"},
	{"{\"image\": \"a\", \"pids\": 99999999}", "web.json:1:24: \"pids\": 99999999 is not between 1 and 4194304"},
	{"{\"image\": \"a\", \"pids\": \"5\"}", "web.json:1:24: \"pids\": expected a number, found a string"},
	{"{\"image\": \"a\", \"pids\": 1.5}", "web.json:1:24: \"pids\": expected a whole number, found 1.5"},
	{"{\"image\": \"a\", \"pids\": 1e3}", "web.json:1:24: \"pids\": expected a whole number, found 1e3"},
	{"{\"image\": \"a\", \"pids\": 99999999999999999999}",
		"web.json:1:24: \"pids\": 99999999999999999999 is not between 1 and 4194304"},
	{"{\"image\": \"a\", \"tiny\": 256}", "web.json:1:24: \"tiny\": 256 is not between 0 and 255"},
	{"{\"image\": \"a\", \"nice\": -21}", "web.json:1:24: \"nice\": -21 is not between -20 and 19"},
	{"{\"image\": \"a\", \"port\": null}", "web.json:1:24: \"port\": expected a number, found null"},
	{"{\"image\": \"a\", \"quota\": -1}", "web.json:1:25: \"quota\": -1 is not between 0 and 18446744073709551615"},
	{"{\"image\": \"a\", \"quota\": 18446744073709551616}",
		"web.json:1:25: \"quota\": 18446744073709551616 is not between 0 and 18446744073709551615"},
	{"{\"image\": \"a\", \"read_only\": \"true\"}",
		"web.json:1:29: \"read_only\": expected a boolean, found a string"},
	{"{\"image\": \"a\", \"command\": \"nginx\"}", "web.json:1:27: \"command\": expected an array, found a string"},
	{"{\"image\": \"a\", \"command\": [\"a\", null]}", "web.json:1:33: expected a string, found null"},
	{"{\"image\": \"a\", \"environment\": {\"A\": 1}}", "web.json:1:37: \"A\": expected a string, found a number"},
	{"{\"image\": \"a\", \"environment\": {\"A\": \"1\", \"A\": \"2\"}}",
		"web.json:1:42: repeated key \"A\" (first at line 1)"},
	{"{\"image\": \"a\", \"restart\": \"alwys\"}", "web.json:1:27: \"restart\": \"alwys\" is not one of never, "
						       "always, on-failure; did you mean \"always\"?"},
	{"{\"image\": \"a\", \"restart\": \"x\"}",
		"web.json:1:27: \"restart\": \"x\" is not one of never, always, on-failure"},
	{"{\"image\": \"a\", \"main_port\": {}}", "web.json:1:29: missing key \"host\""},
	{"{\"image\": \"a\", \"extra_port\": {\"host\": 1, \"hots\": 2}}",
		"web.json:1:42: unknown key \"hots\"; did you mean \"host\"?"},
	{"{\"image\": \"a\", \"ports\": {}}", "web.json:1:25: \"ports\": expected an array, found an object"},
	{"{\"image\": \"a\", \"ports\": [1]}", "web.json:1:26: expected an object, found a number"},
	{"{\"image\": \"a\", \"ports\": [null]}", "web.json:1:26: expected an object, found null"},
	{"{\"image\": \"a\", \"volumes\": []}", "web.json:1:27: \"volumes\": expected an object, found an array"},
	{"{\"image\": \"a\", \"volumes\": {\"d\": null}}", "web.json:1:33: \"d\": expected an object, found null"},
	{"{\"image\": \"a\", \"volumes\": {\"d\": {\"path\": \"/\"}, \"d\": {\"path\": \"/\"}}}",
		"web.json:1:48: repeated key \"d\" (first at line 1)"},
	{"{\"image\": \"a\", \"size\": \"64Q\"}", "web.json:1:24: \"size\": \"64Q\" is not a size such as 64M or 1.5G"},
	{"{\"image\": \"a\", \"size\": 64}", "web.json:1:24: \"size\": expected a string, found a number"},
	{"{\"image\": \"a\", \"replicas\": 3}", "web.json:1:16: \"replicas\": not possible for a single server"},
};

TEST(decode, says_in_one_line_what_is_wrong_where)
{
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct web web = {0};

		cr_assert_eq(decode(&arena, wrong[i].text, DECODE_STRICT, &web, &err), -1, "%s", wrong[i].text);
		cr_expect_str_eq(err.text, wrong[i].error);
		cr_assert_eq(err.kind, ERROR_USAGE);
	}
}

TEST(decode, lenient_passes_over_unknown_keys_and_nothing_else)
{
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct web web = {0};
		int result = decode(&arena, wrong[i].text, DECODE_LENIENT, &web, &err);

		if (strstr(wrong[i].error, "unknown key"))
			cr_expect_eq(result, 0, "%s", err.text);
		else
			cr_expect_str_eq(err.text, wrong[i].error);
	}
}

TEST(decode, repeated_keys_are_found_among_many)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct text text AUTO(text_drop) = {0};
	struct web web = {0};
	struct error err;

	text_append(&text, "{\"image\": \"a\", \"environment\": {\n\"K7\": \"first\"");
	for (int i = 100; i < 50000; i++)
		text_appendf(&text, ",\n\"K%d\": \"v\"", i);
	text_append(&text, ",\n\"K7\": \"again\"}}");
	ASSERT_FAILS(decode(&arena, text.data, DECODE_LENIENT, &web, &err), ERROR_USAGE,
		"web.json:49903:1: repeated key \"K7\" (first at line 2)");
	text.data[strrchr(text.data, '7') - text.data] = '8';
	ASSERT_OK(decode(&arena, text.data, DECODE_LENIENT, &web, &err));
	cr_assert_eq(web.environment.count, 49902);
	cr_assert_str_eq(pairs_get(&web.environment, "K8"), "again");
}

TEST(decode, what_was_decoded_does_not_need_the_documents_arena)
{
	AUTO(arena_drop) struct arena lasting = {0};
	struct arena passing = {0};
	const char text[] =
		"{\"image\": \"host\", \"environment\": {\"A\": \"1\"}, \"volumes\": {\"d\": {\"path\": \"/d\"}}}";
	struct json_doc doc;
	struct decoder decoder = {.arena = &lasting, .doc = &doc, .mode = DECODE_STRICT};
	struct web web = {0};
	struct error err;

	ASSERT_OK(json_parse(&passing, "web.json", text, sizeof(text) - 1, JSON_PLAIN, &doc, &err));
	ASSERT_OK(decode_object(&decoder, doc.root, web_fields, &web, &err));
	arena_drop(&passing);
	cr_assert_str_eq(web.image, "host");
	cr_assert_str_eq(web.environment.items[0].name, "A");
	cr_assert_str_eq(web.volumes.items[0].name, "d");
}
