/* How a command must say that a system call failed. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_REFUSAL_H
#define WARREN_TESTS_END_TO_END_SUPPORT_REFUSAL_H

#include "tests/end_to_end/support_stepper.h"

/* Judges a command that has not succeeded because the call it was stopped at failed with `error`: in time, by itself,
 * and its last line begins with `program` ("warren: ") and names the error. NULL, or what is wrong. */
const char *refusal_judge(const struct step_result *result, const char *program, int error);

#endif
