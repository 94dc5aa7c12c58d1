/* The arithmetic of the ledger: pure, so that months, restarts and repetitions are tested without a clock. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fleet/figures/usage.h"

#define MONTHS_KEPT 120

int64_t usage_month_end(int64_t at_ms, char month[8])
{
	time_t seconds = at_ms / 1000;
	struct tm parts = {0};

	gmtime_r(&seconds, &parts);
	snprintf(month, 8, "%04u-%02u", ((unsigned)parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100);
	parts = (struct tm){.tm_year = parts.tm_year, .tm_mon = parts.tm_mon + 1, .tm_mday = 1};
	return (int64_t)timegm(&parts) * 1000;
}

/* The row of that month, made when missing; the oldest goes when there are too many. */
static struct usage_month *month_row(struct arena *arena, struct usage_ledger *ledger, const char *month)
{
	size_t at = 0, count = ledger->months.count, kept = count < MONTHS_KEPT ? count : MONTHS_KEPT - 1;
	struct usage_month *rows;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(ledger->months.items[i].month, month))
			return &ledger->months.items[i];
	rows = arena_new_array(arena, kept + 1, struct usage_month);
	for (size_t i = count - kept; i < count; i++)
		if (strcmp(ledger->months.items[i].month, month) < 0)
			rows[at++] = ledger->months.items[i];
	struct usage_month *row = &rows[at];

	*row = (struct usage_month){.month = arena_string(arena, month)};
	for (size_t i = count - kept; i < count; i++)
		if (strcmp(ledger->months.items[i].month, month) > 0)
			rows[++at] = ledger->months.items[i];
	ledger->months.items = rows;
	ledger->months.count = kept + 1;
	return row;
}

void usage_month_add(struct usage_month *to, const struct usage_month *more)
{
	to->run_ms += more->run_ms;
	to->cpu_us += more->cpu_us;
	to->reserved_kib_ms += more->reserved_kib_ms;
	to->used_kib_ms += more->used_kib_ms;
	for (size_t i = 0; i < TRAFFIC_COUNTERS; i++)
		to->traffic[i] += more->traffic[i];
}

/* value × part / whole without overflow: a month of 64 TiB of memory times a month of milliseconds does not fit. */
static int64_t share(int64_t value, int64_t part, int64_t whole)
{
	return whole > 0 ? (int64_t)((__int128)value * part / whole) : value;
}

static struct usage_month months_share(const struct usage_month *all, int64_t part_ms)
{
	struct usage_month part = {
		.run_ms = part_ms,
		.cpu_us = share(all->cpu_us, part_ms, all->run_ms),
		.reserved_kib_ms = share(all->reserved_kib_ms, part_ms, all->run_ms),
		.used_kib_ms = share(all->used_kib_ms, part_ms, all->run_ms),
	};

	for (size_t i = 0; i < TRAFFIC_COUNTERS; i++)
		part.traffic[i] = share(all->traffic[i], part_ms, all->run_ms);
	return part;
}

static void month_subtract(struct usage_month *from, const struct usage_month *part)
{
	from->run_ms -= part->run_ms;
	from->cpu_us -= part->cpu_us;
	from->reserved_kib_ms -= part->reserved_kib_ms;
	from->used_kib_ms -= part->used_kib_ms;
	for (size_t i = 0; i < TRAFFIC_COUNTERS; i++)
		from->traffic[i] -= part->traffic[i];
}

/* What was used between two moments, to the months between them by time; the last gets what rounding leaves. */
static void interval_add(struct arena *arena, struct usage_ledger *ledger, int64_t from_ms, struct usage_month left)
{
	char month[8];

	for (size_t months = 0; months < MONTHS_KEPT; months++) {
		int64_t end_ms = usage_month_end(from_ms, month);

		if (end_ms - from_ms >= left.run_ms)
			break;
		struct usage_month part = months_share(&left, end_ms - from_ms);

		usage_month_add(month_row(arena, ledger, month), &part);
		month_subtract(&left, &part);
		from_ms = end_ms;
	}
	usage_month_end(from_ms, month);
	usage_month_add(month_row(arena, ledger, month), &left);
}

/* Counters only grow; one that is smaller has begun anew. */
static int64_t grown(int64_t before, int64_t now)
{
	return now >= before ? now - before : now;
}

/* The middle of what was in use at both ends. Of a run that has ended nothing is in use any more: then what was the
 * last time, or its peak when nobody ever looked. */
static int64_t used_between(const struct usage_base *before, bool same_run, const struct usage_sample *now)
{
	if (now->over)
		return same_run ? before->used_kib : now->peak_kib;
	return same_run ? (before->used_kib + now->used_kib) / 2 : now->used_kib;
}

/* Of the link's, what came since they were the base; without a link they stay what they were. */
static void traffic_add(const struct usage_sample *sample, bool same_link, struct usage_base *base, int64_t *more)
{
	for (size_t i = 0; sample->has_link && i < LINK_COUNTERS; i++) {
		more[i] = grown(same_link ? base->link[i] : 0, sample->traffic[i]);
		base->link[i] = sample->traffic[i];
	}
	for (size_t i = LINK_COUNTERS; i < TRAFFIC_COUNTERS; i++)
		more[i] = sample->traffic[i];
}

static bool is_same_boot(const char *run, const char *other)
{
	return !strncmp(run, other, USAGE_BOOT_LENGTH);
}

bool usage_add(struct arena *arena, struct usage_ledger *ledger, const struct usage_sample *sample)
{
	struct usage_base *base = &ledger->base;
	bool same_run = text_equal(base->run, sample->run);
	/* A link can outlive the cgroup that was made anew for a restart; a base that was closed says nothing. */
	bool same_link = base->run && !base->over && sample->has_link && is_same_boot(base->run, sample->run);
	int64_t from_ms = same_run && base->at_ms > sample->began_ms ? base->at_ms : sample->began_ms;
	int64_t passed_ms = sample->at_ms > from_ms ? sample->at_ms - from_ms : 0;

	if (same_run && base->over)
		return false;
	int64_t used_kib = used_between(base, same_run, sample);
	int64_t reserved_kib = sample->limit_kib ? sample->limit_kib : used_kib;
	struct usage_month more = {
		.run_ms = passed_ms,
		.cpu_us = grown(same_run ? base->cpu_us : 0, sample->cpu_us),
		.reserved_kib_ms = reserved_kib * passed_ms,
		.used_kib_ms = used_kib * passed_ms,
	};

	traffic_add(sample, same_link, base, more.traffic);
	interval_add(arena, ledger, from_ms, more);
	base->run = sample->run;
	base->over = sample->over;
	base->at_ms = sample->at_ms;
	base->cpu_us = sample->cpu_us;
	base->used_kib = sample->used_kib;
	return true;
}
