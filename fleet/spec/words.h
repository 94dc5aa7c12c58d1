/* A command written as one string → its words. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_SPEC_WORDS_H
#define WARREN_FLEET_SPEC_WORDS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

/* Splits at blanks, tabs and line breaks. '…' keeps everything as it is, "…" knows \" and \\, outside of quotes a
 * backslash takes the next character as it is. No variable, no wildcard, no operator means anything: this is not a
 * shell. ERROR_USAGE: a quote that is not closed, a backslash at the end. */
MUST_CHECK int words_split(struct arena *arena, const char *text, struct strings *out, struct error *err);

#endif
