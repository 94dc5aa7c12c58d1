#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

/* What is not a number anywhere. */
static const char *const not_numbers[] = {"", " 1", "1 ", "+1", "0x1", "0x10", "1e3", "01", "00", "-", "--1", "-0",
	"1.0", "1,0", "1\n", "one", "\xd9\xa1" /* an Arabic-Indic one */, "1:1", "0:5", "½"};

TEST(number, refuses_whatever_is_not_digits_alone)
{
	struct error err;
	int64_t value = 77;
	uint64_t unsigned_value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(not_numbers); i++) {
		ASSERT_FAILS(number_parse(not_numbers[i], INT64_MIN, INT64_MAX, &value, &err), ERROR_USAGE,
			"is not a whole number");
		ASSERT_FAILS(number_parse_u64(not_numbers[i], UINT64_MAX, &unsigned_value, &err), ERROR_USAGE,
			"is not a whole number");
	}
	cr_assert_eq(value, 77);
	cr_assert_eq(unsigned_value, 77);
	ASSERT_FAILS(number_parse(" 1", 0, 9, &value, &err), ERROR_USAGE, "\" 1\" is not a whole number");
}

TEST(number, rates_count_in_powers_of_a_thousand)
{
	static const struct {
		const char *text, *shown;
		int64_t bits;
	} right[] = {
		{"64000", "64K", 64000}, {"64k", "64K", 64000}, {"100M", "100M", 100000000},
		{"100mbit", "100M", 100000000}, {"1.5G", "1.500G", 1500000000}, {"2.5Gbit", "2.500G", 2500000000},
		{"1T", "1T", 1000000000000}, {"64001", "64K", 64000}, /* whole bytes */
	};
	static const struct {
		const char *text, *expected;
	} wrong[] = {
		{"", "is not a rate such as 100M or 1.5G (bits per second)"},
		{"fast", "\"fast\" is not a rate"},
		{"100MB", "\"100MB\" is not a rate"},
		{"100Mib", "\"100Mib\" is not a rate"},
		{"1.5", "\"1.5\" is not a rate"},
		{"-1M", "\"-1M\" is not a rate"},
		{"100 M", "\"100 M\" is not a rate"},
		{"100", "100 is less than 64K bits per second; 100M are so many megabits"},
		{"63.999K", "63.999K is less than 64K bits per second"},
		{"0", "0 is less than 64K bits per second"},
		{"1001G", "1001G is more than 1T bits per second"},
		{"99999999999999999999T", "is more than 1T bits per second"},
	};
	struct error err;
	char buffer[24];
	int64_t bits;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		ASSERT_OK(bitrate_parse(right[i].text, &bits, &err));
		cr_assert(bits == right[i].bits, "%s: %jd", right[i].text, (intmax_t)bits);
		cr_assert_str_eq(bitrate_format(bits, buffer), right[i].shown);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(bitrate_parse(wrong[i].text, &bits, &err), ERROR_USAGE, wrong[i].expected);
}

TEST(number, says_value_and_range)
{
	struct error err;
	int64_t value;

	ASSERT_FAILS(number_parse("99999999", 1, 4194304, &value, &err), ERROR_USAGE,
		"99999999 is not between 1 and 4194304");
	ASSERT_FAILS(
		number_parse("-1", 0, 4294967294, &value, &err), ERROR_USAGE, "-1 is not between 0 and 4294967294");
	ASSERT_FAILS(number_parse("4294967295", 0, 4294967294, &value, &err), ERROR_USAGE, "is not between");
	ASSERT_FAILS(number_parse("4294967296", 0, 4294967294, &value, &err), ERROR_USAGE, "is not between");
}

