#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

static const char *repeat(char letter, size_t count)
{
	static char text[512];

	memset(text, letter, count);
	text[count] = '\0';
	return text;
}

TEST(name, is_a_lower_case_label)
{
	static const char *const right[] = {"a", "0", "web-1", "a--b", "site-", "1st"};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		ASSERT_OK(name_check("instance name", right[i], &err));
	ASSERT_OK(name_check("instance name", repeat('a', 63), &err));
	ASSERT_FAILS(name_check("instance name", repeat('a', 64), &err), ERROR_USAGE, "longer than 63 characters");
}

TEST(name, that_could_be_a_path_or_break_a_line_is_refused)
{
	static const char *const letters[] = {
		"a/b", "a.b", "Web", "web_1", "a b", "a\n", "a\x7f", "ä", "a\x1b[m", "a..", "a*"};
	static const char *const starts[] = {"..", ".", "-a", "/", "_a", "../x", " a", "A"};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		ASSERT_FAILS(name_check("instance name", starts[i], &err), ERROR_USAGE,
			"must begin with a lower-case letter or a digit");
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		cr_assert_lt(name_check("instance name", letters[i], &err), 0, "%s", letters[i]);
	ASSERT_FAILS(name_check("instance name", "", &err), ERROR_USAGE, "instance name is empty");
	ASSERT_FAILS(name_check("network name", "web_1", &err), ERROR_USAGE,
		"network name \"web_1\": only lower-case letters, digits and '-' are allowed");
}

TEST(id, takes_what_podman_and_containerd_pass)
{
	static const char *const right[] = {"a", "A.b_c+d-e", "_x", "+x", "0123456789abcdef"};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		ASSERT_OK(id_check(right[i], &err));
	ASSERT_OK(id_check(repeat('f', 255), &err));
	ASSERT_FAILS(id_check(repeat('f', 256), &err), ERROR_USAGE, "longer than 255 characters");
}

TEST(id, that_could_be_a_path_is_refused)
{
	struct error err;

	ASSERT_FAILS(id_check("..", &err), ERROR_USAGE, "container id \"..\": must not begin with '.'");
	ASSERT_FAILS(id_check(".", &err), ERROR_USAGE, "must not begin with '.'");
	ASSERT_FAILS(id_check("-f", &err), ERROR_USAGE, "container id \"-f\": must not begin with '-'");
	ASSERT_FAILS(id_check("../x", &err), ERROR_USAGE, "must not begin");
	ASSERT_FAILS(id_check("a/b", &err), ERROR_USAGE,
		"container id \"a/b\": only letters, digits, '_', '+', '.' and '-' are allowed");
	ASSERT_FAILS(id_check("a\n", &err), ERROR_USAGE, "container id \"a?\": only letters");
	ASSERT_FAILS(id_check("", &err), ERROR_USAGE, "container id is empty");
}

TEST(line, holds_no_control_character)
{
	struct error err;

	ASSERT_OK(line_check("label", "a b\xc3\xa4 ~", &err));
	ASSERT_OK(line_check("label", "", &err));
	ASSERT_FAILS(line_check("label", "a\nb", &err), ERROR_USAGE,
		"label \"a?b\": control characters are not allowed (found 0x0a)");
	ASSERT_FAILS(line_check("label", "\x7f", &err), ERROR_USAGE, "found 0x7f");
	ASSERT_FAILS(line_check("label", "a\tb", &err), ERROR_USAGE, "found 0x09");
}
