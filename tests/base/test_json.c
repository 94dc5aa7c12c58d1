#include "base/json.h"

#include <fcntl.h>

#include "base/text.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

static int parse(struct arena *arena, const char *text, enum json_flags flags, struct json_doc *doc, struct error *err)
{
	return json_parse(arena, "web.json", text, strlen(text), flags, doc, err);
}

TEST(json, keeps_numbers_and_strings_as_text)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;
	const struct json *root, *list;

	ASSERT_OK(parse(&arena,
		"{\"big\": 18446744073709551615, \"pi\": -3.14e+2, \"s\": \"a\\n\\u00e9\\ud83d\\ude00\\/\", \"t\": "
		"true,"
		" \"list\": [null, false, {}, []]}",
		JSON_PLAIN, &doc, &err));
	root = doc.root;
	cr_assert_eq(root->kind, JSON_OBJECT);
	cr_assert_eq(root->count, 5);
	cr_assert_str_eq(json_get(root, "big")->text, "18446744073709551615");
	cr_assert_str_eq(json_get(root, "pi")->text, "-3.14e+2");
	cr_assert_str_eq(json_get(root, "s")->text, "a\né😀/");
	cr_assert(json_get(root, "t")->boolean);
	list = json_get(root, "list");
	cr_assert_eq(list->count, 4);
	cr_assert_eq(list->first->kind, JSON_NULL);
	cr_assert_eq(list->first->next->kind, JSON_BOOL);
	cr_assert_not(list->first->next->boolean);
	cr_assert_eq(list->last->kind, JSON_ARRAY);
	cr_assert_null(list->last->next);
	cr_assert_null(json_get(root, "none"));
	cr_assert_null(json_get(list, "x"));
}

TEST(json, any_value_may_be_the_root)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} cases[] = {{"1", JSON_NUMBER}, {" \"x\" ", JSON_STRING}, {"null", JSON_NULL}, {"true", JSON_BOOL},
		{"[]", JSON_ARRAY}, {"-0.5e-7\n", JSON_NUMBER}};
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_OK(parse(&arena, cases[i].text, JSON_PLAIN, &doc, &err));
		cr_assert_eq(doc.root->kind, cases[i].kind);
		cr_assert_eq(doc.root->offset, strspn(cases[i].text, " "));
	}
}

/* Every value in the text is marked by the member's own content: "@12" says that it stands at offset 12. */
static void check_positions(const struct json_doc *doc, const struct json *node)
{
	static const char first[] = {[JSON_NULL] = 'n', [JSON_STRING] = '"', [JSON_ARRAY] = '[', [JSON_OBJECT] = '{'};
	char at = doc->text[node->offset];

	if (node->kind == JSON_BOOL)
		cr_assert_eq(at, node->boolean ? 't' : 'f');
	else if (node->kind == JSON_NUMBER)
		cr_assert_eq(strncmp(doc->text + node->offset, node->text, strlen(node->text)), 0);
	else
		cr_assert_eq(at, first[node->kind], "'%c' at %u", at, node->offset);
	if (node->key) {
		cr_assert_eq(doc->text[node->key_offset], '"');
		cr_assert_lt(node->key_offset, node->offset);
		cr_assert(!node->key_offset || doc->text[node->key_offset - 1] != '\\');
	}
	for (const struct json *member = node->first; member; member = member->next)
		check_positions(doc, member);
}

TEST(json, knows_where_every_token_begins)
{
	static const char text[] =
		"// head\n{ \"a\\\"b\" :\t12 , \"\\\\\": \"\\\\\", \"e\\\\\\\"\":[true,false,null,-1.5e3,\"\"],\n"
		"/* \\ \" */\"x\"/*\"*/:/* \" \\ */\"y\\\\\"// \"z\\\n,\"\":{\"k\":\"\\\\\\\\\\\"\"}}";
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;
	const struct json *root;

	ASSERT_OK(parse(&arena, text, JSON_COMMENTS, &doc, &err));
	root = doc.root;
	check_positions(&doc, root);
	cr_assert_eq(root->offset, 8);
	cr_assert_eq(root->first->key_offset, 10);
	cr_assert_str_eq(root->first->key, "a\"b");
	cr_assert_eq(root->first->offset, 19);
	cr_assert_eq(json_get(root, "\\")->key_offset, strstr(text, "\"\\\\\"") - text);
	cr_assert_eq(json_get(root, "e\\\"")->key_offset, strstr(text, "\"e\\") - text);
	cr_assert_eq(json_get(root, "x")->key_offset, strstr(text, "\"x\"") - text);
	cr_assert_eq(json_get(root, "x")->offset, strstr(text, "\"y") - text);
	cr_assert_eq(json_get(json_get(root, ""), "k")->offset, strstr(text, "\"\\\\\\\\") - text);
}

