/* Layers and substitution, as text in and text out. */
#include "base/cleanup.h"
#include "base/encode.h"
#include "fleet/file/merge.h"
#include "tests/test.h"

/* {"layers": […]} → what they come to, or the error. */
static char *merged(const char *layers)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	const struct json *list[8], *result;
	struct json_doc doc;
	struct error err;
	size_t count = 0, length;

	ASSERT_OK(json_parse(&arena, "f", layers, strlen(layers), JSON_PLAIN, &doc, &err));
	for (const struct json *layer = doc.root->first; layer; layer = layer->next)
		list[count++] = layer;
	result = layers_merge(&arena, &doc, list, count, &err);
	if (!result)
		return text_format("%s", err.text);
	encode_json(encoder, NULL, result);
	return encoder_take(encoder, &length);
}

static const struct {
	const char *layers, *result;
} golden[] = {
	/* The upper layer wins, member by member, at any depth. */
	{"[{\"a\":1,\"b\":2},{\"b\":3,\"c\":4}]", "{\"a\":1,\"b\":3,\"c\":4}"},
	{"[{\"r\":{\"a\":1,\"s\":{\"x\":1,\"y\":2}}},{\"r\":{\"s\":{\"y\":3}}}]",
		"{\"r\":{\"a\":1,\"s\":{\"x\":1,\"y\":3}}}"},
	{"[{\"a\":1},null,{\"b\":2}]", "{\"a\":1,\"b\":2}"},
	{"[{\"a\":1},{\"a\":{\"b\":2}}]", "{\"a\":{\"b\":2}}"},
	{"[{\"a\":{\"b\":2}},{\"a\":\"short form\"}]", "{\"a\":\"short form\"}"},
	/* Lists replace; "+key" appends, also where nothing is below. */
	{"[{\"l\":[1,2]},{\"l\":[3]}]", "{\"l\":[3]}"},
	{"[{\"l\":[1,2]},{\"+l\":[3]},{\"+l\":[4]}]", "{\"l\":[1,2,3,4]}"},
	{"[{},{\"+l\":[3]}]", "{\"l\":[3]}"},
	{"[{\"+l\":[3]}]", "{\"l\":[3]}"},
	{"[{\"r\":{\"l\":[1]}},{\"r\":{\"+l\":[2]}}]", "{\"r\":{\"l\":[1,2]}}"},
	{"[{\"l\":[1]},{\"l\":null},{\"+l\":[2]}]", "{\"l\":[2]}"},
	{"[{\"l\":[{\"a\":null}]}]", "{\"l\":[{\"a\":null}]}"},
	/* null takes away, and leaves nothing of itself. */
	{"[{\"a\":1,\"b\":2,\"c\":3},{\"b\":null}]", "{\"a\":1,\"c\":3}"},
	{"[{\"a\":1},{\"a\":null},{\"b\":1}]", "{\"b\":1}"},
	{"[{\"a\":null,\"r\":{\"b\":null,\"c\":1}}]", "{\"r\":{\"c\":1}}"},
	{"[{\"a\":1,\"b\":2},{\"b\":null,\"c\":3},{\"d\":4}]", "{\"a\":1,\"c\":3,\"d\":4}"},
	/* What cannot be meant. */
	{"[{\"a\":[1]},{\"a\":{\"b\":1}}]",
		"f:1:17: \"a\": an object here, but an array in the layer below: write both the same way"},
	{"[{\"a\":{}},{\"a\":[]}]",
		"f:1:16: \"a\": an array here, but an object in the layer below: write both the same way"},
	{"[{\"a\":5},{\"+a\":[1]}]", "f:1:11: \"+a\": \"a\" is a number in the layer below, not an array"},
	{"[{\"a\":[1],\"+a\":[2]}]", "f:1:11: \"+a\" and \"a\" exclude each other"},
	{"[{\"+a\":1}]", "f:1:8: \"+a\": expected an array, found a number"},
	{"[{\"a\":1,\"a\":2}]", "f:1:9: repeated key \"a\" (first at line 1)"},
	{"[{},{\"r\":{\"a\":1,\"a\":2}}]", "f:1:17: repeated key \"a\" (first at line 1)"},
	{"[{},5]", "f:1:5: \"\": expected an object, found a number"},
};