TEST(number, reaches_both_ends_and_no_further)
{
	struct error err;
	int64_t value;
	uint64_t unsigned_value;

	ASSERT_OK(number_parse("9223372036854775807", INT64_MIN, INT64_MAX, &value, &err));
	cr_assert_eq(value, INT64_MAX);
	ASSERT_OK(number_parse("-9223372036854775808", INT64_MIN, INT64_MAX, &value, &err));
	cr_assert_eq(value, INT64_MIN);
	ASSERT_FAILS(
		number_parse("9223372036854775808", INT64_MIN, INT64_MAX, &value, &err), ERROR_USAGE, "is not between");
	ASSERT_FAILS(number_parse("-9223372036854775809", INT64_MIN, INT64_MAX, &value, &err), ERROR_USAGE,
		"is not between");
	ASSERT_FAILS(number_parse("99999999999999999999999999", INT64_MIN, INT64_MAX, &value, &err), ERROR_USAGE,
		"is not between");
	ASSERT_OK(number_parse_u64("18446744073709551615", UINT64_MAX, &unsigned_value, &err));
	cr_assert_eq(unsigned_value, UINT64_MAX);
	ASSERT_FAILS(number_parse_u64("18446744073709551616", UINT64_MAX, &unsigned_value, &err), ERROR_USAGE,
		"is not between 0 and 18446744073709551615");
	ASSERT_FAILS(number_parse_u64("-1", 9, &unsigned_value, &err), ERROR_USAGE, "\"-1\" is not a whole number");
	ASSERT_OK(number_parse("0", 0, 0, &value, &err));
	cr_assert_eq(value, 0);
	ASSERT_OK(number_parse("-12", -12, 0, &value, &err));
	cr_assert_eq(value, -12);
}

TEST(octal, takes_modes_as_people_write_them)
{
	struct error err;
	unsigned value;

	ASSERT_OK(octal_parse("0644", 07777, &value, &err));
	cr_assert_eq(value, 0644);
	ASSERT_OK(octal_parse("7777", 07777, &value, &err));
	cr_assert_eq(value, 07777);
	ASSERT_FAILS(octal_parse("10000", 07777, &value, &err), ERROR_USAGE, "10000 is not between 0 and 07777");
	ASSERT_FAILS(octal_parse("777777777777", UINT32_MAX, &value, &err), ERROR_USAGE, "is not between");
	ASSERT_FAILS(
		octal_parse("0999", 07777, &value, &err), ERROR_USAGE, "\"0999\" is not an octal number such as 0644");
	ASSERT_FAILS(octal_parse("", 07777, &value, &err), ERROR_USAGE, "is not an octal number");
	ASSERT_FAILS(octal_parse("-1", 07777, &value, &err), ERROR_USAGE, "is not an octal number");
}

TEST(size, is_binary_whatever_the_suffix_is_called)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {{"0", 0}, {"1", 1}, {"512B", 512}, {"64M", 64 << 20}, {"64m", 64 << 20}, {"64MB", 64 << 20},
		{"64MiB", 64 << 20}, {"1K", 1024}, {"1kib", 1024}, {"2G", INT64_C(2) << 30}, {"3T", INT64_C(3) << 40},
		{"1.5G", INT64_C(3) << 29}, {"0.5K", 512}, {"1.125M", (1 << 20) * 9 / 8},
		{"9223372036854775807", INT64_MAX}, {"8191T", INT64_C(8191) << 40}};
	struct error err;
	int64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_OK(size_parse(cases[i].text, &bytes, &err));
		cr_assert_eq(bytes, cases[i].bytes, "%s gave %" PRId64, cases[i].text, bytes);
	}
}

TEST(size, refuses_the_rest)
{
	static const char *const wrong[] = {"", "M", "64Q", "64 M", " 64M", "-1", "+1M", "64Mi", "64bb", "1.5", ".5G",
		"5.G", "1.2345G", "01M", "1e3", "0x10", "64M ", "Inf", "64MM"};
	struct error err;
	int64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(size_parse(wrong[i], &bytes, &err), ERROR_USAGE, "is not a size such as 64M or 1.5G");
	ASSERT_FAILS(size_parse("8388608T", &bytes, &err), ERROR_USAGE, "8388608T is larger than any size");
	ASSERT_FAILS(size_parse("99999999999999999999", &bytes, &err), ERROR_USAGE, "is larger than any size");
}

