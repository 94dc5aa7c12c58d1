/* What of the host's cgroup mounts the other files here need; private to this folder. */
#ifndef WARREN_CGROUPS_LAYOUT_H
#define WARREN_CGROUPS_LAYOUT_H

#include <stdbool.h>

#include "cgroups/cgroups.h"

/* The controller's name on v1, where io is called blkio. */
const char *controller_v1_name(enum cgroup_controller controller);
/* Controllers named in a list separated by spaces, commas or line breaks: bits 1 << controller. */
unsigned controllers_parse(const char *list, bool v1);

static inline bool host_is_v2(const struct cgroup_host *host)
{
	return host->mode == CGROUP_V2;
}

/* True for the first controller of each v1 hierarchy: where a loop over controllers does a thing once a hierarchy. */
bool hierarchy_is_first(const struct cgroup_host *host, enum cgroup_controller controller);

/* A mount of a cgroup file system. */
struct cgroup_mount {
	const char *root, *point;
	const char *options; /* of the super block: on v1 its controllers are among them */
	bool v2;
};
/* From one line of mountinfo, taken apart in place; false: it is of something else. Pure. */
bool cgroup_mount_parse(char *line, struct cgroup_mount *out);

/* What tells why a controller is not there; texts of the kernel's files, "" when they cannot be read. */
struct missing_facts {
	const char *cgroups;   /* /proc/cgroups */
	const char *mountinfo; /* /proc/self/mountinfo */
	const char *point;     /* of the cgroup2 mount; NULL: none */
	const char *base;      /* where we begin below it, "/" or "/a/b" */
	unsigned (*controllers)(void *context, const char *path, const char *file); /* of a directory below point */
	void *context;
};
/* "not in /sys/fs/cgroup/cgroup.controllers (…)"; pure. */
const char *missing_explain(struct arena *arena, const struct missing_facts *facts, enum cgroup_controller controller,
	enum cgroup_mode mode);

/* Where the cgroup2 hierarchy is mounted, and where in it we are; members are NULL when there is none. */
struct unified_place {
	const char *point; /* the mount point */
	const char *root;  /* the cgroup that is seen there; "/" but for bind mounts */
	const char *self;  /* our cgroup, as /proc/self/cgroup says it */
};
MUST_CHECK int unified_place_read(struct arena *arena, struct unified_place *out, struct error *err);
/* Our cgroup below the mount point: "/" or "/a/b"; NULL when it is not below it. */
const char *unified_place_below(const struct unified_place *place);

/* Controllers that a file of a v2 directory lists; none when it cannot be read. */
unsigned controllers_read(int dir, const char *file);

#endif
