/* Two specifications of one instance, compared key by key, and what each difference costs. Pure. Only fleet/ includes
 * this header; `struct plan_change` is in fleet.h, because people are shown it. */
#ifndef WARREN_FLEET_SPEC_CHANGE_H
#define WARREN_FLEET_SPEC_CHANGE_H

#include "base/arena.h"
#include "fleet/fleet.h"
#include "fleet/spec.h"

/* How much a changed key costs, from least to most. */
enum change_class {
	CHANGE_NONE,
	CHANGE_RECORD,	 /* read when it is used: the record is enough */
	CHANGE_LIVE,	 /* brought into the running instance: see enum live_part */
	CHANGE_RESTART,	 /* counts from the next start */
	CHANGE_MOVE,	 /* the same, but it has to be stopped when the record changes */
	CHANGE_RECREATE, /* its own files cannot be kept */
};

/* What of a running instance a live change reaches; bits. Each is a row of live.c. */
enum live_part {
	LIVE_LIMITS = 1,  /* its control group */
	LIVE_PORTS = 2,	  /* published ports */
	LIVE_RATES = 4,	  /* how fast its link is */
	LIVE_MONITOR = 8, /* its monitor reads the specification again */
	LIVE_NAMES = 16,  /* what others of its network call it */
};

struct comparison {
	enum change_class change; /* the dearest */
	unsigned parts;		  /* enum live_part; of all changes that are CHANGE_LIVE */
	struct plan_changes changes;
	size_t room; /* in changes */
};

/* Compares what spec.json says of both, in its order. Never fails: both were checked. */
void specs_compare(
	struct arena *arena, const struct instance_spec *from, const struct instance_spec *to, struct comparison *out);

/* The same for two objects whose rows in the table begin with "prefix."; keys of the result are without it. */
void trees_compare(struct arena *arena, const char *prefix, const struct json *from, const struct json *to,
	struct comparison *out);

/* One more difference, found elsewhere than in two specifications (drift). key is one of the table's; from and to as
 * texts, NULL: none. */
void comparison_note(
	struct arena *arena, struct comparison *comparison, const char *key, const char *from, const char *to);

/* What a key by its dotted path costs, for `set`: LIVE and RECORD can be done while it runs. */
enum change_class key_cost(const char *path);

#endif