TEST(size, reads_back_what_was_written_for_people)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {{0, "0B"}, {512, "512B"}, {1023, "1023B"}, {1024, "1K"}, {1536, "1.5K"}, {64 << 20, "64M"},
		{INT64_C(3) << 29, "1.5G"}, {INT64_C(5) << 40, "5T"}, {INT64_C(5000) << 40, "5000T"},
		{(1 << 20) - 1, "1023.9K"}};
	char buffer[24];
	struct error err;
	int64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_str_eq(size_format(cases[i].bytes, buffer), cases[i].text);
		ASSERT_OK(size_parse(buffer, &bytes, &err));
	}
	cr_assert(strlen(size_format(INT64_MAX, buffer)) < 24);
}

TEST(duration, knows_its_units_in_order)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {{"0", 0}, {"10", 10000}, {"250ms", 250}, {"10s", 10000}, {"1m30s", 90000}, {"2h", 7200000},
		{"2d4h", 187200000}, {"1h1ms", 3600001}, {"90m", 5400000}, {"0s", 0}, {"3652d", INT64_C(315532800000)}};
	struct error err;
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_OK(duration_parse(cases[i].text, &ms, &err));
		cr_assert_eq(ms, cases[i].ms, "%s gave %" PRId64, cases[i].text, ms);
	}
}

TEST(duration, refuses_the_rest)
{
	static const char *const wrong[] = {"", "s", "10 s", "-1s", "1s1m", "1s1s", "1.5s", "1m30", "10x", "1ms1s",
		"01s", "1e3", "1sm", "1S", "10s "};
	static const char *const too_long[] = {"3653d", "99999999999", "999999999999999999999s", "87649h", "3652d1ms"};
	struct error err;
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(duration_parse(wrong[i], &ms, &err), ERROR_USAGE,
			"is not a duration such as 10s, 1m30s or 250ms");
	for (size_t i = 0; i < ARRAY_SIZE(too_long); i++)
		ASSERT_FAILS(duration_parse(too_long[i], &ms, &err), ERROR_USAGE, "is longer than ten years");
}

TEST(duration, is_written_with_its_two_largest_units)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{0, "0ms"}, {250, "250ms"}, {1000, "1s"}, {12040, "12s"}, {192000, "3m12s"}, {180000, "3m"},
		{187200000, "2d4h"}, {7199000, "1h59m"}};
	char buffer[24];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(duration_format(cases[i].ms, buffer), cases[i].text);
	cr_assert(strlen(duration_format(INT64_MAX, buffer)) < 24);
}

TEST(cpus, are_counted_in_thousandths)
{
	static const char *const wrong[] = {"", "x", ".5", "5.", "0.1234", "-1", "1e3", "0,5", "1 "};
	struct error err;
	int64_t milli;

	ASSERT_OK(cpus_parse("0.5", &milli, &err));
	cr_assert_eq(milli, 500);
	ASSERT_OK(cpus_parse("2", &milli, &err));
	cr_assert_eq(milli, 2000);
	ASSERT_OK(cpus_parse("0.001", &milli, &err));
	cr_assert_eq(milli, 1);
	ASSERT_OK(cpus_parse("65536", &milli, &err));
	cr_assert_eq(milli, 65536000);
	ASSERT_FAILS(cpus_parse("0", &milli, &err), ERROR_USAGE, "0 is not between 0.001 and 65536");
	ASSERT_FAILS(cpus_parse("65536.001", &milli, &err), ERROR_USAGE, "65536.001 is not between");
	ASSERT_FAILS(cpus_parse("99999999999999999999", &milli, &err), ERROR_USAGE, "is not between");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(cpus_parse(wrong[i], &milli, &err), ERROR_USAGE,
			"is not a number of processors such as 0.5 or 2");
}

TEST(cpulist, has_the_kernels_form)
{
	static const char *const right[] = {"0", "0-3", "0-3,7", "1,3,5-9", "0-65535"};
	static const char *const wrong[] = {
		"", ",", "0,", "3-0", "0-", "-3", "a", "0 - 3", "0-3-5", "0;1", "70000", "01"};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		ASSERT_OK(cpulist_check(right[i], &err));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_FAILS(cpulist_check(wrong[i], &err), ERROR_USAGE, "is not a list of processors such as 0-3,7");
}
