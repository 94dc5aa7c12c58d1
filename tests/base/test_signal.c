#include <signal.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/test.h"

TEST(signal, is_parsed_by_name_and_number)
{
	static const struct {
		const char *text;
		int number;
	} cases[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"sigterm", SIGTERM}, {"kill", SIGKILL}, {"15", 15},
		{"1", 1}, {"64", 64}, {"RTMIN", 34}, {"RTMIN+3", 37}, {"SIGRTMIN+3", 37}, {"RTMAX", 64},
		{"RTMAX-1", 63}, {"WINCH", SIGWINCH}, {"USR1", SIGUSR1}};
	struct error err;
	int number;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_OK(signal_parse(cases[i].text, &number, &err));
		cr_assert_eq(number, cases[i].number, "%s gave %d", cases[i].text, number);
	}
}

TEST(signal, that_does_not_exist_is_refused_with_a_guess)
{
	static const char *const wrong[] = {"", "SIG", "-1", "+1", "TERM ", " TERM", "RTMIN-1", "RTMAX+1", "RTMIN+99",
		"RTMIN+", "RTMINX", "SIGSIGTERM", "averyveryverylongname"};
	struct error err;
	int number;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(signal_parse(wrong[i], &number, &err), ERROR_USAGE, "unknown signal \"");
	ASSERT_FAILS(signal_parse("TREM", &number, &err), ERROR_USAGE, "unknown signal \"TREM\"; did you mean TERM?");
	ASSERT_FAILS(signal_parse("0", &number, &err), ERROR_USAGE, "signal: 0 is not between 1 and 64");
	ASSERT_FAILS(signal_parse("65", &number, &err), ERROR_USAGE, "signal: 65 is not between 1 and 64");
	ASSERT_FAILS(signal_parse("9x", &number, &err), ERROR_USAGE, "signal: \"9x\" is not a whole number");
}

TEST(signal, names_read_back)
{
	struct error err;
	char buffer[16];
	int number;

	cr_assert_str_eq(signal_name(SIGTERM, buffer), "TERM");
	cr_assert_str_eq(signal_name(37, buffer), "RTMIN+3");
	cr_assert_str_eq(signal_name(0, buffer), "0");
	cr_assert_str_eq(signal_name(99, buffer), "99");
	for (int signal = 1; signal <= 64; signal++) {
		ASSERT_OK(signal_parse(signal_name(signal, buffer), &number, &err));
		cr_assert_eq(number, signal);
	}
}
