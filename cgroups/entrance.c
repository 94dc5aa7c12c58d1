/* The way in: by birth on v2, through inherited descriptors of `tasks` on v1. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/tree.h"

#define EXEC_LEAF "warren.exec"

/* Below a threaded group ("domain threaded") only threads can be put; its own processes may be in it. */
static bool hands_controllers_down(int dir)
{
	char text[256];

	if (knob_read(dir, "cgroup.subtree_control", text, sizeof(text)) <= 0 || text[0] == '\n')
		return false;
	return knob_read(dir, "cgroup.type", text, sizeof(text)) <= 0 || strcmp(text, "domain\n") == 0;
}

/* The instance may have made one of that name for itself: it is a cgroup all the same, within the same limits. */
static int leaf_open(const struct cgroup *cgroup, struct error *err)
{
	int leaf;

	if (mkdirat(cgroup->unified, EXEC_LEAF, 0755) < 0 && errno != EEXIST)
		return fail_errno(err, "cgroup %s: make " EXEC_LEAF, cgroup->path);
	leaf = cgroup_dir_open(cgroup->unified, EXEC_LEAF);
	return leaf < 0 ? fail_errno(err, "cgroup %s: open " EXEC_LEAF, cgroup->path) : leaf;
}

static int entrance_open_v2(const struct cgroup *cgroup, struct cgroup_entrance *out, struct error *err)
{
	if (!cgroup->fresh && hands_controllers_down(cgroup->unified)) {
		out->into = leaf_open(cgroup, err);
		return out->into < 0 ? -1 : 0;
	}
	out->into = fcntl(cgroup->unified, F_DUPFD_CLOEXEC, 3);
	return out->into < 0 ? fail_errno(err, "cgroup %s: copy its descriptor", cgroup->path) : 0;
}

int cgroup_entrance_open(const struct cgroup *cgroup, struct cgroup_entrance *out, struct error *err)
{
	*out = (struct cgroup_entrance){.into = -1};
	if (cgroup->unified >= 0)
		return entrance_open_v2(cgroup, out, err);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (cgroup->hierarchy[c] < 0 || !hierarchy_is_first(cgroup->host, (enum cgroup_controller)c))
			continue;
		out->tasks[out->count] = openat(cgroup->hierarchy[c], "tasks", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (out->tasks[out->count] < 0) {
			fail_errno(err, "cgroup %s: open tasks of the %s hierarchy", cgroup->path,
				controller_v1_name((enum cgroup_controller)c));
			cgroup_entrance_drop(out);
			return -1;
		}
		out->count++;
	}
	return 0;
}

void cgroup_entrance_drop(struct cgroup_entrance *entrance)
{
	fd_drop(&entrance->into);
	fds_drop(entrance->tasks, entrance->count);
	entrance->count = 0;
}

/* "0" is the writing thread. Through tasks, and by a process of one thread, the kernel need not stop forks for it
 * (cgroup_attach_lock(), commit 9a3284fad42f); through cgroup.procs it waits 10-13 ms for that after an idle gap. The
 * write is judged by who opened the file, so it works in any user namespace. */
int cgroup_enter(const struct cgroup_entrance *entrance, struct error *err)
{
	for (size_t i = 0; i < entrance->count; i++)
		if (write_retried(entrance->tasks[i], "0", 1) != 1)
			return fail_errno(err, "enter the cgroup");
	return 0;
}
