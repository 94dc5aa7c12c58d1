/* A small mount namespace to copy instead of the host's.
 *
 * A new mount namespace is a copy of the one its maker is in, mount by mount, and most of a container's is thrown away
 * at once: on a host with a thousand mounts that is half of a start. The seed has one empty file system. Who enters it
 * first and then makes its own pays for one mount; root and bind mounts come as descriptors that were opened outside.
 */
#ifndef WARREN_RUNTIME_SEED_H
#define WARREN_RUNTIME_SEED_H

#include <stdbool.h>

/* A directory of the host with a file that the seed is pinned on by a mount, as `ip netns` pins network namespaces.
 * Made by the first start that wants it, gone with a reboot or by `umount -R`. */
#define SEED_PLACE "/run/warren-seed"
#define SEED_PIN "mnt"

/* Opens it (for setns(2), close-on-exec), and makes it where it is missing. place: SEED_PLACE; may be killed at any
 * call: the next one goes on. -1 when it cannot be had, or somebody else makes it just now: a start does without, the
 * reason is logged for debugging. */
int seed_open(const char *place);

#endif
