/* What an instance has used. Only fleet/ includes this header.
 *
 * instances/<name>/usage/ledger.json, for as long as the instance is there: sums by month, and the base: what the
 * counters of the present run said when they were last added. Both are replaced together, so nothing is counted twice
 * whoever is killed where; the directory's flock keeps two from adding at once.
 *
 * <lib>/usage-removed.jsonl, for all that are gone: their months, one line each, appended when they are removed. */
#ifndef WARREN_FLEET_FIGURES_USAGE_H
#define WARREN_FLEET_FIGURES_USAGE_H

#include "base/decode.h"
#include "fleet/state/instance.h"

#define USAGE_DIRECTORY "usage"
#define USAGE_LEDGER "ledger.json"
#define USAGE_REMOVED_FILE "usage-removed.jsonl"
#define USAGE_BOOT_LENGTH 36

/* What the counters say at one moment. */
struct usage_sample {
	const char *run;	 /* whose counters they are, never the same for two runs: the boot id, and more */
	int64_t began_ms, at_ms; /* CLOCK_REALTIME */
	int64_t cpu_us;
	/* Of the link as they stand; of the outside what came since they were last taken. */
	int64_t traffic[TRAFFIC_COUNTERS];
	bool has_link;
	int64_t used_kib, peak_kib, limit_kib; /* limit 0: none */
	bool over;			       /* the run has ended: its counters will not be read again */
};

struct usage_base {
	const char *run; /* NULL: none */
	bool over;
	int64_t at_ms, cpu_us, link[LINK_COUNTERS], used_kib;
};

struct usage_ledger {
	const char *id; /* of this file, among all that ever were */
	struct usage_base base;
	LIST_OF(struct usage_month) months; /* in order */
};

extern const struct field usage_month_fields[]; /* of struct usage_month */

/* --- usage_add.c: the arithmetic, pure ---------------------------------------------------------------------------- */

/* Adds what the sample says beyond the base. False: there is nothing to add. */
bool usage_add(struct arena *arena, struct usage_ledger *ledger, const struct usage_sample *sample);
/* Adds what one row of figures says to another of the same month. */
void usage_month_add(struct usage_month *to, const struct usage_month *more);
/* The first millisecond of the month after the one that holds the moment, and "2026-11" of it. */
int64_t usage_month_end(int64_t at_ms, char month[8]);

/* --- usage.c ------------------------------------------------------------------------------------------------------ */

/* Adds what the present run has used up to now; over: it has ended, and its cgroup is still there. Never fails: what
 * could not be written down is tried again the next time. */
void usage_note(struct instance *instance, const struct run *run, bool over);
/* Its ledger, read once, with what the present run (NULL: none) has used up to now added to it and written. -1 with
 * ERROR_MISSING: it has used nothing yet. What could not be added is tried again the next time. */
MUST_CHECK int usage_follow(struct arena *arena, struct instance *instance, const struct run *run,
	struct usage_ledger *out, struct error *err);

/* --- usage_ledger.c: of one that is there; instance is its directory ---------------------------------------------- */

/* Where its ledger lies, opened and locked; made when missing and `make`. -1 with ERROR_MISSING. */
MUST_CHECK int usage_open(int instance, bool make, struct error *err);
/* Empty when there is none yet or it is damaged. */
void usage_load(struct arena *arena, int dir, struct usage_ledger *out);
MUST_CHECK int usage_write(int dir, const struct usage_ledger *ledger, struct error *err);

/* --- usage_removed.c: of those that are gone ---------------------------------------------------------------------- */

/* One line of the file, and of any list of names and months. */
struct usage_line {
	const char *name;
	const char *id; /* of the ledger that it was in; NULL: it is a sum of several */
	struct usage_month usage;
};
struct usage_lines {
	LIST_OF(struct usage_line) all;
	size_t room;
};
void usage_lines_add(struct arena *arena, struct usage_lines *lines, const struct usage_line *line);
/* Those of one name and month become one, what is there twice (by its id) counts once; sorted by name as people do,
 * then by month. Pure. */
void usage_lines_sum(struct usage_lines *lines);
/* Sums all but the youngest `apart`, so that at most some `max` and those are left: what is too much goes to
 * USAGE_REMOVED of its month, the oldest first. No figure is lost. Pure. */
void usage_lines_shorten(struct arena *arena, struct usage_lines *lines, size_t max, size_t apart);

/* The ledger in the directory of one that is being removed goes to the file, under this name. again: somebody who was
 * killed may have done it. Never fails: what cannot be written down is said and lost. */
void usage_retire(struct host *host, const char *name, int instance, bool again);
/* Adds the lines of all that are gone. */
MUST_CHECK int usage_removed_read(
	struct arena *arena, const struct host *host, struct usage_lines *out, struct error *err);
/* Drops those of these names; the number of them. The file goes with its last line. */
MUST_CHECK int usage_removed_forget(const struct host *host, bool (*is_forgotten)(void *, const char *name),
	void *context, size_t *count, struct error *err);

#endif
