/* Lines on a terminal: how wide it is, and text that is broken at blanks instead of at the right edge. What goes into a
 * pipe or a file stays as it is: other programs read whole lines. */
#ifndef WARREN_CLI_LINES_H
#define WARREN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"

/* Characters in a line of out's terminal; SIZE_MAX: it is none, or does not know how wide it is (then COLUMNS says). */
size_t terminal_width(FILE *out);
/* Characters of UTF-8; the escape sequences of colours take no place. */
size_t text_width(const char *text);
/* At most `width` characters, "…" being one of them: the beginning of the text, or its end. */
const char *text_cut(struct arena *arena, const char *text, size_t width, bool keep_end);

/* Prints lines of text, each with its line break. One that is wider than `width` is broken at blanks, and goes on
 * `hanging` characters deeper than it began. A word that is wider itself is left whole: it is something to copy. */
void lines_print(FILE *out, size_t width, size_t hanging, const char *text);
/* What went wrong, on standard error: "warren: …", one line but for a narrow terminal. */
void complaint_print(const char *text);

#endif
