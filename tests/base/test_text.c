#include "base/text.h"

#include "base/cleanup.h"
#include "tests/test.h"

TEST(text, grows_and_stays_terminated)
{
	struct text text AUTO(text_drop) = {0};

	cr_assert_str_eq(text_string(&text), "");
	for (int i = 0; i < 1000; i++)
		text_append(&text, "ab");
	text_appendf(&text, "%d", 42);
	text_append_bytes(&text, "xyz", 1);
	cr_assert_eq(text.length, 2003);
	cr_assert_str_eq(text.data + 1998, "ab42x");
}

TEST(text, an_empty_append_gives_a_string)
{
	struct text text AUTO(text_drop) = {0};

	text_append_bytes(&text, NULL, 0);
	cr_assert_str_eq(text.data, "");
}

TEST(text, clear_keeps_the_memory)
{
	struct text text AUTO(text_drop) = {0};
	char *data;

	text_append(&text, "hello");
	data = text.data;
	text_clear(&text);
	cr_assert_str_eq(text_string(&text), "");
	text_append(&text, "x");
	cr_assert_eq(text.data, data);
}

TEST(text, format_gives_an_own_string)
{
	auto_free char *text = text_format("%s/%03d", "dir", 7), *empty = text_format("%s", "");

	cr_assert_str_eq(text, "dir/007");
	cr_assert_str_eq(empty, "");
}

TEST(strings, are_fit_for_execve_after_every_add)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings list = {0};

	for (size_t i = 0; i < 1000; i++) {
		strings_add(&arena, &list, arena_format(&arena, "%zu", i));
		cr_assert_eq(list.count, i + 1);
		cr_assert_null(list.items[list.count]);
	}
	for (size_t i = 0; i < 1000; i++)
		cr_assert_str_eq(list.items[i], arena_format(&arena, "%zu", i));
}

TEST(strings, that_were_filled_by_hand_are_copied_before_they_grow)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *local[] = {"a", "b", NULL};
	const char **exact = arena_new_array(&arena, 3, const char *);
	char *behind = arena_alloc(&arena, 16);
	struct strings list = {local, 2}, other = {exact, 3};

	exact[0] = exact[1] = exact[2] = "x";
	strings_add(&arena, &list, "c");
	strings_add(&arena, &other, "y");
	cr_assert_null(local[2]);
	cr_assert_str_eq(list.items[2], "c");
	cr_assert_str_eq(other.items[3], "y");
	cr_assert_null(other.items[4]);
	cr_assert_eq(*behind, 0);
}

TEST(strings, contain_compares_whole_items)
{
	const char *items[] = {"web", "db", NULL};
	struct strings list = {items, 2};

	cr_assert(strings_contain(&list, "db"));
	cr_assert_not(strings_contain(&list, "d"));
	cr_assert_not(strings_contain(&(struct strings){0}, "d"));
}

TEST(strings, split_keeps_empty_parts)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings parts = strings_split(&arena, ":a::b:", ':'), one = strings_split(&arena, "", ',');
	static const char *const expected[] = {"", "a", "", "b", ""};

	cr_assert_eq(parts.count, 5);
	for (size_t i = 0; i < 5; i++)
		cr_assert_str_eq(parts.items[i], expected[i]);
	cr_assert_eq(one.count, 1);
	cr_assert_str_eq(one.items[0], "");
}

TEST(pairs, keep_their_order_and_replace)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct pairs pairs = {0};

	for (int i = 0; i < 100; i++)
		pairs_set(&arena, &pairs, arena_format(&arena, "key%d", i), "old");
	pairs_set(&arena, &pairs, "key50", "new");
	cr_assert_eq(pairs.count, 100);
	cr_assert_str_eq(pairs.items[50].value, "new");
	cr_assert_str_eq(pairs_get(&pairs, "key99"), "old");
	cr_assert_null(pairs_get(&pairs, "key100"));
}

TEST(text, starts_ends_and_equals)
{
	cr_assert(text_starts_with("cgroup.procs", "cgroup."));
	cr_assert_not(text_starts_with("cg", "cgroup"));
	cr_assert(text_ends_with("web.json", ".json"));
	cr_assert_not(text_ends_with("son", ".json"));
	cr_assert(text_equal(NULL, NULL));
	cr_assert_not(text_equal("a", NULL));
	cr_assert(text_equal("a", "a"));
	cr_assert(text_is_empty(NULL) && text_is_empty("") && !text_is_empty("a"));
}

TEST(utf8, accepts_exactly_what_unicode_allows)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{"a", 1},
		{"\x7f", 1},
		{"\xc2\x80", 2},
		{"\xdf\xbf", 2},
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xee\x80\x80", 3},
		{"\xef\xbf\xbf", 3},
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0},		 /* continues nothing */
		{"\xc1\xbf", 0},	 /* overlong */
		{"\xe0\x9f\xbf", 0},	 /* overlong */
		{"\xf0\x8f\xbf\xbf", 0}, /* overlong */
		{"\xed\xa0\x80", 0},	 /* surrogate */
		{"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
		{"\xf5\x80\x80\x80", 0},
		{"\xff", 0},
		{"\xe2\x82", 0}, /* cut */
		{"\xc3(", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(utf8_length(cases[i].bytes, strlen(cases[i].bytes)), cases[i].length, "case %zu", i);
}
