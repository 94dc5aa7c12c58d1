/* Handing a cgroup's subtree to an instance that manages cgroups itself (systemd as its first process, say).
 *
 * Who owns the directory and the three files named below may make cgroups in it, move its own processes among them and
 * hand controllers down. The limits belong to the parent: their files stay ours, also those that
 * /sys/kernel/cgroup/delegate lists beside the three (memory.oom.group, memory.reclaim), as they say what happens to
 * the instance as a whole.
 *
 * A cgroup costs the kernel memory and time in every walk over the tree, so how many and how deep is bounded. The
 * bounds lie in files that are not handed over. */
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"

#include "cgroups/cgroups.h"

static const char *const handed_over[] = {"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"};

/* systemd makes some hundred for a busy machine and is ten deep with containers inside. */
static const struct {
	const char *file, *text;
} bounds[] = {{"cgroup.max.descendants", "1024"}, {"cgroup.max.depth", "32"}};

/* One that somebody has set stays. */
static int bounds_set(const struct cgroup *cgroup, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		int64_t now;

		if (knob_number(cgroup->unified, bounds[i].file, &now) && now >= 0)
			continue;
		if (knob_write(cgroup->unified, bounds[i].file, bounds[i].text) < 0)
			return fail_errno(err, "write %s to %s", bounds[i].text, bounds[i].file);
	}
	return 0;
}

static int files_hand_over(const struct cgroup *cgroup, uid_t uid, gid_t gid, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(handed_over); i++)
		if (fchownat(cgroup->unified, handed_over[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return fail_errno(err, "change the owner of %s", handed_over[i]);
	return fchown(cgroup->unified, uid, gid) < 0 ? fail_errno(err, "change the owner of the directory") : 0;
}

int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, gid_t gid, struct error *err)
{
	if (cgroup->unified < 0)
		return fail(err, ERROR_SYSTEM,
			"cgroup %s: delegation needs a host with cgroup v2: on v1 it would hand over the limits too",
			cgroup->path);
	if (bounds_set(cgroup, err) < 0 || files_hand_over(cgroup, uid, gid, err) < 0)
		return blame(err, "delegate cgroup %s to user %u", cgroup->path, uid);
	return 0;
}
