/* A moment on a command line: so long ago, or a date of UTC as our own logs and listings print it. */
#include <time.h>

#include "cli/cli.h"

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

int moment_parse(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct optional *out = member;
	struct error not_duration;
	struct tm parts = {0};
	int64_t ago_ms, fraction_ms = 0;
	const char *end;

	(void)arena;
	if (duration_parse(value, &ago_ms, &not_duration) == 0) {
		*out = (struct optional){true, clock_real_ms() - ago_ms};
		return 0;
	}
	end = strptime(value, "%Y-%m-%d", &parts);
	if (end && *end == 'T' && (end = strptime(end + 1, "%H:%M:%S", &parts)))
		end = fraction_take(end, &fraction_ms);
	if (end && *end == 'Z')
		end++;
	if (!end || *end)
		return fail(err, ERROR_USAGE,
			"\"%s\": must be a time ago as in 10m, or a moment of UTC as in 2026-01-31T23:59:59Z", value);
	*out = (struct optional){true, (int64_t)timegm(&parts) * 1000 + fraction_ms};
	return 0;
}
