/* What a fleet's directory holds: fleets/<name>/{record.json, generations/<n>}. Only fleet/ includes this header.
 *
 * record.json is the journal as well: before anything is made it names all that the fleet may own from then on and says
 * "complete": false; when all is done it says true. So whoever comes after a kill knows what is the fleet's. */
#ifndef WARREN_FLEET_STATE_GENERATION_H
#define WARREN_FLEET_STATE_GENERATION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "fleet/fleet.h"

#define GENERATIONS_KEPT 10
#define APPLIED_MAX_BYTES ((size_t)64 << 20)

struct generation {
	int64_t number; /* 1 … */
	const char *path;
	bool complete;
	int64_t applied_ms; /* CLOCK_REALTIME */
	struct strings instances;
	LIST_OF(struct fleet_generation) history; /* the newest last; its own entry included */
};

/* Opens fleets/<name> and locks it (flock on the directory itself, so that removing it leaves no file behind). create:
 * made when missing; else ERROR_MISSING. Another apply or down of it at work: ERROR_BUSY. Gives the directory; closing
 * it is letting go. */
MUST_CHECK int fleet_lock(struct host *host, const char *name, bool create, struct error *err);

/* ERROR_MISSING, with a guess; -1. */
int fail_no_fleet(struct host *host, const char *name, struct error *err);

/* All zero when there is none yet, or when it is damaged (a line is logged): then only the instances' own records say
 * what is the fleet's. */
void generation_read(struct arena *arena, int dir, struct generation *out);
MUST_CHECK int generation_write(int dir, const char *fleet, const struct generation *generation, struct error *err);
/* The number for this text (applied.h): that of the last one when it is equal, else one more; the text is kept under
 * it, and the oldest beyond GENERATIONS_KEPT go. */
MUST_CHECK int generation_number(
	int dir, const struct generation *last, const char *text, size_t length, int64_t *number, struct error *err);

/* Notes in its history how far it is; the entry of its number is made when there is none. */
void generation_note(struct arena *arena, struct generation *generation, size_t instances, int64_t rollback_of);
/* The text of a generation. ERROR_MISSING: it is not kept. */
MUST_CHECK int generation_text(
	struct arena *arena, int dir, int64_t number, const char **text, size_t *length, struct error *err);

#endif
