/* The WWW-Authenticate header (RFC 7235): what a registry wants to see before it answers.
 *
 *   Bearer realm="https://auth.local/token",service="registry.local",scope="repository:a/b:pull"
 *   Basic realm="Registry"
 *
 * One header may hold several challenges; parameters may be bare words or quoted with backslashes. Written by whoever
 * answers at that address, so every byte is looked at and nothing is believed. */
#ifndef WARREN_IMAGES_PULL_CHALLENGE_H
#define WARREN_IMAGES_PULL_CHALLENGE_H

#include <stdbool.h>

#include "base/arena.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	const char *realm, *service, *scope, *error; /* NULL: absent. In the arena; without control characters */
};

/* The first challenge of a scheme that we can answer, a Bearer one before a Basic one; CHALLENGE_NONE when there is
 * none, also in a header that is nonsense. */
struct challenge challenge_parse(struct arena *arena, const char *header);

#endif