TEST(json, fails_at_value_and_key_with_line_and_column)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;
	const struct json *member;

	ASSERT_OK(parse(&arena, "{\n  \"a\": 1,\n  \"b\": [\n    2]}\n", JSON_PLAIN, &doc, &err));
	member = json_get(doc.root, "b");
	cr_assert_eq(json_fail(&doc, member, &err, "no %s", "good"), -1);
	cr_assert_str_eq(err.text, "web.json:3:8: no good");
	cr_assert_eq(err.kind, ERROR_USAGE);
	json_fail_key(&doc, member, &err, "no key");
	cr_assert_str_eq(err.text, "web.json:3:3: no key");
	json_fail(&doc, member->first, &err, "item");
	cr_assert_str_eq(err.text, "web.json:4:5: item");
	json_fail_key(&doc, member->first, &err, "item without a key");
	cr_assert_str_eq(err.text, "web.json:4:5: item without a key");
}

/* What is wrong → what is said. */
static const struct {
	const char *text, *error;
} malformed[] = {
	{"", "web.json:1:1: expected a value, found the end of the text"},
	{"  \n ", "web.json:2:2: expected a value, found the end of the text"},
	{"{", "web.json:1:2: expected a key or '}', found the end of the text"},
	{"[", "web.json:1:2: expected a value or ']', found the end of the text"},
	{"{\"a\"", "web.json:1:5: expected ':' after the key, found the end of the text"},
	{"{\"a\":", "web.json:1:6: expected a value, found the end of the text"},
	{"{\"a\":1", "web.json:1:7: expected ',' or '}', found the end of the text"},
	{"{\"a\":1,", "web.json:1:8: expected a key, found the end of the text"},
	{"{\"a\":1,\n}", "web.json:1:7: a comma must not stand before '}'"},
	{"[1,\n2,\n]", "web.json:2:2: a comma must not stand before ']'"},
	{"{\"a\" 1}", "web.json:1:6: expected ':' after the key, found \"1\""},
	{"{\"a\" \"b\"}", "web.json:1:6: expected ':' after the key, found a string"},
	{"{\n  \"a\": 1\n  \"b\": 2\n}", "web.json:3:3: expected ',' or '}', found a string"},
	{"[1 2]", "web.json:1:4: expected ',' or ']', found \"2\""},
	{"[1}", "web.json:1:3: expected ',' or ']', found '}'"},
	{"{\"a\":1]", "web.json:1:7: expected ',' or '}', found ']'"},
	{"{1:2}", "web.json:1:2: expected a key or '}', found \"1\""},
	{"{\"a\":1,b:2}", "web.json:1:8: unknown word \"b\""},
	{"{'a':1}", "web.json:1:2: expected a key or '}', found ''' (strings stand in double quotes)"},
	{"{\"a\":tru}", "web.json:1:6: unknown word \"tru\""},
	{"{\"a\":True}", "web.json:1:6: unknown word \"True\""},
	{"[NaN]", "web.json:1:2: unknown word \"NaN\""},
	{"[01]", "web.json:1:2: a number must not begin with 0"},
	{"[-]", "web.json:1:2: malformed number \"-\""},
	{"[1.]", "web.json:1:2: malformed number \"1.\""},
	{"[1.5e]", "web.json:1:2: malformed number \"1.5e\""},
	{"[.5]", "web.json:1:2: expected a value or ']', found \".5\""},
	{"[+5]", "web.json:1:2: expected a value or ']', found \"+5\""},
	{"[0x10]", "web.json:1:3: expected ',' or ']', found \"x10\""},
	{"[\"abc]", "web.json:1:2: the string is never closed"},
	{"[\"abc\n\"]", "web.json:1:2: the string is not closed on its line"},
	{"[\"a\tb\"]", "web.json:1:4: control character 0x09 in a string"},
	{"[\"a\\qb\"]", "web.json:1:4: unknown escape \\q in a string"},
	{"[\"\\u12g4\"]", "web.json:1:3: \\u in a string needs four hexadecimal digits"},
	{"[\"a\\u0000b\"]", "web.json:1:4: \\u0000 in a string: NUL is not allowed"},
	{"[\"\\ud800\"]", "web.json:1:3: \\ud800 in a string: half of a surrogate pair"},
	{"[\"\\udc00\"]", "web.json:1:3: \\udc00 in a string: half of a surrogate pair"},
	{"[\"\\ud800\\u0041\"]", "web.json:1:3: \\ud800 in a string: half of a surrogate pair"},
	{"[\"\\ud800\\\"]", "web.json:1:2: the string is never closed"},
	{"{\"a\\u0000\":1}", "web.json:1:4: \\u0000 in a string: NUL is not allowed"},
	{"{} x", "web.json:1:4: expected the end of the text, found \"x\""},
	{"{}\n{}", "web.json:2:1: expected the end of the text, found '{'"},
	{"1 2", "web.json:1:3: expected the end of the text, found \"2\""},
	{"{}}", "web.json:1:3: expected the end of the text, found '}'"},
	{"]", "web.json:1:1: expected a value, found ']'"},
	{"// x\n{}", "web.json:1:1: expected a value, found a comment, which is not allowed here"},
	{"{} // x", "web.json:1:4: expected the end of the text, found a comment, which is not allowed here"},
	{"\xef\xbb\xbf{}", "web.json:1:1: expected a value, found a byte order mark"},
	{"[\"\xff\"]", "web.json:1:3: byte 0xff is not UTF-8"},
	{"[\"\xc0\x80\"]", "web.json:1:3: byte 0xc0 is not UTF-8"},
	{"[\"\xed\xa0\x80\"]", "web.json:1:3: byte 0xed is not UTF-8"},
	{"[é]", "web.json:1:2: expected a value or ']', found 'é'"},
	{"[\x01]", "web.json:1:2: expected a value or ']', found byte 0x01"},
	{"{,}", "web.json:1:2: expected a key or '}', found ','"},
	{"[1,,2]", "web.json:1:4: expected a value, found ','"},
	{"{\"a\"::1}", "web.json:1:6: expected a value, found ':'"},
};

