/* Which namespaces a container gets: new ones, joined ones, and the id maps of a new user namespace. */
#ifndef WARREN_RUNTIME_NAMESPACES_H
#define WARREN_RUNTIME_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/spec.h"

struct namespaces {
	uint64_t create;	  /* flags for clone3 */
	bool cgroup_late;	  /* v1: the child unshares its cgroup namespace once it is in its cgroup */
	int join[NS_COUNT];	  /* -1: not joined */
	bool opened[NS_COUNT];	  /* join[] is ours to close */
	bool by_helper;		  /* a process in between joins, then clones for us */
	bool new_user;		  /* a user namespace is made */
	bool shares_user;	  /* we are in the container's user namespace ourselves */
	bool own_ids;		  /* one of both, or one is joined */
	const char *time_offsets; /* of the new time namespace, borrowed; NULL: none */
};

/* Opens what is to be joined. into_cgroup: the child is born in its cgroup (v2), so its cgroup namespace can be born
 * with it. Close with namespaces_drop(). */
MUST_CHECK int namespaces_prepare(const struct spec *spec, bool into_cgroup, struct namespaces *out, struct error *err);
void namespaces_drop(struct namespaces *namespaces);

/* True when the container sees the host's namespace of that kind. */
bool namespaces_share_host(const struct namespaces *namespaces, enum spec_namespace ns);

/* clone3: 0 in the child, the pid in the parent with *pidfd, -1 on failure. The child is the caller's own child in
 * every case. */
MUST_CHECK pid_t namespaces_clone(const struct namespaces *namespaces, int cgroup, int *pidfd, struct error *err);

/* Child side: joins what was not joined by the helper. */
MUST_CHECK int namespaces_join(const struct namespaces *namespaces, struct error *err);

/* Child side, in its namespaces: uid and gid 0 without supplementary groups, unless they are to be kept, when it has
 * ids of its own; from here on it dies with its parent. */
MUST_CHECK int namespaces_become_root(bool own_ids, bool keep_groups, struct error *err);

/* Parent side: proc_dir is /proc/PID of the child. */
MUST_CHECK int namespaces_write_maps(const struct spec *spec, int proc_dir, struct error *err);

#endif
