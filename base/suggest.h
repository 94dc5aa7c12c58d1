/* Did you mean … */
#ifndef WARREN_BASE_SUGGEST_H
#define WARREN_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to word by edits (transposition counts one), or NULL when none is near enough (more than a
 * third of the length; what word and all candidates have in front of a '_', as in RLIMIT_, does not count). next()
 * gives candidate i or NULL at the end. */
const char *suggest(const char *word, const char *(*next)(const void *context, size_t i), const void *context);
/* The same for an array that ends with NULL. */
const char *suggest_from(const char *word, const char *const *candidates);

#endif