TEST(json, says_in_one_line_what_is_wrong_where)
{
	struct json_doc doc;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		AUTO(arena_drop) struct arena arena = {0};

		cr_assert_eq(parse(&arena, malformed[i].text, JSON_PLAIN, &doc, &err), -1, "%s", malformed[i].text);
		cr_expect_str_eq(err.text, malformed[i].error);
		cr_assert_eq(err.kind, ERROR_USAGE);
	}
}

TEST(json, raw_nul_bytes_are_refused)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;

	ASSERT_FAILS(json_parse(&arena, "web.json", "[1,\0 2]", 7, JSON_PLAIN, &doc, &err), ERROR_USAGE,
		"web.json:1:4: expected a value, found byte 0x00");
	ASSERT_FAILS(json_parse(&arena, "web.json", "[\"a\0\"]", 6, JSON_PLAIN, &doc, &err), ERROR_USAGE,
		"web.json:1:4: control character 0x00 in a string");
	ASSERT_FAILS(json_parse(&arena, "web.json", "{}\0", 3, JSON_PLAIN, &doc, &err), ERROR_USAGE,
		"web.json:1:3: expected the end of the text, found byte 0x00");
}

TEST(json, comments_only_where_they_are_allowed)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;

	ASSERT_OK(parse(&arena, "// a\n{ /* b */ \"x\": 1 // c\n} // d", JSON_COMMENTS, &doc, &err));
	cr_assert_str_eq(json_get(doc.root, "x")->text, "1");
	ASSERT_OK(parse(&arena, "[\"// not one\"]", JSON_PLAIN, &doc, &err));
	ASSERT_FAILS(parse(&arena, "{} /* x", JSON_COMMENTS, &doc, &err), ERROR_USAGE,
		"web.json:1:4: expected the end of the text, found a comment that is never closed");
	ASSERT_FAILS(parse(&arena, "[1, # x\n2]", JSON_COMMENTS, &doc, &err), ERROR_USAGE,
		"web.json:1:5: expected a value, found '#'");
	ASSERT_FAILS(parse(&arena, "// x\n{\"a\": 1, // y\n}", JSON_COMMENTS, &doc, &err), ERROR_USAGE,
		"web.json:2:8: a comma must not stand before '}'");
}

