/* linux.intelRdt: a container's share of caches and memory bandwidth, by groups of the resctrl file system
 * (Documentation/filesystems/resctrl.rst of the kernel). */
#ifndef WARREN_RUNTIME_RESCTRL_H
#define WARREN_RUNTIME_RESCTRL_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/cgroups.h"
#include "runtime/spec.h"

/* The directory where resctrl is mounted, or -1; ERROR_MISSING: nowhere. */
MUST_CHECK int resctrl_open(struct error *err);

/* Puts a process into its group, and into a monitoring group of the container's own where that is wanted. A group that
 * is not there is made, with its schemata; of one that is there they must be the same. What was made is removed again
 * on failure. dir: from resctrl_open(). */
MUST_CHECK int resctrl_enter(int dir, const struct spec_rdt *rdt, const char *id, pid_t pid, struct error *err);

/* Removes what belongs to this container alone: its monitoring group, and the group that has its name for want of a
 * closID. Others are their maker's. */
void resctrl_leave(int dir, const struct spec_rdt *rdt, const char *id);

/* Other schemata for a container that is there. All zero but dir: nothing is to be changed. */
struct resctrl_change {
	int dir;	    /* from resctrl_open() */
	const char *group;  /* its name; that of the container where it has none of its own yet */
	const char *before; /* the schemata that are to be put back */
	bool made;
};
/* rdt: the container's; NULL: it was made in no group, and gets one with its name, unless that is there, into which
 * these processes go. On failure everything is as before. */
MUST_CHECK int resctrl_change(struct arena *arena, struct resctrl_change *change, const struct spec_rdt *rdt,
	const char *id, const struct spec_rdt *wanted, const struct cgroup_pids *pids, struct error *err);
void resctrl_change_undo(struct resctrl_change *change);

/* The same where resctrl is mounted, for a container. rdt NULL: nothing. */
MUST_CHECK int rdt_enter(const struct spec_rdt *rdt, const char *id, pid_t pid, struct error *err);
void rdt_leave(const struct spec_rdt *rdt, const char *id);

#endif
