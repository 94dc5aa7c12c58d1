/* Whether a server listens yet where its visitors will come. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_APPLY_ANSWERS_H
#define WARREN_FLEET_APPLY_ANSWERS_H

#include "fleet/apply/wave.h"

/* Waits until the one of the two (a member and its stand-in) that is to serve next takes connections at each TCP port
 * where the other does. What never comes fails the member. For those without a health check, which would know better.
 */
void answers_await(struct wave *wave, struct member *member, enum whose whose);

#endif