static int parse_repeated(
	struct arena *arena, const char *open, const char *item, size_t count, const char *close, struct error *err)
{
	struct text text AUTO(text_drop) = {0};
	struct json_doc doc;

	for (size_t i = 0; i < count; i++)
		text_append(&text, open);
	for (size_t i = 0; i < count && *item; i++)
		text_appendf(&text, "%s%s", i ? "," : "[", item);
	if (*item)
		text_append(&text, "]");
	for (size_t i = 0; i < count; i++)
		text_append(&text, close);
	return json_parse(arena, "web.json", text.data, text.length, JSON_PLAIN, &doc, err);
}

TEST(json, bounds_hold_at_exactly_their_number)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;

	ASSERT_OK(parse_repeated(&arena, "[", "", 64, "]", &err));
	ASSERT_FAILS(parse_repeated(&arena, "[", "", 65, "]", &err), ERROR_USAGE,
		"web.json:1:65: nested deeper than 64 levels");
	ASSERT_OK(parse_repeated(&arena, "", "1", 65536, "", &err));
	ASSERT_FAILS(
		parse_repeated(&arena, "", "1", 65537, "", &err), ERROR_USAGE, "an array with more than 65536 members");
	ASSERT_FAILS(
		parse_repeated(&arena, "", "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]", 60000, "", &err),
		ERROR_USAGE, "more than 1048576 values");
}

TEST(json, eight_mebibytes_are_the_limit)
{
	AUTO(arena_drop) struct arena arena = {0};
	const size_t max = 8 << 20;
	char *text = arena_alloc(&arena, max + 2);
	struct json_doc doc;
	struct error err;

	memset(text, 'x', max + 1);
	text[0] = text[max - 1] = '"';
	ASSERT_OK(json_parse(&arena, "web.json", text, max, JSON_PLAIN, &doc, &err));
	cr_assert_eq(strlen(doc.root->text), max - 2);
	ASSERT_FAILS(json_parse(&arena, "web.json", text, max + 1, JSON_PLAIN, &doc, &err), ERROR_USAGE,
		"web.json: larger than 8388608 bytes");
}

TEST(json, reads_a_file_and_names_it)
{
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);
	struct json_doc doc;
	struct error err;

	ASSERT_OK(file_replace(scratch.fd, "a.json", 0600, FILE_VOLATILE, "{\"a\":1}", 7, &err));
	ASSERT_OK(json_read(&arena, scratch.fd, "a.json", JSON_PLAIN, &doc, &err));
	cr_assert_str_eq(doc.name, "a.json");
	ASSERT_OK(file_replace(scratch.fd, "a.json", 0600, FILE_VOLATILE, "{\"a\":}", 6, &err));
	ASSERT_FAILS(json_read(&arena, scratch.fd, "a.json", JSON_PLAIN, &doc, &err), ERROR_USAGE,
		"a.json:1:6: expected a value, found '}'");
	ASSERT_FAILS(json_read(&arena, scratch.fd, "b.json", JSON_PLAIN, &doc, &err), ERROR_MISSING,
		"open b.json: No such file or directory");
}

TEST(json, kinds_have_names)
{
	cr_assert_str_eq(json_kind_name(JSON_NULL), "null");
	cr_assert_str_eq(json_kind_name(JSON_OBJECT), "an object");
	cr_assert_str_eq(json_kind_name(JSON_STRING), "a string");
}
