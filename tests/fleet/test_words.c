/* Commands written as one string. */
#include "base/cleanup.h"
#include "fleet/spec/words.h"
#include "tests/test.h"

static const struct {
	const char *text;
	const char *words[5];
} rows[] = {
	{"", {NULL}},
	{" \t\n ", {NULL}},
	{"nginx", {"nginx"}},
	{"  nginx  -g   x ", {"nginx", "-g", "x"}},
	{"nginx -g 'daemon off;'", {"nginx", "-g", "daemon off;"}},
	{"a \"b c\" d", {"a", "b c", "d"}},
	{"a \"\" ''", {"a", "", ""}},
	{"a'b c'd\"e f\"", {"ab cde f"}},
	{"'\\\"' \"\\\"\\\\\\n'\"", {"\\\"", "\"\\\\n'"}},
	{"a\\ b \\'", {"a b", "'"}},
	{"echo $HOME *.c | ; && > x", {"echo", "$HOME", "*.c", "|", ";"}},
};

TEST(words, splits_at_blanks_and_knows_quotes_but_is_no_shell)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct strings words = {0};
		struct error err;

		ASSERT_OK(words_split(&arena, rows[i].text, &words, &err));
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].words) && rows[i].words[k]; k++) {
			cr_assert(k < words.count, "%s: %zu words", rows[i].text, words.count);
			cr_assert_str_eq(words.items[k], rows[i].words[k], "%s: word %zu is %s", rows[i].text, k,
				words.items[k]);
		}
		cr_assert(rows[i].words[4] || words.count == 0 || !rows[i].words[words.count], "%s: %zu words",
			rows[i].text, words.count);
	}
}

TEST(words, refuses_what_is_not_closed)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings words = {0};
	struct error err;

	ASSERT_FAILS(words_split(&arena, "a 'b", &words, &err), ERROR_USAGE, "a single quote is not closed");
	ASSERT_FAILS(words_split(&arena, "a \"b\\\"", &words, &err), ERROR_USAGE, "a double quote is not closed");
	ASSERT_FAILS(words_split(&arena, "a \\", &words, &err), ERROR_USAGE, "a backslash at the end");
}
