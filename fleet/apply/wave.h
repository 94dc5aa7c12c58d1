/* Some instances that are replaced at the same time: one step of a rolling update. Only fleet/ includes this header.
 *
 * One that is reached from outside is replaced by way of a stand-in (stand_in.h): nobody finds its door closed. The
 * others are stopped first. */
#ifndef WARREN_FLEET_APPLY_WAVE_H
#define WARREN_FLEET_APPLY_WAVE_H

#include "fleet/apply/apply.h"
#include "fleet/state/record.h"

struct member {
	struct step_state *state;
	const char *name;
	const struct instance_spec *from; /* NULL: not known (damaged) */
	const struct instance_spec *to;
	bool anew;	      /* its files cannot be kept: it is removed and created */
	bool there;	      /* it exists */
	bool up;	      /* it runs */
	const char *stand_in; /* the name of the one that serves meanwhile; NULL: it is stopped first */
	bool stand_in_ready;  /* that one is there already: from a killed apply */
	bool at_stand_in;     /* its ports are there */
	bool turned_away;     /* others have its share of their common ports */
	struct port *bound;   /* its ports, as they were published before they went there */
	size_t bound_count;
	bool failed, former; /* former: after the failure `from` serves again, or still */
	struct error why;
};

struct wave {
	struct steps *steps;
	struct member *members;
	size_t count;
	int64_t started_ms; /* CLOCK_REALTIME: when those that are awaited were started */
	bool revert;	    /* what fails becomes what it was */
};

/* Replaces all members, as far as each succeeds: member.failed. */
void wave_do(struct wave *wave);
/* Watches those that succeeded for a while; what ends meanwhile has failed, and is reverted when the wave says so. */
void wave_watch(struct wave *wave, int64_t duration_ms);

/* --- for the parts of a wave -------------------------------------------------------------------------------------- */

void member_fail(struct member *member, const struct error *why);
/* Members for which the predicate holds, and who did not fail. */
typedef bool member_filter(const struct member *member);
bool member_has_stand_in(const struct member *member);
bool member_any(const struct member *member);
/* One verb for the members' own names, or for those of their stand-ins; failures are noted at the members. */
enum whose { THEIR_OWN, THEIR_STAND_INS };
void members_do(struct wave *wave, enum instance_verb verb, enum whose whose, member_filter *filter);
/* gate.c: waits until they are well: healthy where there is a check, else still running after a moment. */
void members_await(struct wave *wave, enum whose whose, member_filter *filter, int64_t moment_ms);
#define GATE_MOMENT_MS 500
/* One of the two ended after its start: unless that was its work, the member has failed, with its last words. */
void member_ended(struct wave *wave, struct member *member, const char *name);

#endif
