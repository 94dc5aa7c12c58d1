/* A moment on a command line: so long ago, or a date of UTC as our own logs and listings print it. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"

/* A plain number is a duration in seconds up to ten years; all that are larger are moments since 2001. */
#define UNIX_SECONDS_MIN 1000000000
#define UNIX_SECONDS_MAX 253402300799 /* the end of the year 9999 */

/* ".123", as in a log; NULL: something else. */
static const char *fraction_take(const char *text, int64_t *ms)
{
	int64_t value = 0, weight = 100;

	if (*text != '.')
		return text;
	if (*++text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++, weight /= 10)
		value += (*text - '0') * weight;
	*ms = value;
	return text;
}

/* "Z", "+02:00" or nothing; NULL: something else. */
static const char *offset_take(const char *text, int64_t *ms)
{
	int hours, minutes, taken = 0;

	if (*text == 'Z')
		return text + 1;
	if (*text != '+' && *text != '-')
		return text;
	if (strspn(text + 1, "0123456789:") != 5 || sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &taken) != 2 ||
		taken != 5)
		return NULL;
	*ms = (int64_t)(*text == '-' ? -1 : 1) * (hours * 60 + minutes) * 60000;
	return text + 1 + taken;
}

static bool now_read(const char *text, int64_t *ms)
{
	*ms = clock_real_ms();
	return !strcmp(text, "now");
}

static bool duration_read(const char *text, int64_t *ms)
{
	bool is_ahead = *text == '+';
	struct error ignored;
	int64_t length;

	if (duration_parse(text + is_ahead, &length, &ignored) < 0)
		return false;
	*ms = clock_real_ms() + (is_ahead ? length : -length);
	return true;
}

static bool unix_read(const char *text, int64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	int64_t seconds = 0, fraction = 0;

	if (!digits || digits > 12)
		return false;
	for (size_t i = 0; i < digits; i++)
		seconds = 10 * seconds + (text[i] - '0');
	const char *end = fraction_take(text + digits, &fraction);

	*ms = seconds * 1000 + fraction;
	return end && !*end && seconds >= UNIX_SECONDS_MIN && seconds <= UNIX_SECONDS_MAX;
}

static bool date_read(const char *text, int64_t *ms)
{
	struct tm parts = {0};
	int64_t fraction = 0, offset = 0;
	const char *end = strptime(text, "%Y-%m-%d", &parts);

	if (end && (*end == 'T' || *end == ' ') && (end = strptime(end + 1, "%H:%M:%S", &parts)))
		end = fraction_take(end, &fraction);
	if (end && *end)
		end = offset_take(end, &offset);
	*ms = (int64_t)timegm(&parts) * 1000 + fraction - offset;
	return end && !*end;
}

int moment_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	static bool (*const readers[])(const char *text, int64_t *ms) = {now_read, duration_read, unix_read, date_read};
	struct optional *out = member;

	(void)arena;
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (readers[i](value, &out->value)) {
			out->set = true;
			return 0;
		}
	return fail(err, ERROR_USAGE,
		"\"%s\": must be a time ago as in 10m, or a moment of UTC as in 2026-01-31T23:59:59Z", value);
}
