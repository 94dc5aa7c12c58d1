/* One that serves in the place of another while that one is replaced. Only fleet/ includes this header.
 *
 * An ordinary instance of the fleet, NAME-next, made from the new specification, without ports and host names of its
 * own; its spec.json says whom it stands in for. Its way:
 *
 *   made, started, well?   then the published ports of the other lead to it, in one transaction of the kernel's;
 *   the other drains       (what is connected stays where it is), stops, changes, starts with its ports held back;
 *   well again?            then the ports lead back, the stand-in drains and goes.
 *
 * Address, slot, log and files of the one that is replaced stay its own throughout. Killed anywhere, somebody serves,
 * and the next apply finds by the stand-in's record what is left to do. */
#ifndef WARREN_FLEET_APPLY_STAND_IN_H
#define WARREN_FLEET_APPLY_STAND_IN_H

#include "fleet/apply/wave.h"

/* Why it has to be stopped before it starts anew, though it would be missed; NULL: there may be two of it for a while.
 */
const char *stand_in_obstacle(struct wave *wave, const struct member *member);
/* Somebody finds it from outside: by a port or by the name of a site. */
bool stand_in_is_worth_it(const struct instance_spec *spec);

/* member.stand_in is there from an apply that was killed: true when it can go on serving in this update. */
bool stand_in_is_left(struct steps *steps, struct member *member);
/* Created, not started. */
MUST_CHECK int stand_in_create(struct steps *steps, struct member *member, struct error *err);
/* The ports of the one lead to the other from one moment to the next; what is connected stays where it is. */
MUST_CHECK int stand_in_take_ports(struct steps *steps, struct member *member, struct error *err);
MUST_CHECK int stand_in_give_back(struct steps *steps, struct member *member, struct error *err);
/* Before the other starts as spec says: its ports are not there. */
MUST_CHECK int stand_in_hold(
	struct steps *steps, const struct member *member, const struct instance_spec *spec, struct error *err);
/* One that has none: its share of the ports that it has with others goes to those, what is connected stays. */
MUST_CHECK int member_turn_away(struct steps *steps, struct member *member, struct error *err);
/* Stopped and removed, whatever state it is in. */
MUST_CHECK int stand_in_remove(struct steps *steps, struct member *member, struct error *err);

#endif
