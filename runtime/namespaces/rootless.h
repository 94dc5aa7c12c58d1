/* Started by somebody who is not the host's root: an ordinary user, or root of a user namespace as podman makes one.
 *
 * An ordinary user may make nothing but a user namespace. So the command moves into the one that config.json asks for
 * before it makes anything else, and does all the rest as its root; the container then shares it. See docs/rootless.md.
 */
#ifndef WARREN_RUNTIME_ROOTLESS_H
#define WARREN_RUNTIME_ROOTLESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/spec.h"

/* True when a process of the user's could write to our program file, whichever ids it has in its namespace: it is his.
 */
bool rootless_owns_program(void);

/* Before anything is made: gets us to where root's work can be done, and tells in the specification what the container
 * shares with us. Costs the host's root one call when the container has no user namespace of its own, and nothing when
 * it has. Must be called by a process of one thread. */
MUST_CHECK int rootless_enter(struct spec *spec, struct error *err);

/* True when the user namespace of process pid lets nobody change groups (user_namespaces(7)). */
bool rootless_groups_are_fixed(pid_t pid);

/* Writes the maps of the user namespace of process pid, for an ordinary user: the own ids directly, ranges by
 * newuidmap(1) and newgidmap(1). */
MUST_CHECK int rootless_maps_write(pid_t pid, const struct spec *spec, struct error *err);

#endif
