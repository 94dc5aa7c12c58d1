/* What --change makes of a config. */
#include "images/pull/change.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/test.h"

static const char old[] = "{\"Env\":[\"PATH=/bin\",\"A=1\"],\"Cmd\":[\"old\"],\"Entrypoint\":[\"/init\"],"
			  "\"Labels\":{\"a\":\"b\"},\"ExposedPorts\":{\"80/tcp\":{}},\"Odd\":[1],\"User\":\"www\"}";

static int changes_parse(struct arena *arena, const char *const *texts, struct config_changes *out, struct error *err)
{
	struct strings list = {0};

	for (; *texts; texts++)
		strings_add(arena, &list, *texts);
	return config_changes_parse(arena, &list, out, err);
}
#define PARSE(arena, out, err, ...) changes_parse(arena, (const char *const[]){__VA_ARGS__, NULL}, out, err)

static void assert_makes(struct arena *arena, const struct config_changes *changes, const char *expected)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	struct json_doc doc;
	struct error err;
	size_t length;

	ASSERT_OK(json_parse(arena, "old", old, strlen(old), JSON_PLAIN, &doc, &err));
	encode_object_begin(encoder, NULL);
	config_changes_encode(encoder, doc.root, changes);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	cr_assert_str_eq(text, expected);
}

TEST(change, each_instruction_changes_its_own_key_and_nothing_else)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct config_changes changes;
	struct error err;

	ASSERT_OK(PARSE(&arena, &changes, &err, "ENV A=2", "env B \"two words\"", "CMD [\"new\", \"-x\"]", "LABEL c=d",
		"EXPOSE 443 53/udp", "USER 33", "WORKDIR /srv", "STOPSIGNAL SIGQUIT", "VOLUME [\"/data\"]"));
	assert_makes(&arena, &changes,
		"{\"config\":{\"Entrypoint\":[\"/init\"],\"Odd\":[1],\"Cmd\":[\"new\",\"-x\"],"
		"\"Env\":[\"PATH=/bin\",\"A=2\",\"B=two words\"],\"Labels\":{\"a\":\"b\",\"c\":\"d\"},"
		"\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{},\"53/udp\":{}},\"Volumes\":{\"/data\":{}},"
		"\"User\":\"33\",\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGQUIT\"}}");
}

TEST(change, another_entrypoint_takes_the_command_away)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct config_changes changes;
	struct error err;

	ASSERT_OK(PARSE(&arena, &changes, &err, "ENTRYPOINT exec server --port 80"));
	assert_makes(&arena, &changes,
		"{\"config\":{\"Env\":[\"PATH=/bin\",\"A=1\"],\"Labels\":{\"a\":\"b\"},\"ExposedPorts\":{\"80/"
		"tcp\":{}},"
		"\"Odd\":[1],\"User\":\"www\",\"Entrypoint\":[\"/bin/sh\",\"-c\",\"exec server --port 80\"]}}");
}

TEST(change, nothing_else_is_an_instruction)
{
	static const struct {
		const char *change, *reason;
	} cases[] = {
		{"RUN make", "must begin with CMD"},
		{"CMD", "a value is missing"},
		{"CMD [1]", "must be a string"},
		{"CMD [\"a\"", "list:1"},
		{"ENV A", "must be NAME=VALUE"},
		{"ENV =A", "must be NAME=VALUE"},
		{"EXPOSE 0", "0"},
		{"EXPOSE 80/icmp", "must be PORT"},
		{"WORKDIR srv", "srv"},
		{"VOLUME /../x", "/../x"},
		{"STOPSIGNAL SIGNONE", "SIGNONE"},
		{"USER a\nb", "value"},
	};
	AUTO(arena_drop) struct arena arena = {0};
	struct config_changes changes;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ASSERT_FAILS(PARSE(&arena, &changes, &err, cases[i].change), ERROR_USAGE, cases[i].reason);
}
