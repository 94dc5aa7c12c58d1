/* Words of docker, podman and LXC for what has another name here. */
#ifndef WARREN_CLI_FOREIGN_H
#define WARREN_CLI_FOREIGN_H

#include "base/arena.h"
#include "base/error.h"

/* Puts our words in the place of theirs: "images" → "image", "list"; "container" "rm" → "rm". *argc and *argv (which
 * ends with NULL, as main()'s does) stay as they are when the first word is none of those. ERROR_USAGE with what to do
 * instead for what is not done here. Our own commands come first: only ask for a word that is none of them. */
MUST_CHECK int foreign_translate(struct arena *arena, int *argc, char ***argv, struct error *err);

/* The same for the words behind a command of ours: "kill -9 web" → "kill --signal=9 web", "healthcheck web" →
 * "healthcheck run web". */
void foreign_adapt(struct arena *arena, int *argc, char ***argv);

#endif
