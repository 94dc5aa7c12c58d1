/* The only parsers of numbers from outside: whole numbers, octal, sizes, durations, processors, processor lists.
 *
 * strtol() and its kin accept blanks, signs, prefixes and rubbish behind the number, and report overflow in a global;
 * runtimes have run "-1" and "4294967296" as user 0 that way. digits_take() below is the one place that turns digits
 * into a value. */
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Moves *text behind a run of digits without superfluous zeros in front. False: none, or zeros. A value too large for
 * 64 bits becomes UINT64_MAX and *overflow. */
static bool digits_take(const char **text, uint64_t *value, bool *overflow)
{
	const char *p = *text;

	*value = 0;
	*overflow = false;
	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return false;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(*value, 10, value) ||
			__builtin_add_overflow(*value, (uint64_t)(*p - '0'), value))
			*overflow = true;
	if (*overflow)
		*value = UINT64_MAX;
	*text = p;
	return true;
}

int number_parse_u64(const char *text, uint64_t max, uint64_t *out, struct error *err)
{
	const char *end = text;
	uint64_t value;
	bool overflow;

	if (!digits_take(&end, &value, &overflow) || *end)
		return fail(err, ERROR_USAGE, "\"%s\" is not a whole number", text);
	if (overflow || value > max)
		return fail(err, ERROR_USAGE, "%s is not between 0 and %" PRIu64, text, max);
	*out = value;
	return 0;
}

int number_parse(const char *text, int64_t min, int64_t max, int64_t *out, struct error *err)
{
	bool negative = *text == '-', overflow;
	const char *end = text + negative;
	uint64_t digits;
	int64_t value;

	if (!digits_take(&end, &digits, &overflow) || *end || (negative && !digits))
		return fail(err, ERROR_USAGE, "\"%s\" is not a whole number", text);
	overflow |= digits > (uint64_t)INT64_MAX + negative;
	value = negative ? (int64_t)(0 - digits) : (int64_t)digits;
	if (overflow || value < min || value > max)
		return fail(err, ERROR_USAGE, "%s is not between %" PRId64 " and %" PRId64, text, min, max);
	*out = value;
	return 0;
}

int octal_parse(const char *text, unsigned max, unsigned *out, struct error *err)
{
	size_t length = strspn(text, "01234567");
	unsigned value = 0;
	bool overflow = false;

	if (!length || text[length])
		return fail(err, ERROR_USAGE, "\"%s\" is not an octal number such as 0644", text);
	for (const char *p = text; *p; p++) {
		overflow |= value > UINT32_MAX >> 3;
		value = value << 3 | (unsigned)(*p - '0');
	}
	if (overflow || value > max)
		return fail(err, ERROR_USAGE, "%s is not between 0 and 0%o", text, max);
	*out = value;
	return 0;
}

/* A number with up to three decimals: "1.5" → 1 and 500. */
struct decimal {
	uint64_t whole;
	uint32_t milli;
	bool overflow;
};

static bool decimal_take(const char **text, struct decimal *out)
{
	static const uint32_t weights[] = {1000, 100, 10, 1};
	const char *p = *text;
	size_t decimals;

	out->milli = 0;
	if (!digits_take(&p, &out->whole, &out->overflow))
		return false;
	if (*p == '.') {
		decimals = strspn(++p, "0123456789");
		if (decimals < 1 || decimals > 3)
			return false;
		for (size_t i = 0; i < decimals; i++)
			out->milli = out->milli * 10 + (uint32_t)(p[i] - '0');
		out->milli *= weights[decimals];
		p += decimals;
	}
	*text = p;
	return true;
}

/* "", "b", "k", "kb", "kib" … in any case. Gives the power of 1024, or -1. */
static int size_suffix_power(const char *suffix)
{
	static const char units[] = "BKMGT";
	const char *unit = *suffix ? strchr(units, toupper((unsigned char)*suffix)) : units;

	if (!*suffix)
		return 0;
	if (!unit)
		return -1;
	if (suffix[1] == '\0' || (unit > units && (!strcasecmp(suffix + 1, "B") || !strcasecmp(suffix + 1, "iB"))))
		return (int)(unit - units);
	return -1;
}

