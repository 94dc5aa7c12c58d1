/* Keeps the host's program file out of the container's reach.
 *
 * Where a container has no id range of its own, its root is the host's root to file permissions, and a process of ours
 * that enters it shows the program file of the host as /proc/PID/exe; a container's "program" that is a link or a
 * script interpreter line naming /proc/self/exe even executes it. From there it can be opened for writing. So the
 * program first executes itself anew from a read-only clone of its own mount: the file behind /proc/PID/exe then lies
 * on a mount that refuses writers. */
#ifndef WARREN_RUNTIME_GUARD_H
#define WARREN_RUNTIME_GUARD_H

#include "base/error.h"

/* True when our own program file cannot be written through /proc/self/exe. */
int guard_is_in_place(struct error *err); /* 1, 0, -1 */

/* guard_is_in_place(), or an error that says so. */
MUST_CHECK int guard_check(struct error *err);

/* Executes this program anew with the same arguments and environment, protected; returns only when it is in place
 * already (0) or on failure. Call it before anything is made: all descriptors of ours go with the execve. */
MUST_CHECK int guard_enter(char *const *arguments, struct error *err);

#endif
