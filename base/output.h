/* The end of what a program prints. */
#ifndef WARREN_BASE_OUTPUT_H
#define WARREN_BASE_OUTPUT_H

#include "base/error.h"

/* Brings out what stdio still holds of standard output. A reader who has gone away, as in "list | head -1", is no
 * failure; whatever else did not arrive is, also when it was lost earlier. */
MUST_CHECK int output_finish(struct error *err);

#endif
