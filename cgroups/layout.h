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

/* One line of mountinfo or /proc/self/cgroup, taken apart in place; pure, for the tests. */
struct cgroup_mount {
	char *root, *point; /* octal escapes undone */
	const char *options;
	bool v2;
};
bool mountinfo_parse(char *line, struct cgroup_mount *out);

#endif
