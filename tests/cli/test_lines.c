/* What becomes of lines that are too long for the terminal. */
#include "cli/lines.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tests/test.h"

static void assert_printed(size_t width, size_t hanging, const char *text, const char *expected)
{
	auto_free char *got = NULL;
	size_t length;
	FILE *out = open_memstream(&got, &length);

	lines_print(out, width, hanging, text);
	fclose(out);
	cr_assert_str_eq(got, expected, "\"%s\" at %zu is\n%s", text, width, got);
}

TEST(lines, are_broken_at_blanks_and_go_on_deeper)
{
	assert_printed(40, 4, "  one two three four five six seven eight nine\nten",
		"  one two three four five six seven\n      eight nine\nten\n");
	assert_printed(40, 0, "    one two three four five six seven eight nine ten",
		"    one two three four five six seven\n    eight nine ten\n");
	assert_printed(40, 2, "1234567890 1234567890 1234567890 1234567", "1234567890 1234567890 1234567890 1234567\n");
	assert_printed(
		40, 2, "1234567890 1234567890 1234567890 12345678", "1234567890 1234567890 1234567890\n  12345678\n");
	assert_printed(SIZE_MAX, 2, "a  line\n\n  as it was ", "a  line\n\n  as it was \n");
}

TEST(lines, leave_words_and_what_is_between_them_as_they_were)
{
	assert_printed(30, 2, "at /a/path/that/is/longer/than/a/line there",
		"at\n  /a/path/that/is/longer/than/a/line\n  there\n");
	assert_printed(30, 2, "  a   b", "  a   b\n");
	/* Characters are counted, not bytes; colours take no place. */
	assert_printed(20, 2, "äöüäöüäöüä äöüäöüäöü", "äöüäöüäöüä äöüäöüäöü\n");
	assert_printed(20, 2, "\033[31m1234567890\033[0m 123456789", "\033[31m1234567890\033[0m 123456789\n");
}

TEST(lines, texts_are_cut_at_characters)
{
	AUTO(arena_drop) struct arena arena = {0};

	cr_assert_str_eq(text_cut(&arena, "registry/site:7", 15, false), "registry/site:7");
	cr_assert_str_eq(text_cut(&arena, "registry/site:7", 8, false), "registr…");
	cr_assert_str_eq(text_cut(&arena, "registry/site:7", 8, true), "…/site:7");
	cr_assert_str_eq(text_cut(&arena, "äöüäöü", 4, false), "äöü…");
	cr_assert_str_eq(text_cut(&arena, "äöüäöü", 4, true), "…äöü");
}

TEST(lines, only_a_terminal_has_a_width)
{
	FILE *out = fopen("/dev/null", "we");

	cr_assert(out);
	setenv("COLUMNS", "40", 1);
	cr_assert(terminal_width(out) == SIZE_MAX);
	fclose(out);
}
