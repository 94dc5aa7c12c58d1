/* What an instance has used, in a ledger of its own. Only fleet/ includes this header.
 *
 * <lib>/usage/<name>/ledger.json: sums by month, and the base: what the counters of the present run said when they were
 * last added. Both are replaced together, so nothing is counted twice whoever is killed where; the directory's flock
 * keeps two from adding at once. */
#ifndef WARREN_FLEET_USAGE_H
#define WARREN_FLEET_USAGE_H

#include "fleet/instance.h"

#define USAGE_DIRECTORY "usage"
#define USAGE_BOOT_LENGTH 36

/* What the counters say at one moment. */
struct usage_sample {
	const char *run;	 /* whose counters they are, never the same for two runs: the boot id, and more */
	int64_t began_ms, at_ms; /* CLOCK_REALTIME */
	int64_t cpu_us, in_bytes, out_bytes;
	bool has_link;
	int64_t used_kib, peak_kib, limit_kib; /* limit 0: none */
	bool over;			       /* the run has ended: its counters will not be read again */
};

struct usage_base {
	const char *run; /* NULL: none */
	bool over;
	int64_t at_ms, cpu_us, in_bytes, out_bytes, used_kib;
};

struct usage_ledger {
	const char *id;	    /* of this file, among all that ever were */
	const char *folded; /* the id of the ledger that was added to this one last */
	struct usage_base base;
	LIST_OF(struct usage_month) months; /* in order */
};

/* Adds what the sample says beyond the base. Pure. False: there is nothing to add. */
bool usage_add(struct arena *arena, struct usage_ledger *ledger, const struct usage_sample *sample);
/* Adds the months of another. Pure. */
void usage_add_months(struct arena *arena, struct usage_ledger *ledger, const struct usage_ledger *other);
/* The first millisecond of the month after the one that holds the moment, and "2026-11" of it. Pure. */
int64_t usage_month_end(int64_t at_ms, char month[8]);

/* Adds what the present run has used up to now; over: it has ended, and its cgroup is still there. Never fails: what
 * could not be written down is tried again the next time. */
void usage_note(struct instance *instance, const struct run *run, bool over);
/* The instance has another name now. */
void usage_rename(struct host *host, const char *name, const char *new_name);
/* One that was made to be removed is: what it used is added to USAGE_REMOVED. */
void usage_forget(struct host *host, const char *name);

/* <lib>/usage/<name>, opened and locked; made when missing and `make`. -1 with ERROR_MISSING. */
MUST_CHECK int usage_open(const struct host *host, const char *name, bool make, struct error *err);
/* Empty when there is none yet or it is damaged. */
void usage_load(struct arena *arena, int dir, struct usage_ledger *out);

#endif
