/* What the running kernel can do, in one place.
 *
 * One table says of every kernel feature that we use what it is for, since which Linux it is there and what we do
 * without it; nothing anywhere else compares versions, because distributions backport. A feature is asked for by trying
 * it, when somebody wants to know, and once per process: a start that needs no answer pays nothing. Where the attempt
 * itself is the cheapest question, the code does it and falls back, and the row says so (`attempted`). See
 * docs/kernels.md. */
#ifndef WARREN_BASE_KERNEL_H
#define WARREN_BASE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define KERNEL_OLDEST "6.1" /* the oldest one that everything is tested on */

enum kernel_feature {
	KERNEL_OPENAT2,
	KERNEL_CLONE3,
	KERNEL_CLONE_INTO_CGROUP,
	KERNEL_PIDFD,
	KERNEL_CLOSE_RANGE,
	KERNEL_MOUNT_API,
	KERNEL_MOUNT_SETATTR,
	KERNEL_OVERLAY,
	KERNEL_TMPFS,
	KERNEL_SECCOMP,
	KERNEL_NAMESPACE_USER,
	KERNEL_NAMESPACE_MNT,
	KERNEL_NAMESPACE_PID,
	KERNEL_NAMESPACE_UTS,
	KERNEL_NAMESPACE_IPC,
	KERNEL_NAMESPACE_NET,
	KERNEL_NAMESPACE_CGROUP,
	KERNEL_NAMESPACE_TIME,
	KERNEL_OVERLAY_DETACHED,
	KERNEL_CLONE_DETACHED,
	KERNEL_PROC_FOR_CHILD,
	KERNEL_PIDFD_EXIT,
	KERNEL_MEMFD_EXEC,
	KERNEL_SESSION_KEYRING,
	KERNEL_QUOTA,
	KERNEL_LANDLOCK,
	KERNEL_FEATURES
};

enum kernel_need {
	KERNEL_NEEDED, /* nothing starts without */
	KERNEL_BETTER, /* we use it and do without */
	KERNEL_UNUSED, /* only told: what an administrator asks about */
};

enum kernel_answer { KERNEL_UNASKED, KERNEL_NO, KERNEL_YES, KERNEL_UNKNOWN /* may not be tried by us */ };

struct kernel_row {
	const char *name;    /* "mount_setattr(2)" */
	const char *purpose; /* "id maps and flags of mounts" */
	const char *since;   /* "5.12" */
	enum kernel_need need;
	bool attempted;	     /* no code asks kernel_has(): it tries the thing itself and falls back */
	const char *without; /* what happens without: "nothing starts" */
	const char *remedy;  /* what to do about it */
};

const struct kernel_row *kernel_about(enum kernel_feature feature);

/* Asked of the kernel once per process, then remembered; any thread. KERNEL_UNKNOWN: it takes rights that we lack. */
enum kernel_answer kernel_ask(enum kernel_feature feature);
static inline bool kernel_has(enum kernel_feature feature)
{
	return kernel_ask(feature) == KERNEL_YES;
}

/* seccomp(2): whether the kernel knows a SECCOMP_FILTER_FLAG_…; 0: whether it has filters at all. */
bool kernel_has_seccomp_flag(unsigned flag);

/* For tests only: the answer from now on, whatever the kernel can; KERNEL_UNASKED forgets it. */
void kernel_pretend(enum kernel_feature feature, enum kernel_answer answer);

/* "6.1.0-56-cloud-amd64", and whether that is at least major.minor. For people to read; decides nothing. */
const char *kernel_release(void);
bool kernel_is_at_least(unsigned major, unsigned minor);

/* For whoever prints an error at last: when it may come from a kernel that lacks something we need, asks for all that,
 * and puts what lacks in front: "this kernel (4.19.0) has no mount_setattr(2), which Linux has since 5.12: …". Else the
 * error stays as it is. */
void kernel_explain(struct error *err);

#endif
