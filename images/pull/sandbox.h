/* What the two processes that look into an archive's bytes may still do. See docs/images-unpacking.md for the whole. */
#ifndef WARREN_IMAGES_PULL_SANDBOX_H
#define WARREN_IMAGES_PULL_SANDBOX_H

#include "base/error.h"

/* Both: no new privileges, killed when the parent dies, a short list of system calls (all others do not exist: ENOSYS).
 *
 * Inflater: no capability; may read, write, wait for its child and end.
 * Extractor: its root is `directory`; capabilities to make files of any owner, mode and file capability; Landlock upon
 * the directory where the kernel has it; may make, change and remove files, not execute, not connect, not signal. */
MUST_CHECK int sandbox_inflater(struct error *err);
MUST_CHECK int sandbox_extractor(int directory, struct error *err);

#endif