int size_parse(const char *text, int64_t *bytes, struct error *err)
{
	const char *end = text;
	struct decimal number;
	int64_t unit, whole;
	int power;

	if (!decimal_take(&end, &number) || (power = size_suffix_power(end)) < 0 || (power == 0 && number.milli))
		return fail(err, ERROR_USAGE, "\"%s\" is not a size such as 64M or 1.5G", text);
	unit = INT64_C(1) << (10 * power);
	if (number.overflow || __builtin_mul_overflow(number.whole, unit, &whole) ||
		__builtin_add_overflow(whole, number.milli * unit / 1000, bytes))
		return fail(err, ERROR_USAGE, "%s is larger than any size", text);
	return 0;
}

/* "", "k", "kbit" … in any case. Gives the power of 1000, or -1. */
static int bitrate_suffix_power(const char *suffix)
{
	static const char units[] = "KMGT";
	const char *unit = *suffix ? strchr(units, toupper((unsigned char)*suffix)) : NULL;

	if (!*suffix || !strcasecmp(suffix, "bit"))
		return 0;
	return unit && (!suffix[1] || !strcasecmp(suffix + 1, "bit")) ? (int)(unit - units) + 1 : -1;
}

int bitrate_parse(const char *text, int64_t *bits, struct error *err)
{
	int64_t unit = 1, whole = 0;
	const char *end = text;
	struct decimal number;
	int power;

	if (!decimal_take(&end, &number) || (power = bitrate_suffix_power(end)) < 0 || (power == 0 && number.milli))
		return fail(err, ERROR_USAGE, "\"%s\" is not a rate such as 100M or 1.5G (bits per second)", text);
	for (int i = 0; i < power; i++)
		unit *= 1000;
	if (number.overflow || __builtin_mul_overflow(number.whole, unit, &whole) ||
		__builtin_add_overflow(whole, number.milli * unit / 1000, bits) || *bits > BITRATE_MAX)
		return fail(err, ERROR_USAGE, "%s is more than 1T bits per second", text);
	if (*bits < BITRATE_MIN)
		return fail(err, ERROR_USAGE, "%s is less than 64K bits per second; %sM are so many megabits", text,
			text[strspn(text, "0123456789.")] ? "64" : text);
	*bits -= *bits % 8;
	return 0;
}

#define CPUS_MAX 65536

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define DURATION_MAX_MS (3652 * DAY_MS)

/* From the longest to the shortest: a duration names each at most once, in this order. */
static const struct duration_unit {
	const char *name;
	int64_t ms;
} duration_units[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"m", MINUTE_MS}, {"s", SECOND_MS}, {"ms", 1}};

#define UNIT_COUNT (sizeof(duration_units) / sizeof(duration_units[0]))

/* Takes "90s" off the front; *next is the first unit still allowed. */
static bool duration_take(const char **text, size_t *next, int64_t *ms, bool *overflow)
{
	uint64_t count;
	size_t letters, i = *next;

	if (!digits_take(text, &count, overflow))
		return false;
	letters = strspn(*text, "dhms");
	while (i < UNIT_COUNT &&
		(strlen(duration_units[i].name) != letters || memcmp(*text, duration_units[i].name, letters) != 0))
		i++;
	if (i == UNIT_COUNT)
		return false;
	*text += letters;
	*next = i + 1;
	if (count > DURATION_MAX_MS)
		*overflow = true;
	else
		*ms += (int64_t)count * duration_units[i].ms;
	return true;
}

