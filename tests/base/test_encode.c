#include "base/encode.h"

#include "base/cleanup.h"
#include "tests/test.h"

/* Takes the text and compares it. */
static void expect_text(struct encoder *encoder, const char *expected)
{
	size_t length;
	auto_free char *text = encoder_take(encoder, &length);

	cr_expect_str_eq(text, expected);
	cr_expect_eq(length, strlen(expected));
}

#define ENCODER(name, style) struct encoder *name AUTO(encoder_drop) = encoder_new(style)

TEST(encode, writes_every_kind_of_value)
{
	const char *words[] = {"a", "b", NULL};
	struct strings list = {words, 2}, no_list = {0};
	struct pair items[] = {{"A", "1"}};
	struct pairs pairs = {items, 1}, no_pairs = {0};
	ENCODER(e, ENCODE_COMPACT);

	encode_object_begin(e, NULL);
	encode_string(e, "s", "q\"\\\n\x01é/");
	encode_string(e, "absent", NULL);
	encode_integer(e, "i", INT64_MIN);
	encode_uint64(e, "u", UINT64_MAX);
	encode_number(e, "n", "1.50");
	encode_bool(e, "b", true);
	encode_null(e, "z");
	encode_strings(e, "l", &list);
	encode_strings(e, "no", &no_list);
	encode_pairs(e, "p", &pairs);
	encode_pairs(e, "no", &no_pairs);
	encode_array_begin(e, "a");
	encode_string(e, NULL, NULL);
	encode_object_begin(e, NULL);
	encode_object_end(e);
	encode_array_end(e);
	encode_object_end(e);
	expect_text(e,
		"{\"s\":\"q\\\"\\\\\\n\\u0001é/\",\"i\":-9223372036854775808,\"u\":18446744073709551615,\"n\":1.50,"
		"\"b\":true,\"z\":null,\"l\":[\"a\",\"b\"],\"p\":{\"A\":\"1\"},\"a\":[null,{}]}");
}

TEST(encode, pretty_is_indented_and_ends_in_a_line_break)
{
	ENCODER(e, ENCODE_PRETTY);

	encode_object_begin(e, NULL);
	encode_integer(e, "a", 1);
	encode_array_begin(e, "b");
	encode_integer(e, NULL, 2);
	encode_array_end(e);
	encode_object_end(e);
	expect_text(e, "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n");
}

TEST(encode, is_empty_and_usable_after_taking)
{
	ENCODER(e, ENCODE_COMPACT);

	encode_integer(e, NULL, 1);
	expect_text(e, "1");
	expect_text(e, "");
	encode_string(e, NULL, "x");
	expect_text(e, "\"x\"");
}

TEST(encode, what_does_not_fit_never_loses_the_rest)
{
	ENCODER(e, ENCODE_COMPACT);

	encode_object_end(e);
	encode_object_begin(e, "a key at the top is nobody's");
	encode_array_end(e);
	encode_integer(e, NULL, 1);
	encode_array_begin(e, "a");
	encode_integer(e, "a key in an array neither", 2);
	encode_object_end(e);
	encode_array_end(e);
	encode_integer(e, "b", 3);
	encode_object_end(e);
	encode_integer(e, NULL, 4); /* a second value at the top */
	encode_object_begin(e, NULL);
	encode_integer(e, "in it", 5);
	encode_object_end(e);
	expect_text(e, "{\"\":1,\"a\":[2],\"b\":3}");
}

TEST(encode, what_was_left_open_is_closed)
{
	ENCODER(e, ENCODE_COMPACT);

	encode_object_begin(e, NULL);
	encode_array_begin(e, "a");
	encode_object_begin(e, NULL);
	expect_text(e, "{\"a\":[{}]}");
}

TEST(encode, depth_beyond_the_bound_is_left_out_alone)
{
	size_t length;
	auto_free char *text = NULL;
	ENCODER(e, ENCODE_COMPACT);

	for (int i = 0; i < 300; i++)
		encode_array_begin(e, NULL);
	encode_integer(e, NULL, 1);
	for (int i = 0; i < 299; i++)
		encode_array_end(e);
	encode_integer(e, NULL, 2);
	encode_array_end(e);
	text = encoder_take(e, &length);
	cr_assert_str_eq(text + length - 4, "],2]");
	cr_assert_null(strchr(text, '1'));
	cr_assert_eq(strspn(text, "["), 100);
}

TEST(encode, bytes_that_are_not_utf8_become_replacement_characters)
{
	ENCODER(e, ENCODE_COMPACT);

	encode_array_begin(e, NULL);
	encode_string(e, NULL, "a\xff\xc3z\xed\xa0\x80é");
	encode_array_end(e);
	expect_text(e, "[\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdé\"]");
}

TEST(encode, a_tree_goes_through_as_it_is)
{
	const char text[] =
		"{\"a\":[1,2.50,{\"b\":null}],\"c\":\"x\\ny\",\"d\":true,\"e\":{},\"f\":18446744073709551616}";
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;
	ENCODER(e, ENCODE_COMPACT);

	ASSERT_OK(json_parse(&arena, "t", text, sizeof(text) - 1, JSON_PLAIN, &doc, &err));
	encode_json(e, NULL, doc.root);
	expect_text(e, text);
}

/* --- by table ----------------------------------------------------------------------------------------------------- */

struct user {
	const char *name;
	struct optional id;
};

static const struct field user_fields[] = {
	STRING("name", struct user, name, REQUIRED),
	OPTIONAL("id", struct user, id, 0, 99, 0),
	END_OF_FIELDS,
};

enum colour { RED, GREEN };
static const char *const colour_names[] = {"red", "green", NULL};

