/* Reading the kernel's formats. */
#include "cgroups/knobs.h"
#include "tests/cgroups/support.h"

TEST(knobs, numbers_end_where_digits_end)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t value;
	} table[] = {{"0\n", true, 0}, {"max\n", true, -1}, {"50000 100000\n", true, 50000}, {"-1\n", true, -1},
		{"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0}, {"", false, 0},
		{"abc", false, 0}, {"123456789012345678901", false, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int64_t value = 0;

		cr_assert(knob_parse(table[i].text, &value) == table[i].valid, "%s", table[i].text);
		cr_assert(!table[i].valid || value == table[i].value, "%s", table[i].text);
	}
}

TEST(knobs, keys_match_whole_and_at_the_beginning_of_a_line)
{
	const char *text = "oom 1\noom_kill 2\nx oom_group_kill 3\nlast 4";
	int64_t value;

	cr_assert(keyed_number(text, "oom", &value) && value == 1);
	cr_assert(keyed_number(text, "oom_kill", &value) && value == 2);
	cr_assert(keyed_number(text, "last", &value) && value == 4);
	cr_assert(!keyed_number(text, "oom_group_kill", &value));
	cr_assert(!keyed_number(text, "las", &value) && !keyed_number("", "last", &value));
}

TEST(knobs, that_do_not_exist_say_so)
{
	char text[8];

	cr_assert(knob_read(-1, "x", text, sizeof(text)) == -1 && errno == ENOENT);
	cr_assert(knob_write(-1, "x", "1") == -1 && errno == ENOENT);
	cr_assert(knob_read(AT_FDCWD, "/proc/self/status", text, sizeof(text)) == 7, "cut, not overrun");
}