int duration_parse(const char *text, int64_t *ms, struct error *err)
{
	const char *rest = text;
	bool overflow, too_long = false;
	size_t next = 0;
	uint64_t seconds;
	int64_t total = 0;

	if (digits_take(&rest, &seconds, &overflow) && !*rest) {
		too_long = overflow || seconds > DURATION_MAX_MS / SECOND_MS;
		total = too_long ? 0 : (int64_t)seconds * SECOND_MS;
	} else {
		rest = text;
		do {
			if (!duration_take(&rest, &next, &total, &overflow))
				return fail(
					err, ERROR_USAGE, "\"%s\" is not a duration such as 10s, 1m30s or 250ms", text);
			too_long |= overflow || total > DURATION_MAX_MS;
		} while (*rest && !too_long);
	}
	if (too_long)
		return fail(err, ERROR_USAGE, "%s is longer than ten years", text);
	*ms = total;
	return 0;
}

int cpus_parse(const char *text, int64_t *milli, struct error *err)
{
	const char *end = text;
	struct decimal number;
	int64_t value;

	if (!decimal_take(&end, &number) || *end)
		return fail(err, ERROR_USAGE, "\"%s\" is not a number of processors such as 0.5 or 2", text);
	value = number.overflow || number.whole > CPUS_MAX ? INT64_MAX : (int64_t)(number.whole * 1000 + number.milli);
	if (value < 1 || value > CPUS_MAX * 1000)
		return fail(err, ERROR_USAGE, "%s is not between 0.001 and %d", text, CPUS_MAX);
	*milli = value;
	return 0;
}

int cpulist_check(const char *text, struct error *err)
{
	const char *rest = text;
	uint64_t first, last;
	bool overflow, backwards;

	for (;;) {
		bool ok = digits_take(&rest, &first, &overflow) && !overflow;

		last = first;
		if (ok && *rest == '-') {
			rest++;
			ok = digits_take(&rest, &last, &overflow) && !overflow;
		}
		backwards = first > last || last > UINT16_MAX;
		if (!ok || backwards || (*rest && *rest != ','))
			return fail(err, ERROR_USAGE, "\"%s\" is not a list of processors such as 0-3,7", text);
		if (!*rest)
			return 0;
		rest++;
	}
}

const char *size_format(int64_t bytes, char buffer[24])
{
	static const char units[] = "BKMGT";
	int power = 0;
	int64_t tenths;

	while (power < 4 && bytes >= INT64_C(1) << (10 * (power + 1)))
		power++;
	tenths = power ? (bytes >> (10 * (power - 1))) * 10 / 1024 : bytes * 10;
	if (power == 0 || tenths % 10 == 0)
		snprintf(buffer, 24, "%" PRId64 "%c", power ? tenths / 10 : bytes, units[power]);
	else
		snprintf(buffer, 24, "%" PRId64 ".%d%c", tenths / 10, (int)(tenths % 10), units[power]);
	return buffer;
}

const char *bitrate_format(int64_t bits, char buffer[24])
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	int power = 0;
	int64_t unit = 1;

	while (power < 4 && bits >= unit * 1000) {
		unit *= 1000;
		power++;
	}
	if (bits % unit == 0)
		snprintf(buffer, 24, "%" PRId64 "%s", bits / unit, units[power]);
	else
		snprintf(buffer, 24, "%" PRId64 ".%03d%s", bits / unit, (int)(bits % unit * 1000 / unit), units[power]);
	return buffer;
}

const char *duration_format(int64_t ms, char buffer[24])
{
	size_t i = 0;
	int64_t first, second;

	while (i + 1 < UNIT_COUNT && ms < duration_units[i].ms)
		i++;
	first = ms / duration_units[i].ms;
	second = i + 1 < UNIT_COUNT ? ms % duration_units[i].ms / duration_units[i + 1].ms : 0;
	if (second && duration_units[i].ms > SECOND_MS) /* "12s", never "12s40ms" */
		snprintf(buffer, 24, "%" PRId64 "%s%" PRId64 "%s", first, duration_units[i].name, second,
			duration_units[i + 1].name);
	else
		snprintf(buffer, 24, "%" PRId64 "%s", first, duration_units[i].name);
	return buffer;
}
