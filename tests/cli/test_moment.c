/* Moments as people write them. */
#include "base/cleanup.h"
#include "base/process.h"
#include "cli/cli.h"
#include "tests/test.h"

static struct optional moment(const char *text)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct optional out = {0};
	struct error err;

	ASSERT_OK(moment_parse(&arena, text, &out, &err));
	cr_assert(out.set, "%s", text);
	return out;
}

TEST(moment, is_a_date_of_utc_or_of_an_offset_or_seconds_since_1970)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"2026-01-31", 1769817600000},
		{"2026-01-31T23:59:59Z", 1769903999000},
		{"2026-01-31T23:59:59.123Z", 1769903999123},
		{"2026-01-31 23:59:59", 1769903999000},
		{"2026-02-01T01:59:59+02:00", 1769903999000},
		{"2026-01-31T18:29:59.5-05:30", 1769903999500},
		{"1769903999", 1769903999000},
		{"1769903999.25", 1769903999250},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert(moment(rows[i].text).value == rows[i].ms, "%s is %lld", rows[i].text,
			(long long)moment(rows[i].text).value);
}

TEST(moment, is_now_or_before_or_after_it)
{
	static const struct {
		const char *text;
		int64_t off_ms;
	} rows[] = {{"now", 0}, {"10m", -600000}, {"90", -90000}, {"+1h30m", 5400000}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t before = clock_real_ms() + rows[i].off_ms, is = moment(rows[i].text).value,
			after = clock_real_ms() + rows[i].off_ms;

		cr_assert(is >= before && is <= after, "%s is %lld from now", rows[i].text, (long long)(is - before));
	}
}

TEST(moment, is_nothing_else)
{
	static const char *const texts[] = {"", "yesterday", "1x", "-10m", "2026-01-31T", "2026-01-31T23:59:59+2",
		"2026-01-31T23:59:59+02:00Z", "2026-01-31Tx", "1769903999.", "99999999999999", "+", "+now",
		"2026-01-31T23:59:59+ 2:00", "2026-01-31T23:59:59.Z"};
	AUTO(arena_drop) struct arena arena = {0};
	struct optional out;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ASSERT_FAILS(moment_parse(&arena, texts[i], &out, &err), ERROR_USAGE, "must be a time ago");
}