TEST(merge, gives_the_golden_results)
{
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		auto_free char *result = merged(golden[i].layers);

		cr_assert_str_eq(result, golden[i].result, "%s\n  gave     %s\n  expected %s", golden[i].layers, result,
			golden[i].result);
	}
}

TEST(merge, keeps_the_place_where_a_value_came_from)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const char text[] = "[{\"r\": {\"a\": 1}},\n{\"r\": {\"b\": 2}, \"+l\": [\n7]}]";
	const struct json *list[2], *result;
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&arena, "f", text, strlen(text), JSON_PLAIN, &doc, &err));
	list[0] = doc.root->first;
	list[1] = doc.root->last;
	result = layers_merge(&arena, &doc, list, 2, &err);
	cr_assert(result);
	json_fail(&doc, json_get(json_get(result, "r"), "a"), &err, "x");
	cr_assert_str_eq(err.text, "f:1:14: x");
	json_fail(&doc, json_get(json_get(result, "r"), "b"), &err, "x");
	cr_assert_str_eq(err.text, "f:2:13: x");
	json_fail(&doc, json_get(result, "l")->first, &err, "x");
	cr_assert_str_eq(err.text, "f:3:1: x");
	/* The layers themselves are as they were. */
	cr_assert(doc.root->first->first->count == 1 && !json_get(doc.root->first, "l"));
}

TEST(merge, refuses_more_members_than_it_can_search)
{
	AUTO(text_drop) struct text text = {0};

	text_append(&text, "[{");
	for (int i = 0; i <= 4096; i++)
		text_appendf(&text, "%s\"k%d\":1", i ? "," : "", i);
	text_append(&text, "}]");
	auto_free char *result = merged(text_string(&text));
	cr_assert(strstr(result, ": an object with more than 4096 members"), "%s", result);
}

static char *substituted(const char *text)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	const struct substitution values = {.name = "site-7", .index = 7};
	const struct json *result;
	struct json_doc doc;
	struct error err;
	size_t length;

	ASSERT_OK(json_parse(&arena, "f", text, strlen(text), JSON_PLAIN, &doc, &err));
	result = tree_substitute(&arena, &doc, doc.root, &values, &err);
	if (!result)
		return text_format("%s", err.text);
	encode_json(encoder, NULL, result);
	return encoder_take(encoder, &length);
}

TEST(merge, replaces_name_and_index_in_strings_only)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
		{"[\"${name}\"]", "[\"site-7\"]"},
		{"{\"${name}\":{\"a\":[\"x${index}y${index}\"]}}", "{\"${name}\":{\"a\":[\"x7y7\"]}}"},
		{"[\"$${name} $name $ {name} $$\"]", "[\"${name} $name $ {name} $$\"]"},
		{"[\"$$${name}\"]", "[\"$${name}\"]"},
		{"[\"${name}${index}\", 5, null, true]", "[\"site-77\",5,null,true]"},
		{"[\"${other}\"]", "f:1:2: \"${other}\": only ${name} and ${index} are replaced; write \"$${\" for a "
				   "plain \"${\""},
		{"[\"${}\"]",
			"f:1:2: \"${}\": only ${name} and ${index} are replaced; write \"$${\" for a plain \"${\""},
		{"[\"a\",\n\"${name\"]", "f:2:1: \"${\" without a closing brace; write \"$${\" for a plain \"${\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *result = substituted(rows[i].text);

		cr_assert_str_eq(result, rows[i].result, "%s gave %s", rows[i].text, result);
	}
}

TEST(merge, copies_nothing_when_nothing_is_replaced)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct substitution values = {.name = "a", .index = 1};
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&arena, "f", "{\"a\":[\"b\"]}", 11, JSON_PLAIN, &doc, &err));
	cr_assert(tree_substitute(&arena, &doc, doc.root, &values, &err) == doc.root);
}
