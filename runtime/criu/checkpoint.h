/* What checkpoint and restore share: both must give what lies outside the container the same names. */
#ifndef WARREN_RUNTIME_CHECKPOINT_H
#define WARREN_RUNTIME_CHECKPOINT_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/criu/criu.h"
#include "runtime/runtime.h"

/* Names of namespaces that are not the container's own, in CRIU's images. runc's names, for its images' sake. */
#define CHECKPOINT_NETWORK "extRootNetNS"
#define CHECKPOINT_PIDS "extRootPidNS"

/* Rules of the operator's for CRIU, which read every option of it; absent: none. */
#define CHECKPOINT_CONFIG "/etc/criu/warren-oci.conf"

/* The directories of images and logs, opened once. */
struct checkpoint_place {
	int images, work;
};
void checkpoint_place_drop(struct checkpoint_place *place);
/* create: the directory of images is made when it is missing. */
MUST_CHECK int checkpoint_place_open(
	const struct container_criu_options *options, bool create, struct checkpoint_place *out, struct error *err);

/* Fills in what is the same for dump and restore. Strings of the options are borrowed. */
MUST_CHECK int checkpoint_request(
	struct arena *arena, const struct container_criu_options *options, struct criu_request *out, struct error *err);

/* --- standard streams (checkpoint_stdio.c): descriptors.json among the images ------------------------------------- */

/* CRIU's names of descriptors 0 to 2 of the process whose /proc/PID is `proc`; "" for one that is the container's own.
 */
struct checkpoint_stdio {
	const char *keys[3];
	unsigned modes[3]; /* of files: what may take their place must have the same; 0: unknown */
};
MUST_CHECK int checkpoint_stdio_read(
	struct arena *arena, int proc, bool terminal, struct checkpoint_stdio *out, struct error *err);
MUST_CHECK int checkpoint_stdio_write(int images, const struct checkpoint_stdio *stdio, struct error *err);
/* Absent: all empty. */
MUST_CHECK int checkpoint_stdio_load(struct arena *arena, int images, struct checkpoint_stdio *out, struct error *err);

/* --- mounts (checkpoint_mounts.c) --------------------------------------------------------------------------------- */

/* Adds the mounts of the process that are of the host: "mnt[/data]:/data". */
MUST_CHECK int checkpoint_mounts_add(
	struct arena *arena, int proc, const struct spec *spec, struct strings *external, struct error *err);

/* --- the network lock (checkpoint_lock.c) ------------------------------------------------------------------------- */

/* In a network namespace that outlives the container: between dump and restore nothing may pass, or the kernel would
 * refuse the connections' packets for want of sockets. Replaces the lock that CRIU has left, which a restore would
 * stumble over. Nothing is done where there is none. */
MUST_CHECK int checkpoint_lock_take_over(int netns, enum network_lock lock, struct error *err);
/* Before the dump: whether that could be done. */
MUST_CHECK int checkpoint_lock_check(enum network_lock lock, struct error *err);
MUST_CHECK int checkpoint_lock_lift(int netns, struct error *err);

#endif