struct all {
	const char *string;
	bool flag;
	int8_t small;
	uint8_t byte;
	int16_t s16;
	uint16_t u16;
	int32_t s32;
	uint32_t u32;
	int64_t s64;
	struct optional optional;
	uint64_t u64;
	struct strings strings;
	struct pairs pairs;
	enum colour colour;
	struct user user, nobody;
	struct user *pointer;
	LIST_OF(struct user) list;
	LIST_OF(struct user) map;
	int custom;
};

static int custom_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	int64_t value;

	if (decode_integer(decoder, node, 0, 9, &value, err) < 0)
		return -1;
	*(int *)member = (int)value;
	return 0;
}

/* In a map the key is the first member, here the name: so it is no key of the item's own. */
static const struct field map_fields[] = {
	OPTIONAL("id", struct user, id, 0, 99, 0),
	END_OF_FIELDS,
};

static const struct field all_fields[] = {
	STRING("string", struct all, string, 0),
	BOOL("flag", struct all, flag, 0),
	INTEGER("small", struct all, small, INT8_MIN, INT8_MAX, 0),
	INTEGER("byte", struct all, byte, 0, UINT8_MAX, 0),
	INTEGER("s16", struct all, s16, INT16_MIN, INT16_MAX, 0),
	INTEGER("u16", struct all, u16, 0, UINT16_MAX, 0),
	INTEGER("s32", struct all, s32, INT32_MIN, INT32_MAX, 0),
	INTEGER("u32", struct all, u32, 0, UINT32_MAX, 0),
	INTEGER("s64", struct all, s64, INT64_MIN, INT64_MAX, 0),
	OPTIONAL("optional", struct all, optional, -9, 9, 0),
	UINT64("u64", struct all, u64, 0),
	STRINGS("strings", struct all, strings, 0),
	PAIRS("pairs", struct all, pairs, 0),
	ENUM("colour", struct all, colour, colour_names, 0),
	OBJECT("user", struct all, user, user_fields, 0),
	OBJECT("nobody", struct all, nobody, user_fields, 0),
	POINTER("pointer", struct all, pointer, user_fields, 0),
	LIST("list", struct all, list, user_fields, 0),
	MAP("map", struct all, map, map_fields, 0),
	CUSTOM("custom", struct all, custom, custom_decode, 0),
	REFUSED("refused", "never"),
	END_OF_FIELDS,
};

static void decode_all(struct arena *arena, const char *text, struct all *all)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_STRICT};
	struct error err;

	ASSERT_OK(json_parse(arena, "t", text, strlen(text), JSON_PLAIN, &doc, &err));
	ASSERT_OK(decode_object(&decoder, doc.root, all_fields, all, &err));
}

TEST(encode, by_table_is_the_inverse_of_decoding)
{
	static const char text[] =
		"{\"string\":\"x\",\"flag\":true,\"small\":-128,\"byte\":255,\"s16\":-32768,\"u16\":65535,"
		"\"s32\":-2147483648,\"u32\":4294967295,\"s64\":-9223372036854775808,\"optional\":-9,"
		"\"u64\":18446744073709551615,\"strings\":[\"a\",\"\"],\"pairs\":{\"k\":\"v\",\"\":\"\"},\"colour\":"
		"\"green\","
		"\"user\":{\"name\":\"u\",\"id\":7},\"pointer\":{\"name\":\"p\"},\"list\":[{\"name\":\"l\"},{\"name\":"
		"\"m\",\"id\":0}],"
		"\"map\":{\"one\":{\"id\":1},\"two\":{}}}";
	AUTO(arena_drop) struct arena arena = {0};
	struct all all = {0};
	ENCODER(e, ENCODE_COMPACT);

	decode_all(&arena, text, &all);
	encode_object(e, NULL, all_fields, &all);
	expect_text(e, text);
}

TEST(encode, by_table_leaves_out_what_is_empty)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct all all = {.custom = 5}, again = {0};
	size_t length;
	auto_free char *text = NULL;
	ENCODER(e, ENCODE_COMPACT);

	encode_object_begin(e, NULL);
	encode_object(e, "all", all_fields, &all);
	encode_object_end(e);
	expect_text(e,
		"{\"all\":{\"flag\":false,\"small\":0,\"byte\":0,\"s16\":0,\"u16\":0,\"s32\":0,\"u32\":0,\"s64\":0,"
		"\"u64\":0,\"colour\":\"red\"}}");
	encode_object(e, NULL, all_fields, &all);
	text = encoder_take(e, &length);
	decode_all(&arena, text, &again);
	all.custom = 0;
	cr_assert_null(again.string);
	cr_assert_eq(again.colour, RED);
}

TEST(encode, an_enum_without_a_name_is_left_out)
{
	struct all all = {.colour = (enum colour)7};
	size_t length;
	auto_free char *text = NULL;
	ENCODER(e, ENCODE_COMPACT);

	encode_object(e, NULL, all_fields, &all);
	text = encoder_take(e, &length);
	cr_assert_null(strstr(text, "colour"), "%s", text);
}

TEST(encode, gives_what_was_written_as_a_tree)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	const struct json *tree;
	struct error err;

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", "one");
	encode_number(encoder, "count", "1-");
	encode_object_end(encoder);
	ASSERT_FAILS(encoder_tree(encoder, &arena, &err) ? 0 : -1, ERROR_USAGE, "what was written:1:");

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", "two");
	encode_object_end(encoder);
	ASSERT_OK((tree = encoder_tree(encoder, &arena, &err)) ? 0 : -1);
	cr_assert_str_eq(json_get(tree, "name")->text, "two");
}
