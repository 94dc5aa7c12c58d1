/* Limits → writes into the kernel's files; private to this folder. limits.c is pure, limits_check.c refuses,
 * apply.c does the writes. */
#ifndef WARREN_CGROUPS_LIMITS_H
#define WARREN_CGROUPS_LIMITS_H

#include "cgroups/cgroups.h"

enum limit_flags {
	REMOVABLE = 1,	/* -1 removes it */
	SPECIAL = 2,	/* not written as the table says, but by a function in limits.c */
	SPECIAL_V1 = 4, /* the same, on v1 only */
	PROTECTION = 8, /* keeps memory for the cgroup: -1 and 0 ask for none, where "max" would be all there is */
};

struct limit {
	const char *name;
	size_t offset; /* of its struct optional in struct cgroup_limits */
	enum cgroup_controller controller;
	unsigned flags;
	int64_t min, max;
	const char *v2, *v1; /* v1 NULL: cgroup v1 has nothing alike */
	int64_t off;	     /* the value that asks for nothing: accepted where the limit does not exist */
};
extern const struct limit limits_table[];
extern const size_t limits_table_count;

#define BLOCK_WEIGHT_MIN 10 /* of OCI and BFQ; of blkio.weight, CFQ's, in kernels of vendors */
#define BLOCK_WEIGHT_MAX 1000

/* The controller before the dot of a file's name; CGROUP_CONTROLLERS for the kernel's own "cgroup." */
enum cgroup_controller unified_controller(const char *file);
/* What a file of v2 is called on v1: of hugetlb and rdma, which have one limit, the same. NULL: nothing alike. */
const char *unified_on_v1(struct arena *arena, const char *file);

const struct optional *limit_value(const struct cgroup_limits *limits, const struct limit *limit);

/* One write that is to be done. */
struct knob {
	const char *limit;		   /* the member of struct cgroup_limits it comes from, for errors */
	enum cgroup_controller controller; /* CGROUP_CONTROLLERS: none is needed (v2's cgroup.* files) */
	const char *file, *text;
	const char *or_file, *or_text; /* to be tried when file does not exist; may be NULL */
	bool both;		       /* or_file also when file does: each speaks to those devices that heed it */
};
struct knobs {
	struct knob *items;
	size_t count;
};

/* What the cgroup has now, as far as the order of writes depends on it; -1: no limit. */
struct limits_now {
	bool fresh;		     /* nothing was ever written: the values are the kernel's defaults */
	int64_t memory, memory_swap; /* v1: limit_in_bytes, memsw.limit_in_bytes */
	int64_t quota_us, period_us;
};
extern const struct limits_now limits_fresh;

/* The writes in the order in which they are to be done. Fails only on a combination v1 cannot express. */
MUST_CHECK int limits_compile(const struct cgroup_host *host, const struct cgroup_limits *limits,
	const struct limits_now *now, struct arena *arena, struct knobs *out, struct error *err);

/* Controllers (bits 1 << controller) that the writes and, on v1, the device rules need. */
unsigned limits_controllers(
	const struct cgroup_host *host, const struct cgroup_limits *limits, const struct knobs *knobs);

/* What limits_compile() needs to know, read from the kernel. */
struct limits_now limits_now_read(const struct cgroup *cgroup, const struct cgroup_limits *limits);
/* Does the writes, then sets the device rules. journal: notes what is overwritten; NULL: the cgroup is new and has no
 * limits yet. */
MUST_CHECK int limits_write(const struct cgroup *cgroup, const struct cgroup_limits *limits, const struct knobs *knobs,
	struct cgroup_journal *journal, struct error *err);

/* The directory that holds a controller's files: on v2 the one there is, on v1 the hierarchy's; -1 none. */
int cgroup_directory(const struct cgroup *cgroup, enum cgroup_controller controller);

/* Conversions, see limits.c. */
int64_t weight_to_shares(int64_t weight);
int64_t shares_to_weight(int64_t shares);
int64_t block_weight_to_io_weight(int64_t weight);
/* A number of v1's memory files, whose "no limit" is the largest number of whole pages: -1 then. */
int64_t v1_bytes(int64_t value);

#endif
